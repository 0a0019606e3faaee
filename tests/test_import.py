"""`recipe import`: scripts that people run become recipes, and nothing of them is lost.

`import/CASE/run.sh` (or `config.yaml`, a trainer's own, or `job.json`, what a service posts) becomes
`import/CASE/expected.yaml`, byte for byte;
`pytest tests/test_import.py --renew` writes them anew.
"""

import contextlib
import re
import shlex
import shutil
from pathlib import Path

import pytest
from compiling import project, recipe
from importing import CASES, accounted, imported, source_of

from compiler.importing.draft import plain
from compiler.importing.script import read_script
from compiler.importing.write import write
from compiler.validation import findings
from schema.explain import page
from schema.signature import load
from schema.source import parse
from schema.tree import to_data

HERE = Path(__file__).parent


# Scripts as people write them


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_script_becomes_its_recipe(case, tmp_path, request):
    project(tmp_path)
    for file in filter(Path.is_file, case.iterdir()):
        shutil.copy(file, tmp_path)
    code, out, err = recipe(tmp_path, "import", source_of(case).name, "--name", case.name)
    written = (tmp_path / "recipes" / f"{case.name}.yaml").read_text("utf-8")
    expected = case / "expected.yaml"
    if request.config.getoption("--renew"):
        expected.write_text(written, encoding="utf-8")
    assert (code, written) == (0, expected.read_text("utf-8"))
    assert out.startswith(f"recipes/{case.name}.yaml  ")
    not_there = written.partition("# Not in the recipe")[2].partition("# In the recipe")[0]
    assert len(re.findall(r"^#   \S", not_there, re.MULTILINE)) == len(re.findall(r"^warning", err, re.MULTILINE))
    with contextlib.chdir(tmp_path):
        errors = [f for f in findings(Path("recipes", f"{case.name}.yaml"), {}) if f.severity == "error"]
        assert errors == []
    assert recipe(tmp_path, "compile", f"recipes/{case.name}.yaml")[0] == 0


ENGINES = [case for case in CASES if source_of(case).suffix == ".sh" and case.name != "distillation"]


@pytest.mark.parametrize("case", ENGINES, ids=lambda case: case.name)
def test_every_word_of_a_script_is_accounted_for(case, tmp_path):
    """Counted without the importer's own reading of options: each `--option` is compiled or listed by its name."""
    project(tmp_path)
    for file in filter(Path.is_file, case.iterdir()):
        shutil.copy(file, tmp_path)
    text = source_of(case).read_text("utf-8")
    found = imported(tmp_path, text)
    compiled = {option for stage in found.plan.stages for command in stage.launch.commands for option in named(command)}
    listed = " ".join(item.raw for item in found.left)
    written = re.findall(r"(?<![\w-])--([a-z][\w-]*)", re.sub(r"^\s*#.*", "", text, flags=re.MULTILINE))
    assert len(written) >= 8
    lost = [name for name in written if name.replace("-", "_") not in compiled and f"--{name}" not in listed]
    assert set(lost) <= {"no_freeze_vit"}, "compiled as `freeze_vit false`"


def named(command):
    return {*(name.replace("-", "_") for name in command.options), *(name.replace("-", "_") for name in command.passed)}


def test_what_is_known_of_a_batch_stays(tmp_path):
    project(tmp_path)
    text = "swift sft --model Qwen/Qwen2-VL-2B-Instruct --dataset data/a.jsonl --per_device_train_batch_size 2 "
    found = imported(tmp_path, text + "--gradient_accumulation_steps $(nproc)")
    assert found.plan.stage("train").stage.batch.micro == 2
    assert [item.option for item in found.left if item.code == "R0732"] == ["gradient_accumulation_steps"]


def test_a_deepspeed_file_is_told_by_what_it_says_and_once_by_what_it_lacks(tmp_path):
    project(tmp_path)
    (tmp_path / "ds.json").write_text(
        '{"zero_optimization": {"stage": 2, "overlap_comm": true}, "gradient_clipping": 0.5, "x": 1}'
    )
    text = "swift sft --model Qwen/Qwen2-VL-2B-Instruct --dataset data/a.jsonl --deepspeed ds.json"
    lacks, *says = [item.reason for item in imported(tmp_path, text).left if item.option == "deepspeed"]
    assert lacks.startswith('`deepspeed: zero2` also has `bf16` {"enabled": "auto"}, `fp16` ')
    assert says == [
        '`gradient_clipping` is 0.5 in the file, and "auto" in `deepspeed: zero2`',
        "`x` is 1 in the file, and absent in `deepspeed: zero2`",
    ]


# Every option of the engine


TRL = "trl {} --model_name_or_path Qwen/Qwen2-VL-2B-Instruct --dataset_name data/a.jsonl"


@pytest.mark.parametrize("verb", ["sft", "grpo", "dpo"])
def test_every_option_of_trl_is_placed_or_listed(tmp_path, verb):
    """Each option of `trl sft|grpo|dpo`, with a value of its type; TRL's own parser would read the compiled command."""
    project(tmp_path)
    placed = 0
    wanted = [o for o in load("trl", verb).options.values() if sample(o) and not o.owner.startswith("runners.")]
    for chunk in chunks([o for o in wanted if o.name != "model_name_or_path"], 12):
        lines = [f"  {option.flag} {' '.join(map(shlex.quote, sample(option)))}" for option in chunk]
        found = imported(tmp_path, " \\\n".join([TRL.format(verb), *lines]))
        placed += accounted(found, [(o.name, sample(o)) for o in chunk])
    assert placed > 90


@pytest.mark.parametrize("verb", ["sft", "rlhf --rlhf_type grpo", "rlhf --rlhf_type dpo"])
def test_every_option_of_the_engine_is_placed_or_listed(tmp_path, verb):
    """Each option of `swift sft` and `swift rlhf` alone with its own default, or a value of its type."""
    project(tmp_path)
    signature = load("ms-swift", verb.partition(" ")[0])
    placed = 0
    # Without the stage of an adapter, no part of a command counts.
    whole = ("adapters", "ref_adapters") if verb.startswith("rlhf") else ()
    for chunk in chunks([o for o in signature.options.values() if sample(o) and o.name not in whole], 12):
        lines = [f"  {option.flag} {' '.join(map(shlex.quote, sample(option)))}" for option in chunk]
        head = f"swift {verb} --model Qwen/Qwen2-VL-2B-Instruct --dataset data/a.jsonl"
        found = imported(tmp_path, " \\\n".join([head, *lines]))
        placed += accounted(found, [(o.name, sample(o)) for o in chunk])
    assert placed > 150


ADAPTED = (
    "swift sft --model Qwen/Qwen2.5-7B-Instruct --dataset data/a.jsonl --output_dir out/sft\nswift rlhf {} --model "
)
ADAPTED += "Qwen/Qwen2.5-7B-Instruct --dataset data/b.jsonl --adapters out/sft\n"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--rlhf_type dpo", True),
        ("--rlhf_type dpo --ref_adapters out/sft", False),
        ("--rlhf_type grpo --reward_funcs format --num_generations 1 --beta 0", False),
        ("--rlhf_type grpo --reward_funcs format", True),
    ],
)
def test_another_reference_than_the_recipes_is_told(tmp_path, options, told):
    project(tmp_path)
    found = imported(tmp_path, ADAPTED.format(options))
    assert [stage.stage.model for stage in found.plan.stages if stage.kind in ("dpo", "grpo")] == ["train"]
    assert any(item.option == "adapters" and not item.said for item in found.left) is told


def chunks(items, size):
    return [items[start : start + size] for start in range(0, len(items), size)]


def sample(option):
    """A value that the option takes, as words."""
    if option.name in ("model", "dataset", "model_type", "task_type", "rlhf_type") or option.type == "unsupported":
        return []
    if option.type == "choice":
        return [str(next(choice for choice in option.choices if choice is not None))]
    texts = {"bool": "true", "int": "3", "float": "0.25", "json": '{"a": 1}'}
    return [texts.get(option.type, "some text")]


def test_the_written_text_is_the_recipe_that_was_proven(tmp_path):
    project(tmp_path)
    for case in CASES:
        found = imported(tmp_path, source_of(case).read_text("utf-8"), file=source_of(case).name)
        text = write(found, "run.sh", True)
        assert to_data(parse(text, "written")) == plain(found.draft.data())


# The pages of the findings


@pytest.mark.parametrize("code", ["R0730", "R0731", "R0732", "R0733", "R0734"])
def test_a_page_shows_what_it_is_about(code, tmp_path):
    """The wrong script ends with this finding. The right one does not; that of R0734 is about another command."""
    wrong, right = re.findall(r"^```bash\n(.*?)^```$", page(code), re.MULTILINE | re.DOTALL)
    project(tmp_path)
    for text, expected in ((wrong, True), (right, False)):
        (tmp_path / "run.sh").write_text(text, encoding="utf-8")
        _, _, err = recipe(tmp_path, "import", "run.sh", "--force")
        if expected or code != "R0734":
            assert (f"[{code}]" in err) == expected, err


# The verb


SCRIPT = "swift sft --model Qwen/Qwen2.5-0.5B-Instruct --dataset data/a.jsonl\n"


def test_an_existing_recipe_is_not_written_over(tmp_path):
    project(tmp_path, run="mine\n")
    (tmp_path / "run.sh").write_text(SCRIPT, encoding="utf-8")
    code, _, err = recipe(tmp_path, "import", "run.sh")
    assert (code, "exists already" in err) == (2, True)
    assert (tmp_path / "recipes" / "run.yaml").read_text() == "mine\n"
    assert recipe(tmp_path, "import", "run.sh", "--force")[0] == 0
    assert "kind: sft" in (tmp_path / "recipes" / "run.yaml").read_text()


def test_name_and_place_can_be_chosen(tmp_path):
    (tmp_path / "Run it.sh").write_text(SCRIPT, encoding="utf-8")
    assert recipe(tmp_path, "import", "Run it.sh")[0] == 0
    assert (tmp_path / "recipes" / "run-it.yaml").is_file()
    assert recipe(tmp_path, "import", "Run it.sh", "--name", "other", "--out", "there/mine.yaml")[0] == 0
    assert "name: other\n" in (tmp_path / "there" / "mine.yaml").read_text()
    assert recipe(tmp_path, "import", "Run it.sh", "--name", "No Name")[0] == 2


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("run.sh", "echo hello\n", "R0730"),
        ("run.sh", "", "R0730"),
        ("run.sh", "swift sft --model 'unclosed\n", "R0730"),
        ("run.sh", "swift sft --dataset data/a.jsonl\n", "R0730"),
        ("run.sh", "swift rlhf --rlhf_type dpo --ref_adapters out/x --dataset data/a.jsonl\n", "R0730"),
        ("run.sh", "swift sft --model nobody/knows-it --dataset data/a.jsonl\n", "R0730"),
        ("a.yaml", "version: 1\nstages: {}\n", "R0730"),
        ("a.yaml", "a: [\n", "R0007"),
    ],
)
def test_what_cannot_be_imported_ends_with_a_finding(name, text, code, tmp_path):
    (tmp_path / name).write_text(text, encoding="utf-8")
    status, _, err = recipe(tmp_path, "import", name)
    assert status == 1
    assert f"error[{code}]" in err
    assert not (tmp_path / "recipes").exists()


def test_a_missing_file_is_a_finding(tmp_path):
    assert recipe(tmp_path, "import", "nowhere.sh")[0] == 1


def test_nothing_is_executed(tmp_path):
    project(tmp_path)
    text = (
        "X=$(touch one)\n`touch two`\n: ${Y:=$(touch three)}\neval 'touch four'\n" + SCRIPT.strip() + " $(touch five)\n"
    )
    (tmp_path / "run.sh").write_text(text, encoding="utf-8")
    assert recipe(tmp_path, "import", "run.sh")[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [".git", "recipes", "run.sh"]


def test_no_secret_is_written_or_shown(tmp_path):
    project(tmp_path)
    text = "export HF_TOKEN=hf_abc\nWANDB_API_KEY='hf_abc' swift sft --model Qwen/Qwen2.5-0.5B-Instruct --dataset data/a.jsonl"
    text += " --hub_token hf_abc --swanlab_token=hf_abc --max_new_tokens 5\nswift rlhf --hub_token hf_abc\n"
    text += 'for x in y; do login --password "hf_abc"; done\n'
    (tmp_path / "run.sh").write_text(text, encoding="utf-8")
    code, out, err = recipe(tmp_path, "import", "run.sh")
    written = (tmp_path / "recipes" / "run.yaml").read_text()
    assert code == 0
    assert "hf_abc" not in written + out + err
    assert "--max_new_tokens 5" in written
    assert written.count("a secret stands in no recipe") == 4


def test_the_environment_of_the_caller_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setenv("MODEL", "Qwen/Qwen2.5-0.5B-Instruct")
    (tmp_path / "run.sh").write_text("swift sft --model $MODEL --dataset data/a.jsonl\n", encoding="utf-8")
    code, _, err = recipe(tmp_path, "import", "run.sh")
    assert code == 1
    assert "`MODEL` has no value in this script" in err


def outcome(found, option):
    """The codes and reasons of what is told about an option or variable."""
    return [(item.code, item.reason) for item in found.left if item.option == option]


MODEL = "--model Qwen/Qwen2.5-0.5B-Instruct --dataset data/a.jsonl"


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        (f"NPROC_PER_NODE=4 NNODES=2 swift sft {MODEL}", ("hardware",), {"gpus": 4, "nodes": 2}),
        (f"CUDA_VISIBLE_DEVICES=0,1 swift sft {MODEL}", ("hardware", "gpus"), 1),
        (
            f"CUDA_VISIBLE_DEVICES= swift sft {MODEL} --torch_dtype float32 --fp16 false --bf16 false",
            ("hardware", "gpus"),
            0,
        ),
        (f"CUDA_VISIBLE_DEVICES=0,1,2 accelerate launch train.py {MODEL}", ("hardware", "gpus"), 3),
        (f"accelerate launch --num_processes 8 --num_machines 2 t.py {MODEL}", ("hardware",), {"gpus": 4, "nodes": 2}),
        (f"deepspeed --include localhost:2,3 t.py {MODEL}", ("hardware", "gpus"), 2),
        (f"NPROC_PER_NODE=3 swift sft {MODEL}", ("stages", "train", "batch", "global"), 18),
        (f"swift sft {MODEL} --per_device_train_batch_size 40", ("stages", "train", "batch", "global"), 40),
        (
            f"torchrun --nproc_per_node 2 t.py {MODEL} --gradient_accumulation_steps 3",
            ("stages", "train", "batch"),
            {"global": 48, "micro": 8},
        ),
        (f"swift sft {MODEL} --torch_dtype float32", ("stages", "train", "precision"), "float16"),
        (f"swift sft {MODEL} --bf16 true", ("models", "base", "dtype"), "bfloat16"),
        (f"swift sft {MODEL} --split_dataset_ratio 0.1", ("stages", "train", "evaluation", "data"), "data.validation"),
        (f"swift sft {MODEL} --num_train_epochs 2.0", ("stages", "train", "epochs"), 2.0),
        (f"swift sft {MODEL}", ("stages", "train", "epochs"), 3.0),
        (f"swift sft {MODEL}", ("stages", "train", "checkpoints", "every"), "500 steps"),
        (f"swift sft {MODEL}", ("stages", "train", "optimizer", "warmup_ratio"), 0.0),
        (f"swift sft {MODEL} --save_steps 1000000000", ("stages", "train", "checkpoints", "every"), "end"),
        (
            f"swift sft {MODEL} --save_strategy epoch --save_steps 5",
            ("stages", "train", "checkpoints", "every"),
            "epoch",
        ),
    ],
)
def test_a_field_says_what_the_engine_would_do(text, path, value, tmp_path):
    """With the engine's own rules for what is not given: the accumulation to 16, half precision beside float32."""
    found = imported(tmp_path, text)
    said = found.plan.instance.recipe
    for part in path:
        said = said[part] if isinstance(said, dict) else getattr(said, {"global": "global_"}.get(part, part))
    if isinstance(value, dict):
        said = {key: getattr(said, {"global": "global_"}.get(key, key)) for key in value}
    elif path[-1] == "data":
        said = said[0].data
    assert said == value


def test_what_a_recipe_does_otherwise_is_told(tmp_path):
    text = f"""
CUDA_VISIBLE_DEVICES=0,1 swift sft {MODEL} --eval_strategy no --val_dataset data/b.jsonl --tuner_type adalora --output_dir o
swift infer --model Qwen/Qwen2.5-3B-Instruct --adapters o/checkpoint-1 --val_dataset data/b.jsonl#5 --seed 1
"""
    found = imported(tmp_path, text)
    assert [code for code, _ in outcome(found, "CUDA_VISIBLE_DEVICES".lower())] == ["R0734"]
    assert ("R0732", "the compiled command has none") in outcome(found, "val_dataset")
    assert outcome(found, "tuner_type") == [("R0732", "the compiled command has `lora`")]
    assert [code for code, _ in outcome(found, "model")] == ["R0735", "R0732"]
    assert any("takes all rows" in reason for _, reason in outcome(found, "val_dataset"))
    others = [item.reason for item in found.left if "another command says it" in item.reason]
    assert others == ["another command says it, and in a recipe it holds here too: `seed` of run.sh:3"]


def test_a_launch_that_no_recipe_takes_is_left_out_alone(tmp_path):
    """What the language refuses, and needs: a classifier of one class, between two launches that are as they should be."""
    good = "swift sft --model Qwen/Qwen2.5-0.5B-Instruct --dataset data/{}.jsonl\n"
    bad = good.format("b").strip() + " --task_type seq_cls --num_labels 1\n"
    found = imported(tmp_path, good.format("a") + bad + good.format("c"))
    assert [call.place.line for call in found.stages.values()] == [1, 3]
    assert [item.place.line for item in found.left if item.code == "R0733"] == [2]
    many = imported(tmp_path, "".join(good.format(f"a{number}") for number in range(70)))
    assert len(many.stages) == 64
    assert sum(item.code == "R0733" for item in many.left) == 6


def test_a_reference_without_a_model_is_that_of_the_stage_before(tmp_path):
    first = "swift sft --model Qwen/Qwen2.5-0.5B-Instruct --dataset data/a.jsonl --output_dir o\n"
    found = imported(tmp_path, first + "swift rlhf --rlhf_type dpo --ref_adapters o --dataset data/b.jsonl\n")
    assert [(s.kind, s.stage.model) for s in found.plan.stages if s.kind == "dpo"] == [("dpo", "train")]


def test_places_are_lines_and_columns_of_the_script():
    text = "A=1\nif x; then\n  y\nfi\nswift sft \\\n  --a $(b)\n"
    script = read_script(text, "s.sh")
    assert [(r.place.line, r.place.column) for r in script.reports] == [(1, 1), (2, 1)]
    assert [(w.place.line, w.place.column) for w in script.commands[0].words] == [(5, 1), (5, 7), (6, 3), (6, 7)]
