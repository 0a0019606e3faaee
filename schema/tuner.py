"""How the weights are trained: adapters (LoRA, QLoRA) or all of them.

tuner: {kind: lora, rank: 16, alpha: 32, dropout: 0.05}
tuner: {kind: lora, rank: 16, bits: 4, quantization: bnb}      # QLoRA
tuner: {kind: full, freeze: {vision: false}}
"""

from typing import Annotated, Literal

from pydantic import Field

from schema.base import CHOICE_OF_NUMBERS, Model, Positive, default


class Freeze(Model):
    """Which parts of a vision-language model stay as they are. Without effect on a text model."""

    vision: bool = True
    """The vision tower."""
    aligner: bool = True
    """The projection from vision to language."""
    language: bool = False
    """The language model."""


class LoraTuner(Model):
    """Low-rank adapters (arXiv:2106.09685); with `bits`, on quantised base weights (QLoRA, arXiv:2305.14314)."""

    kind: Literal["lora"] = "lora"
    rank: Positive = 8
    """Rank of the update matrices."""
    alpha: Positive = 32
    """The update is scaled by alpha / rank."""
    dropout: float = Field(0.05, ge=0, lt=1)
    """The share of an adapter's inputs that is left out at a step."""
    target_modules: tuple[str, ...] = ("all-linear",)
    """Names or suffixes of the linear layers that get adapters."""
    modules_to_save: tuple[str, ...] = ()
    """Modules that are trained in full and saved with the adapter."""
    bias: Literal["none", "all"] = "none"
    """Biases that are trained."""
    init: Literal["true", "false", "gaussian", "pissa", "olora", "loftq", "lora-ga"] = "true"
    """How the adapter's weights start."""
    rank_stabilized: bool = False
    """Scale by alpha / √rank instead (rsLoRA, arXiv:2312.03732)."""
    dora: bool = False
    """Train magnitude and direction apart (DoRA, arXiv:2402.09353)."""
    bits: Annotated[Literal[1, 2, 3, 4, 8], CHOICE_OF_NUMBERS] | None = None
    """Load the base weights quantised to so many bits (QLoRA)."""
    quantization: Literal["bnb", "hqq", "eetq", "quanto"] | None = None
    """The quantisation method that `bits` uses."""
    freeze: Freeze = default(Freeze)


class FullTuner(Model):
    """All weights that are not frozen are trained."""

    kind: Literal["full"]
    freeze: Freeze = default(Freeze)


Tuner = Annotated[LoraTuner | FullTuner, Field(discriminator="kind")]
