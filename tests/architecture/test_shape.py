"""The conventions that keep the tree readable, as failing checks."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import contracts
import gateway
import services

ROOT = Path(contracts.__file__).resolve().parent.parent
CODE = ("contracts", "deploy", "gateway", "services")
SERVICES = ("access", "assessment", "remediation", "reporting", "training")
NEEDED = {"__init__", "__main__", "api", "app", "domain", "store", "usecases"}
ALLOWED = NEEDED | {"consumers", "evidence", "queries"}
FORBIDDEN_WORDS = {"manager", "helper", "helpers", "util", "utils", "common", "misc", "base"}
BUSINESS_WORDS = re.compile(
    r"\b(factor(y|ies)|buyer|visit|questionnaire|finding|grant|advisor|compliance|training)s?\b", re.IGNORECASE
)
MAX_LINES = 300
MAX_FUNCTION_LINES = 40
MAX_RUNTIME_LINES = 1_470
MAX_ADAPTER_LINES = 3_550


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


EVERY_FILE = pytest.mark.parametrize("path", python_files(*CODE, "tests"), ids=name_of)
CODE_FILE = pytest.mark.parametrize("path", python_files(*CODE), ids=name_of)


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_imports_come_from_this_checkout() -> None:
    for package in (contracts, gateway, services):
        assert Path(str(package.__file__)).resolve().is_relative_to(ROOT)


@EVERY_FILE
def test_a_file_is_one_subject(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= MAX_LINES


@EVERY_FILE
def test_a_module_opens_with_its_purpose(path: Path) -> None:
    text = path.read_text("utf-8")
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), "say in one sentence what the module is for"


@CODE_FILE
def test_a_function_fits_on_a_screen(path: Path) -> None:
    for function in functions(path):
        lines = (function.end_lineno or 0) - function.lineno
        contains_functions = any(
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            for node in ast.walk(function)
            if node is not function
        )
        if not contains_functions:
            assert lines <= MAX_FUNCTION_LINES, f"{function.name} has {lines} lines"


@EVERY_FILE
def test_names_say_what_a_thing_is(path: Path) -> None:
    words = set(re.split(r"[_.]", path.stem.lower()))
    assert not words & FORBIDDEN_WORDS
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ClassDef):
            parts = {part.lower() for part in re.findall(r"[A-Z][a-z]+", node.name)}
            assert not parts & {"manager", "helper", "utils"}, node.name


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_the_same_file_names(service: str) -> None:
    folder = ROOT / "services" / service
    names = {path.stem for path in folder.glob("*.py")}
    names |= {path.parent.name for path in folder.glob("*/__init__.py")}
    assert names | ({"consumers"} if service == "access" else set()) >= NEEDED
    assert names <= ALLOWED


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_says_what_it_owns_and_never_does(service: str) -> None:
    text = ast.get_docstring(ast.parse((ROOT / "services" / service / "__init__.py").read_text("utf-8"))) or ""
    for word in ("Owns:", "Announces:", "Listens to:", "Never:"):
        assert word in text


@pytest.mark.parametrize(
    "path",
    [p for p in python_files("services") if "domain" in p.relative_to(ROOT).parts or p.stem == "domain"],
    ids=name_of,
)
def test_a_domain_has_no_clock_and_no_chance(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(r"datetime\.now|date\.today|time\.time|uuid4|uuid7|random\.|secrets\.", text)


@pytest.mark.parametrize("service", SERVICES)
def test_every_read_of_a_store_takes_a_scope(service: str) -> None:
    folder = ROOT / "services" / service
    files = [p for p in folder.rglob("*.py") if "store" in p.relative_to(folder).parts or p.stem == "store"]
    lines = {path: path.read_text("utf-8").splitlines() for path in files}
    for path in files:
        for function in functions(path):
            if not function.name.startswith(("get", "find", "all", "of", "read", "list", "count")):
                continue
            arguments = [*function.args.args, *function.args.kwonlyargs]
            annotations = {ast.unparse(a.annotation) for a in arguments if a.annotation is not None}
            excused = "# no scope:" in lines[path][function.lineno - 1]
            assert excused or "Scope" in annotations, f"{name_of(path)}:{function.lineno} {function.name}"


def test_the_runtime_stays_small_and_knows_no_business_word() -> None:
    files = python_files("services/runtime")
    lines = {path: len(path.read_text("utf-8").splitlines()) for path in files}
    core = [path for path in files if path.parent.name == "runtime"]
    assert sum(lines[path] for path in core) <= MAX_RUNTIME_LINES
    assert sum(lines.values()) - sum(lines[path] for path in core) <= MAX_ADAPTER_LINES
    for path in files:
        if path.stem == "settings":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                assert not BUSINESS_WORDS.search(node.name.replace("_", " ")), f"{name_of(path)}: {node.name}"


def test_no_file_is_given_out_by_an_address_of_its_own() -> None:
    asked = [node for path in python_files(*CODE) for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    names = {node.attr for node in asked if isinstance(node, ast.Attribute)}
    assert "put_object" in names
    assert not [name for name in names if "presign" in name.lower()]


@EVERY_FILE
def test_no_code_is_commented_out_and_nothing_is_left_for_later(path: Path) -> None:
    if path == Path(__file__):
        return
    assert not re.search(r"#\s*(TODO|FIXME|XXX)", path.read_text("utf-8"))


def test_the_import_contracts_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".lock", ".sh", ".cfg", ".xml", ".java", ".example", ""}
NOT_OURS = re.compile(r"pypi\.org|pythonhosted|proxy\.golang|registry\.npmjs|repo\.maven|/work/|/tmp/star|\.library")


def test_no_registry_host_and_no_path_of_a_machine_is_in_the_repository() -> None:
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in TEXT and path != Path(__file__) and path.is_file():
            found = NOT_OURS.search(path.read_text("utf-8", errors="replace"))
            assert found is None, f"{name}: {found}"
