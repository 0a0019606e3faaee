"""`recipe card`: a model card that huggingface_hub reads, made of records that belong together, or a clear refusal."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from compiling import change, project, recipe

from runners import card, compiled, handover, records
from runners.card_text import text
from schema import digests
from schema.files import write_json
from schema.load import Loaded, load
from schema.lock import Asset, Lock, LockedFile, Source

RECIPE = """\
version: 1
name: small
description: Names the animal | in a photo.
models: {base: {id: Qwen/Qwen2-VL-2B-Instruct, revision: v1}}
datasets:
  photos: {kind: image-folder, path: data/photos, split: {validation: 0.5}}
  more: {kind: hub, id: owner/chats, hub: huggingface, split: {validation: 0.1}}
hardware: {gpus: 1}
stages:
  data: {kind: prepare, dataset: photos}
  chats: {kind: prepare, dataset: more}
  train: {kind: sft, model: base, data: [{data: data.train}, {data: chats.train}], deepspeed: zero2}
  merged: {kind: merge, adapter: train}
  answers: {kind: predict, model: merged, data: data.validation}
  scores: {kind: evaluate, predictions: answers}
variants:
  full: {stages: {train: {tuner: {kind: full}}, merged: null, answers: {model: train}}}
"""
METRICS = {"accuracy": 0.75, "f1_macro": 0.7, "f1_weighted": 0.72, "rows": 4, "unparsed": 1}
TRAINER = {"held": {"seed": 42}, "not_compared": [], "parameters": {"trainable": 1000, "all": 2000000}, "after": []}
ORDER = ("data", "chats", "train", "merged", "answers", "scores")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project in which every stage of a recipe has run, as far as records and files say."""
    project(tmp_path, small=RECIPE)
    assert recipe(tmp_path, "compile", "recipes/small.yaml")[0] == 0
    (tmp_path / "data/photos").mkdir(parents=True)
    (tmp_path / "data/photos/a.jpg").write_text("a")
    for place in (".recipe/models/Qwen--Qwen2-VL-2B-Instruct@v1", ".recipe/datasets/owner--chats"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "x").write_text(place)
    for name in ORDER:
        ran(tmp_path, name)
    return tmp_path


def ran(root: Path, name: str, content: str = "") -> None:
    """Outputs of a stage, with the record that exec writes of them."""
    stage = compiled.load(root / "pipelines/small" / name)
    inputs = {role: digests.of_path(root / path) for role, path in stage.inputs.items()}
    result = root / ".recipe" / "checkpoints" / name / "result"
    for out in stage.outs:
        place = result / out
        place.parent.mkdir(parents=True, exist_ok=True)
        if out in ("model", "images"):
            place.mkdir(exist_ok=True)
            place = place / "weights"
        place.write_text(json.dumps(METRICS) if name == "scores" else f"{name} {out} {content}")
    begun = {
        "started": "2026-01-01T00:00:00.000+00:00",
        "machine": {"cpu": "EPYC | 9", "threads": 4, "gpus": ["H100", "H100"], "platform": "Linux 6.1 x86_64"},
        "packages": {"torch": "2.15.0", "ms-swift": "4.6.0"},
        "git": {"commit": "ab" * 20, "dirty": True},
        "ended": "2026-01-01T01:00:00.000+00:00",
        "elapsed": 3600.0,
        "trainer": TRAINER if name == "train" else None,
    }
    seal = handover.seal(result.parent, stage.outs, "action", begun)
    seal = replace(seal, action=records_action(stage, inputs))
    handover.hand_over(result, root / stage.out, stage.outs)
    write_json(root / stage.out / "run.json", records.record(stage, inputs, seal))


def records_action(stage: compiled.Stage, inputs: dict) -> str:
    from runners import work

    return work.action(stage.identity, inputs)


def read(content: str):
    """The card as the hub's own library reads it: metadata and body."""
    from huggingface_hub import ModelCard

    found = ModelCard(content)
    return found.data, found.text


def shown(root: Path, *arguments: str) -> str:
    code, out, err = recipe(root, "card", "recipes/small.yaml", *arguments)
    assert (code, err) == (0, "")
    return out


def test_metadata_is_what_the_hub_reads(root: Path) -> None:
    data, _ = read(shown(root))
    assert data.base_model == "Qwen/Qwen2-VL-2B-Instruct"
    assert data.base_model_relation == "finetune"
    assert data.datasets == ["owner/chats"]
    assert data.library_name == "transformers"
    assert data.tags == ["recipe-compiler", "ms-swift", "sft"]
    assert data.license is None
    assert data.metrics == ["accuracy", "f1"]
    results = {(r.metric_type, r.metric_name): r for r in data.eval_results}
    assert {key: r.metric_value for key, r in results.items()} == {
        ("accuracy", "accuracy"): 0.75,
        ("f1", "f1 (macro)"): 0.7,
        ("f1", "f1 (weighted)"): 0.72,
    }
    first = results["accuracy", "accuracy"]
    assert (first.dataset_name, first.dataset_split, first.task_type) == (
        "photos",
        "validation",
        "image-classification",
    )


def test_an_adapter_has_its_own_relation_and_library(root: Path) -> None:
    data, body = read(shown(root, "--stage", "train"))
    assert (data.base_model_relation, data.library_name) == ("adapter", "peft")
    assert data.eval_results is None, "the answers are those of the merged model"
    assert "An adapter for `Qwen/Qwen2-VL-2B-Instruct`, revision `v1`" in body


def test_the_card_loads_from_its_file(root: Path) -> None:
    from huggingface_hub import ModelCard
    from huggingface_hub.repocard import metadata_load

    assert shown(root, "--out", str(root / "README.md")) == ""
    found = ModelCard.load(root / "README.md")
    assert found.data.to_dict()["model-index"][0]["name"] == "small"
    assert metadata_load(root / "README.md")["base_model"] == "Qwen/Qwen2-VL-2B-Instruct"
    assert str(found) == (root / "README.md").read_text()


def test_body(root: Path) -> None:
    _, body = read(shown(root))
    record = json.loads((root / "outputs/small/merged/run.json").read_text())
    train = json.loads((root / "outputs/small/train/run.json").read_text())
    wanted = [
        "Names the animal | in a photo.",
        record["recipe_hash"],
        record["action"],
        record["outputs"]["model"]["sha256"],
        hashlib.sha256((root / "outputs/small/merged/run.json").read_bytes()).hexdigest(),
        f"| stage key of train | `{train['key']}` |",
        "| lora_rank | 8 |",
        "| learning_rate | 0.0001 |",
        "| DeepSpeed ZeRO stage | 2 |",
        "| target_modules | all-linear |",
        "| torch | 2.15.0 |",
        "| GPUs | 2 × H100 |",
        "EPYC \\| 9, 4 threads",
        "trained 1,000 of 2,000,000 parameters",
        f"git checkout {'ab' * 20}\nrecipe run recipes/small.yaml\nrecipe verify small/merged",
        "had changes that were not committed",
        "| photos | image-folder | sha256 " + digests.of_path(root / "data/photos").sha256,
        "| more | owner/chats | sha256 ",
        "On `validation` of `photos`, from `small/scores`:",
        "| unparsed | 1 |",
    ]
    assert [text for text in wanted if text not in body] == []
    assert str(root) not in body


def test_the_same_records_give_the_same_bytes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = shown(root)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert shown(root) == first
    assert shown(root, "--stage", "merged") == first


def test_scores_of_another_model_are_left_out(root: Path) -> None:
    """The model was trained again since, and its answers are not there yet."""
    ran(root, "merged", "trained again")
    data, body = read(shown(root))
    assert data.eval_results is None
    assert "## Results" not in body


def test_scores_that_were_edited_are_left_out(root: Path) -> None:
    (root / "outputs/small/scores/metrics.json").write_text(json.dumps(METRICS | {"accuracy": 1.0}))
    assert "## Results" not in shown(root)


def test_a_training_of_other_bytes_is_left_out(root: Path) -> None:
    ran(root, "train", "trained again")
    assert "## Training" not in shown(root)


# ---- pinned by a lock


def with_lock(loaded: Loaded, lock: Lock) -> object:
    """A loaded recipe that has a lock."""

    class Locked:
        def __getattr__(self, name: str) -> object:
            return getattr(loaded, name)

    locked = Locked()
    locked.lock = type("Read", (), {"lock": lock})()
    return locked


def test_commits_of_a_lock(root: Path) -> None:
    def asset(*commits: tuple[str, str]) -> Asset:
        sources = {hub: Source(repo="a/b", requested="main", commit=commit) for hub, commit in commits}
        return Asset(sha256="0" * 64, sources=sources, files={"x": LockedFile(size=1, sha256="1" * 64)})

    lock = Lock(
        version=1,
        revision=1,
        models={"Qwen/Qwen2-VL-2B-Instruct@v1": asset(("modelscope", "a" * 40), ("huggingface", "b" * 40))},
        datasets={"owner/chats": asset(("huggingface", "c" * 40))},
    )
    loaded = load(root / "recipes/small.yaml", {})
    _, body = read(text(card.gather(with_lock(loaded, lock), loaded.instances[0], None)))
    assert f"(huggingface {'b' * 40}, modelscope {'a' * 40})" in body
    assert f"| more | owner/chats | huggingface {'c' * 40} |" in body
    plain = read(text(card.gather(loaded, loaded.instances[0], None)))[1]
    assert "huggingface " not in plain


# ---- refusals


def refused(root: Path, *arguments: str) -> str:
    code, out, err = recipe(root, "card", "recipes/small.yaml", *arguments)
    assert (code, out) == (1, "")
    return err


def test_without_a_record(root: Path) -> None:
    (root / "outputs/small/merged/run.json").unlink()
    err = refused(root)
    assert "R0546" in err and "small/merged" in err and "recipe run recipes/small.yaml" in err
    assert "R0546" in refused(root, "--variant", "full")


def test_with_other_outputs(root: Path) -> None:
    (root / "outputs/small/merged/model/weights").write_text("better")
    err = refused(root)
    assert "R0547" in err and "outputs/small/merged/model/weights is changed" in err


def test_with_an_edited_record(root: Path) -> None:
    path = root / "outputs/small/merged/run.json"
    record = json.loads(path.read_text())
    record["identity"]["env"]["SEED"] = "1"
    path.write_text(json.dumps(record))
    assert "R0547" in refused(root)


def test_of_another_launch(root: Path) -> None:
    change(root, "kind: sft, model: base", "kind: sft, optimizer: {learning_rate: 0.5}, model: base")
    assert recipe(root, "compile", "recipes/small.yaml")[0] == 0
    assert "R0549" in refused(root, "--stage", "train")


@pytest.mark.parametrize(
    ("stage", "said"), [("scores", "`scores` hands over no model"), ("none", "small has no stage `none`")]
)
def test_a_stage_without_a_model(root: Path, stage: str, said: str) -> None:
    err = refused(root, "--stage", stage)
    assert "R0548" in err and said in err and "train, merged" in err


def test_a_recipe_without_a_model(tmp_path: Path) -> None:
    alone = RECIPE.partition("  chats: ")[0]
    project(tmp_path, small=alone)
    code, _, err = recipe(tmp_path, "card", "recipes/small.yaml")
    assert code == 1
    assert "R0548" in err


def test_a_place_that_cannot_be_written(root: Path) -> None:
    code, _, err = recipe(root, "card", "recipes/small.yaml", "--out", str(root / "no/such/README.md"))
    assert code == 2
    assert "cannot be written" in err
