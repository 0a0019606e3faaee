"""Parameters of models, and which of them a hub gives to known people only: what `recipe doctor` tells before a download.

Counted from the models' own classes and configurations; a model that is not here has an unknown size.
"""

from __future__ import annotations

PARAMETERS: dict[str, int] = {
    "google/gemma-3-4b-it": 4_300_079_472,
    "google/gemma-3-12b-it": 12_187_325_040,
    "google/gemma-3-27b-it": 27_432_406_640,
    "llava-hf/llava-1.5-7b-hf": 7_063_427_072,
    "llava-hf/llava-1.5-13b-hf": 13_351_494_656,
    "meta-llama/Llama-3.2-11B-Vision-Instruct": 10_670_220_835,
    "openbmb/MiniCPM-V": 3_434_965_792,
    "openbmb/MiniCPM-V-2_6": 8_099_175_152,
    "Qwen/Qwen2-VL-2B-Instruct": 2_208_985_600,
    "Qwen/Qwen2-VL-7B-Instruct": 8_291_375_616,
    "Qwen/Qwen2-VL-72B-Instruct": 73_405_560_320,
    "Qwen/Qwen2.5-0.5B-Instruct": 494_032_768,
    "Qwen/Qwen2.5-1.5B-Instruct": 1_543_714_304,
    "Qwen/Qwen2.5-7B-Instruct": 7_615_616_512,
    "Qwen/Qwen2.5-VL-3B-Instruct": 3_754_622_976,
    "Qwen/Qwen2.5-VL-7B-Instruct": 8_292_166_656,
    "Qwen/Qwen2.5-VL-32B-Instruct": 33_452_718_336,
    "Qwen/Qwen2.5-VL-72B-Instruct": 73_410_777_344,
    "Qwen/Qwen3-8B": 8_190_735_360,
    "zai-org/cogvlm-chat-hf": 17_639_685_376,
}
"""Id on Hugging Face → the number of parameters, each of which is two bytes in a file."""

GATED = frozenset(
    {
        "google/gemma-3-4b-it",
        "google/gemma-3-12b-it",
        "google/gemma-3-27b-it",
        "meta-llama/Llama-3.2-11B-Vision-Instruct",
        "openbmb/MiniCPM-V-2_6",
    }
)
"""Ids whose licence has to be accepted on Hugging Face before a download."""

BYTES = 2


def _last(id: str) -> str:
    return id.rpartition("/")[2].lower()


def size_of(id: str) -> int | None:
    """The bytes of a model's weights by its id on either hub; None where they are not known.

    >>> size_of("LLM-Research/gemma-3-12b-it")
    24374650080
    """
    return next((count * BYTES for known, count in PARAMETERS.items() if _last(known) == _last(id)), None)


def is_gated(id: str) -> bool:
    """Whether Hugging Face asks for a token and an accepted licence."""
    return _last(id) in {_last(known) for known in GATED}
