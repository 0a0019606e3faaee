"""OK-VQA from a hub on loopback: locked, fetched, read out of archives of several forms, and what is odd there is refused."""

import io
import json
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
from compiling import project, recipe
from hub_project import alone, contents, filled, point_at
from hub_server import served
from prepare_data import rows
from test_prepare_okvqa import SMOKE, annotation, question

from runners.prepare import prepare
from runners.readers import archives
from schema.diagnostics import RecipeError

ID = "OmniData/OK-VQA"
FILES = {path.name: path.read_bytes() for path in sorted(SMOKE.iterdir())}
TEXT = """\
version: 1
name: ours
models: {base: {id: ours/m, type: qwen2_5_vl}}
datasets: {okvqa: {kind: okvqa, prompt: "{question}", counts: {train: 18, validation: 8}}}
hardware: {gpus: 1}
stages:
  data: {kind: prepare, dataset: okvqa}
  train: {kind: sft, model: base, data: data.train}
  answers: {kind: predict, model: train, data: data.validation, engine: transformers}
"""


def zipped(files, compression=zipfile.ZIP_DEFLATED):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return held.getvalue()


def tarred(files, mode="w:gz"):
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode=mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return held.getvalue()


def below(folder, part, files=FILES):
    return {f"{folder}/{name}": content for name, content in files.items() if part in name}


FORMS = {
    "archives of the official names": {
        **{
            f"raw/{name}.zip": zipfile_
            for name, zipfile_ in ((n, zipped({n: FILES[n]})) for n in FILES if ".json" in n)
        },
        "raw/train2014.zip": zipped(below("train2014", "COCO_train")),
        "raw/val2014.zip": zipped(below("val2014", "COCO_val")),
        "dsdl/dsdl.yaml": b"$dsdl-version: 1",
    },
    "one tarball": {"OK-VQA.tar.gz": tarred(below("OK-VQA/raw", ""))},
    "archives in an archive": {
        "OK-VQA.tar.gz": tarred(
            {
                "OK-VQA/raw/a.zip": zipped(below("annotations", ".json")),
                "OK-VQA/raw/pictures.tar": tarred(below("images", "COCO"), "w"),
            }
        )
    },
    "loose files": below("data", ""),
    "files beside an archive of pictures": {**below("data", ".json"), "images.tgz": tarred(below("x", "COCO"))},
}


def fetched(root: Path, files):
    """The data set in its place, as fetching leaves it, and its description."""
    place = root / ".recipe/datasets/OmniData--OK-VQA"
    shutil.rmtree(place, ignore_errors=True)
    for name, content in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    dataset = {"kind": "okvqa", "id": ID, "path": ".recipe/datasets/OmniData--OK-VQA", "counts": None}
    return {
        "dataset": {**dataset, "answers": "answer", "on_bad": "error"},
        "task": "generate",
        "prompt": None,
        "seed": 7,
    }


def wrong(root, files):
    with pytest.raises(RecipeError) as caught:
        prepare(fetched(root, files), root / "out", root)
    return caught.value.diagnostics


@pytest.mark.parametrize("form", FORMS)
def test_rows_are_the_same_whatever_the_archives(tmp_path, form):
    prepare(fetched(tmp_path, FORMS["loose files"]), tmp_path / "plain", tmp_path)
    before = contents(tmp_path / "plain")
    description = fetched(tmp_path, FORMS[form])
    there = contents(tmp_path / ".recipe")
    report = prepare(description, tmp_path / "out", tmp_path)
    assert report["splits"] == {"train": 18, "validation": 8}
    assert contents(tmp_path / "out") == before and contents(tmp_path / ".recipe") == there
    (first, *_) = rows(tmp_path / "out/train.jsonl")
    assert (tmp_path / "out" / first["images"][0]).read_bytes() == FILES["COCO_train2014_000000000001.jpg"]
    assert len(list((tmp_path / "out/images").iterdir())) == 10


def test_from_the_recipe_to_rows_through_a_hub(tmp_path, monkeypatch):
    root = alone(tmp_path, monkeypatch)
    project(root, ours=TEXT)
    hub = filled()
    hub.add("modelscope", "dataset", ID, {**FORMS["archives of the official names"], "README.md": b"# OK-VQA"})
    with served(hub) as serving:
        point_at(monkeypatch, serving.url)
        assert recipe(root, "lock")[0] == 0
        assert recipe(root, "compile", "--locked")[::2] == (0, "")
        assert recipe(root, "fetch", "ours")[0] == 0
    config = json.loads((root / "pipelines/ours/data.prepare.json").read_bytes())
    report = prepare(config, root / "out", root)
    assert report["splits"] == {"train": 18, "validation": 8}
    assert config["dataset"]["path"].startswith(".recipe/datasets/OmniData--OK-VQA@")
    assert "outputs/ours/data/images" in (root / "pipelines/ours/dvc.yaml").read_text()
    assert "--image_folder outputs/ours/data" in (root / "pipelines/ours/answers.sh").read_text()


def test_what_was_looked_for_is_said(tmp_path):
    missing = {name: content for name, content in FILES.items() if name != "mscoco_val2014_annotations.json"}
    (found,) = wrong(tmp_path, {"a.zip": zipped(missing), "metafile.yaml": b""})
    assert found.code == "R0640" and f"{ID} has no `mscoco_val2014_annotations.json`" in found.message
    assert "in a.zip; its other files are metafile.yaml" in found.message and "OpenEnded_mscoco_val2014" in found.help
    missing = {name: content for name, content in FILES.items() if "COCO_val2014_000000000104" not in name}
    first, second = wrong(tmp_path, {"a.zip": zipped(missing)})
    assert first.code == second.code == "R0642" and "COCO_val2014_000000000104.jpg" in first.message


def test_copies_are_one_file_and_others_are_not(tmp_path):
    prepare(fetched(tmp_path, {**below("x", ""), "y/a.zip": zipped(FILES)}), tmp_path / "out", tmp_path)
    name = "mscoco_val2014_annotations.json"
    twice = {"a.zip": zipped(FILES), f"x/{name}": FILES[name].replace(b"red", b"rad")}
    (found,) = wrong(tmp_path, twice)
    assert found.code == "R0640" and "2 times, and not the same" in found.message and f"a.zip/{name}" in found.message


def test_a_path_of_an_archive_is_never_one_on_disk(tmp_path):
    evil = {f"../../../{name}": content for name, content in FILES.items()} | {
        "/etc/hosts2": b"x",
        "../../out.txt": b"x",
    }
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        link = tarfile.TarInfo("COCO_train2014_000000000001.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    root = tmp_path / "deep/project"
    root.mkdir(parents=True)
    prepare(fetched(root, {"links.tgz": held.getvalue(), "x.zip": zipped(evil)}), root / "out", root)
    assert {path.name for path in tmp_path.iterdir()} == {"deep"}
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {"project"}
    assert len(list((root / "out/images").iterdir())) == 10
    assert not [path for path in (root / "out").iterdir() if path.name.startswith(".")]


BROKEN = {
    "cut.zip": zipped(FILES)[:-200],
    "empty.tar.gz": b"",
    "cut.tar.gz": tarred(FILES)[:-300],
    "none.tar": b"not an archive" * 100,
    "inner.zip": zipped({"in.tar.gz": b"\x1f\x8b nothing"}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_archive_is_named(tmp_path, name):
    found = wrong(tmp_path, {name: BROKEN[name]})[0]
    assert found.code == "R0640" and f"OmniData--OK-VQA/{name}" in found.spans[0].file


def test_what_a_member_says_of_its_size_is_not_believed(tmp_path):
    (tmp_path / "a.zip").write_bytes(zipped({"a": bytes(1000)}))
    (member,) = archives.members(tmp_path / "a.zip", "a.zip", tmp_path)
    assert member.size == 1000
    with zipfile.ZipFile(tmp_path / "a.zip") as archive, pytest.raises(RecipeError) as caught:
        archives.Member("a.zip/a", 1, lambda: archive.open("a")).read(999)
    assert "larger than 999 bytes" in caught.value.diagnostics[0].message


def test_wrong_entries_are_placed_in_the_archive(tmp_path):
    files = dict(FILES)
    files["OpenEnded_mscoco_val2014_questions.json"] = json.dumps({"questions": [question(1010, 101, "")]}).encode()
    files["mscoco_val2014_annotations.json"] = json.dumps({"annotations": [annotation(1010, 101)]}).encode()
    found = wrong(tmp_path, {"a.zip": zipped(files)})[0]
    assert found.code == "R0646" and found.spans[0].file.endswith("a.zip/OpenEnded_mscoco_val2014_questions.json")
