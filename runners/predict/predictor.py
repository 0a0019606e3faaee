"""A model with its processor, which answers many conversations at once through transformers' `generate`.

Rows that look alike are answered together: sorted by pictures, their size and the length of the text, so that little is
padded, and padded on the left. On a CPU in float32 an answer does not depend on the batch that it was in. In bfloat16 it
may: sums of another order round to other numbers, and a token that was nearly as likely can win.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runners.predict import chats, conversations, media
from runners.predict.conversations import Conversation
from schema.diagnostics import Diagnostic, RecipeError

DIGITS = 4
"""Of a score: the last bits of a sum depend on the batch that a row was in."""

LEFT_OUT = -100
"""A label that the losses of transformers do not count."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One answer. `score` is the sum of its tokens' log-probabilities, divided by their number ** length_penalty; the end
    counts as a token.
    """

    answer: str
    score: float


class Predictor:
    """A model, loaded once. `model` is a folder, `adapter` a folder with a PEFT adapter for it."""

    def __init__(
        self,
        model: str | Path,
        adapter: str | Path | None = None,
        *,
        dtype: str = "auto",
        attention: str | None = None,
        max_pixels: int | None = None,
        min_pixels: int | None = None,
    ) -> None:
        """Load it, onto all GPUs that are there. Errors: RecipeError R0631 with the part that cannot be, and why."""
        limits = {"max_pixels": max_pixels, "min_pixels": min_pixels}
        self._load(str(model), adapter, dtype, attention, {k: v for k, v in limits.items() if v is not None})

    def _load(
        self, folder: str, adapter: str | Path | None, dtype: str, attention: str | None, limits: dict[str, int]
    ) -> None:
        import torch
        from transformers import (
            AutoConfig,
            AutoModelForCausalLM,
            AutoModelForImageTextToText,
            AutoProcessor,
            AutoTokenizer,
            GenerationConfig,
        )
        from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as SEEING

        with _loading(f"the configuration in {folder}"):
            self.sees = AutoConfig.from_pretrained(folder).model_type in SEEING
        options: dict[str, Any] = {"dtype": dtype}
        if attention is not None:
            options["attn_implementation"] = attention
        if torch.cuda.is_available():
            options["device_map"] = "auto"
        kind = AutoModelForImageTextToText if self.sees else AutoModelForCausalLM
        with _loading(f"the processor in {folder}"):
            self.processor = (AutoProcessor if self.sees else AutoTokenizer).from_pretrained(folder, **limits)
        with _loading(f"the model in {folder}"):
            self.model = kind.from_pretrained(folder, **options)
        self.tokenizer = getattr(self.processor, "tokenizer", self.processor)
        self.tokenizer.padding_side = "left"
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self._ends = self._end_tokens()
        # What its folder recommends would be mixed in.
        self.model.generation_config = GenerationConfig(eos_token_id=self._ends)
        if adapter is not None:
            from peft import PeftModel

            with _loading(f"the adapter in {adapter}"):
                self.model = PeftModel.from_pretrained(self.model, str(adapter))
        self.model.eval()

    def _end_tokens(self) -> list[int]:
        given = self.model.generation_config.eos_token_id
        given = self.tokenizer.eos_token_id if given is None else given
        return list(given) if isinstance(given, list | tuple) else [given]

    def answer(
        self,
        asked: Sequence[Conversation],
        *,
        beams: int = 1,
        returned: int = 1,
        length_penalty: float = 1.0,
        max_new_tokens: int = 64,
        max_length: int | None = None,
        batch: int = 1,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        answered: Callable[[int, list[Candidate]], None] | None = None,
        names: Sequence[str] = (),
    ) -> list[list[Candidate]]:
        """`returned` candidates for each conversation, best first; `answered` is told each row's as soon as they are there.

        `names` are what conversations are called in errors, where not `conversation 1` and so on.

        With beams the likeliest answers are searched for; without, a temperature of 0 always takes the likeliest token.
        Errors: RecipeError R0632 for what `check` refuses; R0633 when a question and its answer might have more than
        `max_length` tokens; R0634 for files that cannot be read, R0635 for what is no chat, R0630 for pictures that the model
        does not see, R0693 for what its processor does not take.
        """
        check(beams, returned, length_penalty, max_new_tokens, batch, temperature, top_p)
        chosen = self._generation(beams, returned, length_penalty, max_new_tokens, temperature, top_p)
        names = names or _numbered(asked)
        asked = [chats.chat(one, name) for one, name in zip(asked, names, strict=True)]
        found: list[list[Candidate]] = [[] for _ in asked]
        for rows in self._batches(asked, batch):
            called = [names[row] for row in rows]
            inputs = self._encode([asked[row] for row in rows], called)
            self._check_length(inputs, called, max_new_tokens, max_length)
            with _taking(called, ValueError):
                answers = self._generate(inputs, chosen, seed)
            for row, candidates in zip(rows, answers, strict=True):
                found[row] = candidates
                if answered is not None:
                    answered(row, candidates)
        return found

    def encode(self, told: Sequence[Conversation]) -> Any:
        """The tensors that the model sees of conversations, padded on the left; with what begins an answer, unless the first
        has one. Errors: what the processor raises.
        """
        names = _numbered(told)
        chat = [chats.chat(one, name, answered=True) for one, name in zip(told, names, strict=True)]
        return self._encode(chat, names)

    def loss(self, inputs: Any) -> float:
        """The mean of -log p over the tokens of `encode` that are text and follow others: neither padding, places of pictures
        nor the first tokens, which nothing predicts.
        """
        import torch

        unread = self.picture_tokens(inputs) | (inputs["attention_mask"].cpu().cumsum(-1) <= 1)
        labels = inputs["input_ids"].cpu().masked_fill(unread, LEFT_OUT).to(self.model.device)
        with torch.inference_mode():
            return float(self.model(**self._placed(inputs), labels=labels).loss)

    def picture_tokens(self, inputs: Any) -> Any:
        """Where pictures and videos stand among the tokens: booleans of shape (rows, tokens)."""
        return self._among(inputs, [*self._ids("image"), *self._ids("video")])

    def _among(self, inputs: Any, ids: Sequence[int]) -> Any:
        import torch

        return torch.isin(inputs["input_ids"].cpu(), torch.tensor(ids, dtype=torch.long))

    def _ids(self, kind: str) -> list[int]:
        """The tokens that stand for a picture or a video."""
        ids = [getattr(self.model.config, name, None) for name in (f"{kind}_token_id", f"{kind}_token_index")]
        return [number for number in ids if number is not None]

    def _generation(
        self, beams: int, returned: int, length_penalty: float, max_new_tokens: int, temperature: float, top_p: float
    ) -> Any:
        """How it is generated, all of it said here: what the model's own folder recommends has no say."""
        from transformers import GenerationConfig

        sampled = {"temperature": temperature, "top_p": top_p, "top_k": 0} if temperature > 0 else {}
        return GenerationConfig(
            do_sample=temperature > 0,
            num_beams=beams,
            num_return_sequences=returned,
            length_penalty=length_penalty,
            early_stopping=False,
            max_new_tokens=max_new_tokens,
            repetition_penalty=1.0,
            eos_token_id=self._ends,
            pad_token_id=self.tokenizer.pad_token_id,
            return_dict_in_generate=True,
            output_scores=True,
            **sampled,
        )

    def _batches(self, asked: Sequence[Conversation], size: int) -> Iterator[list[int]]:
        """The rows of each batch; rows with and without pictures are not mixed, which some processors do not take."""
        pixels = media.sizes(asked)
        looks = {row: _looks(conversation, pixels[row]) for row, conversation in enumerate(asked)}
        waiting: list[int] = []
        # The largest first: where memory is too small, that shows early.
        for row in sorted(looks, key=lambda row: (looks[row], row), reverse=True):
            if waiting and (len(waiting) == size or looks[waiting[0]][:2] != looks[row][:2]):
                yield waiting
                waiting = []
            waiting.append(row)
        if waiting:
            yield waiting

    def _encode(self, asked: Sequence[Conversation], names: Sequence[str]) -> Any:
        options: dict[str, Any] = {
            "add_generation_prompt": asked[0][-1]["role"] != "assistant",
            "tokenize": True,
            "return_dict": True,
            "return_tensors": "pt",
        }
        if "date_string" in str(self.processor.chat_template or ""):
            options["date_string"] = conversations.DATE
        if not self.sees:
            plain = [conversations.plain(one, name) for one, name in zip(asked, names, strict=True)]
            return self.tokenizer.apply_chat_template(plain, padding=True, **options)
        shown, clips = media.decoded(asked, as_pictures=getattr(self.processor, "video_processor", None) is None)
        frames = {"do_sample_frames": False, "video_metadata": clips} if clips else {}
        options["processor_kwargs"] = {"padding": True, **frames}
        try:
            with _taking(names, ValueError, IndexError, KeyError, TypeError, StopIteration):
                inputs = self.processor.apply_chat_template(shown, **options)
        except RecipeError:
            for one, name in zip(asked, names, strict=True) if len(asked) > 1 else ():
                self._encode([one], [name])  # that fails for the one that is to blame
            raise
        self._check_seen(inputs, shown, names)
        return inputs

    def _check_seen(self, inputs: Any, shown: Sequence[Conversation], names: Sequence[str]) -> None:
        """Errors: RecipeError R0630 when pictures or videos of a row left no token, as a chat template may pass over them."""
        for kind in ("image", "video"):
            ids = self._ids(kind)
            marked = self._among(inputs, ids).any(-1).tolist()
            for one, name, seen in zip(shown, names, marked, strict=True):
                if ids and not seen and any(part["type"] == kind for turn in one for part in turn["content"]):
                    message = f"the chat template of this model passes over each {kind} of {name}"
                    help = (
                        "take a model that sees them, or its processor with the chat template that it was trained with"
                    )
                    raise RecipeError([Diagnostic("R0630", message, help)])

    def _check_length(self, inputs: Any, names: Sequence[str], new: int, limit: int | None) -> None:
        if limit is None:
            return
        for name, count in zip(names, inputs["attention_mask"].sum(-1).tolist(), strict=True):
            if count + new > limit:
                message = f"{name} asks with {count} tokens, and its answer may have {new}: more than {limit}"
                help = "write a greater `max_length`, or a smaller `max_pixels` or `max_new_tokens`"
                raise RecipeError([Diagnostic("R0633", message, help)])

    def _generate(self, inputs: Any, chosen: Any, seed: int) -> list[list[Candidate]]:
        import torch

        inputs = self._placed(inputs)
        if chosen.do_sample:
            torch.manual_seed(seed)
        with torch.inference_mode():
            output = self.model.generate(**inputs, generation_config=chosen)
        new = output.sequences[:, inputs["input_ids"].shape[1] :]
        answers = self.tokenizer.batch_decode(new, skip_special_tokens=True)
        scores = output.sequences_scores if chosen.num_beams > 1 else self._scores(output, new, chosen.length_penalty)
        candidates = [
            Candidate(answer.strip(), round(float(score), DIGITS))
            for answer, score in zip(answers, scores, strict=True)
        ]
        count = chosen.num_return_sequences
        return [
            sorted(candidates[row * count : (row + 1) * count], key=lambda candidate: -candidate.score)
            for row in range(len(candidates) // count)
        ]

    def _placed(self, inputs: Any) -> Any:
        """The same where the model is, numbers of its dtype."""
        import torch

        inputs = inputs.to(self.model.device)
        for name, value in inputs.items():
            if torch.is_tensor(value) and value.is_floating_point():
                inputs[name] = value.to(self.model.dtype)
        return inputs

    def _scores(self, output: Any, new: Any, length_penalty: float) -> list[float]:
        """The scores of answers that were not searched for with beams, by the same formula."""
        chances = self.model.compute_transition_scores(output.sequences, output.scores, normalize_logits=True).float()
        found = []
        for tokens, row in zip(new.tolist(), chances, strict=True):
            ends = [place for place, token in enumerate(tokens) if token in self._ends]
            length = ends[0] + 1 if ends else len(tokens)
            found.append(float(row[:length].sum()) / length**length_penalty)
        return found


@contextmanager
def _taking(names: Sequence[str], *known: type[Exception]) -> Iterator[None]:
    """Errors: RecipeError R0693 with these rows, for how a model or its processor fails at its input."""
    from jinja2 import TemplateError

    try:
        yield
    except TemplateError as error:
        message = f"the chat template of this model refuses {_listed(names)}: {error}"
        raise RecipeError([Diagnostic("R0635", message, "write other roles, or in another order")]) from error
    # A picture of an odd shape, or a question with the very token that stands for a picture.
    except known as error:
        why = "it has more places for pictures than pictures" if isinstance(error, StopIteration) else _reason(error)
        message = f"this model does not take {_listed(names)}: {why}"
        help = "ask otherwise, or about another picture: the page `recipe explain R0693` tells what may be wrong"
        raise RecipeError([Diagnostic("R0693", message, help)]) from error


def _numbered(asked: Sequence[Conversation]) -> list[str]:
    return [f"conversation {number}" for number in range(1, len(asked) + 1)]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"one of {names[0]} and {len(names) - 1} others"


def _reason(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "")[:200] or type(error).__name__


@contextmanager
def _loading(part: str) -> Iterator[None]:
    """Errors: RecipeError R0631 with the part, for whatever a library raises: broken files make it fail in many ways."""
    try:
        yield
    except Exception as error:
        help = "name a folder with a model of transformers, and with `--adapter` one with an adapter for it"
        raise RecipeError([Diagnostic("R0631", f"{part} cannot be loaded: {_reason(error)}", help)]) from error


def check(
    beams: int, returned: int, length_penalty: float, max_new_tokens: int, batch: int, temperature: float, top_p: float
) -> None:
    """Whether answers can be searched for in this way. Errors: RecipeError R0632 when not."""
    counts = {"beams": beams, "returned": returned, "max_new_tokens": max_new_tokens, "batch": batch}
    bounds = [
        *((name, count, count >= 1, "1 or more") for name, count in counts.items()),
        ("temperature", temperature, 0 <= temperature < math.inf, "0 or more"),
        ("top_p", top_p, 0 < top_p <= 1, "a share above 0, and at most 1"),
        ("length_penalty", length_penalty, math.isfinite(length_penalty), "a number"),
    ]
    wrong = [
        Diagnostic("R0632", f"`{name}` is {given}", f"write {help}") for name, given, fits, help in bounds if not fits
    ]
    if wrong:
        raise RecipeError(wrong)
    if temperature == 0 and returned > beams:
        help = f"search with at least {returned} beams"
        raise RecipeError(
            [Diagnostic("R0632", f"{returned} answers were asked for, and there are {beams} beams", help)]
        )
    if temperature > 0 and beams > 1:
        help = "leave the temperature at 0 to search, or the beams at 1 to draw"
        raise RecipeError(
            [Diagnostic("R0632", "beams search for the likeliest answer, and a temperature draws one", help)]
        )


def _looks(asked: Conversation, pixels: int) -> tuple[int, int, int, int]:
    """What rows of one batch should share: numbers of videos and pictures, the pictures' pixels, the length of the text."""
    images, videos = conversations.files(asked, "image"), conversations.files(asked, "video")
    text = sum(len(part.get("text", "")) for turn in asked for part in turn["content"])
    return len(videos), len(images), pixels, text
