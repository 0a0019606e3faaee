"""Pins in keys: a moved pin moves exactly the stages that read it and what follows; where bytes come from moves none."""

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from compiling import ROOT, plans, project, quoted
from exec_project import make
from hypothesis import given, settings
from hypothesis import strategies as st

from schema import digests
from schema.lock import LockedFile, digest_of
from schema.source import parse, to_data

WHOLE = to_data(parse((ROOT / "tests/golden/every-field/recipe.yaml").read_text("utf-8"), "whole"))
RECIPES = {
    "every-field": {name: value for name, value in WHOLE.items() if name not in ("variants", "axes")},
    "locked": to_data(parse((ROOT / "tests/golden/locked/recipe.yaml").read_text("utf-8"), "locked")),
    "animals-lora": to_data(parse((ROOT / "recipes/animals-lora.yaml").read_text("utf-8"), "animals")),
    "quickstart": to_data(parse((ROOT / "recipes/quickstart.yaml").read_text("utf-8"), "quickstart")),
}
FIRST = {"modelscope": ("master", "a" * 40)}


def pinnable(case):
    """(section, name) of all that a recipe names, its variants included."""
    found = set()
    layers = [RECIPES[case], *RECIPES[case].get("variants", {}).values()]
    for layer in layers:
        for spec in layer.get("models", {}).values():
            if spec.get("path"):
                found.add(("local", spec["path"]))
            elif not spec["id"].startswith("tiny/"):
                found.add(("models", at(spec)))
        for spec in layer.get("datasets", {}).values():
            if spec.get("kind") == "hub":
                found.add(("datasets", at(spec)))
            found |= {("local", spec[field]) for field in ("path", "prompt_file") if field in spec}
    return sorted(found)


def at(spec):
    return spec["id"] + (f"@{spec['revision']}" if spec.get("revision") else "")


def lock(case, versions, sources):
    """A lock of everything; `versions` says which bytes each thing has."""
    document = {"version": 1, "revision": 1, "models": {}, "datasets": {}, "local": {}}
    for section, name in pinnable(case):
        digest = f"{versions.get((section, name), 0):064x}"
        if section == "local":
            document[section][name] = {"kind": "file", "files": 1, "size": 1, "sha256": digest}
            continue
        files = {"config.json": {"size": 1, "sha256": digest}}
        told = {hub: {"repo": "a/b", "requested": r, "commit": c} for hub, (r, c) in sources.items()}
        sha256 = digest_of({path: LockedFile(**file) for path, file in files.items()})
        document[section][name] = {"sha256": sha256, "sources": told, "files": files}
    return document


def keys(case, versions, sources=FIRST):
    """Instance → stage → key, and what each stage reads: from outside, and of which stages."""
    with TemporaryDirectory() as folder:
        recipes = project(Path(folder), recipe=quoted(RECIPES[case]))
        (recipes / "recipe.lock").write_text(json.dumps(lock(case, versions, sources)))
        return {label: {s.name: s for s in plan.stages} for label, plan in plans(recipes / "recipe.yaml").items()}


@cache
def before(case):
    return keys(case, {})


def readers(stages, pinned):
    """The stages whose inputs have one of these contents, and all that follow from them."""
    reached = {name for name, s in stages.items() if any(i.lock and i.lock.get("sha256") in pinned for i in s.inputs)}
    while more := {n for n, s in stages.items() if any(i.stage in reached for i in s.inputs)} - reached:
        reached |= more
    return reached


@st.composite
def moves(draw):
    case = draw(st.sampled_from(sorted(RECIPES)))
    named = pinnable(case)
    moved = draw(st.sets(st.sampled_from(named), min_size=1)) if named else set()
    return case, moved


def distinct(case):
    """Other bytes for each, so that a content tells the name."""
    return {key: number for number, key in enumerate(pinnable(case))}


@settings(max_examples=60)
@given(moves())
def test_moved_pins_move_their_readers(drawn):
    case, moved = drawn
    versions = distinct(case)
    old = keys(case, versions)
    new = keys(case, versions | {key: versions[key] + 1000 for key in moved})
    first = lock(case, versions, FIRST)
    pinned = {first[section][name]["sha256"] for section, name in moved}
    for label, stages in old.items():
        changed = {name for name, stage in stages.items() if stage.key != new[label][name].key}
        assert changed == readers(stages, pinned), label


@settings(max_examples=30)
@given(
    st.sampled_from(sorted(RECIPES)),
    st.dictionaries(
        st.sampled_from(["modelscope", "huggingface"]),
        st.tuples(st.sampled_from(["main", "v1"]), st.text("0123456789abcdef", min_size=40, max_size=40)),
        min_size=1,
    ),
)
def test_where_bytes_come_from_moves_nothing(case, sources):
    """Another hub, revision or commit of the same bytes."""
    found = {label: {n: s.key for n, s in stages.items()} for label, stages in keys(case, {}, sources).items()}
    assert found == {label: {n: s.key for n, s in stages.items()} for label, stages in before(case).items()}


def test_the_examples_have_pins():
    assert {case: len(pinnable(case)) for case in RECIPES} == {
        "every-field": 8,
        "locked": 5,
        "animals-lora": 2,
        "quickstart": 0,
    }


# At the run


WRITES = 'mkdir -p "$RECIPE_OUT/result/model" && echo 1 > "$RECIPE_OUT/result/metrics.json"\n'


@pytest.mark.parametrize(("pinned", "code"), [(True, 0), (False, 1)], ids=["as locked", "other bytes"])
def test_a_stage_reads_what_it_is_pinned_to(tmp_path, pinned, code):
    sha256 = digests.of_path(make(tmp_path / "first").root / "data/animals.txt").sha256
    project = make(tmp_path / "second", script=WRITES, pins={"data": sha256 if pinned else "0" * 64})
    done = project.run()
    assert done.returncode == code, done.stderr
    assert project.results() == ({} if not pinned else {"metrics.json": b"1\n"} | project.results())
    if not pinned:
        message = f"error[R0513]: demo/train is pinned to other bytes of data/animals.txt: {'0' * 12} by its lock, {sha256[:12]}"
        assert message in done.stderr
        assert "recipe lock recipes/demo.yaml" in done.stderr
