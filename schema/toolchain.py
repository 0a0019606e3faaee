"""Toolchains: sets of packages that engines run in. `toolchains/NAME.txt` locks each; `default` is this installation.

The engines exclude each other: TRL 1.x and ms-swift, or ms-swift with vLLM and the newest transformers, fit into no one
environment. The versions of each are recorded in `schema/signatures`, so that compiling installs nothing.
"""

from typing import Literal, get_args

Toolchain = Literal["default", "quant", "transformers-4.41", "trl1", "vllm"]
DEFAULT = "default"
NAMES: tuple[str, ...] = get_args(Toolchain)

NEEDS_GPU: dict[str, str] = {
    "vllm": "vLLM's wheels hold kernels for GPUs only",
}
"""Toolchain that runs on no CPU → why: nothing of it is run in the smoke tests."""
BY_HAND: dict[str, str] = {"ultralytics": "if its licence AGPL-3.0 suits you"}
"""Package that `make setup` does not install → on which condition a person does."""

OWN_CODE: dict[str, str] = {"transformers-4.41": "the weights and the code of its model come from a hub"}
"""Toolchain for models that bring code of their own → why only a smoke variant of it, on another model, is run."""

METHODS_NOT_RUN: dict[str, str] = {
    "gptq": "its first call compiles for a minute and a half",
    "awq": "autoawq takes text models only beside transformers 5",
    "fp8": "transformers writes FP8 weights on a GPU only",
}
"""Method of a `quantize` stage → why the smoke tests do not run it. bitsandbytes they run."""


def is_smoke(variant: str | None) -> bool:
    """Whether an instance is a smoke variant, which tests run to its end on a CPU: `smoke`, or a name that ends so."""
    return f"-{variant}".endswith("-smoke")
