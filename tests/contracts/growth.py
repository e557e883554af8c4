"""Compares two versions of a JSON Schema: what a released event must never do."""

from collections.abc import Mapping
from typing import Any

FIXED = ("type", "pattern", "format", "enum", "const", "minimum", "maximum", "minLength", "maxLength", "$ref")


def broken_promises(old: Mapping[str, Any], new: Mapping[str, Any], where: str = "$") -> list[str]:
    """The ways in which ``new`` is more than ``old`` with optional fields added; empty when it only grew."""
    broken = [f"{where}: {key} {old.get(key)} -> {new.get(key)}" for key in FIXED if old.get(key) != new.get(key)]
    before, after = set(old.get("required", ())), set(new.get("required", ()))
    broken += [f"{where}.{name}: became required" for name in sorted(after - before)]
    broken += [f"{where}.{name}: no longer required" for name in sorted(before - after)]
    for group in ("properties", "$defs"):
        for name, part in old.get(group, {}).items():
            if name not in new.get(group, {}):
                broken.append(f"{where}.{name}: removed")
            else:
                broken += broken_promises(part, new[group][name], f"{where}.{name}")
    for name in ("items", "additionalProperties"):
        if isinstance(old.get(name), Mapping) and isinstance(new.get(name), Mapping):
            broken += broken_promises(old[name], new[name], f"{where}[]")
    return broken
