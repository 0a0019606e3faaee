"""Ask a model through vLLM, all rows at once: vLLM batches them itself, as memory allows.

python -m runners.predict.vllm --model DIR --data validation.jsonl --to DIR --tensor_parallel_size 2

vLLM is no part of the default toolchain, and needs a GPU: https://docs.vllm.ai/en/stable/api/vllm/
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runners import cli
from runners.predict import conversations
from runners.predict.conversations import Conversation
from runners.predict.dataset import classes_of, model_options, read, row_options, write
from runners.predict.predictor import DIGITS, Candidate
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import read_json

LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM makes room for: the smallest that holds an adapter is taken. https://docs.vllm.ai/en/stable/api/vllm/config/lora/"""


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError R0636 where vLLM is not installed."""
    parser = argparse.ArgumentParser(
        prog="python -m runners.predict.vllm", description=(__doc__ or "").partition("\n")[0]
    )
    model_options(parser)
    parser.add_argument("--data", type=Path, required=True, metavar="FILE", help="prepared rows, one a line")
    row_options(parser)
    parser.add_argument("--tensor_parallel_size", type=int, default=1, metavar="GPUS")
    options = parser.parse_args(argv)
    rows = read(options.data)
    asked = [conversations.conversation(row, options.image_folder) for row in rows]
    found = answer(options, asked)
    classes = classes_of(options)
    options.to.mkdir(parents=True, exist_ok=True)
    write(options.to / "predictions.jsonl", rows, found, classes, options.parse, False)
    return 0


def answer(options: argparse.Namespace, asked: Sequence[Conversation]) -> list[list[Candidate]]:
    """One candidate for each conversation, in their order."""
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
    outputs = LLM(**engine_options(options, asked)).chat(
        [messages(one) for one in asked], chosen, lora_request=adapter, use_tqdm=True
    )
    return [[_candidate(output.outputs[0])] for output in outputs]


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
