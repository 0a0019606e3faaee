"""Golden error cases: `errors/CASE.yaml` is refused with the text of `errors/CASE.txt`.

`pytest tests/test_errors.py --renew` writes the texts anew.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from compiler.validation import findings
from schema.render import text

CASES = Path(__file__).parent / "errors"
FILES = sorted(CASES.glob("*.yaml"))


@pytest.fixture
def expect(request):
    """Compare with the golden text of a case, or write it with `--renew`."""

    def compare(case, found):
        golden = CASES / f"{case}.txt"
        if request.config.getoption("--renew"):
            golden.write_text(found + "\n", encoding="utf-8")
        assert golden.is_file(), "no expected text: run pytest tests/test_errors.py --renew"
        assert found + "\n" == golden.read_text(encoding="utf-8")

    return compare


def refusal(path):
    """What is wrong with a recipe, and its text."""
    sources = {}
    found = findings(path, sources)
    assert any(diagnostic.severity == "error" for diagnostic in found)
    return found, text(found, sources)


def test_there_are_cases():
    assert len(FILES) >= 40


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_case(path, expect, monkeypatch):
    monkeypatch.chdir(CASES)
    diagnostics, found = refusal(Path(path.name))
    expect(path.stem, found)
    assert all(d.spans for d in diagnostics)


def a_missing_file(folder):
    (folder / "animals-lora.yaml").touch()
    return Path("animal-lora.yaml")


def a_directory(folder):
    (folder / "recipes").mkdir()
    (folder / "recipes" / "animals-lora.yaml").touch()
    return Path("recipes")


def not_utf8(folder):
    (folder / "a.yaml").write_bytes("version: 1\nname: animals\ndescription: Bär, Kuh\n".encode("latin1"))
    return Path("a.yaml")


def garbage(folder):
    """50 MB of random bytes."""
    block = os.urandom(1 << 20)
    with (folder / "a.yaml").open("wb") as stream:
        for _ in range(50):
            stream.write(block)
    return Path("a.yaml")


def binary(folder):
    (folder / "a.yaml").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    return Path("a.yaml")


MADE = {
    "missing": a_missing_file,
    "directory": a_directory,
    "not-utf8": not_utf8,
    "garbage": garbage,
    "binary": binary,
}


@pytest.mark.parametrize("case", MADE)
def test_made_case(case, expect, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    expect(case, refusal(MADE[case](tmp_path))[1])


def test_every_text_has_its_case(request):
    cases = {path.stem for path in FILES} | MADE.keys()
    if request.config.getoption("--renew"):
        for text_ in CASES.glob("*.txt"):
            if text_.stem not in cases:
                text_.unlink()
    assert {path.stem for path in CASES.glob("*.txt")} == cases


def recipe(*arguments):
    """`recipe …` in the folder of the cases: exit code, standard output, standard error."""
    command = [sys.executable, "-m", "compiler", *arguments]
    done = subprocess.run(command, cwd=CASES, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_the_program_says_the_same():
    """Findings: exit code 1, and text on standard error."""
    golden = (CASES / "many-at-once.txt").read_text(encoding="utf-8")
    assert recipe("validate", "many-at-once.yaml") == (1, "", golden)


def test_formats_for_programs():
    code, out, _ = recipe("validate", "many-at-once.yaml", "--format", "json")
    assert code == 1
    assert {d["code"] for d in json.loads(out)["diagnostics"]} >= {"R0010", "R0101", "R0102"}
    code, out, _ = recipe("validate", "many-at-once.yaml", "--format", "github")
    assert code == 1
    assert all(line.startswith("::error file=many-at-once.yaml,line=") for line in out.splitlines())


def test_exit_codes_of_the_other_ends():
    assert recipe("validate", str(CASES.parents[1] / "recipes" / "quickstart.yaml"))[0] == 0
    assert recipe("validate", "--no-such-option")[0] == 2
