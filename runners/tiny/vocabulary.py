"""A byte-level BPE of a few hundred tokens whose special tokens keep the ids of the real family.

Engines hard-code ids (ms-swift: Qwen's image token is 151655), so those must be real. The ids between are simply
not used: a `tokenizer.json` of 13 kB instead of 5 MB.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CORPUS = (
    "Which digit is in the picture? Answer with a single digit.",
    "Which shape is in the picture? circle square triangle star cross ring bar heart moon diamond",
    "What animal is in the picture? butterfly cat chicken cow dog elephant horse ragno sheep squirrel",
    "You are a helpful assistant.",
    "system\nuser\nassistant\nmodel\nUSER: ASSISTANT:",
    "zero one two three four five six seven eight nine",
    "red green blue yellow white black orange purple pink gray",
)


def byte_level_bpe(size: int = 512) -> Tokenizer:
    """A BPE over all bytes, trained on `CORPUS`; the same on every machine."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(CORPUS * 8, trainer)
    return tokenizer


def with_specials(tokenizer: Tokenizer, ids: Mapping[str, int]) -> Tokenizer:
    """Put special tokens at exactly these ids; ordinary tokens make room and keep their order."""
    from tokenizers import Tokenizer

    document = json.loads(tokenizer.to_str())
    ordinary = sorted(document["model"]["vocab"], key=document["model"]["vocab"].__getitem__)
    taken = set(ids.values())
    free = (i for i in range(len(ordinary) + len(taken)) if i not in taken)
    document["model"]["vocab"] = dict(zip(ordinary, free, strict=False)) | dict(ids)
    moved = Tokenizer.from_str(json.dumps(document))
    moved.add_special_tokens(list(ids))
    return moved


def appended(tokenizer: Tokenizer, specials: Sequence[str]) -> Tokenizer:
    """Put special tokens after the ordinary ones, in this order."""
    tokenizer.add_special_tokens(list(specials))
    return tokenizer
