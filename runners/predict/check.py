"""Look before a long training: load a model, see a few rows, answer them, and say what was found.

python -m runners.predict.check --model .recipe/models/base --data outputs/animals-lora/data/train.jsonl --to DIR

Written is check.json, which holds what is the same on every run of one machine; memory is only said.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runners import checked, cli
from runners.predict import conversations
from runners.predict.dataset import loaded, model_options, names, read
from runners.predict.predictor import DIGITS, Predictor
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import write_json

FORMAT = 1


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError R0631 and R0639 with what cannot be loaded, R0638 with what fails then."""
    options = _parser().parse_args(argv)
    with part("reading the rows"):
        rows = read(options.data)[: options.batch]
        asked = conversations.of_rows(rows, names(options.data, rows), options.image_folder)
        told = [conversations.conversation(row, options.image_folder, answered=True) for row in rows]
    predictor = loaded(options)
    found = {"format_version": FORMAT, **about(predictor), **seen(predictor, told)}
    with part("the generation"):
        answers = predictor.answer(asked, max_new_tokens=options.max_new_tokens, batch=len(asked))
    found["answers"] = [candidates[0].answer for candidates in answers]
    print("\n".join(checked.lines(found)))
    print(f"memory: {_memory() / 2**30:.2f} GiB at most")
    options.to.mkdir(parents=True, exist_ok=True)
    write_json(options.to / checked.FILE, found)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m runners.predict.check", description=(__doc__ or "").split("\n")[0])
    model_options(parser)
    parser.add_argument("--data", type=Path, required=True, metavar="FILE", help="prepared rows, one a line")
    parser.add_argument("--image_folder", type=Path, default=Path(), metavar="DIR", help="rows' pictures lie below it")
    parser.add_argument("--batch", type=int, default=2, metavar="N", help="the first rows, looked at together")
    parser.add_argument("--max_new_tokens", type=int, default=16, metavar="N")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR")
    return parser


@contextmanager
def part(name: str) -> Iterator[None]:
    """A part of the check. Errors: RecipeError R0638 with its name, for whatever a library raises in it."""
    try:
        yield
    except RecipeError:
        raise
    except Exception as error:  # any library below may fail in any way; what is asked here is where
        raise _failure(name, f"{type(error).__name__}: {str(error).strip()[:400]}") from error


def _failure(name: str, why: str) -> RecipeError:
    helps = {
        "reading the rows": "look at the file that the `prepare` stage wrote",
        "the processor": "look at the pictures and the chat template of the model",
        "the forward pass": "try `attention: eager`, another `dtype` or a smaller `batch`",
        "the generation": "try a smaller `batch`, and look at the generation of this model in transformers",
    }
    return RecipeError([Diagnostic("R0638", f"{name} failed: {why}", helps[name])])


def about(predictor: Predictor) -> dict[str, Any]:
    """What the model is: its class, its parameters, and how and where it computes."""
    parameters = list(predictor.model.named_parameters())
    adapted = hasattr(predictor.model, "get_base_model")  # by PEFT
    base = predictor.model.get_base_model() if adapted else predictor.model
    return {
        "model": type(base).__name__,
        "parameters": sum(value.numel() for _, value in parameters),
        "adapter_parameters": sum(value.numel() for name, value in parameters if "lora_" in name),
        "dtypes": sorted({str(value.dtype).removeprefix("torch.") for _, value in parameters}),
        "attention": predictor.model.config._attn_implementation,
        "devices": sorted({str(value.device) for _, value in parameters}),
    }


def seen(predictor: Predictor, told: Sequence[conversations.Conversation]) -> dict[str, Any]:
    """What the model sees of rows with their answers, and their loss: the mean of -log p over all tokens that are text.

    Errors: RecipeError R0638 when the processor or the forward pass fails, and when the loss is no finite number.
    """
    with part("the processor"):
        inputs = predictor.encode(told)
    with part("the forward pass"):
        loss = predictor.loss(inputs)
    if not math.isfinite(loss):
        raise _failure("the forward pass", f"its loss is {loss}")
    pictures = predictor.picture_tokens(inputs)
    return {
        "rows": len(told),
        "tokens": inputs["attention_mask"].sum(-1).tolist(),
        "picture_tokens": pictures.sum(-1).tolist(),
        "shapes": {name: list(value.shape) for name, value in sorted(inputs.items()) if hasattr(value, "shape")},
        "loss": round(loss, DIGITS),
    }


def _memory() -> int:
    """Bytes that were used at most: on the GPUs, or else by this process."""
    import resource

    import torch

    if torch.cuda.is_available():
        return sum(torch.cuda.max_memory_allocated(gpu) for gpu in range(torch.cuda.device_count()))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts it in KiB


if __name__ == "__main__":
    cli.run(main)
