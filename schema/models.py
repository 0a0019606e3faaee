"""Models: what a name in `models:` stands for.

models:
  base: {id: Qwen/Qwen2-VL-2B-Instruct, dtype: bfloat16, attention: auto}
"""

from typing import Literal

from pydantic import Field

from schema.base import Model, Positive

Dtype = Literal["bfloat16", "float16", "float32"]
Attention = Literal["auto", "eager", "sdpa", "flash_attention_2", "flash_attention_3"]
Hub = Literal["modelscope", "huggingface"]

TINY = "tiny/"
"""Ids under this owner are built on the spot by `runners.tiny_model`: random weights, for tests and smoke variants."""


def place_of(id: str, revision: str | None) -> str:
    """The folder name of what a hub knows by this id and revision.

    >>> place_of("Qwen/Qwen2-VL-2B-Instruct", None)
    'Qwen--Qwen2-VL-2B-Instruct'
    """
    return "@".join(part.replace("/", "--") for part in (id, revision) if part)


class ModelSpec(Model):
    """A pretrained model, by its id on a hub or by a folder of the project."""

    id: str = Field(min_length=1, examples=["Qwen/Qwen2-VL-2B-Instruct", "tiny/qwen2-vl"])
    """Owner and name on the hub; `tiny/FAMILY` is a small random model made on the spot."""
    hub: Hub = "modelscope"
    """Where to look first."""
    revision: str | None = None
    """Branch, tag or commit; the hub's default branch when absent."""
    path: str | None = None
    """A folder that already holds the model, instead of a download."""
    type: str | None = None
    """ms-swift's `model_type`; taken from its registry by the id when absent."""
    template: str | None = None
    """ms-swift's chat template; taken from its registry when absent."""
    dtype: Dtype = "bfloat16"
    """The number format in which the weights are loaded and trained."""
    attention: Attention = "auto"
    """The attention kernel; `auto` is the best one that the toolchain and the hardware have."""
    max_pixels: Positive | None = None
    """Pictures are scaled down to this many pixels."""
    min_pixels: Positive | None = None
    """Pictures are scaled up to this many pixels."""

    @property
    def tiny(self) -> bool:
        """Whether the model is made on the spot."""
        return self.id.startswith(TINY)

    @property
    def folder(self) -> str:
        """Where the model stands in the project, relative to its root; one place for all recipes that use it."""
        return self.path if self.path is not None else f".recipe/models/{place_of(self.id, self.revision)}"
