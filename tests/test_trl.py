"""TRL beside ms-swift: rows as it takes them, the parts of a model, accelerate's configuration, the short form."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from compiling import plans, project
from PIL import Image

from compiler.backends import accelerate, trl
from compiler.backends import trl_rlhf as rlhf
from compiler.backends import trl_training as tables
from compiler.plan import InputPath, ResumedModel
from runners import (
    machine,
    trl_arguments,
    trl_grpo,
    trl_model,
    trl_pairs,
    trl_parts,
    trl_questions,
    trl_rows,
    trl_training,
)
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


class Speaker:
    """A tokenizer whose chat template writes something behind an answer."""

    added_tokens_encoder = {"<s>": 1, "</s>": 2, "<|im_end|>": 7}
    eos_token = "</s>"

    def __init__(self, behind):
        self.behind = behind

    def apply_chat_template(self, turns, tokenize):
        assert not tokenize
        return f"<s>USER: {turns[0]['content']} BOT: {turns[1]['content']}{self.behind}"


@pytest.mark.parametrize(("behind", "ending"), [("", "</s>"), ("\n", "</s>"), ("</s>", ""), ("<|im_end|>\n", "")])
def test_an_answer_gets_an_end_where_the_chat_template_writes_none(behind, ending):
    assert trl_rows.ending_of(Speaker(behind), False) == ending


def test_the_end_stands_behind_answers_alone():
    prompt, answer = TEXT["messages"]
    found = trl_rows.example(TEXT, False, "</s>")
    assert found == {"prompt": [prompt], "completion": [answer | {"content": "A cat.</s>"}]}
    pair = trl_pairs.pair(TEXT | {"rejected_response": "Me."}, False, "</s>")
    assert [pair[name][0]["content"] for name in ("chosen", "rejected")] == ["A cat.</s>", "Me.</s>"]


QUESTION = {"messages": [{"role": "user", "content": "<image>How many?"}], "images": ["a.png"], "solution": "3"}


def test_a_question_keeps_its_solution_for_the_rewards():
    found = trl_questions.question(QUESTION, True)
    assert found["prompt"] == [{"role": "user", "content": [{"type": "image"}, text("How many?")]}]
    assert (found["images"], found["solution"]) == (["a.png"], "3")


def test_a_pair_has_both_answers():
    found = trl_pairs.pair({**TEXT, "rejected_response": "Me.", "images": []}, True)
    assert found["prompt"] == [{"role": "user", "content": [text("Who?")]}]
    assert found["chosen"] == [{"role": "assistant", "content": [text("A cat.")]}]
    assert found["rejected"] == [{"role": "assistant", "content": [text("Me.")]}]


@pytest.mark.parametrize(
    ("read", "row"),
    [
        (lambda file: trl_questions.read([file], False, Path()), QUESTION),
        (lambda file: trl_questions.read([file], True, Path()), QUESTION | {"videos": ["a.mp4"]}),
        (lambda file: trl_questions.read([file], True, Path()), QUESTION | {"tools": "[]"}),
        (lambda file: trl_pairs.read([file], False), TEXT | {"rejected_response": "Me.", "images": ["a.png"]}),
        (lambda file: trl_pairs.read([file], True), TEXT | {"rejected_response": "Me.", "label": 1}),
        (lambda file: trl_pairs.read([file], True), TEXT | {"rejected_response": "Me.", "tools": "[]"}),
    ],
)
def test_questions_and_pairs_that_trl_would_take_in_part_are_refused(tmp_path, read, row):
    file = tmp_path / "train.jsonl"
    file.write_text(json.dumps(row) + "\n")
    with pytest.raises(RecipeError) as caught:
        read(str(file))
    assert [problem.code for problem in caught.value.diagnostics] == ["R0560"]


def fitting(lengths, tokens, seed=0):
    rows = [{"prompt": [], "length": length} for length in lengths]
    return trl_questions.Fitting(rows, trl_questions.Limit(lambda row: row["length"], tokens, seed))


def test_a_question_that_is_too_long_gives_way_to_another_always_the_same():
    lengths = [5, 90, 7, 80, 9, 3]
    rows = fitting(lengths, 10)
    found = [rows[index]["length"] for index in range(6)]
    assert len(rows) == 6
    assert [a for a, b in zip(found, lengths, strict=True) if b <= 10] == [5, 7, 9, 3]
    assert all(length <= 10 for length in found)
    assert found == [fitting(lengths, 10)[index]["length"] for index in range(6)]
    others = [[fitting(lengths, 10, seed)[index]["length"] for index in (1, 3)] for seed in range(20)]
    assert len({tuple(pair) for pair in others}) > 4


def test_no_question_that_fits_is_told():
    with pytest.raises(RecipeError) as caught:
        fitting([11, 12], 10)[0]
    assert [problem.code for problem in caught.value.diagnostics] == ["R0581"]


@pytest.mark.parametrize(("questions", "enough"), [(7, False), (8, True)])
def test_too_few_questions_for_a_step_are_told(questions, enough):
    config = SimpleNamespace(generation_batch_size=64, num_generations=8)
    if enough:
        trl_grpo._enough(questions, config)
        return
    with pytest.raises(RecipeError) as caught:
        trl_grpo._enough(questions, config)
    (problem,) = caught.value.diagnostics
    assert problem.code == "R0580"
    assert "at most 56" in problem.help


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

ALIGNED = """\
version: 1
name: demo
models: {base: {id: Qwen/Qwen3-8B}}
datasets: {pairs: {kind: jsonl, path: data/pairs.jsonl, columns: {prompt: q, answer: a, rejected: b}}}
hardware: {gpus: 2}
stages:
  lessons: {kind: prepare, dataset: pairs}
  questions: {kind: prepare, dataset: pairs, task: solve}
  preferences: {kind: prepare, dataset: pairs, task: prefer}
  taught: {kind: sft, engine: trl, model: base, data: lessons.train}
"""
GRPO = "kind: grpo, engine: trl, data: questions.train, rewards: [{kind: exact}]"
DPO = "kind: dpo, engine: trl, data: preferences.train"


def options_of(tmp_path, stage):
    (plan,) = plans(project(tmp_path, demo=f"{ALIGNED}  train: {{{stage}}}\n") / "demo.yaml").values()
    assert [problem for problem in plan.diagnostics if problem.severity == "error"] == []
    return plan.stage("train").launch.commands[0].options


BASE, BEFORE = ("base", ".recipe/models/Qwen--Qwen3-8B"), ("model", "outputs/demo/taught/model")
COMPARED = [
    (f"{GRPO}, model: base", {}),
    (f"{GRPO}, model: taught", {"adapter": BEFORE, "reference_adapter": BEFORE}),
    (f"{GRPO}, model: taught, adapter: new", {"reference_adapter": BEFORE}),
    (f"{GRPO}, model: taught, beta: 0", {"adapter": BEFORE}),
    (f"{GRPO}, model: base, tuner: {{kind: full}}", {"reference_model": ("model", BASE[1])}),
    (f"{GRPO}, model: base, tuner: {{kind: full}}, beta: 0", {}),
    (f"{DPO}, model: base", {}),
    (f"{DPO}, model: taught", {"adapter": BEFORE, "reference_adapter": BEFORE}),
    (f"{DPO}, model: taught, adapter: new", {"reference_adapter": BEFORE}),
    (f"{DPO}, model: base, tuner: {{kind: full}}", {"reference_model": ("model", BASE[1])}),
]


@pytest.mark.parametrize(("stage", "expected"), COMPARED)
def test_the_policy_and_its_reference_are_named(tmp_path, stage, expected):
    options = options_of(tmp_path, stage)
    names = ("adapter", "reference_adapter", "reference_model")
    found = {name: (options[name].role, options[name].path) for name in names if name in options}
    assert found == expected
    model = options["model_name_or_path"]
    assert isinstance(model, ResumedModel) is ("kind: full" in stage)
    below = model.model if isinstance(model, ResumedModel) else model
    assert below.path == BASE[1]


@pytest.mark.parametrize(
    ("said", "loss", "weights"),
    [
        ("", ("sigmoid",), None),
        (", loss_type: ipo", ("ipo",), None),
        (", sft_weight: 0.3", ("sigmoid", "sft"), (1.0, 0.3)),
    ],
)
def test_the_loss_of_the_preferred_answer_is_one_of_two(tmp_path, said, loss, weights):
    options = options_of(tmp_path, f"{DPO}, model: base{said}")
    assert (options["loss_type"], options.get("loss_weights")) == (loss, weights)


def test_a_group_of_answers_is_a_part_of_what_is_sampled_at_once(tmp_path):
    """TRL samples steps_per_generation × micro × processes answers, and divides them into groups."""
    options = options_of(tmp_path, f"{GRPO}, model: base, generations: 4, batch: {{global: 32, micro: 2}}")
    names = ("num_generations", "steps_per_generation", "gradient_accumulation_steps", "per_device_train_batch_size")
    assert [options[name] for name in names] == [4, 8, 8, 2]


@pytest.mark.parametrize("kind", ["grpo", "dpo"])
def test_every_option_of_alignment_is_one_of_trls(tmp_path, kind):
    options = options_of(tmp_path, f"{GRPO if kind == 'grpo' else DPO}, model: base")
    known = load("trl", kind).options
    tables = {"grpo": (rlhf.GRPO, rlhf.GRPO_DEFAULTS, *rlhf.VLLM.values()), "dpo": (rlhf.DPO, rlhf.DPO_DEFAULTS)}[kind]
    assert {name for table in tables for name in table} <= set(known)
    assert set(options) <= set(known)
    assert set(tables[1]) <= set(options)


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
