"""Environments of toolchains: made whole or not at all, once, and found again."""

import sys
import threading
import venv
from pathlib import Path

import exec_project
import pytest
from compiling import ROOT

from runners import compiled, toolchains
from schema.diagnostics import RecipeError
from schema.digests import of_file

UV = """\
#!/bin/sh
# Stands for uv: `uv venv … FOLDER` and `uv pip install …`.
echo "$@" >>{calls}
for last; do :; done
case $1 in
  venv) cp -r {template} "$last" ;;
  pip) {pip} ;;
esac
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("template") / "environment"
    venv.create(folder, symlinks=True)
    found = next((folder / "lib").glob("python3*"))
    if found.name != f"python{compiled.PYTHON}":
        found.rename(found.with_name(f"python{compiled.PYTHON}"))
    return folder


@pytest.fixture
def made(tmp_path, template, monkeypatch):
    """Makes the toolchain `small` in a project with a stand-in for uv; tells its folder and what uv was asked."""

    class Made:
        root = tmp_path
        calls = tmp_path / "calls"
        lock = tmp_path / "toolchains" / "small.txt"

        @property
        def folder(self):
            return compiled.environment_of(self.root, "small", of_file(self.lock))

        def uv(self, pip="true"):
            self.calls.touch()
            (self.root / "uv").write_text(UV.format(calls=self.calls, template=template, pip=pip))
            (self.root / "uv").chmod(0o755)

        def make(self):
            return toolchains.make(self.root, "small", of_file(self.lock), lambda: None)

    it = Made()
    it.lock.parent.mkdir()
    it.lock.write_text("one==1.0 --hash=sha256:00\n")
    it.uv()
    monkeypatch.setattr(toolchains, "program", lambda: str(tmp_path / "uv"))
    return it


def test_it_is_made_once_with_every_digest_required(made):
    assert made.make() and not made.make()
    first, second = made.calls.read_text().splitlines()
    assert "--relocatable" in first
    assert "--require-hashes" in second and second.endswith("toolchains/small.txt")


def test_our_own_packages_are_those_of_this_installation(made):
    made.make()
    for package in ("runners", "schema"):
        assert (compiled.packages_of(made.folder) / package).resolve() == ROOT / package
    assert not (compiled.packages_of(made.folder) / "compiler").exists()


def test_links_follow_an_installation_that_moved(made):
    made.make()
    link = compiled.packages_of(made.folder) / "schema"
    link.unlink()
    link.symlink_to("/nowhere")
    made.make()
    assert link.resolve() == ROOT / "schema"


def test_a_failure_leaves_nothing_and_tells_the_last_lines(made):
    made.uv('echo "Because one was not found, it is unsatisfiable" >&2; exit 2')
    with pytest.raises(RecipeError) as refused:
        made.make()
    (found,) = refused.value.diagnostics
    assert found.code == "R0572" and "one was not found" in found.message
    assert list(made.folder.parent.iterdir()) == []
    made.uv()
    assert made.make()


def test_what_a_killed_making_left_is_not_used(made):
    partial = made.folder.with_name(f"{made.folder.name}.partial")
    partial.mkdir(parents=True)
    (partial / "half").touch()
    assert made.make()
    assert not partial.exists() and not (made.folder / "half").exists()


def test_of_two_makers_one_makes_it(made):
    made.uv("sleep 0.5")
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(made.make())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [False, True]
    assert len(made.calls.read_text().splitlines()) == 2


def test_another_lock_than_was_compiled_with_is_refused(made):
    sha256 = of_file(made.lock)
    made.lock.write_text("one==2.0 --hash=sha256:00\n")
    with pytest.raises(RecipeError) as refused:
        toolchains.make(made.root, "small", sha256, lambda: None)
    assert [found.code for found in refused.value.diagnostics] == ["R0570"]


def test_without_uv_that_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RecipeError) as refused:
        toolchains.program()
    assert [found.code for found in refused.value.diagnostics] == ["R0571"]


def stage_in(root: Path, toolchain) -> compiled.Stage:
    return compiled.Stage(
        root=root,
        folder=root / "pipelines" / "one",
        name="train",
        recipe_file="recipes/one.yaml",
        recipe_hash="",
        key="",
        out=Path("outputs"),
        outs=(),
        inputs={},
        checkpoints=None,
        files={},
        identity={"toolchain": {"one": "1.0"}},
        toolchain=toolchain,
    )


def test_programs_are_those_of_the_toolchain_and_not_ours(made):
    made.make()
    stage = stage_in(made.root, {"name": "small", "sha256": of_file(made.lock)})
    own = str(Path(sys.executable).parent)
    variables = toolchains.activated(stage, {"PATH": f"{own}:/usr/bin", "A": "b"})
    assert variables == {"PATH": f"{made.folder}/bin:/usr/bin", "VIRTUAL_ENV": str(made.folder), "A": "b"}
    assert toolchains.activated(stage_in(made.root, None), {"PATH": own}) == {"PATH": own}


def test_versions_are_asked_in_the_environment_that_runs(made):
    made.make()
    stage = stage_in(made.root, {"name": "small", "sha256": of_file(made.lock)})
    (found,) = compiled.other_versions(stage.identity["toolchain"], stage.environment)
    assert found.installed is None
    metadata = compiled.packages_of(made.folder) / "one-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: one\nVersion: 1.0\n")
    assert compiled.other_versions(stage.identity["toolchain"], stage.environment) == ()


TELLS = """\
mkdir -p "$RECIPE_OUT/result/model"
python -c 'import schema, sys; print(sys.prefix)' > "$RECIPE_OUT/result/model/prefix"
echo 1 > "$RECIPE_OUT/result/metrics.json"
"""


def test_a_stage_starts_in_the_environment_that_uv_makes_for_it(tmp_path):
    """With the real uv, and a lock that holds no package."""
    lock = tmp_path / "project" / "toolchains" / "empty.txt"
    lock.parent.mkdir(parents=True)
    lock.write_text("# no package\n")
    named = {"name": "empty", "sha256": of_file(lock)}
    project = exec_project.make(tmp_path, script="set -eu\n" + TELLS, toolchain=named)
    first = project.run()
    assert first.returncode == 0, first.stderr
    folder = compiled.environment_of(project.root, "empty", named["sha256"])
    assert (project.out / "model" / "prefix").read_text().strip() == str(folder)
    assert "making the environment of the toolchain empty" in first.stderr
    assert "making the environment" not in project.run("--force").stderr
