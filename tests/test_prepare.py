"""Preparing pictures: readers, refusals with their places, hold-out, report, and equal bytes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from prepare_data import ROOT, config, picture, refused, rows

from runners.data import pictures
from runners.prepare import prepare
from runners.show import show
from schema.diagnostics import RecipeError


@pytest.fixture
def animals(tmp_path):
    """Three classes of four pictures each, all different."""
    for c, name in enumerate(("cat", "dog", "emu")):
        for n in range(4):
            picture(tmp_path / f"data/animals/{name}/{n}.png", (80 * c, 50 * n, 9))
    return tmp_path


FOLDER = config("image-folder", path="data/animals")


def test_an_image_folder(animals):
    report = prepare(FOLDER, animals / "out", animals)
    train, validation = rows(animals / "out/train.jsonl"), rows(animals / "out/validation.jsonl")
    assert (len(train), len(validation)) == (9, 3)
    assert train[0] == {
        "messages": [{"role": "user", "content": "<image>What is it?"}, {"role": "assistant", "content": "cat"}],
        "images": [train[0]["images"][0]],
    }
    assert sorted(row["messages"][-1]["content"] for row in validation) == ["cat", "dog", "emu"]
    assert all((animals / row["images"][0]).is_file() for row in train + validation)
    assert report["classes"] == {name: {"train": 3, "validation": 1} for name in ("cat", "dog", "emu")}
    assert (report["read"], report["kept"], report["refused"]["count"]) == (12, 12, 0)
    assert json.loads((animals / "out/classes.json").read_bytes()) == ["cat", "dog", "emu"]
    assert sorted(path.name for path in (animals / "out").iterdir()) == [
        "classes.json", "report.json", "train.jsonl", "validation.jsonl",
    ]  # fmt: skip


def test_rows_to_classify_have_an_index_and_no_answer(animals):
    prepare(FOLDER | {"task": "classify"}, animals / "out", animals)
    row = rows(animals / "out/validation.jsonl")[1]
    assert [message["role"] for message in row["messages"]] == ["user"]
    assert row["label"] == 1 and "/dog/" in row["images"][0]


def test_system_prompt_and_a_tag_in_the_prompt(animals):
    description = FOLDER | {"system": "Be brief.", "prompt": "Look: <image> Which one?"}
    prepare(description, animals / "out", animals)
    system, user, _ = rows(animals / "out/train.jsonl")[0]["messages"]
    assert system == {"role": "system", "content": "Be brief."}
    assert user["content"] == "Look: <image> Which one?"


def test_three_splits_and_none(animals):
    prepare(FOLDER | {"split": {"validation": 0.25, "test": 0.25, "stratify": True}}, animals / "out", animals)
    parts = [rows(animals / f"out/{name}.jsonl") for name in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [6, 3, 3]
    assert len({row["images"][0] for part in parts for row in part}) == 12
    prepare(FOLDER | {"split": {"validation": 0.0, "test": 0.0, "stratify": True}}, animals / "all", animals)
    assert len(rows(animals / "all/train.jsonl")) == 12 and not (animals / "all/validation.jsonl").exists()


def test_the_seed_chooses_the_split(animals):
    def held_out(seed, to):
        prepare(FOLDER | {"seed": seed}, animals / to, animals)
        return (animals / to / "validation.jsonl").read_bytes()

    assert held_out(7, "a") == held_out(7, "b")
    assert len({held_out(seed, f"seed-{seed}") for seed in range(6)}) > 1
    assert held_out(2**40 + 7, "big")


def test_equal_bytes_whatever_the_order_of_the_folder_and_the_environment(animals, tmp_path):
    other = tmp_path / "elsewhere"
    for name in ("emu", "cat", "dog"):
        for n in (2, 0, 3, 1):
            (other / f"data/animals/{name}").mkdir(parents=True, exist_ok=True)
            shutil.copy(animals / f"data/animals/{name}/{n}.png", other / f"data/animals/{name}/{n}.png")
    outputs = []
    for root, environment in ((animals, {"PYTHONHASHSEED": "1"}), (other, {"PYTHONHASHSEED": "2", "LC_ALL": "C"})):
        (root / "config.json").write_text(json.dumps(FOLDER))
        command = [sys.executable, "-m", "runners.prepare", "--config", "config.json", "--to", "out"]
        subprocess.run(command, cwd=root, env=os.environ | environment | {"PYTHONPATH": str(ROOT)}, check=True)
        outputs.append({path.name: path.read_bytes() for path in (root / "out").iterdir()})
    assert outputs[0] == outputs[1]
    assert str(animals).encode() not in b"".join(outputs[0].values())


def test_everything_that_is_wrong_with_a_folder_at_once(animals):
    data = animals / "data/animals"
    (data / "fox").mkdir()
    (data / "cat/broken.jpg").write_bytes(b"no picture")
    (data / "cat/empty.jpg").write_bytes(b"")
    whole = (data / "dog/0.png").read_bytes()
    (data / "dog/cut.png").write_bytes(whole[: len(whole) // 2])
    (data / "cat/notes.txt").write_text("x")
    (data / "emu/more").mkdir()
    (data / "stray.png").write_bytes(whole)
    (data / ".DS_Store").write_bytes(b"")
    (data / "cat/gone.png").symlink_to("nowhere.png")
    assert sorted(refused(FOLDER, animals)) == [
        ("R0603", "data/animals/fox", 1),
        ("R0604", "data/animals/cat/broken.jpg", 1),
        ("R0604", "data/animals/cat/empty.jpg", 1),
        ("R0604", "data/animals/cat/gone.png", 1),
        ("R0604", "data/animals/dog/cut.png", 1),
        ("R0605", "data/animals/cat/notes.txt", 1),
        ("R0605", "data/animals/emu/more", 1),
        ("R0605", "data/animals/stray.png", 1),
    ]
    skipping = FOLDER | {"dataset": FOLDER["dataset"] | {"on_bad": "skip"}}
    report = prepare(skipping, animals / "out", animals)
    assert report["kept"] == 12 and report["read"] == 20
    assert report["refused"]["reasons"] == {"R0603": 1, "R0604": 4, "R0605": 3}
    assert len(report["refused"]["first"]) == 8
    assert report["ignored_files"] == {".DS_Store": 1}
    (shown,) = show(animals / "out")
    assert shown.plain.startswith("8 of 20 rows are left out (R0603 1 ×, R0604 4 ×, R0605 3 ×), such as ")


def test_messages_about_pictures_name_no_place_of_this_machine(animals):
    (animals / "data/animals/cat/broken.jpg").write_bytes(b"no picture at all")
    with pytest.raises(RecipeError) as caught:
        prepare(FOLDER, animals / "out", animals)
    assert "cannot be read: it is no picture" in caught.value.diagnostics[0].message
    assert str(animals) not in str(caught.value)


def test_duplicates_stay_on_one_side(animals):
    data = animals / "data/animals"
    for name in ("cat", "dog", "emu"):
        for n in range(4):  # the same pixels in another file format
            Image.open(data / f"{name}/{n}.png").save(data / f"{name}/copy-{n}.bmp")
    report = prepare(FOLDER, animals / "out", animals)
    assert report["duplicates"]["groups"] == 12 and report["duplicates"]["rows"] == 24
    held_out = {Path(row["images"][0]).name.removeprefix("copy-")[0] + row["messages"][-1]["content"]
                for row in rows(animals / "out/validation.jsonl")}  # fmt: skip
    trained = {Path(row["images"][0]).name.removeprefix("copy-")[0] + row["messages"][-1]["content"]
               for row in rows(animals / "out/train.jsonl")}  # fmt: skip
    assert len(held_out) == 3 and not held_out & trained


def test_pictures_that_their_exif_data_turns_are_told(animals):
    """Neither engine reads it: a photo that was taken upright lies on its side for them."""
    assert prepare(FOLDER, animals / "out", animals)["turned_pictures"] == {"count": 0, "of": 12, "first": []}
    folder = next(path for path in (animals / "data/animals").iterdir() if path.is_dir())
    for number, name in enumerate(("upright.jpg", "lying.jpg"), 8):  # 8 is turned by a quarter
        exif = Image.Exif()
        exif[0x0112] = number if number == 8 else 1
        Image.new("RGB", (8, 4), (9, number, 9)).save(folder / name, exif=exif)
    report = prepare(FOLDER, animals / "out", animals)
    first = f"data/animals/{folder.name}/upright.jpg"
    assert report["turned_pictures"] == {"count": 1, "of": 14, "first": [first]}
    assert pictures.lying(report).startswith(f"1 of 14 pictures are turned by their EXIF data, such as {first}: ")
    (shown,) = show(animals / "out")
    assert shown.plain == pictures.lying(report)


def test_one_picture_with_two_labels(animals):
    data = animals / "data/animals"
    shutil.copy(data / "cat/0.png", data / "dog/9.png")
    with pytest.raises(RecipeError) as caught:
        prepare(FOLDER, animals / "out", animals)
    (found,) = caught.value.diagnostics
    assert found.code == "R0613"
    assert [span.file for span in found.spans] == ["data/animals/dog/9.png", "data/animals/cat/0.png"]
    skipping = FOLDER | {"dataset": FOLDER["dataset"] | {"on_bad": "skip"}}
    report = prepare(skipping, animals / "out", animals)
    assert (report["read"], report["kept"]) == (13, 11)


def test_a_16_bit_picture_is_not_flattened(animals):
    for n, name in enumerate(("cat", "dog")):
        Image.new("I;16", (4, 4), 40_000 + n).save(animals / f"data/animals/{name}/deep.png")
    assert prepare(FOLDER, animals / "out", animals)["duplicates"]["groups"] == 0


def test_too_few_to_stratify(animals):
    picture(animals / "data/animals/fox/0.png", "red")
    assert ("R0614", "data/animals/fox/0.png", 1) in refused(FOLDER, animals)
    small = FOLDER | {"split": {"validation": 0.1, "test": 0.0, "stratify": True}}
    assert refused(small, animals)[-1] == ("R0614", "", 0)
    free = FOLDER | {"split": {"validation": 0.1, "test": 0.0, "stratify": False}}
    assert prepare(free, animals / "out", animals)["splits"] == {"train": 11, "validation": 2}


def test_missing_places(tmp_path):
    assert refused(FOLDER, tmp_path) == [("R0601", "data/animals", 1)]
    (tmp_path / "data/animals").mkdir(parents=True)
    assert refused(FOLDER, tmp_path) == [("R0602", "data/animals", 1)]
    assert refused(config("jsonl", path="data/animals"), tmp_path) == [("R0601", "data/animals", 1)]


def test_classes_that_do_not_fit_the_head(animals):
    assert refused(FOLDER | {"task": "classify", "classes": 10}, animals) == [("R0619", "", 0)]
    assert prepare(FOLDER | {"task": "classify", "classes": 3}, animals / "out", animals)


def test_shapes(tmp_path):
    names = ["zebra", "ant", "bee"]
    description = config("shapes", classes=names, per_class=4, size=28)
    prepare(description, tmp_path / "a", tmp_path)
    prepare(description, tmp_path / "b", tmp_path)
    assert json.loads((tmp_path / "a/classes.json").read_bytes()) == names
    drawn = sorted(path.name for path in (tmp_path / "a/images").iterdir())
    assert len(drawn) == 12
    assert all((tmp_path / "a/images" / n).read_bytes() == (tmp_path / "b/images" / n).read_bytes() for n in drawn)
    assert rows(tmp_path / "a/train.jsonl")[0]["images"] == [f"images/{drawn[0]}"]
    with Image.open(tmp_path / "a/images" / drawn[0]) as image:
        assert image.size == (28, 28) and image.mode == "RGB"


def test_digits(tmp_path):
    report = prepare(config("digits", task="classify", size=16), tmp_path / "out", tmp_path)
    assert report["splits"] == {"train": 1347, "validation": 450}
    assert json.loads((tmp_path / "out/classes.json").read_bytes()) == [str(n) for n in range(10)]
    with Image.open(sorted((tmp_path / "out/images").iterdir())[0]) as image:
        assert image.size == (16, 16) and image.getextrema() == (0, 239)


def test_the_command_line_shows_diagnostics(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(FOLDER))
    command = [sys.executable, "-m", "runners.prepare", "--config", "config.json", "--to", "out"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and "R0601" in done.stderr and "Traceback" not in done.stderr


def run(root, *options):
    command = [sys.executable, "-m", "runners.prepare", "--config", "c.json", "--to", "out", *options]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def test_a_prompt_in_a_file(animals):
    (animals / "c.json").write_text(json.dumps(FOLDER | {"prompt": None}))
    (animals / "ask.txt").write_text("Look:\nwhich one?\n")
    assert run(animals, "--prompt", "ask.txt").returncode == 0
    assert rows(animals / "out/train.jsonl")[0]["messages"][0]["content"] == "<image>Look:\nwhich one?"


@pytest.mark.parametrize(("content", "said"), [(b"\n", "ask.txt holds no prompt"), (b"\xff", "ask.txt is not UTF-8")])
def test_a_prompt_file_that_holds_none(animals, content, said):
    (animals / "c.json").write_text(json.dumps(FOLDER))
    (animals / "ask.txt").write_bytes(content)
    ended = run(animals, "--prompt", "ask.txt")
    assert (ended.returncode, f"error[R0620]: {said}" in ended.stderr) == (1, True)
