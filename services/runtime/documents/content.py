"""What a document may hold, so that every adapter stores and answers it alike."""

import math
from collections.abc import Mapping
from typing import Any

DEEPEST = 100
"""Nesting levels of a document; MongoDB's documented limit."""

LARGEST_BYTES = 16 * 1024 * 1024
"""The size of a document as its database stores it; MongoDB's limit."""

INT64 = range(-(2**63), 2**63)


def check_document(document: Mapping[str, Any]) -> None:
    """Refuse with ``ValueError`` what is not a JSON document that every adapter can hold."""
    identity = document.get("_id")
    if type(identity) is not str or not identity:
        raise ValueError("A document needs a non-empty text as its _id.")
    _check_object(document, DEEPEST)
    if type(document.get("version", 0)) is not int:
        raise ValueError("The version of a document is a whole number.")
    for message in document.get("pending") or ():
        if type(message) is not dict or type(message.get("id")) is not str or not message["id"]:
            raise ValueError("Each element of pending needs a non-empty text as its id.")


def check_size(stored_bytes: int) -> None:
    """Refuse with ``ValueError`` what is too large to store."""
    if stored_bytes > LARGEST_BYTES:
        raise ValueError("A document holds at most 16 MB.")


def check_scalar(value: object) -> None:
    """Refuse with ``ValueError`` what is not null, a truth value, a text, a 64-bit integer or a finite number."""
    kind = type(value)
    if value is None or kind is bool:
        return
    if isinstance(value, str) and kind is str:
        if not value.isascii():
            value.encode()  # a lone surrogate is no text; UnicodeEncodeError is a ValueError
    elif isinstance(value, int) and kind is int:
        if value not in INT64:
            raise ValueError("A whole number must fit 64 bits.")
    elif isinstance(value, float) and kind is float:
        if not math.isfinite(value):
            raise ValueError("A number must be finite.")
    else:
        raise ValueError(f"A value of type {kind.__name__} is not JSON.")


def _check_value(value: object, levels: int) -> None:
    if isinstance(value, dict):
        _check_object(value, levels)
    elif isinstance(value, list | tuple):
        _check_depth(levels)
        for item in value:
            _check_value(item, levels - 1)
    else:
        check_scalar(value)


def _check_object(value: Mapping[Any, Any], levels: int) -> None:
    _check_depth(levels)
    for key, item in value.items():
        if type(key) is not str or not key or "." in key or "\0" in key or key.startswith("$"):
            raise ValueError("A key is a non-empty text without dots or NUL that does not start with a dollar sign.")
        check_scalar(key)
        _check_value(item, levels - 1)


def _check_depth(levels: int) -> None:
    if levels == 0:
        raise ValueError(f"A document nests at most {DEEPEST} levels.")
