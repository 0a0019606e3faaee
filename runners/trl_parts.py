"""The parts of a vision-language model: vision tower, aligner and language model, told by the names of its modules.

model.visual.blocks.0.attn.qkv            vision       (Qwen2-VL)
model.visual.merger.mlp.0                 aligner
model.language_model.layers.0.mlp.up_proj language
"""

from __future__ import annotations

from typing import Any, Literal

from schema.diagnostics import Diagnostic, RecipeError

Part = Literal["vision", "aligner", "language"]
ALIGNER = {"merger", "deepstack_merger_list", "multi_modal_projector"}
VISION = {"visual", "vision_tower", "vision_model"}
ALL_LINEAR = "all-linear"


def part_of(name: str) -> Part:
    """The part that a module or parameter belongs to; everything in a text model is language."""
    pieces = set(name.split("."))
    return "aligner" if pieces & ALIGNER else "vision" if pieces & VISION else "language"


def check(model: Any) -> None:
    """Errors: RecipeError R0561 when a model that sees has no module that is known as its vision tower."""
    if all(part_of(name) == "language" for name, _ in model.named_modules()):
        message = f"the parts of {type(model).__name__} are not known, so none of them can stay frozen"
        raise RecipeError([Diagnostic("R0561", message, "train it with `engine: ms-swift`")])


def freeze(model: Any, frozen: set[Part]) -> None:
    """Keep these parts out of a full fine-tune."""
    for name, parameter in model.named_parameters():
        if part_of(name) in frozen:
            parameter.requires_grad_(False)


def linear_layers(model: Any, frozen: set[Part]) -> str:
    """A pattern of the linear layers that are not in these parts, without the one that gives the words.

    PEFT's own `all-linear` would take the vision tower, too.
    """
    from torch.nn import Linear

    head = model.get_output_embeddings()
    names = [
        name
        for name, module in model.named_modules()
        if isinstance(module, Linear) and module is not head and part_of(name) not in frozen
    ]
    return f"^({'|'.join(sorted({_any_layer(name) for name in names}))})$"


def _any_layer(name: str) -> str:
    """The pattern of a module in any layer: `model.layers.0.q_proj` → `model\\.layers\\.\\d+\\.q_proj`."""
    return r"\.".join(r"\d+" if piece.isdigit() else piece for piece in name.split("."))
