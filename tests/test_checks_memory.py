"""What training keeps on a GPU at least: never more than there is, and never so little that it tells nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from compiling import recipe

from schema.checks_memory import NAMED, billions, kept
from schema.models import ModelSpec
from schema.stages import Sft

ROOT = Path(__file__).resolve().parent.parent
TOTALS = {
    "Qwen/Qwen2-VL-2B-Instruct": 2.208985600,
    "Qwen/Qwen2-VL-7B-Instruct": 8.291375616,
    "Qwen/Qwen2-VL-72B-Instruct": 73.405560320,
    "Qwen/Qwen2.5-VL-3B-Instruct": 3.754622976,
    "Qwen/Qwen2.5-VL-32B-Instruct": 33.452718336,
    "Qwen/Qwen3-VL-4B-Instruct": 4.437815808,
    "google/gemma-3-12b-it": 12.187325040,
    "LLM-Research/Llama-3.2-11B-Vision-Instruct": 10.670220835,
    "llava-hf/llava-1.5-7b-hf": 7.063427072,
    "Qwen/Qwen2.5-0.5B-Instruct": 0.494032768,
    "Qwen/Qwen3-0.6B": 0.596049920,
    "Qwen/Qwen3-8B": 8.190735360,
}
"""Billions of weights: unique tensors of the classes of transformers, which are those that the hubs count."""
BASE = ModelSpec(id="Qwen/Qwen2.5-VL-7B-Instruct")
ALL = {"kind": "full", "freeze": {"vision": False, "aligner": False}}


def sft(**fields):
    return Sft.model_validate({"kind": "sft", "model": "base", "data": "data.train", **fields})


@pytest.mark.parametrize("id", TOTALS)
def test_a_name_says_hardly_more_than_there_is(id):
    assert 0.7 * TOTALS[id] < NAMED * billions(id) < TOTALS[id]


@pytest.mark.parametrize(
    "id",
    [
        "tiny/qwen2-vl",
        "ZhipuAI/glm-4.5-air",
        "Qwen/Qwen2.5-VL-72B-Instruct-AWQ",
        "Qwen/Qwen3-32B-FP8",
        "Qwen/Qwen1.5-32B-Chat-GPTQ-Int4",
        "openai-mirror/gpt-oss-120b",
    ],
)
def test_where_a_name_does_not_say_it_nothing_is_told(id):
    assert kept(sft(tuner=ALL), ModelSpec(id=id), 1) is None


@pytest.mark.parametrize(
    "fields", [{"engine": {"args": {"optim": "adafactor"}}}, {"engine": {"args": {"fsdp": "full_shard"}}}]
)
def test_options_that_change_it_are_left_alone(fields):
    assert kept(sft(tuner=ALL, **fields), BASE, 8) is None


def test_deepspeed_s_own_estimate_is_no_smaller():
    """Its functions count what each GPU needs, with its buffers; ours leaves those out."""
    from deepspeed.runtime.zero.stage3 import estimate_zero3_model_states_mem_needs
    from deepspeed.runtime.zero.stage_1_and_2 import estimate_zero2_model_states_mem_needs

    count = int(billions(BASE.id) * NAMED * 1e9)
    for gpus in (1, 4, 8):
        two = estimate_zero2_model_states_mem_needs(count, gpus, 1, cpu_offload=False, additional_buffer_factor=1)[1]
        three = estimate_zero3_model_states_mem_needs(
            count, 0, gpus, 1, False, False, False, additional_buffer_factor=1
        )[1]
        for name, estimate in (("zero2", two), ("zero3", three)):
            ours = kept(sft(tuner=ALL, deepspeed=name), BASE, gpus).total
            assert 0.6 * estimate < ours <= estimate, (name, gpus)


def test_adam_keeps_what_is_counted():
    """Without DeepSpeed: weights, gradients and two moments of a step of torch's own Adam, all in the weights' format."""
    import torch

    weight = torch.nn.Parameter(torch.zeros(1000, dtype=torch.bfloat16))
    adam = torch.optim.AdamW([weight])
    weight.sum().backward()
    adam.step()
    state = sum(t.numel() * t.element_size() for t in adam.state[weight].values() if t.numel() > 1)
    found = kept(sft(tuner=ALL), BASE, 1)
    each = found.weights / 2
    assert (found.gradients / each, found.states / each) == (weight.grad.element_size(), state / 1000)


@pytest.mark.parametrize(
    ("fields", "shares"),
    [
        ({"deepspeed": "zero1"}, (1, 1, 8)),
        ({"deepspeed": "zero2"}, (1, 8, 8)),
        ({"deepspeed": "zero3"}, (8, 8, 8)),
        ({"deepspeed": "zero0"}, (1, 1, 1)),
        ({}, (1, 1, 1)),
    ],
)
def test_zero_shards(fields, shares):
    one, eight = (kept(sft(tuner=ALL, **fields), BASE, world) for world in (1, 8))
    assert one.weights / eight.weights == pytest.approx(shares[0])
    assert one.gradients / eight.gradients == pytest.approx(shares[1])
    assert one.states / eight.states == pytest.approx(shares[2])


def test_adapters_leave_the_weights():
    lora, packed = (
        kept(sft(tuner={"kind": "lora", **more}), BASE, 1) for more in ({}, {"bits": 4, "quantization": "bnb"})
    )
    assert (lora.gradients, lora.states) == (0, 0)
    assert lora.weights / packed.weights == 4
    assert kept(sft(tuner=ALL, deepspeed="zero3-offload"), BASE, 8).total == 0


def test_show_tells_it(tmp_path):
    (tmp_path / "recipes").mkdir()
    text = (ROOT / "tests/errors/states-beyond-memory.yaml").read_text().replace("global: 12", "global: 8")
    (tmp_path / "recipes/large.yaml").write_text(text)
    code, out, _ = recipe(tmp_path, "show", "large")
    assert code == 0
    assert "memory of whole: at least 28 GiB (12 of weights, 9 of gradients, 7 of the optimizer) on each GPU" in out
    assert "memory of adapted: at least 127 GiB of weights on each GPU; activations come on top" in out
    stages = json.loads(recipe(tmp_path, "show", "large", "--format", "json")[1])["stages"]
    assert {name for name, stage in stages.items() if stage["memory"]} == {"whole", "adapted", "packed", "shared"}
    assert stages["adapted"]["memory"] == {"weights": round(72e9 * NAMED * 2), "gradients": 0, "states": 0}
