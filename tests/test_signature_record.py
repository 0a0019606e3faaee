"""Recording signatures, with parsers that are made here instead of the engines'."""

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from runners import signatures
from runners.signatures_parsers import Parser, recorded
from schema.diagnostics import Diagnostic, RecipeError


@dataclass
class Base:
    rate: float = 0.1


@dataclass
class Options(Base):
    map: dict | str | None = None
    kind: Literal["a", 2] = "a"
    names: list[str] = field(default_factory=list)


def parser(**types):
    made = argparse.ArgumentParser()
    for name, kind in types.items():
        made.add_argument(f"--{name}", f"--{name}-again", type=kind)
    return made


def test_what_is_recorded_of_an_option():
    made = parser(rate=float, map=str)
    made.add_argument("--kind", choices=["a", 2], default="a")
    made.add_argument("--names", nargs="+", default=[])
    made.add_argument("script")
    found = recorded(Parser(("tool",), made, (), (Options,)))
    assert found.positionals == ["script"]
    package = __name__.split(".")[0]
    assert found.options["rate"] == {
        "flags": ["--rate", "--rate-again"],
        "type": "float",
        "default": None,
        "owner": f"{package}.Base",
    }
    assert found.options["map"]["type"] == "json"
    assert (found.options["kind"]["type"], found.options["kind"]["choices"]) == ("choice", ["a", 2])
    assert (found.options["names"]["nargs"], found.options["names"]["default"]) == ("+", [])


def test_a_type_that_nobody_knows_stops_the_recording():
    with pytest.raises(TypeError, match="--size is converted by megabytes"):
        recorded(Parser(("tool",), parser(size=megabytes), ()))


def megabytes(text):
    return int(text) << 20


def test_a_default_that_names_this_machine_stops_the_recording():
    made = argparse.ArgumentParser()
    made.add_argument("--cache", default=str(Path.home() / "cache"))
    with pytest.raises(ValueError, match="a path of this machine"):
        recorded(Parser(("tool",), made, ()))


def test_files_are_written_and_old_ones_go(tmp_path):
    (tmp_path / "name-traps.json").write_text("{}", encoding="utf-8")
    signatures.write({"tool-1/run.json": "{}\n", "toolchain.json": "{}\n"}, tmp_path)
    signatures.write({"tool-2/run.json": "{}\n", "toolchain.json": "{}\n"}, tmp_path)
    assert sorted(signatures.existing(tmp_path)) == ["tool-2/run.json", "toolchain.json"]
    assert (tmp_path / "name-traps.json").exists()


def test_a_check_shows_the_option_that_changed(tmp_path, monkeypatch, capsys):
    files = {"tool-1/run.json": signatures.document(options=({"a": {"default": 1}, "b": {"default": 2}}, 1))}
    signatures.write(files, tmp_path)
    monkeypatch.setattr(signatures, "record_apart", lambda toolchain: files)
    assert signatures.main(["--check", "--out", str(tmp_path)]) == 0
    changed = {"tool-1/run.json": files["tool-1/run.json"].replace(": 2", ": 3")}
    monkeypatch.setattr(signatures, "record_apart", lambda toolchain: changed)
    assert signatures.main(["--check", "--out", str(tmp_path)]) == 1
    assert signatures.existing(tmp_path) == files
    out = capsys.readouterr().out
    assert '-"b": {"default": 2}' in out and '+"b": {"default": 3}' in out and '"a"' not in out


def test_missing_engines_are_told(monkeypatch, capsys):
    def missing(toolchain):
        raise RecipeError([Diagnostic("R0410", "the engines' parsers cannot be read", "install the engines")])

    monkeypatch.setattr(signatures, "record_apart", missing)
    assert signatures.main(["--check"]) == 2
    assert "help: install the engines" in capsys.readouterr().err
