"""TRL beside ms-swift: rows as it takes them, the parts of a model, accelerate's configuration, the short form."""

import json
from types import SimpleNamespace

import pytest
from compiling import plans, project
from PIL import Image

from compiler.backends import accelerate, trl
from compiler.backends import trl_training as tables
from compiler.plan import InputPath, ResumedModel
from runners import machine, trl_arguments, trl_model, trl_parts, trl_rows, trl_training
from schema.diagnostics import RecipeError
from schema.hardware import Hardware
from schema.signature import load

RECIPE = """\
version: 1
name: demo
models: {{base: {{id: tiny/qwen2-vl, dtype: float32, max_pixels: 3136}}}}
datasets: {{shapes: {{kind: shapes, classes: [cat, dog], per_class: 6, prompt: What?, split: {{validation: 0.2}}}}}}
hardware: {{gpus: 0}}
stages:
  data: {{kind: prepare, dataset: shapes}}
  train: {{kind: sft, engine: {engine}, model: base, data: data.train, {more}}}
  merged: {{kind: merge, adapter: train}}
"""
FULL = RECIPE.format(engine="trl", more="tuner: {kind: full}").partition("  merged:")[0]
TEXT = {"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "A cat."}]}


def train(tmp_path, engine="trl", more="epochs: 2"):
    (plan,) = plans(project(tmp_path, demo=RECIPE.format(engine=engine, more=more)) / "demo.yaml").values()
    return plan.stage("train")


# -- rows


def test_a_row_with_pictures_becomes_parts_in_their_order():
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "<image>And <image><image>which?"},
        {"role": "assistant", "content": "The first."},
    ]
    row = trl_rows.example({"messages": messages, "images": ["a.png", "b.png", "c.png"]}, True)
    image = {"type": "image"}
    assert row["prompt"] == [
        {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
        {"role": "user", "content": [image, text("And "), image, image, text("which?")]},
    ]
    assert row["completion"] == [{"role": "assistant", "content": [text("The first.")]}]
    assert row["images"] == ["a.png", "b.png", "c.png"]


def text(words):
    return {"type": "text", "text": words}


def test_a_row_for_a_text_model_keeps_its_text():
    prompt, answer = TEXT["messages"]
    assert trl_rows.example(TEXT, False) == {"prompt": [prompt], "completion": [answer]}


REFUSED = {
    "several answers": {"messages": [*TEXT["messages"], *TEXT["messages"]]},
    "calls tools": {"messages": [TEXT["messages"][0], {"role": "tool_call", "content": "{}"}, TEXT["messages"][1]]},
    "of its own": {"messages": [TEXT["messages"][0], TEXT["messages"][1] | {"loss": False}]},
    "`videos`": TEXT | {"videos": ["a.mp4"]},
    "reads text": TEXT | {"images": ["a.png"]},
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_row_that_trl_would_learn_in_part_is_refused(tmp_path, why):
    file = tmp_path / "train.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in (TEXT, REFUSED[why])))
    with pytest.raises(RecipeError) as caught:
        trl_rows.read([str(file)], False)
    (problem,) = caught.value.diagnostics
    assert problem.code == "R0560"
    assert why in problem.message
    assert (problem.spans[0].file, problem.spans[0].line) == (str(file), 2)


def test_pictures_are_opened_anew_each_time(tmp_path):
    Image.new("L", (4, 2)).save(tmp_path / "a.png")
    rows = trl_rows.Pictures([{"prompt": [], "completion": [], "images": ["a.png"]}], tmp_path)
    first, second = rows[0], rows[0]
    assert first["images"][0].mode == "RGB"
    assert first["images"][0].size == (4, 2)
    assert first is not second
    assert first["images"][0] is not second["images"][0]
    assert len(rows) == 1


# -- the model


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("model.visual.blocks.0.attn.qkv", "vision"),
        ("model.visual.merger.mlp.0", "aligner"),
        ("model.vision_tower.vision_model.encoder.layers.3.fc1", "vision"),
        ("model.multi_modal_projector.linear_1", "aligner"),
        ("model.vision_model.transformer.layers.0.mlp.fc1", "vision"),
        ("model.language_model.layers.0.mlp.up_proj", "language"),
        ("model.layers.0.self_attn.q_proj", "language"),
    ],
)
def test_a_module_belongs_to_a_part(name, part):
    assert trl_parts.part_of(name) == part


@pytest.mark.parametrize("length", [9, 8])
def test_a_longer_example_ends_the_run(length):
    collate = trl_training.Measured(lambda rows: {"input_ids": SimpleNamespace(shape=(1, rows[0]))}, 8)
    if length <= 8:
        assert collate([length])["input_ids"].shape == (1, 8)
        return
    with pytest.raises(RecipeError) as caught:
        collate([length])
    assert [(problem.code, problem.message) for problem in caught.value.diagnostics] == [
        ("R0563", "an example has 9 tokens, and `max_length` is 8")
    ]


def test_a_limit_of_pixels_that_the_processor_does_not_know_is_refused():
    fits = SimpleNamespace(image_processor=SimpleNamespace(size={"longest_edge": 200, "shortest_edge": 100}))
    trl_model._check_limits(fits, {"max_pixels": 200, "min_pixels": 100})
    other = SimpleNamespace(image_processor=SimpleNamespace(size={"height": 336, "width": 336}))
    with pytest.raises(RecipeError) as caught:
        trl_model._check_limits(other, {"max_pixels": 200})
    assert [problem.code for problem in caught.value.diagnostics] == ["R0562"]


# -- what is compiled


def test_the_short_form_is_the_long_one(tmp_path):
    assert train(tmp_path / "a").key == train(tmp_path / "b", "{name: trl}").key
    assert train(tmp_path / "c", "ms-swift").key == train(tmp_path / "d", "{name: ms-swift}").key


def test_another_engine_is_another_result(tmp_path):
    ours, theirs = train(tmp_path / "a", "ms-swift"), train(tmp_path / "b")
    assert ours.key != theirs.key
    assert "trl" in theirs.identity["toolchain"] and "ms-swift" not in theirs.identity["toolchain"]
    assert [output.name for output in ours.outputs] == [output.name for output in theirs.outputs]


def test_every_option_that_decides_is_written_out_as_trl_knows_it(tmp_path):
    """What the tables name is there, and no name is one that TRL lacks."""
    (command, _) = train(tmp_path).launch.commands
    known = load("trl", "sft").options
    for table in (trl.TRAINING, tables.LORA, trl.DEFAULTS):
        assert set(table) <= set(known)
    assert set(command.options) >= (set(trl.TRAINING) | set(tables.LORA) | set(trl.DEFAULTS)) - {
        "max_steps",
        "lora_modules_to_save",
    }


def test_the_same_fields_become_the_same_values(tmp_path):
    """The options that both engines have from transformers, with their values."""
    more = "optimizer: {betas: [0.8, 0.9], schedule: linear}, batch: {global: 6, micro: 3}, evaluation: {data: data.validation}"
    ours, theirs = (train(tmp_path / engine, engine, more).launch.commands[0].options for engine in ("ms-swift", "trl"))
    shared = (set(ours) & set(theirs)) - {"output_dir", "resume_from_checkpoint", "report_to"}
    assert len(shared) > 45
    assert {name: ours[name] for name in shared} == {name: theirs[name] for name in shared}
    assert ours["warmup_ratio"] == theirs["warmup_steps"] == 0.05


def test_all_weights_go_on_from_a_checkpoint_as_the_model(tmp_path):
    """transformers takes a checkpoint of another form of names without a word, and keeps the base weights."""
    (plan,) = plans(project(tmp_path, demo=FULL) / "demo.yaml").values()
    assert isinstance(plan.stage("train").launch.commands[0].options["model_name_or_path"], ResumedModel)
    assert isinstance(train(tmp_path / "lora").launch.commands[0].options["model_name_or_path"], InputPath)


def test_our_own_options_are_recorded():
    recorded = load("trl", "sft").options
    assert set(trl_arguments.RowsArguments.__dataclass_fields__) <= set(recorded)
    assert recorded["freeze_vision"].owner == "runners.RowsArguments"


SHAPES = [(1, 0), (1, 1), (1, 8), (2, 1), (2, 4)]


@pytest.mark.parametrize("deepspeed", [None, "zero2", "zero3-offload"])
@pytest.mark.parametrize(("nodes", "gpus"), SHAPES)
def test_accelerate_gets_keys_that_it_knows(nodes, gpus, deepspeed):
    """Those inside of `deepspeed_config` become its arguments; it would drop an unknown one in silence."""
    found = accelerate.config(Hardware(nodes=nodes, gpus=gpus), deepspeed)
    assert set(found.get("deepspeed_config", {})) <= set(load("accelerate", "launch").options)
    assert found["num_processes"] == nodes * max(gpus, 1)
    kind = "DEEPSPEED" if deepspeed else "MULTI_GPU" if nodes * gpus > 1 else "NO"
    assert found["distributed_type"] == kind


@pytest.mark.parametrize(("nodes", "gpus"), SHAPES)
def test_a_run_knows_its_processes_by_accelerates_configuration(nodes, gpus, monkeypatch):
    identity = {"files": {"accelerate": accelerate.config(Hardware(nodes=nodes, gpus=gpus), None)}, "env": {}}
    assert machine.processes(identity) == nodes * max(gpus, 1)
    monkeypatch.setenv("MASTER_ADDR", "10.0.0.1")
    here = machine.Machine.model_validate_json("{}")
    assert ("MASTER_ADDR" in machine.environment(here, identity)) is (nodes > 1)
