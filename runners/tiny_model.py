"""Make a random tiny language or vision-language model: python -m runners.tiny_model --family qwen2_vl --seed 0 --to DIR

It has the architecture, token ids, processor and chat template of its family, a few layers of width 32 and random
weights, the same bytes for the same seed. It is for tests, smoke variants and the quickstart; it knows nothing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from runners.tiny import gemma3, llava, mllama, qwen, qwen_text

FAMILIES: dict[str, Callable[[Path], Any]] = {
    "qwen2_vl": qwen.qwen2_vl,
    "qwen2_5_vl": qwen.qwen2_5_vl,
    "gemma3_vision": gemma3.gemma3,
    "llama3_2_vision": mllama.mllama,
    "llava1_5_hf": llava.llava,
    "qwen3": qwen_text.qwen3,
}
"""ms-swift's `model_type`, which is also the name of its template → the builder."""
OLDER: dict[str, Callable[[Path], Any]] = {"llava1_5_hf_v4": llava.llava_v4}
"""The same in files that transformers 4 reads."""


def build(family: str, seed: int, to: Path) -> int:
    """Write the model and its processor to a new folder `to`; the number of parameters."""
    import torch

    torch.manual_seed(seed)
    partial = to.with_name(f"{to.name}.partial-{os.getpid()}")
    partial.mkdir(parents=True)
    try:
        model = (FAMILIES | OLDER)[family](partial)
        partial.rename(to)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return sum(parameter.numel() for parameter in model.parameters())


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; 2 when the folder is already there."""
    parser = argparse.ArgumentParser(prog="python -m runners.tiny_model", description=__doc__.partition("\n")[0])
    parser.add_argument("--family", choices=sorted(FAMILIES | OLDER), default="qwen2_vl")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="a folder that does not exist yet")
    options = parser.parse_args(argv)
    if options.to.exists():
        parser.error(f"{options.to} exists already")
    parameters = build(options.family, options.seed, options.to)
    print(f"{options.to}: a random {options.family} of {parameters:,} parameters, seed {options.seed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
