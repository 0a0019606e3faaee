"""`recipe new`: a recipe to start from, in this project, in an empty folder, and from an installation without a checkout."""

from __future__ import annotations

import sysconfig
import tomllib
from pathlib import Path

import pytest

from compiler.commands import new as verb
from compiler.commands.new import new
from compiler.validation import run as validate

ROOT = Path(__file__).resolve().parent.parent
SCHEMA_LINE = "# yaml-language-server: $schema=recipe-v1.schema.json"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("source", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda path: path.stem)
def test_any_of_ours_starts_a_recipe_in_an_empty_folder(project: Path, source: Path) -> None:
    new("mine", Path(source.stem))
    ours, mine = source.read_text().splitlines(), (project / "recipes/mine.yaml").read_text().splitlines()
    assert [m for o, m in zip(ours, mine, strict=True) if o != m] == [SCHEMA_LINE, "name: mine"]
    assert validate([Path("recipes/mine.yaml")]) == 0


def test_an_editor_finds_the_schema_that_the_first_line_names(project: Path) -> None:
    new("mine", Path("quickstart.yaml"))
    named = (project / "recipes/mine.yaml").read_text().splitlines()[0].partition("$schema=")[2]
    assert (project / "recipes" / named).read_bytes() == (ROOT / "schema/recipe-v1.schema.json").read_bytes()


def test_a_copy_in_our_project_keeps_the_schema_of_its_first_line(project: Path) -> None:
    (project / "schema").mkdir()
    (project / "schema/recipe-v1.schema.json").touch()
    new("mine", Path("quickstart"))
    first = (ROOT / "recipes/quickstart.yaml").read_text().splitlines()[0]
    assert (project / "recipes/mine.yaml").read_text().splitlines()[0] == first
    assert [path.name for path in (project / "recipes").iterdir()] == ["mine.yaml"]


def test_a_recipe_of_the_project_goes_before_ours(project: Path) -> None:
    new("mine", Path("quickstart"))
    text = "# here\n" + (project / "recipes/mine.yaml").read_text()
    (project / "recipes/quickstart.yaml").write_text(text)
    new("other", Path("quickstart"))
    assert (project / "recipes/other.yaml").read_text() == text.replace("name: mine", "name: other")


def test_a_path_that_is_not_there_is_not_taken_for_one_of_ours(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        new("mine", Path("old/quickstart.yaml"))
    assert "old/quickstart.yaml does not exist" in capsys.readouterr().err
    assert not (project / "recipes").exists()


def test_nothing_is_written_over(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new("mine", Path("quickstart"))
    before = (project / "recipes/mine.yaml").read_bytes()
    with pytest.raises(SystemExit) as ended:
        new("mine", Path("animals-lora"))
    assert ended.value.code == 2
    assert "recipes/mine.yaml exists already" in capsys.readouterr().err
    assert (project / "recipes/mine.yaml").read_bytes() == before


def test_an_installation_brings_the_recipes_along() -> None:
    """What setuptools is told to put down lies where we look for it, and is all of them."""
    ((folder, globs),) = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"][
        "data-files"
    ].items()
    assert verb.SHIPPED[1] / "recipes" == Path(sysconfig.get_path("data"), folder)
    assert {path for glob in globs for path in ROOT.glob(glob)} == {*(ROOT / "recipes").glob("*.yaml")}


def test_completion_knows_ours_and_those_here(project: Path) -> None:
    assert "quickstart" in verb.complete_origin("qui")
    new("quiet", Path("quickstart"))
    assert {"quickstart", "quiet"} <= set(verb.complete_origin("qui"))
