"""Import, write, compile: each option of a script is in the compiled command with the same value, or is listed.

The options are read here by themselves, from the text, and never by the importer.
"""

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from compiling import plans, project, recipe
from importing import imported

from compiler.importing import Imported, import_text
from compiler.importing.write import write
from compiler.render.script import words
from schema.signature import for_program, load
from schema.signature.commandline import read_argv

MODEL = "--model_name_or_path Qwen/Qwen2.5-0.5B-Instruct --dataset_name data/chat.jsonl --output_dir out/a"
HYPER = """ --learning_rate 3e-5 --lr_scheduler_type cosine --weight_decay 0.02 --adam_beta1 0.8 --adam_beta2 0.97 \\
  --adam_epsilon 1e-7 --max_grad_norm 0.3 --num_train_epochs 4 --per_device_train_batch_size 2 \\
  --gradient_accumulation_steps 6 --save_strategy steps --save_steps 123 --save_total_limit 7 --logging_steps 9 \\
  --seed 11 --gradient_checkpointing true --bf16 true --optim adamw_torch"""
LORA = " --use_peft true --lora_r 24 --lora_alpha 48 --lora_dropout 0.15 --lora_target_modules q_proj o_proj"
OF_LAUNCHERS = ("module", "num_processes", "mixed_precision", "nproc_per_node", "num_gpus")
VALUES = {"LR": "2e-5", "N": "5"}

TRL = {
    "its command": f"trl sft {MODEL}{HYPER}{LORA} --dtype bfloat16 --max_length 777 --neftune_noise_alpha 4",
    "all weights": f"trl sft {MODEL}{HYPER} --dtype float32 --max_length 777 --use_liger_kernel false",
    "accelerate": f"accelerate launch --num_processes 2 --mixed_precision bf16 train.py {MODEL}{HYPER}{LORA}",
    "a module": f"accelerate launch --module trl.scripts.dpo {MODEL}{HYPER}{LORA} --beta 0.3 --loss_type hinge "
    "--max_length 900 --truncation_mode keep_end --label_smoothing 0.0",
    "torchrun": f"torchrun --nproc_per_node=2 sft.py {MODEL}{HYPER}{LORA} --max_length 640 --dtype bfloat16",
    "deepspeed": f"deepspeed --num_gpus 2 train.py {MODEL}{HYPER}{LORA} --attn_implementation eager",
    "grpo": f"trl grpo {MODEL}{HYPER}{LORA} --reward_funcs think_format_reward --num_generations 3 --beta 0.01 "
    "--max_completion_length 99 --temperature 0.7 --top_p 0.9 --top_k 40 --epsilon 0.15 --epsilon_high 0.3 "
    "--loss_type dr_grpo --scale_rewards none --num_iterations 2 --use_vllm true --vllm_mode colocate",
    "quotes and variables": "export LR=2e-5\nN=${N:-5}\nARGS=(--lora_r \"$N\" # of the adapter\n  '--lora_alpha' 9)\n"
    f'accelerate \\\n launch \'train.py\' {MODEL} --learning_rate "$LR" --warmup_steps $N "${{ARGS[@]}}" --max_steps=1$N '
    "--use_peft # done\n",
}
SWIFT = {
    "sft": "swift sft --model Qwen/Qwen2.5-0.5B-Instruct --dataset data/chat.jsonl --output_dir out/a --lora_rank 24 "
    f"--lora_alpha 48 --target_modules q_proj --max_length 777 --torch_dtype bfloat16 --truncation_strategy left{HYPER}",
    "dpo": "swift rlhf --rlhf_type dpo --model Qwen/Qwen2.5-0.5B-Instruct --dataset data/chat.jsonl --beta 0.3 "
    f"--loss_type hinge --rpo_alpha 0.1 --max_length 900{HYPER}",
    "grpo": "swift rlhf --rlhf_type grpo --model Qwen/Qwen2.5-0.5B-Instruct --dataset data/chat.jsonl --reward_funcs format "
    f"--num_generations 3 --beta 0.01 --max_completion_length 99 --temperature 0.7{HYPER}",
}
ALL = [("trl", name, text) for name, text in TRL.items()]
ALL += [("ms-swift", name, text) for name, text in (TRL | SWIFT).items()]
ALL += [("trl", name, text) for name, text in SWIFT.items()]


def options_of(text):
    """Option → its words, from the last command of a text in which variables are put by hand."""
    for name, value in VALUES.items():
        text = text.replace(f"${name}", value).replace(f"${{{name}:-{value}}}", value)
    array = re.search(r"ARGS=\((.*?)\)", text, re.DOTALL)
    if array:
        text = text.replace('"${ARGS[@]}"', re.sub("#.*", "", array[1])).replace(array[0], "")
    line = text.replace("\\\n", " ").strip().splitlines()[-1 if not array else slice(None)]
    found, name = {}, ""
    for word in shlex.split(line if isinstance(line, str) else " ".join(line), comments=True):
        if word.startswith("--"):
            name, sign, value = word[2:].partition("=")
            found[name] = [value] if sign else []
        elif name:
            found[name].append(word)
    return {name: values for name, values in found.items() if name not in OF_LAUNCHERS}


def compiled(stage):
    """The options of the command that is compiled for a stage, as a shell and the engine's parser read them."""
    command = next(command for command in stage.launch.commands if command.signature)
    text = " ".join(words(replace(command, watch={}, launcher=None)))
    argv = shlex.split(text.replace('${RECIPE_RESUME:+--resume_from_checkpoint "$RECIPE_RESUME"}', ""))
    signature, arguments = for_program(argv)
    return signature, read_argv(signature, arguments)


@pytest.mark.parametrize(("engine", "form", "text"), ALL, ids=[f"{engine}-{form}" for engine, form, _ in ALL])
def test_each_option_is_compiled_with_its_value_or_listed(tmp_path, monkeypatch, engine, form, text):
    project(tmp_path)
    monkeypatch.chdir(tmp_path)
    found = import_text(text, Path("run.sh"), "imported", engine)
    assert isinstance(found, Imported), found
    Path("recipes/imported.yaml").write_text(write(found, "run.sh", True), encoding="utf-8")
    plan = next(iter(plans(Path("recipes/imported.yaml")).values()))  # what is written, and not what was proven
    signature, ours = compiled(plan.stage("train"))
    assert signature.engine == ("ms-swift" if text.startswith("swift") else engine)
    given = options_of(text)
    assert len(given) > 7
    same = set()
    for name, values in given.items():
        option = signature.find(name)
        told = [item for item in found.left if re.search(rf"--{name}\b", item.raw)]
        if option is None:
            assert told, f"--{name} is nowhere"
            continue
        flag = option[0].flag
        argv = [f"{flag}={values[0]}"] if len(values) == 1 else [flag, *values]
        if ours.get(option[0].name) == read_argv(signature, argv).get(option[0].name):
            same.add(name)
        else:
            assert told, f"--{name} {values} became {ours.get(option[0].name)}"
    lost = [item for item in found.left if not item.said]
    assert not lost or form == "a module", [(item.raw, item.reason) for item in lost]
    if signature.engine == "trl":  # only what is a place, or has another form in a recipe
        allowed = {"model_name_or_path", "dataset_name", "output_dir", "reward_funcs"}
        assert set(given) - same <= allowed


def test_a_configuration_of_accelerate_comes_back(tmp_path, monkeypatch):
    """What the file says is in the compiled one with the same value, or is listed with its line."""
    project(tmp_path)
    monkeypatch.chdir(tmp_path)
    said = {
        "distributed_type": "DEEPSPEED", "num_machines": 1, "num_processes": 2, "machine_rank": 0, "use_cpu": False,
        "same_network": True, "rdzv_backend": "static", "main_training_function": "main", "downcast_bf16": "no",
    }  # fmt: skip
    inner = {
        "zero_stage": 3,
        "zero3_init_flag": True,
        "offload_optimizer_device": "cpu",
        "zero3_save_16bit_model": True,
    }
    text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in said.items())
    text += "deepspeed_config:\n" + "".join(f"  {key}: {json.dumps(value)}\n" for key, value in inner.items())
    Path("zero.yaml").write_text(text, encoding="utf-8")
    found = imported(tmp_path, f"accelerate launch --config_file zero.yaml train.py {MODEL}\n")
    launch = found.plan.stage("train").launch
    ours, listed = launch.files["accelerate"], " ".join(item.raw for item in found.left)
    same = {key for key, value in said.items() if ours.get(key) == value}
    assert same == said.keys() - {"downcast_bf16"}
    assert ours["deepspeed_config"]["zero3_init_flag"] is True
    assert "downcast_bf16" in listed
    assert launch.files["deepspeed"]["zero_optimization"]["stage"] == 3
    assert "offload_optimizer" in launch.files["deepspeed"]["zero_optimization"]


def test_another_engine_can_be_chosen(tmp_path):
    project(tmp_path)
    (tmp_path / "run.sh").write_text(TRL["accelerate"] + "\n", encoding="utf-8")
    for chosen, program in (([], "runners.trl_sft"), (["--engine", "ms-swift"], "swift sft")):
        assert recipe(tmp_path, "import", "run.sh", "--force", *chosen)[0] == 0
        assert recipe(tmp_path, "compile", "recipes/run.yaml")[0] == 0
        assert program in (tmp_path / "pipelines/run/train.sh").read_text("utf-8")
    assert recipe(tmp_path, "import", "run.sh", "--force", "--engine", "other")[0] == 2


def test_what_trl_does_by_itself_is_written(tmp_path):
    """Its defaults are others than a recipe's: all weights, float32 weights in bfloat16 training, no decay, a cut."""
    project(tmp_path)
    (stage,) = [s for s in imported(tmp_path, f"trl sft {MODEL}\n").plan.stages if s.kind == "sft"]
    _, ours = compiled(stage)
    free = {"report_to", "logging_steps", "dataloader_num_workers", "save_total_limit", "per_device_eval_batch_size"}
    known = {name: option.default for name, option in load("trl", "sft").options.items() if name in ours}
    theirs = {name: default for name, default in known.items() if default is not None and name not in free}
    own = {"bf16", "use_peft", "too_long", "freeze_vision", "freeze_aligner"}
    assert {name: ours[name] for name in theirs if name not in own} == {n: d for n, d in theirs.items() if n not in own}
    assert (ours["bf16"], ours["use_peft"], ours["too_long"]) == (True, False, "right")
