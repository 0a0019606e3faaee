"""Command lines for the checker of signatures: valid ones, and what goes wrong with them, by seed."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from random import Random

from schema.signature import Option, Signature, arguments, for_program

VALID = (
    # a full fine-tune with a classification head, on a CPU
    "swift sft --model .recipe/models/tiny --model_type qwen2_vl --template qwen2_vl --task_type seq_cls"
    " --num_labels 10 --problem_type single_label_classification --tuner_type full --freeze_vit false"
    " --torch_dtype float32 --fp16 false --bf16 false --attn_impl eager --dataset outputs/data/train.jsonl"
    " --val_dataset outputs/data/validation.jsonl --strict true --seed 42 --data_seed 42 --learning_rate 0.003"
    " --per_device_train_batch_size 32 --gradient_accumulation_steps 1 --num_train_epochs 12 --eval_strategy epoch"
    " --save_strategy epoch --save_total_limit 2 --output_dir out/checkpoints --add_version false --check_model false"
    " --use_cpu true --report_to none --dataloader_persistent_workers false",
    # LoRA on a GPU
    "swift sft --model .recipe/models/base --model_type qwen2_vl --template qwen2_vl --tuner_type lora --lora_rank 16"
    " --lora_alpha 32 --lora_dropout 0.05 --target_modules all-linear --torch_dtype bfloat16 --bf16 true --fp16 false"
    " --attn_impl sdpa --max_length 2048 --dataset outputs/data/train.jsonl --val_dataset outputs/data/validation.jsonl"
    " --per_device_train_batch_size 1 --gradient_accumulation_steps 8 --num_train_epochs 2 --learning_rate 1e-4"
    " --lr_scheduler_type cosine --warmup_ratio 0.03 --weight_decay 0.01 --gradient_checkpointing true"
    " --eval_strategy steps --eval_steps 3000 --save_strategy steps --save_steps 3000 --save_total_limit 3"
    " --logging_steps 10 --report_to tensorboard --output_dir out --add_version false --deepspeed zero3.json",
    "swift infer --model .recipe/models/base --model_type qwen2_vl --template qwen2_vl --load_args false"
    " --val_dataset outputs/data/validation.jsonl --max_batch_size 8 --max_new_tokens 16 --temperature 0 --num_beams 1"
    " --torch_dtype float32 --attn_impl eager --stream false --result_path out/predictions.jsonl",
    "swift export --model .recipe/models/base --adapters outputs/train/model --model_type qwen2_vl --template qwen2_vl"
    " --merge_lora true --load_args false --torch_dtype float32 --safe_serialization true --output_dir out/merged",
    "swift rlhf --rlhf_type grpo --model .recipe/models/base --model_type qwen2_vl --template qwen2_vl --beta 0.04"
    " --reward_funcs accuracy format --num_generations 8 --max_completion_length 64 --dataset data.jsonl"
    " --temperature 1.0 --learning_rate 1e-6 --torch_dtype bfloat16 --per_device_train_batch_size 8",
    "swift rlhf --rlhf_type dpo --model .recipe/models/base --model_type qwen2_vl --template qwen2_vl --beta 0.1"
    " --dataset data.jsonl --rpo_alpha 0.1 --torch_dtype bfloat16",
    "torchrun --nproc_per_node 2 --nnodes 1 --master_port 29501 train.py --seed 1",
    "torchrun --standalone --nproc-per-node gpu -m package.module --anything goes",
    "accelerate launch --num_processes 2 --mixed_precision bf16 --multi_gpu train.py --seed 1",
    "accelerate launch --use_deepspeed --zero_stage 3 --gradient_accumulation_steps 8 -m package.module",
    "deepspeed --num_gpus 2 --master_port 29501 train.py --deepspeed zero.json",
)

BROKEN_EARLY = (
    ({"packing": True, "attn_impl": "sdpa"}, "packing"),
    ({"padding_free": True}, "padding_free"),
    ({"packing": True, "attn_impl": "flash_attention_2", "lazy_tokenize": True}, "lazy_tokenize"),
    ({"bf16": True, "fp16": True}, "fp16"),
    ({"deepspeed": "zero4"}, "deepspeed"),
    ({"deepspeed": "zero2", "fsdp": "fsdp2"}, "fsdp"),
    ({"load_best_model_at_end": True}, "load_best_model_at_end"),
    (
        {"load_best_model_at_end": True, "val_dataset": ["v"], "eval_strategy": "epoch", "save_strategy": "steps"},
        "load_best_model_at_end",
    ),
    (
        {"load_best_model_at_end": True, "val_dataset": ["v"], "eval_strategy": "steps", "eval_steps": 200.0},
        "load_best_model_at_end",
    ),
    ({"warmup_ratio": 0.1, "warmup_steps": 10.0}, "warmup_steps"),
    ({"warmup_ratio": 1.0}, "warmup_ratio"),
    ({"task_type": "seq_cls"}, "task_type"),
    ({"quant_method": "bnb"}, "quant_method"),
    ({"quant_method": "bnb", "quant_bits": 3}, "quant_bits"),
)
"""Options of `swift sft` that break a rule, and the one to blame; ms-swift finds out before it loads anything."""

BROKEN_LATE = (
    ({"torch_dtype": "float32"}, "torch_dtype"),
    ({"split_dataset_ratio": 1.5}, "split_dataset_ratio"),
    ({"early_stop_interval": 3}, "early_stop_interval"),
    ({"quant_bits": 4}, "quant_bits"),
    ({"dataset": ["a", "b"], "interleave_prob": [1.0]}, "interleave_prob"),
    ({"dataset": ["a", "b"], "interleave_prob": [0.6, 0.6]}, "interleave_prob"),
    ({"streaming": True}, "streaming"),
    ({"truncation_strategy": "split"}, "truncation_strategy"),
    ({"tuner_type": "full", "lora_rank": 8}, "lora_rank"),
    ({"init_weights": "pisa"}, "init_weights"),
)
"""The same, where ms-swift finds out after loading the model or the data, or never."""

_VALUES = (
    *("abc", "", "None", "True", "false", "on", "1", "0", "-5", "-1e-4", "-x", "--x", "1.5", "1_000", " 5", "nan"),
    *("1e3", "0x10", "a b", "-- a", "{}", '{"a": 1}', "{bad", "[1]", "zero3", "lora", "é", "-", "a=b", "8.0"),
)
_SAMPLES = {"bool": ("true", "false", "1", "no"), "on_off": ("true", "off"), "int": ("1", "64"), "truthy": ("1", "x")}
_SAMPLES |= {"float": ("0.5", "1e-4", "3"), "json": ('{"a": 1}', "x.json"), "on_off_list": ("true,false,true",)}


def split(command: str) -> tuple[Signature, list[str]]:
    """The signature of a command and its arguments."""
    found = for_program(shlex.split(command))
    assert found is not None
    return found


def made(signature: Signature, random: Random) -> list[str]:
    """A valid command line of a few random options."""
    argv: list[str] = []
    for name in random.sample(sorted(signature.options), random.randint(1, 8)):
        option = signature.options[name]
        if option.type != "unsupported":
            argv += _given(signature, option, random)
    return argv + ["train.py"] * bool(signature.positionals)


def _given(signature: Signature, option: Option, random: Random) -> tuple[str, ...]:
    if option.type == "flag":
        return arguments(signature, option.name, True)
    choices = option.choices or _SAMPLES.get(option.type, ("some/path", "word"))
    value = random.choice([choice for choice in choices if choice is not None])
    return arguments(signature, option.name, [value] if option.many else value)


def mutant(argv: list[str], random: Random) -> list[str]:
    """One or two things go wrong."""
    for _ in range(random.choice((1, 1, 1, 2))):
        argv = random.choice(_MUTATIONS)(list(argv), random)
    return argv


def mutants(count: int, seed: int) -> Iterator[tuple[Signature, list[str]]]:
    """`count` mutants of valid command lines, and as many of random ones as there are."""
    random = Random(seed)
    known = [split(command) for command in VALID]
    for turn in range(count):
        signature, argv = random.choice(known)
        argv = argv if turn % 2 else made(signature, random)
        yield signature, mutant(argv, random) if argv else ["--seed"]


def _flag(argv: list[str], random: Random) -> int:
    places = [place for place, token in enumerate(argv) if token.startswith("--")]
    return random.choice(places) if places else 0


def _misspelt(argv: list[str], random: Random) -> list[str]:
    place = _flag(argv, random)
    token = argv[place]
    at = random.randrange(min(2, len(token)), len(token) + 1)
    letter = random.choice("aeilnorst_")
    argv[place] = random.choice((token[:at] + letter + token[at:], token[:at] + token[at + 1 :]))
    return argv


def _abbreviated(argv: list[str], random: Random) -> list[str]:
    place = _flag(argv, random)
    argv[place] = argv[place][: random.randint(3, max(3, len(argv[place])))]
    return argv


def _dashes(argv: list[str], random: Random) -> list[str]:
    place = _flag(argv, random)
    bare = argv[place].lstrip("-")
    argv[place] = "--" + random.choice((bare.replace("_", "-"), bare.replace("_", "-", 1), "no_" + bare, "no-" + bare))
    return argv


def _another_value(argv: list[str], random: Random) -> list[str]:
    places = [place for place, token in enumerate(argv) if not token.startswith("--")] or [len(argv) - 1]
    argv[random.choice(places)] = random.choice(_VALUES)
    return argv


def _without(argv: list[str], random: Random) -> list[str]:
    del argv[random.randrange(len(argv))]
    return argv or ["--seed"]


def _with(argv: list[str], random: Random) -> list[str]:
    argv.insert(random.randint(0, len(argv)), random.choice(_VALUES))
    return argv


def _joined(argv: list[str], random: Random) -> list[str]:
    place = _flag(argv, random)
    if place + 1 < len(argv):
        argv[place : place + 2] = [f"{argv[place]}={argv[place + 1]}"]
    return argv


def _repeated(argv: list[str], random: Random) -> list[str]:
    place = _flag(argv, random)
    return argv[: place + 2] + argv[place:]


def _swapped(argv: list[str], random: Random) -> list[str]:
    one, other = random.randrange(len(argv)), random.randrange(len(argv))
    argv[one], argv[other] = argv[other], argv[one]
    return argv


_MUTATIONS = (
    *(_misspelt, _abbreviated, _dashes, _another_value, _another_value),
    *(_without, _with, _joined, _repeated, _swapped),
)
