"""Compile, import, compile: the engine's options come back with the same values, for every golden and shipped recipe."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from compiling import plans, project, without_code
from importing import imported

from compiler.importing import Imported
from compiler.plan import is_place
from compiler.render import render
from compiler.render.script import words
from schema.signature import load, resolve

HERE = Path(__file__).parent
GOLDEN = sorted((HERE / "golden").glob("*/recipe.yaml"))
SHIPPED = sorted((HERE.parent / "recipes").glob("*.yaml"))
PLACES = {
    "model": "a folder of the project",
    "adapters": "what a stage hands over",
    "dataset": "what a stage prepares",
    "val_dataset": "what a stage prepares",
    "deepspeed": "a file beside the script, compared by its content",
    "output_dir": "the working folder of a stage",
    "result_path": "the working folder of a stage",
    "resume_from_checkpoint": "the checkpoint of a run that was cut",
    "ref_adapters": "what a stage hands over",
    "ref_model": "a folder of the project",
    "model_name_or_path": "a folder of the project",
    "processor": "a folder of the project",
    "train_dataset": "what a stage prepares",
    "eval_dataset": "what a stage prepares",
    "served_model_name": "the recipe's name",
    "adapter": "what a stage hands over",
    "reference_adapter": "what a stage hands over",
    "reference_model": "a folder of the project",
    "external_plugins": "the file of the stage's own rewards",
    "reward_funcs": "names of rewards in that file; imported ones stand in for them",
}
"""Options whose value is a place, which import and compile may choose anew."""
PICTURES = {
    "image_folder": "the same, for TRL",
    "ROOT_IMAGE_DIR": "the folder of drawn pictures; imported rows name their pictures themselves",
}


def test_there_are_cases():
    assert len(GOLDEN) >= 12
    assert len(SHIPPED) >= 2


def as_script(plan):
    """The engine's commands of a plan, one after another, where each finds what the one before hands over."""
    for stage in plan.stages:
        for command in (*stage.launch.commands, *stage.launch.beside.get("serve", ())):
            if command.signature is None or "runners.ask" in (command.launcher or command).program:
                continue
            env = [f"{name}={shlex.quote(str(getattr(v, 'path', v)))}" for name, v in stage.launch.env.items()]
            text = " \\\n  ".join([*env, *words(command)])
            text = re.sub(r"\$RECIPE_OUT/(checkpoints|merged)", f"{plan.outputs}/{stage.name}/model", text)
            yield stage, text.replace("$RECIPE_OUT", f"{plan.outputs}/{stage.name}")


@pytest.mark.parametrize("file", [*GOLDEN, *SHIPPED], ids=lambda f: f.parent.name if f.stem == "recipe" else f.stem)
def test_a_compiled_command_comes_back(file, tmp_path):
    recipes = project(tmp_path)
    for other in (*file.parent.glob("*.yaml"), *file.parent.glob("*.lock")):
        shutil.copy(other, recipes)
    with without_code():
        for plan in plans(recipes / file.name).values():
            for name, text in render(plan).items():
                path = tmp_path / plan.pipeline / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            if is_known(plan):
                comes_back(tmp_path, plan)


def is_known(plan):
    """Whether an engine that scripts are imported for runs in it, in a release that they are read for."""
    if any(stage.toolchain == "transformers-4.41" for stage in plan.stages):
        return False
    signatures = {command.signature for stage in plan.stages for command in stage.launch.commands} - {None}
    return {engine for engine, *_ in signatures} <= {"ms-swift", "trl"} and bool(signatures)


def engines(stage):
    """The command that starts the engine; that of rewards stands before it."""
    return next(command for command in stage.launch.commands if command.signature)


def comes_back(root, plan):
    stages, texts = zip(*as_script(plan), strict=True)
    found = imported(root, "\n".join(texts))
    assert isinstance(found, Imported), found
    assert len(found.stages) == len(stages), [item.reason for item in found.left if not item.said]
    for before, name in zip(stages, found.stages, strict=True):
        after = found.plan.stage(name)
        assert normalised(engines(after)) == normalised(engines(before))
        files_of = [{k: v for k, v in s.launch.files.items() if k != "rewards"} for s in (before, after)]
        assert files_of[0] == files_of[1]
        env = {name: value for name, value in before.launch.env.items() if name not in PICTURES}
        assert after.launch.env == env
    surprises = [item for item in found.left if not item.said and "ROOT_IMAGE_DIR" not in item.raw]
    rewarded = ("reward_funcs", "external_plugins")
    assert [(item.raw, item.reason) for item in surprises if item.option not in rewarded] == []


def normalised(command):
    """Name → value as the engine sees it; of a place only how many there are, and which rows."""
    signature = load(*command.signature)
    options = {
        name: resolve(signature, name, list(value) if isinstance(value, tuple) else value)
        for name, value in command.options.items()
        if not is_place(value) and name not in PLACES and name not in PICTURES
    }
    for name, value in command.passed.items():
        options[signature.find(name)[0].name] = resolve(signature, name, value)
    for name in PLACES.keys() & command.options.keys():
        value = command.options[name]
        options[name] = [getattr(item, "suffix", "") for item in (value if isinstance(value, tuple) else (value,))]
    return options


@pytest.mark.parametrize(("recipe", "trl"), [("animals-lora", "trl"), ("qwen2-vl-grpo", "7b-full-trl")])
def test_a_compiled_script_itself_is_imported(recipe, trl, tmp_path):
    """The file that a stage runs, with its condition for runs that were cut: only what is the run's own is left."""
    recipes = project(tmp_path)
    shutil.copy(HERE.parent / f"recipes/{recipe}.yaml", recipes)
    found = {plan.instance.variant: plan for plan in plans(recipes / f"{recipe}.yaml").values()}
    for variant in (None, trl):
        for name, text in render(found[variant]).items():
            path = tmp_path / found[variant].pipeline / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        script = render(found[variant])["train.sh"]
        back = imported(tmp_path, script)
        assert isinstance(back, Imported), back
        before, after = (engines(plan.stage("train")) for plan in (found[variant], back.plan))
        assert normalised(after) == normalised(before)
        if variant == trl:
            assert back.plan.stage("train").launch.files == found[variant].stage("train").launch.files
        lost = {item.option for item in back.left if not item.said and item.option}
        assert lost <= {"output_dir", "recipe_plan", "reward_funcs", "external_plugins"}


@pytest.mark.parametrize(
    ("condition", "runs"),
    [
        ('[ -n "${A:-}" ] ||', True),
        ('[ -z "${A:-}" ] ||', False),
        ("[ -n x ] &&", True),
        ("[ -z x ] &&", False),
        ("[ -f x ] ||", False),
        ('[ -n "$UNKNOWN" ] ||', False),
    ],
)
def test_a_condition_on_a_text_that_is_known_decides(condition, runs, tmp_path):
    text = f"{condition} swift sft --model Qwen/Qwen2.5-0.5B-Instruct --dataset data/a.jsonl\n"
    assert isinstance(imported(tmp_path, text), Imported) is runs
