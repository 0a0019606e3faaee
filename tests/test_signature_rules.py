"""Rules across options. What ms-swift says of the same options is in tests/engines/test_conformance.py."""

import pytest
from signature_mutants import BROKEN_EARLY, BROKEN_LATE

from schema.signature import check_rules, load

SFT = load("ms-swift", "sft")


@pytest.mark.parametrize(("options", "option"), BROKEN_EARLY + BROKEN_LATE)
def test_options_that_do_not_go_together(options, option):
    (problem,) = check_rules(SFT, options)
    assert (problem.kind, problem.option) == ("rule", option)
    assert problem.message and problem.help


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"packing": True, "attn_impl": "flash_attention_2"},
        {"load_best_model_at_end": True, "val_dataset": ["v"], "eval_steps": 250.0, "save_steps": 500.0},
        {"load_best_model_at_end": True, "save_strategy": "best"},
        {"torch_dtype": "float32", "bf16": False, "fp16": False},
        {"deepspeed": "compiled/train.deepspeed.json"},
        {"deepspeed": "zero3_offload"},
        {"quant_method": "fp8"},
        {"quant_method": "hqq", "quant_bits": 3},
        {"interleave_prob": [0.1, 0.2, 0.7], "dataset": ["a", "b", "c"]},
        {"init_weights": "pissa_niter_4"},
        {"streaming": True, "max_steps": 10},
    ],
)
def test_options_that_go_together(options):
    assert check_rules(SFT, options) == []


@pytest.mark.parametrize(
    ("options", "processes", "option"),
    [
        ({"num_generations": 1}, 1, "num_generations"),
        ({"num_generations": 3}, 1, "num_generations"),
        ({"generation_batch_size": 10, "per_device_train_batch_size": 4}, 1, "generation_batch_size"),
        ({"num_generations": 8, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 2}, 1, None),
        (
            {"num_generations": 8, "per_device_train_batch_size": 1, "gradient_accumulation_steps": 2},
            2,
            "num_generations",
        ),
        ({"num_generations": 8, "per_device_train_batch_size": 1, "gradient_accumulation_steps": 2}, 4, None),
    ],
)
def test_a_generation_is_split_into_whole_groups(options, processes, option):
    found = check_rules(load("ms-swift", "rlhf"), {"rlhf_type": "grpo", **options}, processes)
    assert [problem.option for problem in found] == ([option] if option else [])


def test_a_standalone_rendezvous_is_for_one_node():
    torchrun = load("torch", "torchrun")
    assert [p.kind for p in check_rules(torchrun, {"standalone": True, "nnodes": "2"})] == ["rule"]
    assert check_rules(torchrun, {"standalone": True}) == []
