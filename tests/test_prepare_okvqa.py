"""Preparing OK-VQA: the official files, the official split, and every entry that is wrong by its file and number."""

import json
import shutil

import pytest
from prepare_data import ROOT, config, picture, refused, rows

from runners.data.rows import Source
from runners.prepare import prepare
from runners.readers import READERS
from schema.diagnostics import RecipeError

SMOKE = ROOT / "recipes/smoke/okvqa"
COCO = {"train": "train2014", "validation": "val2014"}


def description(**more):
    described = config("okvqa", path="data/okvqa", prompt="{question} Be brief.")
    del described["split"]
    described["dataset"] |= {"counts": None, "answers": "answer", **more}
    return described


def question(id, image, text="What is it?"):
    return {"image_id": image, "question": text, "question_id": id}


def annotation(id, image, answers=("cat",) * 10, **more):
    listed = [{"answer_id": n, "raw_answer": f"{a}s", "answer": a} for n, a in enumerate(answers, 1)]
    return {
        "image_id": image,
        "question_id": id,
        "question_type": "eight",
        "answer_type": "other",
        "answers": listed,
    } | more


@pytest.fixture
def project(tmp_path):
    """Two training questions about pictures 1 and 2, and one validation question about picture 3."""
    write(tmp_path, "train", [question(10, 1), question(20, 2, " Why? ")], [annotation(10, 1), annotation(20, 2)])
    write(tmp_path, "validation", [question(30, 3)], [annotation(30, 3)])
    for split, image in (("train", 1), ("train", 2), ("validation", 3)):
        picture(tmp_path / f"data/okvqa/{COCO[split]}/COCO_{COCO[split]}_{image:012d}.jpg", (40 * image, 9, 9))
    return tmp_path


def write(root, split, questions=None, annotations=None):
    folder = root / "data/okvqa"
    folder.mkdir(parents=True, exist_ok=True)
    if questions is not None:
        body = {"task_type": "Open-Ended", "questions": questions}
        (folder / f"OpenEnded_mscoco_{COCO[split]}_questions.json").write_text(json.dumps(body))
    if annotations is not None:
        body = {"question_types": {"eight": "Plants and Animals"}, "annotations": annotations}
        (folder / f"mscoco_{COCO[split]}_annotations.json").write_text(json.dumps(body))


TRAIN_QUESTIONS = "data/okvqa/OpenEnded_mscoco_train2014_questions.json"
TRAIN_ANNOTATIONS = "data/okvqa/mscoco_train2014_annotations.json"


def test_the_official_form(project):
    report = prepare(description(), project / "out", project)
    train, validation = rows(project / "out/train.jsonl"), rows(project / "out/validation.jsonl")
    assert train[1] == {
        "messages": [
            {"role": "user", "content": "<image>Why? Be brief."},
            {"role": "assistant", "content": "cat"},
        ],
        "images": ["data/okvqa/train2014/COCO_train2014_000000000002.jpg"],
        "question_id": 20,
        "question_text": "Why?",
        "answers": ["cat"] * 10,
        "question_type": "Plants and Animals",
        "answer_type": "other",
    }
    assert [row["question_id"] for row in train] == [10, 20] and [row["question_id"] for row in validation] == [30]
    assert report["splits"] == {"train": 2, "validation": 1} and report["refused"]["count"] == 0
    assert json.loads((project / "out/classes.json").read_bytes()) == []


def test_folders_may_be_called_anything(project):
    """As archives of other sources unpack."""
    (project / "data/okvqa/raw/annotations").mkdir(parents=True)
    for file in (project / "data/okvqa").glob("*.json"):
        file.rename(project / "data/okvqa/raw/annotations" / file.name)
    (project / "data/okvqa/train2014").rename(project / "data/okvqa/raw/pictures")
    prepare(description(), project / "out", project)
    assert rows(project / "out/train.jsonl")[0]["images"] == ["data/okvqa/raw/pictures/COCO_train2014_000000000001.jpg"]


def test_the_commonest_answer_is_learned_and_of_equals_the_first(project):
    write(
        project,
        "train",
        annotations=[annotation(10, 1, ["emu"] * 4 + ["cat"] * 6), annotation(20, 2, ["gnu", "ant"] * 5)],
    )
    prepare(description(), project / "out", project)
    assert [row["messages"][-1]["content"] for row in rows(project / "out/train.jsonl")] == ["cat", "gnu"]


def test_answers_as_they_were_written(project):
    prepare(description(answers="raw_answer"), project / "out", project)
    assert rows(project / "out/train.jsonl")[0]["answers"] == ["cats"] * 10


def test_solutions_for_rewards(project):
    prepare(description() | {"task": "solve"}, project / "out", project)
    row = rows(project / "out/train.jsonl")[0]
    assert row["solution"] == "cat" and row["messages"][-1]["role"] == "user"


def test_a_prompt_of_a_file_asks_the_question(project):
    assert refused(description() | {"prompt": "Be brief."}, project) == [("R0368", "", 0)]


def test_a_file_is_missing_packed_or_there_twice(project):
    folder = project / "data/okvqa"
    (folder / "mscoco_train2014_annotations.json").unlink()
    shutil.copy(folder / "mscoco_val2014_annotations.json", folder / "val2014")
    (folder / "okvqa.zip").touch()
    with pytest.raises(RecipeError) as caught:
        prepare(description(), project / "out", project)
    missing, twice = caught.value.diagnostics
    assert missing.code == twice.code == "R0640"
    assert "no `mscoco_train2014_annotations.json`" in missing.message and missing.help == "unpack `okvqa.zip`"
    assert "twice: mscoco_val2014_annotations.json, val2014/mscoco_val2014_annotations.json" in twice.message


@pytest.mark.parametrize("text", ["{", "[]", '{"annotations": {}}', '{"questions": []}'])
def test_a_file_of_another_form(project, text):
    (project / TRAIN_ANNOTATIONS).write_text(text)
    assert refused(description(), project) == [("R0640", TRAIN_ANNOTATIONS, 1)]


def test_counts_are_checked_in_both_files_of_both_splits(project):
    found = refused(description(counts={"train": 3, "validation": 1}), project)
    assert found == [("R0641", TRAIN_QUESTIONS, 1), ("R0641", TRAIN_ANNOTATIONS, 1)]
    prepare(description(counts={"train": 2, "validation": 1}), project / "out", project)


def test_a_picture_is_missing(project):
    (project / "data/okvqa/train2014/COCO_train2014_000000000002.jpg").unlink()
    assert refused(description(), project) == [("R0642", TRAIN_QUESTIONS, 2)]
    report = prepare(description(on_bad="skip"), project / "out", project)
    assert report["splits"] == {"train": 1, "validation": 1} and report["refused"]["reasons"] == {"R0642": 1}


WRONG = {
    "a question without annotation": ([question(10, 1), question(11, 1)], None, ("R0643", TRAIN_QUESTIONS, 2)),
    "another picture": (None, [annotation(10, 2), annotation(20, 2)], ("R0643", TRAIN_QUESTIONS, 1)),
    "nine answers": (None, [annotation(10, 1), annotation(20, 2, ["x"] * 9)], ("R0644", TRAIN_ANNOTATIONS, 2)),
    "an empty answer": (
        None,
        [annotation(10, 1, ["x"] * 9 + [" "]), annotation(20, 2)],
        ("R0644", TRAIN_ANNOTATIONS, 1),
    ),
    "no answers": (None, [annotation(10, 1), annotation(20, 2) | {"answers": None}], ("R0644", TRAIN_ANNOTATIONS, 2)),
    "a question twice": (
        [question(10, 1), question(20, 2), question(20, 2)],
        None,
        ("R0645", TRAIN_QUESTIONS, 3),
    ),
    "an annotation twice": (
        None,
        [annotation(10, 1), annotation(20, 2), annotation(10, 1)],
        ("R0645", TRAIN_ANNOTATIONS, 3),
    ),
    "no text": ([question(10, 1), question(20, 2, "")], None, ("R0646", TRAIN_QUESTIONS, 2)),
    "a picture by name": ([question(10, 1), question(20, "2.jpg")], None, ("R0646", TRAIN_QUESTIONS, 2)),
    "a question that is a number": ([question(10, 1), question(20, 2, 5)], None, ("R0646", TRAIN_QUESTIONS, 2)),
    "no object": (None, [annotation(10, 1), annotation(20, 2), 3], ("R0646", TRAIN_ANNOTATIONS, 3)),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_by_file_and_entry(project, case):
    questions, annotations, expected = WRONG[case]
    write(project, "train", questions, annotations)
    assert expected in refused(description(), project)


def test_an_annotation_without_a_question(project):
    write(project, "train", [question(10, 1)], [annotation(10, 1), annotation(20, 2)])
    assert refused(description(), project) == [("R0643", TRAIN_ANNOTATIONS, 2)]


def test_the_drawn_questions_of_the_smoke_variants(tmp_path):
    described = description(counts={"train": 18, "validation": 8})
    described["dataset"]["path"] = "recipes/smoke/okvqa"
    (tmp_path / "recipes/smoke").mkdir(parents=True)
    shutil.copytree(SMOKE, tmp_path / "recipes/smoke/okvqa")
    prepare(described, tmp_path / "out", tmp_path)
    first = {name: (tmp_path / f"out/{name}.jsonl").read_bytes() for name in COCO}
    prepare(described, tmp_path / "again", tmp_path)
    assert first == {name: (tmp_path / f"again/{name}.jsonl").read_bytes() for name in COCO}
    pictures = {name: {row["images"][0] for row in rows(tmp_path / f"out/{name}.jsonl")} for name in COCO}
    assert pictures["train"] and pictures["validation"] and not pictures["train"] & pictures["validation"]


def test_ten_thousand_questions_are_read(project):
    """Files as large as the real ones; one picture stands for all."""
    count = 10_000
    write(
        project,
        "train",
        [question(i, 1, f"What is number {i}?") for i in range(count)],
        [annotation(i, 1, [f"{i}", *["cat"] * 9]) for i in range(count)],
    )
    described = description()
    source = Source(described["dataset"], "generate", described["prompt"], None, 7, project, project / "out")
    read = READERS["okvqa"](source)
    assert len(read.rows) == count + 1 and not read.refused
