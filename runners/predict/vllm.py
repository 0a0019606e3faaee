"""Ask a model through vLLM, thousands of rows at once: vLLM batches them itself, as memory allows.

python -m runners.predict.vllm --model DIR --data validation.jsonl --to DIR --tensor_parallel_size 2 --max_num_seqs 128

Each portion of answers is kept as it comes: the same command again goes on where it was cut. vLLM is no part of the default
toolchain, and needs a GPU: https://docs.vllm.ai/en/stable/api/vllm/
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runners import cli
from runners.predict import conversations, media
from runners.predict.asking import work_option, working
from runners.predict.conversations import Conversation
from runners.predict.dataset import classes_of, model_options, names, read, row_options, write
from runners.predict.kept import Kept
from runners.predict.predictor import DIGITS, Candidate
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import read_json

LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM makes room for: the smallest that holds an adapter is taken. https://docs.vllm.ai/en/stable/api/vllm/config/lora/"""


LIMITS = ("max_num_seqs", "max_num_batched_tokens")
"""Left to vLLM where nobody says them."""
ATTENTION = {"flash_attention_2": "FLASH_ATTN", "flash_attention_3": "FLASH_ATTN"}
"""A kernel → vLLM's name for it; which version it runs depends on the GPU: https://docs.vllm.ai/en/stable/api/vllm/"""
PORTION = 1024
"""Rows of one call: enough to keep a GPU busy, and what is lost at most when a run is cut."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError R0636 where vLLM is not installed."""
    parser = argparse.ArgumentParser(
        prog="python -m runners.predict.vllm", description=(__doc__ or "").partition("\n")[0]
    )
    model_options(parser)
    parser.add_argument("--data", type=Path, required=True, metavar="FILE", help="prepared rows, one a line")
    row_options(parser)
    _engine_arguments(parser)
    work_option(parser)
    options = parser.parse_args(argv)
    if options.attention not in (None, *ATTENTION):
        parser.error(f"vLLM has no {options.attention}: --attention is one of {', '.join(ATTENTION)}, or vLLM chooses")
    rows = read(options.data)
    asked = conversations.of_rows(rows, names(options.data, rows), options.image_folder)
    media.sizes(asked)
    options.to.mkdir(parents=True, exist_ok=True)
    with working(options):
        found = answer(options, asked)
        write(options.to / "predictions.jsonl", rows, found, classes_of(options), options.parse, False)
    return 0


def _engine_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of vLLM's engine, under its names."""
    parser.add_argument("--tensor_parallel_size", type=int, default=1, metavar="GPUS", help="that share the model")
    parser.add_argument("--gpu_memory_utilization", type=float, default=0.9, metavar="SHARE")
    parser.add_argument("--max_num_seqs", type=int, metavar="N", help="rows answered at once at most")
    parser.add_argument("--max_num_batched_tokens", type=int, metavar="N", help="tokens of a step at most")


def answer(options: argparse.Namespace, asked: Sequence[Conversation]) -> list[list[Candidate]]:
    """One candidate for each conversation, in their order; those that an earlier run kept are not asked for again."""
    try:
        from vllm import LLM, SamplingParams
        from vllm.lora.request import LoRARequest
    except ImportError as error:
        help = "name a toolchain with vLLM, or predict with `engine: transformers`"
        raise RecipeError([Diagnostic("R0636", f"vLLM cannot be loaded here: {error}", help)]) from error
    chosen = SamplingParams(
        temperature=options.temperature,
        top_p=options.top_p,
        max_tokens=options.max_new_tokens,
        seed=options.seed,
        logprobs=0,  # of the chosen token, for the score
    )
    adapter = LoRARequest("adapter", 1, str(options.adapter.resolve())) if options.adapter else None
    kept = Kept(options.work, asked, vars(options))
    waiting = [number for number in range(len(asked)) if number not in kept.found]
    engine = LLM(**engine_options(options, asked)) if waiting else None
    for portion in (waiting[start : start + PORTION] for start in range(0, len(waiting), PORTION)):
        assert engine is not None
        told = [messages(asked[number]) for number in portion]
        outputs = engine.chat(told, chosen, lora_request=adapter, use_tqdm=True)
        for number, output in zip(portion, outputs, strict=True):
            kept.add(number, [_candidate(output.outputs[0])])
    return [kept.found[number] for number in range(len(asked))]


def engine_options(options: argparse.Namespace, asked: Sequence[Conversation]) -> dict[str, Any]:
    """What vLLM's engine is made with: it has to know beforehand how many pictures and videos a question has at most."""
    counts = {
        kind: max((len(conversations.files(one, kind)) for one in asked), default=0) for kind in ("image", "video")
    }
    pixels = {name: getattr(options, name) for name in ("max_pixels", "min_pixels")}
    limits = {name: value for name, value in pixels.items() if value is not None}
    rank = (read_json(options.adapter / "adapter_config.json") or {}).get("r", 16) if options.adapter else None
    media = [Path(file).resolve().parent for one in asked for kind in counts for file in conversations.files(one, kind)]
    return {
        "model": str(options.model),
        "dtype": options.dtype,
        "seed": options.seed,
        "tensor_parallel_size": options.tensor_parallel_size,
        "gpu_memory_utilization": options.gpu_memory_utilization,
        **{name: getattr(options, name) for name in LIMITS if getattr(options, name) is not None},
        **({"attention_backend": ATTENTION[options.attention]} if options.attention else {}),
        "generation_config": "vllm",  # else what the model's folder recommends is mixed in
        "limit_mm_per_prompt": counts,
        **({"allowed_local_media_path": os.path.commonpath(media)} if media else {}),
        **({"max_model_len": options.max_length} if options.max_length else {}),
        **({"mm_processor_kwargs": limits} if limits else {}),
        **({"enable_lora": True, "max_lora_rank": next(n for n in LORA_RANKS if n >= rank)} if rank else {}),
    }


def messages(asked: Conversation) -> list[dict[str, Any]]:
    """A conversation in the form of OpenAI's protocol, pictures as addresses of files."""
    return [{"role": turn["role"], "content": [_part(part) for part in turn["content"]]} for turn in asked]


def _part(part: dict[str, Any]) -> dict[str, Any]:
    if part["type"] == "text":
        return part
    kind = f"{part['type']}_url"
    return {"type": kind, kind: {"url": Path(part["path"]).resolve().as_uri()}}


def _candidate(output: Any) -> Candidate:
    length = max(len(output.token_ids), 1)
    return Candidate(output.text.strip(), round(output.cumulative_logprob / length, DIGITS))


if __name__ == "__main__":
    cli.run(main)
