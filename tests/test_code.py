"""The modules that count in an identity are those that Python would import."""

import ast
from pathlib import Path

import pytest

from schema.code import PACKAGE, TREE, closure, digests

MODULES = sorted(
    ".".join(path.relative_to(TREE).with_suffix("").parts).removesuffix(".__init__")
    for path in (TREE / PACKAGE).rglob("*.py")
)


def imported(module: str) -> set[str]:
    path = TREE.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names & set(MODULES) - {PACKAGE}


@pytest.mark.parametrize("module", MODULES)
def test_the_closure_is_what_python_would_import(module: str) -> None:
    reached, waiting = set(), [module]
    while waiting:
        current = waiting.pop()
        if current not in reached:
            reached.add(current)
            waiting += imported(current)
    assert closure(module) == reached


def test_there_are_modules_to_look_at() -> None:
    assert len(MODULES) > 20


def test_a_digest_is_of_the_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / PACKAGE).mkdir()
    (tmp_path / PACKAGE / "windows.py").write_bytes(b"x = 1\r\n")
    (tmp_path / PACKAGE / "unix.py").write_bytes(b"x = 1\n")
    monkeypatch.setattr("schema.code.TREE", tmp_path)
    found = digests([f"{PACKAGE}.windows", f"{PACKAGE}.unix"])
    assert found[f"{PACKAGE}.windows"] == found[f"{PACKAGE}.unix"]
