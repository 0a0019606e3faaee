"""What vLLM is told, by a stand-in for it: vLLM itself needs a GPU and a toolchain of its own."""

import json
import sys
import types
from types import SimpleNamespace

import pytest
from PIL import Image

from runners.predict import vllm
from schema.diagnostics import RecipeError
from schema.signature import load

SERVER = load("vllm", "serve", "vllm")
"""vLLM's own parser, recorded: its server and `LLM` take the same engine arguments."""


class Engine:
    """Notes what it is made with and asked, and answers each conversation with its number."""

    def __init__(self, **options):
        assert [name for name in options if SERVER.find(name) is None] == []
        self.made = options
        Engine.last = self

    def chat(self, messages, sampling_params, *, lora_request=None, use_tqdm=True):
        self.asked, self.how, self.adapter = messages, sampling_params, lora_request
        answers = [
            SimpleNamespace(text=f" {n} ", token_ids=[1, 2], cumulative_logprob=-1.0) for n in range(len(messages))
        ]
        return [SimpleNamespace(outputs=[answer]) for answer in answers]


@pytest.fixture
def engine(monkeypatch):
    module = types.ModuleType("vllm")
    module.LLM, module.SamplingParams = Engine, lambda **how: how
    request = types.ModuleType("vllm.lora.request")
    request.LoRARequest = lambda *told: told
    for name, held in (("vllm", module), ("vllm.lora", types.ModuleType("vllm.lora")), ("vllm.lora.request", request)):
        monkeypatch.setitem(sys.modules, name, held)


@pytest.fixture
def rows(tmp_path):
    """Two rows, the second with two pictures."""
    asked = [("<image>What?", ["a.png"]), ("<image><image>Which?", ["sub/b.png", "c.png"])]
    lines = [
        {"messages": [{"role": "user", "content": text}], "images": images, "label": None} for text, images in asked
    ]
    (tmp_path / "sub").mkdir()
    for name in ("a.png", "sub/b.png", "c.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def run(rows, *more):
    words = ["--model", "models/base", "--data", rows, "--image_folder", rows.parent, "--to", rows.parent / "out"]
    return vllm.main([str(word) for word in (*words, "--tensor_parallel_size", 2, *more)])


def test_rows_are_asked_in_one_call_and_answers_keep_their_order(engine, rows):
    assert run(rows, "--max_length", 1024, "--max_new_tokens", 8, "--max_pixels", 3136) == 0
    made = Engine.last.made
    assert made["limit_mm_per_prompt"] == {"image": 2, "video": 0}
    assert made["tensor_parallel_size"] == 2 and made["max_model_len"] == 1024
    assert made["mm_processor_kwargs"] == {"max_pixels": 3136}
    assert "enable_lora" not in made
    assert Engine.last.how == {"temperature": 0.0, "top_p": 1.0, "max_tokens": 8, "seed": 0, "logprobs": 0}
    parts = Engine.last.asked[1][0]["content"]
    assert [part["type"] for part in parts] == ["image_url", "image_url", "text"]
    assert parts[0]["image_url"]["url"] == (rows.parent / "sub/b.png").resolve().as_uri()
    lines = [json.loads(line) for line in (rows.parent / "out/predictions.jsonl").read_text().splitlines()]
    assert [line["answer"] for line in lines] == ["0", "1"]


def test_batch_limits_memory_and_kernel_reach_the_engine(engine, rows):
    run(rows)
    made = Engine.last.made
    assert made["gpu_memory_utilization"] == 0.9
    assert made.keys().isdisjoint({"max_num_seqs", "max_num_batched_tokens", "attention_backend"})  # vLLM's own
    run(rows, "--gpu_memory_utilization", 0.5, "--max_num_seqs", 64, "--max_num_batched_tokens", 8192)
    made = Engine.last.made
    assert (made["gpu_memory_utilization"], made["max_num_seqs"], made["max_num_batched_tokens"]) == (0.5, 64, 8192)
    run(rows, "--attention", "flash_attention_2")
    assert Engine.last.made["attention_backend"] == "FLASH_ATTN"
    with pytest.raises(SystemExit):
        run(rows, "--attention", "sdpa")


def test_each_value_is_of_the_type_that_the_recorded_option_has(engine, rows):
    run(rows, "--max_num_seqs", 64, "--max_num_batched_tokens", 8192, "--max_length", 512)
    types = {"int": int, "float": float, "str": (str, int), "json": dict, "choice": (str, int), "flag": bool}
    for name, value in Engine.last.made.items():
        option, _ = SERVER.find(name)
        assert isinstance(value, types[option.type]), (name, option.type)
        assert option.choices is None or value in option.choices


def test_portions_are_kept_and_a_cut_run_goes_on(engine, rows, monkeypatch):
    """The stand-in ends in its second call, as a kill would end vLLM."""
    monkeypatch.setattr(vllm, "PORTION", 1)
    whole = Engine.chat

    def dies(self, messages, *how, **more):
        if getattr(self, "asked", None):
            raise KeyboardInterrupt
        return whole(self, messages, *how, **more)

    monkeypatch.setattr(Engine, "chat", dies)
    with pytest.raises(KeyboardInterrupt):
        run(rows)
    assert not (rows.parent / "out/predictions.jsonl").exists()
    monkeypatch.setattr(Engine, "chat", whole)
    run(rows)
    assert len(Engine.last.asked) == 1 and len(Engine.last.asked[0][0]["content"]) == 3  # the second row alone
    assert len((rows.parent / "out/predictions.jsonl").read_text().splitlines()) == 2
    assert not (rows.parent / "out/.answers.jsonl").exists()


def test_pictures_may_lie_outside_the_project(engine, rows, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path_factory.mktemp("project"))
    run(rows)
    assert Engine.last.made["allowed_local_media_path"] == str(rows.parent.resolve())


@pytest.mark.parametrize(("rank", "room"), [(4, 8), (8, 8), (24, 32), (300, 320)])
def test_room_for_an_adapter_is_one_that_vllm_has(engine, rows, tmp_path, rank, room):
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": rank}))
    run(rows, "--adapter", tmp_path)
    assert Engine.last.made["max_lora_rank"] == room
    assert Engine.last.adapter == ("adapter", 1, str(tmp_path.resolve()))


def test_a_picture_that_is_missing_is_named_before_the_engine_starts(engine, rows):
    (rows.parent / "c.png").unlink()
    with pytest.raises(RecipeError) as error:
        run(rows)
    assert [found.code for found in error.value.diagnostics] == ["R0634"]


def test_without_vllm_another_engine_is_named(rows, monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(RecipeError) as error:
        run(rows)
    (found,) = error.value.diagnostics
    assert found.code == "R0636" and "engine: transformers" in found.help
