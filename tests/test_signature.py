"""The checker of engine options, against recorded signatures only: no engine is imported here."""

import json
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from signature_mutants import VALID, mutants, split

from schema import signature as signatures
from schema.signature import (
    RENAMED,
    arguments,
    check_argv,
    check_options,
    find_model,
    for_program,
    load,
    model_problem,
    read_argv,
    registry,
    resolve,
    vocabulary,
)

FOLDER = Path(signatures.__file__).parent.parent / "signatures"
SFT = load("ms-swift", "sft")


def kinds(problems):
    return [problem.kind for problem in problems]


def only(problems):
    (problem,) = problems
    return problem


# -- what is recorded


def test_everything_recorded_loads():
    files = sorted(path for path in FOLDER.glob("*/*.json") if path.name != "registry.json")
    assert len(files) == 11
    for path in files:
        engine = path.parent.name.rsplit("-", 1)[0]
        recorded = load(engine, path.stem)
        assert recorded.options and for_program(recorded.program)[0] is recorded


def test_recorded_files_say_nothing_about_a_machine():
    for path in FOLDER.rglob("*.json"):
        text = path.read_text(encoding="utf-8")
        for place in (sys.prefix, str(Path.home()), "site-packages", "/tmp/"):
            assert place not in text, path
        assert path.stat().st_size < 200_000


def test_each_option_stands_on_a_line_of_its_own():
    text = (FOLDER / "ms-swift-4.6.0" / "sft.json").read_text(encoding="utf-8")
    assert sum(line.startswith('"learning_rate": {') for line in text.splitlines()) == 1
    assert len(json.loads(text)["options"]) == len(SFT.options) == 333


def test_an_unrecorded_command_is_a_lookup_error():
    with pytest.raises(LookupError, match="no signature of `sing`"):
        load("ms-swift", "sing")
    assert for_program(["python", "-m", "x"]) is None


def test_renames_lead_from_names_that_are_gone_to_names_that_are_there():
    commands = [load("ms-swift", name) for name in ("sft", "infer", "export", "rlhf")]
    everywhere = set().union(*(command.options for command in commands))
    assert {new for new in RENAMED.values() if new not in everywhere} == set()
    # the same word can be an option of another command
    assert {old for old in RENAMED if old in SFT.options} == set()


# -- values


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("learning_rate", 1e-4, "0.0001"),
        ("learning-rate", "1E-4", 0.0001),
        ("num_train_epochs", 2, "2.0"),
        ("freeze_vit", False, "no"),
        ("freeze_vit", "False", False),
        ("quant_bits", 4, "4"),
        ("target_modules", "all-linear", ["all-linear"]),
        ("lr_scheduler_kwargs", {"min_lr": 1e-6}, '{"min_lr": 0.000001}'),
        ("torch_dtype", None, "None"),
        ("init_weights", True, "true"),
        ("system", 7, "7"),
    ],
)
def test_two_spellings_of_a_value_are_equal(name, one, other):
    assert resolve(SFT, name, one) == resolve(SFT, name, other)


def test_the_negative_spelling_is_false():
    assert resolve(SFT, "no_freeze_vit", True) is resolve(SFT, "freeze_vit", "f") is False
    assert resolve(SFT, "--no-freeze-vit", True) is False


def test_an_unknown_name_cannot_be_resolved():
    with pytest.raises(LookupError, match="swift sft has no option `learning_rte`"):
        resolve(SFT, "learning_rte", 1)


@pytest.mark.parametrize(
    ("name", "value", "written"),
    [
        ("learning_rate", 1e-4, ("--learning_rate", "0.0001")),
        ("freeze_vit", False, ("--freeze_vit", "false")),
        ("no_freeze_vit", True, ("--freeze_vit", "false")),
        ("target_modules", ["q_proj", "v_proj"], ("--target_modules", "q_proj", "v_proj")),
        ("system", "-- brief", ("--system=-- brief",)),
        ("max_steps", -1, ("--max_steps=-1",)),
        ("lr_scheduler_kwargs", {"b": 1, "a": "é"}, ("--lr_scheduler_kwargs", '{"a": "é", "b": 1}')),
    ],
)
def test_a_value_becomes_arguments_that_read_back_as_the_same_value(name, value, written):
    assert arguments(SFT, name, value) == written
    option, _ = SFT.find(name)
    assert read_argv(SFT, written) == {option.name: resolve(SFT, name, value)}


def test_a_list_with_a_leading_dash_cannot_be_written():
    with pytest.raises(ValueError, match="begins with `-`"):
        arguments(SFT, "target_modules", ["q_proj", "-v"])


# -- options by name


@pytest.mark.parametrize(
    ("name", "value", "kind", "message", "help"),
    [
        (
            "learning_rte",
            1e-4,
            "unknown",
            "swift sft has no option `learning_rte`",
            "did you mean `learning_rate`? The r",
        ),
        (
            "train_type",
            "lora",
            "renamed",
            "it is called `tuner_type`",
            "write `tuner_type`. The recipe has a field for it",
        ),
        ("grad_accum", 8, "unknown", "no option `grad_accum`", "The recipe has a field for it: `batch.global`"),
        ("zzz", 1, "unknown", "no option `zzz`", ""),
        ("bf16", None, "null", "the engine would read the text `None`", "leave the option out"),
        ("learning_rate", True, "value", "`learning_rate` is a number, and `true` is not", ""),
        ("lora_rank", 8.0, "value", "`lora_rank` is a whole number, and `8.0` has a point", "write `8`"),
        ("lora_rank", "eight", "value", "and `eight` is not", ""),
        ("freeze_vit", 0, "value", "`freeze_vit` is true or false, and `0` is not", ""),
        ("torch_dtype", "bf16", "choice", "`torch_dtype` does not take `bf16`", "did you mean `bfloat16`?"),
        ("learning_rate", [1, 2], "value", "takes one value, not a list", "write one value"),
        ("system", {"a": 1}, "value", "`system` takes no map", ""),
        ("target_modules", [], "impossible", "an empty list", "leave it out"),
        ("liger_kernel_config", {"rope": True}, "impossible", "cannot be given on a command line", "leave it out"),
        ("lr_scheduler_kwargs", "{min_lr: 1}", "json", "no well-formed JSON (character 2", "mend the JSON"),
        ("learning_rate", float("nan"), "number", "no finite number", ""),
        ("tuner_type", "lroa", "vocabulary", "no `tuner_type` is registered under `lroa`", "did you mean `lora`?"),
        ("callbacks", ["early_stop", "erly"], "vocabulary", "under `erly`", "it is one of `activation_cpu_off"),
        ("loss_scale", "last_round+hermez", "vocabulary", "under `hermez`", "did you mean `hermes`?"),
        ("no_freeze_vit", "x", "value", "`no_freeze_vit` takes no value", "write `freeze_vit: x`"),
    ],
)
def test_what_is_wrong_with_one_option(name, value, kind, message, help):
    problem = only(check_options(SFT, [(name, value)]))
    assert problem.kind == kind
    assert message in problem.message
    assert problem.help.startswith(help) if help else True


def test_good_options_are_no_problem():
    good = {"learning_rate": "1e-4", "target-modules": "all-linear", "bf16": True, "attn_impl": "kernels-community/fa"}
    assert check_options(SFT, good.items()) == []


def test_two_spellings_of_one_option_are_a_repetition():
    problem = only(check_options(SFT, [("freeze-vit", True), ("no_freeze_vit", True)]))
    assert (problem.kind, problem.option) == ("repeated", "no_freeze_vit")
    assert (
        problem.message == "`freeze_vit` is given as `freeze-vit` and as `no_freeze_vit`; the last one wins in silence"
    )


def test_a_plugin_may_add_names():
    given = [("loss_type", "mine"), ("external_plugins", ["plugin.py"])]
    assert kinds(check_options(SFT, given[:1])) == ["vocabulary"]
    assert check_options(SFT, given) == []


def test_a_boolean_that_is_always_true_is_pointed_out():
    launch = load("accelerate", "launch")
    problem = only(check_options(launch, [("megatron_lm_no_load_optim", False)]))
    assert (problem.kind, problem.severity) == ("trap", "warning")


# -- command lines


@pytest.mark.parametrize("command", VALID)
def test_valid_command_lines_are_valid(command):
    assert check_argv(*split(command)) == []


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        ("--learning_r 1e-4", ["abbreviated"]),
        ("--learning 1e-4", ["ambiguous"]),
        ("--learning_rate 1e-4 --learning-rate=1e-5", ["repeated"]),
        ("--learning_rate", ["missing"]),
        ("--bf16", ["missing"]),
        ("--packing", []),
        ("--packing maybe", ["value"]),
        ("--no_freeze_vit", []),
        ("--no-freeze-vit", []),
        ("--no_freeze_vit=1", ["extra"]),
        ("--no_packing", ["unknown"]),
        ("--seed 1 2", ["extra"]),
        ("--target_modules a b c", []),
        ("--target_modules", ["missing"]),
        ("--max_steps -1", []),
        ("--learning_rate -1e-4", ["dash"]),
        ("--learning_rate=-1e-4", []),
        ("--system -v", ["dash"]),
        ("--system=-v", []),
        ("--seed 1.5", ["value"]),
        ("--quant_bits 5", ["choice"]),
        ("--learning_rate nan", ["number"]),
        ("-- --seed", ["extra", "missing"]),
        ("stray", ["extra"]),
        ("", []),
    ],
)
def test_a_command_line_is_read_as_argparse_reads_it(argv, found):
    assert kinds(check_argv(SFT, argv.split())) == found


def test_a_launcher_needs_a_script_and_leaves_its_arguments_alone():
    torchrun = load("torch", "torchrun")
    assert kinds(check_argv(torchrun, ["--nnodes", "1"])) == ["missing"]
    assert check_argv(torchrun, ["train.py", "--unknown", "--nnodes"]) == []
    assert kinds(check_argv(torchrun, ["train.py", "--log", "x"])) == ["ambiguous"]


def test_no_mutant_stops_the_checker_and_the_same_one_gets_the_same_answer():
    answers = [check_argv(signature, argv) for signature, argv in mutants(2000, 7)]
    assert answers == [check_argv(signature, argv) for signature, argv in mutants(2000, 7)]
    refused = sum(any(problem.severity == "error" for problem in found) for found in answers)
    assert 800 < refused < 1900


def test_any_bytes_are_read():
    random = Random(3)
    for _ in range(300):
        argv = ["".join(chr(random.randrange(1, 300)) for _ in range(random.randrange(6))) for _ in range(5)]
        check_argv(SFT, argv)
        check_options(SFT, [(name, name) for name in argv])


# -- models


def test_a_model_is_found_by_its_name_whoever_owns_it():
    for model_id in ("Qwen/Qwen2-VL-2B-Instruct", "qwen2-vl-2b-instruct", "mirror/QWEN2-VL-2B-Instruct/"):
        entry = only(find_model(model_id))
        assert (entry.model_type, entry.template, entry.multimodal) == ("qwen2_vl", "qwen2_vl", True)
    entry = only(find_model("LLM-Research/gemma-3-4b-it"))
    assert (entry.id, entry.modelscope) == ("google/gemma-3-4b-it", "LLM-Research/gemma-3-4b-it")


def test_vocabularies_have_the_names_that_recipes_use():
    assert {"lora", "full"} <= vocabulary("tuner_type")
    assert {"qwen2_vl", "gemma3_vision", "llava1_5_hf"} <= vocabulary("template") & vocabulary("model_type")
    assert "early_stop" in vocabulary("callbacks")
    assert vocabulary("output_dir") == frozenset()


@pytest.mark.parametrize(
    ("model_id", "kind", "help"),
    [
        ("Qwen2.5-VL-8B", "unknown", "probably `Qwen/Qwen2.5-VL-7B-Instruct` or `Qwen/Qwen3-VL-8B-Instruct`"),
        ("Qwen/Qwen2.5-VL-8B-Instruct", "unknown", "probably `Qwen/Qwen2.5-VL-7B-Instruct`"),
        (
            "Qwen/Qwen2-VL-2B-Instrukt",
            "vocabulary",
            "give its `type` and `template`, or did you mean `Qwen/Qwen2-VL-2B-I",
        ),
        ("acme/unheard-of", "vocabulary", "give its `type` and `template`"),
        ("google/gemma-3-1b-it", "rule", "probably `google/gemma-3-4b-it`"),
        ("Qwen/Qwen3-8B", "rule", "name a vision-language model"),
    ],
)
def test_what_is_wrong_with_the_name_of_a_vision_model(model_id, kind, help):
    problem = model_problem(model_id, multimodal=True)
    assert problem.kind == kind and problem.help.startswith(help)


@pytest.mark.parametrize(
    ("version", "limit", "meets"),
    [
        ("5.19.0", ">=4.45", True),
        ("5.19.0", "<4.42", False),
        ("5.0.0", "<5", False),
        ("5.0.0", "==5", True),
        ("4.57.6", "==4.57.*", True),
        ("2.15.0+cu130", ">2.2.0", True),
        ("0.0.14", "!=0.0.13", True),
        ("5.0.0", ">=5.0.0.dev0", True),
    ],
)
def test_limits_of_versions(version, limit, meets):
    assert registry._meets(version, limit) is meets


def test_a_model_that_the_toolchain_is_too_new_for():
    problem = model_problem("baichuan-inc/Baichuan-13B-Chat")
    assert problem.severity == "warning"
    assert "asks for transformers<4.34, and the toolchain has transformers 5." in problem.message


def test_the_models_that_traps_point_to_are_registered():
    traps = json.loads((FOLDER / "name-traps.json").read_text(encoding="utf-8"))["traps"]
    assert traps
    assert [name for trap in traps for name in trap["probably"] if not find_model(name)] == []
    assert model_problem("Qwen/Qwen2-VL-2B-Instruct", multimodal=True) is None


# -- cost


def test_no_engine_is_imported():
    heavy = "torch", "transformers", "swift", "pydantic", "yaml", "rapidfuzz"
    code = f"import sys; import schema.signature; sys.exit(len(set({heavy}) & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
