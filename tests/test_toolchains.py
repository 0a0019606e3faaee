"""A stage names its toolchain: what is checked against it, what it moves, and where it is told."""

import json

import pytest
from compiling import ROOT, files, plans, project, recipe

from runners import signatures
from schema.signature import load, requirements, toolchain
from schema.toolchain import DEFAULT, NAMES

TRAINED = """\
version: 1
name: two
{top}
models: {{base: {{id: {model}}}}}
datasets: {{digits: {{kind: image-folder, path: data/digits, split: {{validation: 0.2}}}}}}
hardware: {{gpus: 1}}
stages:
  data: {{kind: prepare, dataset: digits}}
  train: {{kind: sft, engine: {engine}, model: base, data: data.train{stage}}}
"""
LOCKED = [name for name in NAMES if name != DEFAULT]


def written(folder, top="", engine="trl", model="Qwen/Qwen2-VL-2B-Instruct", stage=""):
    """A recipe that trains; its file."""
    text = TRAINED.format(top=top, engine=engine, model=model, stage=stage)
    return project(folder, two=text) / "two.yaml"


def stages(file):
    (plan,) = plans(file).values()
    return {stage.name: stage for stage in plan.stages}


def told(folder, file, *lines):
    """What validation says of a recipe: every line is part of it."""
    code, out, err = recipe(folder, "validate", file)
    assert code == 1
    for line in lines:
        assert line in " ".join((out + err).split())


@pytest.mark.parametrize("name", LOCKED)
def test_what_is_recorded_of_a_toolchain_is_what_its_lock_says(name):
    folders = json.loads((signatures.place_of(name) / "toolchain.json").read_text())["signatures"]
    assert signatures.described(name, folders) == (signatures.place_of(name) / "toolchain.json").read_text()
    assert set(folders) == set(signatures.ENGINES[name])


def test_every_lock_is_named_and_every_package_has_its_digests():
    assert {path.stem for path in (ROOT / "toolchains").glob("*.txt")} == set(LOCKED)
    for name in LOCKED:
        lines = (ROOT / "toolchains" / f"{name}.txt").read_text().splitlines()
        pinned = [place for place, line in enumerate(lines) if line and not line.startswith(" ")]
        assert len(pinned) > 50
        assert all("==" in lines[place] and "--hash=sha256:" in lines[place + 1] for place in pinned)


def test_the_stage_goes_before_the_recipe(tmp_path):
    file = written(tmp_path, "toolchain: trl1", stage=", toolchain: default")
    assert [stage.toolchain for stage in stages(file).values()] == ["trl1", "default"]


def test_its_packages_are_part_of_the_identity(tmp_path):
    plain, other = (stages(written(tmp_path / top[-4:], top)) for top in ("x-a: none", "toolchain: trl1"))
    assert plain["train"].identity["toolchain"]["trl"] == toolchain()["trl"]
    assert other["train"].identity["toolchain"]["trl"] == toolchain("trl1")["trl"] != toolchain()["trl"]
    assert plain["train"].own != other["train"].own


def test_naming_the_default_toolchain_moves_nothing(tmp_path):
    plain, named = (stages(written(tmp_path / top[-4:], top)) for top in ("x-a: none", "toolchain: default"))
    assert {n: s.key for n, s in plain.items()} == {n: s.key for n, s in named.items()}


def test_the_manifest_names_the_lock_of_the_environment(tmp_path):
    manifest = json.loads(files(written(tmp_path, stage=", toolchain: trl1"))["pipelines/two/manifest.json"])
    assert manifest["stages"]["train"]["toolchain"] == {"name": "trl1", "sha256": requirements("trl1")}
    assert "toolchain" not in manifest["stages"]["data"]


def test_an_unknown_toolchain_is_told_with_the_nearest(tmp_path):
    told(tmp_path, written(tmp_path, "toolchain: trl"), "two.yaml:3:12", "trl1")


def test_options_are_those_of_the_toolchain(tmp_path):
    """An option that only TRL 1 has."""
    old, new = set(load("trl", "sft").options), set(load("trl", "sft", "trl1").options)
    assert new - old
    added = sorted(name for name in new - old if load("trl", "sft", "trl1").options[name].type in ("int", "float"))[0]
    engine = f"{{name: trl, args: {{{added}: 1}}}}"
    assert stages(written(tmp_path / "new", "toolchain: trl1", engine))["train"].key
    told(tmp_path / "old", written(tmp_path / "old", engine=engine), "R0401", added)


def test_an_engine_outside_its_toolchain_is_told_with_the_toolchains_that_hold_it(tmp_path):
    file = written(tmp_path, "toolchain: trl1", "ms-swift")
    choices = " or ".join(f"`toolchain: {name}`" for name in ("default", "quant", "transformers-4.41", "vllm"))
    told(tmp_path, file, "R0340", "two.yaml:3:12", "`ms-swift`", f"write {choices}")


def test_a_model_that_asks_for_other_versions_is_told_with_the_toolchain_that_has_them(tmp_path):
    file = written(tmp_path, engine="ms-swift", model="ZhipuAI/cogvlm-chat")
    lines = ("R0342", "transformers<4.42", "has transformers 5.", "write `toolchain: transformers-4.41`")
    told(tmp_path, file, *lines)


def test_of_a_toolchain_that_holds_another_engine_it_is_told_which_it_lacks(tmp_path):
    file = written(tmp_path, engine="trl", model="ZhipuAI/cogvlm-chat")
    told(
        tmp_path,
        file,
        "R0342",
        "the toolchain `transformers-4.41` would run it, without `accelerate`, `trl`: choose an engine that it holds",
    )


def test_an_older_engine_is_told_its_own_names(tmp_path):
    """And only watches nothing, as it has no callbacks by name."""
    found = stages(written(tmp_path, "toolchain: transformers-4.41", "ms-swift", "llava-hf/llava-1.5-7b-hf"))
    command = found["train"].launch.commands[0]
    assert command.signature == ("ms-swift", "sft", "transformers-4.41")
    assert command.options["train_type"] == "lora" and not {"tuner_type", "remove_unused_columns"} & set(
        command.options
    )
    assert not command.watch and command.fields["lora_rank"] == ("tuner", "rank")


@pytest.mark.parametrize("engine", ["ms-swift", "trl"])
@pytest.mark.parametrize(("tuner", "counts"), [("bits: 4, quantization: bnb", True), ("rank: 8", False)])
def test_what_rounds_the_weights_below_an_adapter_counts(tmp_path, engine, tuner, counts):
    found = stages(written(tmp_path, engine=engine, stage=f", tuner: {{kind: lora, {tuner}}}"))
    versions = [stage.identity["toolchain"].get("bitsandbytes") for stage in found.values()]
    assert versions == [None, toolchain()["bitsandbytes"] if counts else None]


def test_what_an_older_engine_cannot_do_is_an_error(tmp_path):
    """Options that it lacks are left out only where they say what it does anyway."""
    stage = ", tuner: {kind: lora, freeze: {vision: false}}, optimizer: {vision_learning_rate: 1e-5}"
    file = written(tmp_path, "toolchain: transformers-4.41", "ms-swift", "llava-hf/llava-1.5-7b-hf", stage)
    told(tmp_path, file, "R0401", "swift sft has no option `vit_lr`")


def test_an_option_that_came_later_is_left_out_where_it_says_the_default(tmp_path):
    assert load("ms-swift", "sft").find("dataloader_in_order") and not load("ms-swift", "sft", "vllm").find(
        "dataloader_in_order"
    )
    (command, _) = stages(written(tmp_path, "toolchain: vllm", "ms-swift"))["train"].launch.commands
    assert "dataloader_in_order" not in command.options and command.options["dataloader_drop_last"] is False


@pytest.mark.parametrize(
    ("said", "name", "value"),
    [("warmup_ratio: 0.1", "warmup_ratio", 0.1), ("warmup_steps: 7", "warmup_steps", 7)],
)
def test_warm_up_has_two_options_before_transformers_5(tmp_path, said, name, value):
    """As in the toolchain that has vLLM: TRL is trained there when GRPO samples with it."""
    file = written(tmp_path, "toolchain: vllm", stage=f", optimizer: {{{said}}}")
    options = stages(file)["train"].launch.commands[0].options
    assert {key: found for key, found in options.items() if key.startswith("warmup")} == {name: value}


def test_the_vllm_toolchain_holds_vllm_and_what_its_server_accepts():
    assert load("vllm", "serve", "vllm").options["max_num_seqs"].type == "int"
    with pytest.raises(LookupError, match="in the toolchain default"):
        load("vllm", "serve")


def test_a_list_of_recipes_tells_what_its_smoke_test_is(tmp_path):
    text = TRAINED.format(top="", engine="ms-swift", model="Qwen/Qwen2-VL-2B-Instruct", stage="")
    text += "variants:\n  smoke: {hardware: {gpus: 0}}\n  vllm-smoke: {toolchain: vllm}\n"
    text += "  old: {toolchain: transformers-4.41, models: {base: {id: OpenBMB/MiniCPM-V}}}\n"
    project(tmp_path, two=text)
    _, out, _ = recipe(tmp_path, "ls", "--format", "json")
    told = {row["name"]: row["smoke"] for row in json.loads(out)["recipes"]}
    expected = {
        "two": "not run: needs a GPU",
        "two/smoke": "run",
        "two/vllm-smoke": "not run: vLLM's wheels hold kernels for GPUs only",
        "two/old": "not run: the weights and the code of its model come from a hub",
    }
    assert told == expected
