"""What a model makes of each row: its last hidden state, pooled over the tokens and scaled to length 1.

python -m runners.features --model .recipe/models/base --model-type qwen2_vl --template qwen2_vl --dtype bfloat16 \\
    --data outputs/embed/data/validation.jsonl --to "$RECIPE_OUT/result"

A row: {"messages": [{"role": "user", "content": "<image>What is it?"}], "images": ["1.jpg"]}; what is asked is embedded and
an answer is not. With {"positive_messages": [[{"role": "user", "content": "a cat"}]], "negative_messages": …} the texts are
embedded, too, each once.

Written are, in embeddings/: rows.npy, float32 of shape (rows, width); texts.npy of shape (texts, width) where there are any;
and index.json: {"rows": [{"prompt": "…", "images": ["1.jpg"], "text": 0}, …], "texts": ["a cat", …], "pooling": "last", …}.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runners import cli
from runners.data.rows import IMAGE_TAG
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import write_atomically, write_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 1
FOLDER = "embeddings"
Conversation = Mapping[str, Any]


class Embedder:
    """A model that is asked for its states and not for words."""

    def __init__(self, options: argparse.Namespace) -> None:
        """Load the model, with the adapter if there is one."""
        import torch
        from swift.infer_engine import TransformersEngine

        self._engine = TransformersEngine(
            str(options.model),
            adapters=[str(options.adapter)] if options.adapter else None,
            model_type=options.model_type,
            template_type=options.template,
            torch_dtype=getattr(torch, options.dtype),
            attn_impl=options.attention,
            task_type="embedding",
            max_batch_size=options.batch,
        )
        self._engine.template.max_length = options.max_length
        self._engine.template.truncation_strategy = "raise"
        self._pool = _mean if options.pooling == "mean" else _last
        self._batch, self._max_length = options.batch, options.max_length
        self._states: Any = None
        self._mask: Any = None
        model = self._engine.model
        model.register_forward_pre_hook(self._keep_mask, with_kwargs=True)
        model.get_output_embeddings().register_forward_pre_hook(self._keep_states)

    def __call__(self, conversations: Sequence[Conversation], what: str) -> NDArray[Any]:
        """The vectors of conversations, float32 of shape (conversations, width), each of length 1.

        Errors: RecipeError R0652 where one is too long; `what` names them in the message.
        """
        import numpy
        from swift.template.base import MaxLengthError

        done: list[NDArray[Any]] = []
        try:
            done += self._batches(conversations)
        except MaxLengthError as error:
            begin = sum(map(len, done)) + 1
            end = min(begin + self._batch - 1, len(conversations))
            message = f"one of the {what} {begin} to {end} has more than {self._max_length} tokens: {error}"
            raise RecipeError([Diagnostic("R0652", message, "write a larger `max_length`, or shorten it")]) from error
        return numpy.concatenate(done)

    def _batches(self, conversations: Sequence[Conversation]) -> Iterator[NDArray[Any]]:
        import torch
        from swift.infer_engine import InferRequest

        for begin in range(0, len(conversations), self._batch):
            some = conversations[begin : begin + self._batch]
            requests = [InferRequest(messages=list(c["messages"]), images=list(c.get("images") or ())) for c in some]
            self._engine.infer(requests, use_tqdm=False)
            pooled = self._pool(self._states.float(), self._mask.to(self._states.device))
            yield torch.nn.functional.normalize(pooled, dim=1).cpu().numpy()

    def _keep_mask(self, module: Any, args: Any, kwargs: Mapping[str, Any]) -> None:
        self._mask = kwargs["attention_mask"]

    def _keep_states(self, module: Any, args: tuple[Any, ...]) -> None:
        self._states = args[0].detach()


def _last(states: Any, mask: Any) -> Any:
    """The state of the last token that is no padding: (batch, tokens, width) and (batch, tokens) → (batch, width)."""
    import torch

    place = torch.arange(mask.shape[1], device=mask.device) * (mask != 0)
    return states[torch.arange(len(states), device=mask.device), place.argmax(dim=1)]


def _mean(states: Any, mask: Any) -> Any:
    """The mean over the tokens that are no padding, of the same shapes."""
    weights = (mask != 0).unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(dim=1) / weights.sum(dim=1)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError R0654 when there is nothing to embed, R0652 for what is too long."""
    options = _parser().parse_args(argv)
    rows = [json.loads(line) for line in options.data.read_bytes().splitlines()]
    if not rows:
        raise RecipeError([Diagnostic("R0654", f"{options.data} has no rows", "take a split that has some")])
    texts = list(dict.fromkeys(text for row in rows for text in _texts(row)))
    places = {text: number for number, text in enumerate(texts)}
    embed = Embedder(options)
    to = options.to / FOLDER
    to.mkdir(parents=True, exist_ok=True)
    _save(to / "rows.npy", embed([_asked(row) for row in rows], "rows"))
    if texts:
        _save(to / "texts.npy", embed([{"messages": [{"role": "user", "content": text}]} for text in texts], "texts"))
    index = {
        "format_version": FORMAT,
        "pooling": options.pooling,
        "rows": [_shown(row) | _place(row, places) for row in rows],
        "texts": texts,
    }
    write_json(to / "index.json", index)
    print(f"{len(rows)} rows, {len(texts)} texts")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m runners.features", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True, metavar="DIR")
    parser.add_argument("--adapter", type=Path, metavar="DIR")
    parser.add_argument("--model-type", required=True, metavar="NAME", help="ms-swift's")
    parser.add_argument("--template", required=True, metavar="NAME", help="ms-swift's")
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float16"), default="float32")
    parser.add_argument("--attention", default="sdpa", metavar="KERNEL")
    parser.add_argument("--data", type=Path, required=True, metavar="FILE")
    parser.add_argument("--pooling", choices=("last", "mean"), default="last")
    parser.add_argument("--batch", type=int, default=1, metavar="ROWS")
    parser.add_argument("--max-length", type=int, default=2048, metavar="TOKENS")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR")
    return parser


def _asked(row: Conversation) -> Conversation:
    """A row without its answer."""
    messages = list(row["messages"])
    if messages[-1]["role"] == "assistant":
        messages.pop()
    return {"messages": messages, "images": row.get("images")}


def _texts(row: Mapping[str, Any]) -> Iterable[str]:
    """The texts of a row, the one that belongs to it first."""
    for messages in (*(row.get("positive_messages") or ()), *(row.get("negative_messages") or ())):
        yield messages[-1]["content"]


def _place(row: Mapping[str, Any], places: Mapping[str, int]) -> dict[str, int]:
    return {"text": places[next(iter(_texts(row)))]} if row.get("positive_messages") else {}


def _shown(row: Conversation) -> dict[str, Any]:
    asked = [message["content"] for message in row["messages"] if message["role"] == "user"]
    return {"prompt": asked[-1].replace(IMAGE_TAG, ""), "images": row.get("images") or []}


def _save(file: Path, values: NDArray[Any]) -> None:
    """Write an array. numpy's format holds neither a date nor a place."""
    import numpy

    content = io.BytesIO()
    numpy.save(content, values, allow_pickle=False)
    write_atomically(file, content.getvalue(), durable=False)


if __name__ == "__main__":
    cli.run(main)
