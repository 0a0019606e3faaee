"""The arguments of a command as options, in the names of ms-swift 4.6: whatever cannot be read stays with its place."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from compiler.backends.ms_swift_training import WATCH
from compiler.importing.left import Given, Left
from compiler.importing.script import Text
from schema.diagnostics import Span
from schema.signature import RENAMED, Signature
from schema.signature.values import Unfit, from_text
from schema.synonyms import SYNONYMS

Meaning = Callable[[str, tuple[str, ...]], tuple[str, tuple[str, ...], str]]
"""Name and values as written → the engine's name (empty: none), its values, what to say of a rename."""

_NEGATIVE_NUMBER = re.compile(r"-\d+|-\d*\.\d+")
OTHER_MEANING = frozenset(
    {"do_sample", "max_steps_per_epoch", "max_prompt_length", "prompt", "warmup", "include_tokens_per_second", "metric"}
)
"""Old names whose successor means something else: they are never translated."""
_TRUE = frozenset({"true", "1", "yes", "y", "t", ""})
_BITS = {"load_in_4bit": "4", "load_in_8bit": "8"}
_OF_FIELDS = {
    "models.NAME.id": "model",
    "models.NAME.revision": "model_revision",
    "models.NAME.dtype": "torch_dtype",
    "models.NAME.attention": "attn_impl",
    "tuner.kind": "tuner_type",
    "data": "dataset",
    "evaluation.data": "val_dataset",
    "optimizer.warmup_ratio": "warmup_ratio",
    "optimizer.warmup_steps": "warmup_steps",
    "optimizer.learning_rate": "learning_rate",
    "tuner.target_modules": "target_modules",
    "tuner.modules_to_save": "modules_to_save",
    "tuner.init": "init_weights",
    "max_length": "max_length",
    "deepspeed": "deepspeed",
}
"""Field → the option of ms-swift, for names of other tools that `schema.synonyms` knows."""
_DATA = frozenset({"dataset_name", "data_path", "data_dir", "train_data_dir", "dataset_path", "train_path"})
"""How hand-written trainers call their data."""


def swift_meaning(signature: Signature) -> Meaning:
    """How a command of ms-swift reads a name: of this version, or renamed since an older one."""

    def meaning(name: str, values: tuple[str, ...]) -> tuple[str, tuple[str, ...], str]:
        found = signature.find(name)
        if found is not None:
            return found[0].name, values, ""
        bare = name.lstrip("-").replace("-", "_")
        if bare in _BITS or bare == "use_flash_attn":
            return _switch(bare, values)
        renamed = RENAMED.get(bare)
        if renamed is not None and renamed in signature.options and bare not in OTHER_MEANING:
            return renamed, values, f"`{bare}` is called `{renamed}` now"
        return "", values, ""

    return meaning


def trainer_meaning(signature: Signature) -> Meaning:
    """How a trainer on transformers reads a name: what transformers owns, and names that are known of other tools."""
    swift = swift_meaning(signature)

    def meaning(name: str, values: tuple[str, ...]) -> tuple[str, tuple[str, ...], str]:
        bare = name.lstrip("-").replace("-", "_")
        if bare in ("use_lora", "use_peft"):
            kind = "lora" if is_on(values) else "full"
            return "tuner_type", (kind,), f"`{bare}` is `tuner_type: {kind}` of the engine"
        if bare in _OF_FIELDS.values():
            return bare, values, ""
        if bare in _DATA:
            return "dataset", values, f"`{bare}` is `dataset` of the engine"
        option = _OF_FIELDS.get(SYNONYMS.get(bare, ""))
        if option is not None and bare not in OTHER_MEANING and bare not in ("bf16", "fp16"):
            return option, values, f"`{bare}` is `{option}` of the engine"
        return swift(name, values)

    return meaning


def is_on(values: Sequence[str]) -> bool:
    """Whether the values of a switch turn it on; alone it does."""
    return (values[-1] if values else "").lower() in _TRUE


def _switch(name: str, values: tuple[str, ...]) -> tuple[str, tuple[str, ...], str]:
    """Old switches that are a value of another option now; one that is off says nothing that a recipe would say."""
    if not is_on(values):
        return "", values, ""
    if name in _BITS:
        return "quant_bits", (_BITS[name],), f"`{name}` is `quant_bits: {_BITS[name]}` now"
    return "attn_impl", ("flash_attention_2",), "`use_flash_attn` is `attn_impl: flash_attention_2` now"


def read_options(
    words: Sequence[Text], signature: Signature | None, meaning: Meaning
) -> tuple[list[Given], list[Left], int]:
    """The options of words; with a signature whose program takes a script, up to the script.

    Returns: options, words that belong to none, and the number of words that were read.
    """
    given: list[Given] = []
    left: list[Left] = []
    place = 0
    while place < len(words):
        word = words[place]
        if word.odd or not _is_flag(word.text, signature):
            if signature is not None and signature.positionals and not word.odd:
                break
            left.append(Left("R0732", word.place, word.raw, word.odd or "it belongs to no option"))
            place += 1
            continue
        option, place = _option(words, place, signature, meaning)
        others = tuple(value for value in option.values if value not in WATCH.get(option.name, ()))
        if option.values and not others:
            left.append(option.left("every compiled training is watched", "R0735"))
        else:
            given.append(replace(option, values=others))
    return *_last_wins(given, left), place


def _option(words: Sequence[Text], place: int, signature: Signature | None, meaning: Meaning) -> tuple[Given, int]:
    first = words[place]
    flag, sign, behind = first.text.partition("=")
    values = [behind] if sign else []
    known = signature.spellings.get(flag) if signature else None
    end, odd = place + 1, ""
    limit = 0.0 if sign else _limit(signature, flag)
    while end < len(words) and end - place - 1 < limit and (words[end].odd or not _is_flag(words[end].text, signature)):
        values.append(words[end].text)
        odd = odd or words[end].odd
        end += 1
    name, read, renamed = meaning(flag, tuple(values))
    raw = " ".join(dict.fromkeys(word.raw for word in words[place:end]))
    span = _around(first.place, words[end - 1].place)
    return Given(name, flag, read, span, raw, odd, bool(known and known[1]), renamed), end


def _limit(signature: Signature | None, flag: str) -> float:
    found = signature.spellings.get(flag) if signature else None
    if found is None:
        # An unknown option of a launcher takes none, or the script would be lost; else what follows belongs to it.
        return 0 if signature is not None and signature.positionals else math.inf
    option, negative = found
    if negative or option.nargs == 0:
        return 0
    return math.inf if option.many else 1


def _is_flag(text: str, signature: Signature | None) -> bool:
    if not text.startswith("-") or text == "-":
        return False
    if signature is not None and text.partition("=")[0] in signature.spellings:
        return True
    return _NEGATIVE_NUMBER.fullmatch(text) is None and " " not in text.partition("=")[0]


def _last_wins(given: list[Given], left: list[Left]) -> tuple[list[Given], list[Left]]:
    """Of an option that is given twice the last one counts, as engines have it."""
    kept: dict[str, Given] = {}
    for option in given:
        key = option.name or option.written
        if key in kept:
            before = kept.pop(key)
            left.append(before.left(f"line {option.place.line} gives it again, and the last one counts"))
        kept[key] = option
    return list(kept.values()), left


def _around(first: Span, last: Span) -> Span:
    if (last.line, last.column) < (first.line, first.column) or last.file != first.file:
        return first  # an array's words stand elsewhere
    return Span(first.file, first.line, first.column, last.end_line, last.end_column)


def typed(signature: Signature, given: Given) -> object:
    """The value as the engine reads it. Errors: Unfit."""
    option = signature.options[given.name]
    if option.nargs == 0 or given.negative:
        return not given.negative
    if not given.values:
        if option.nargs == "?":
            return True
        raise Unfit("missing", "it lacks its value")
    values = [from_text(option, text) for text in given.values]
    return values if option.many else values[-1]
