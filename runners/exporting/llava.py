"""The vision tower of LLaVA 1.5: CLIP up to the layer that the language model reads, and the projector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from runners.exporting.subject import Looks, Subject
from schema.diagnostics import Diagnostic, RecipeError

if TYPE_CHECKING:
    from PIL.Image import Image

FAMILY = "llava1_5_hf"


class Vision(nn.Module):  # type: ignore[misc]
    """[B, 3, H, W] → [B, tokens, hidden]. Layers behind the one that is read are left out."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        tower = model.vision_tower
        layers = tower.encoder.layers
        layer = model.config.vision_feature_layer
        assert isinstance(layer, int)
        self.embeddings, self.before = tower.embeddings, tower.pre_layrnorm
        self.layers = nn.ModuleList(layers[: layer if layer >= 0 else len(layers) + 1 + layer])
        self.projector = model.multi_modal_projector
        self.whole = model.config.vision_feature_select_strategy == "full"

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        hidden = self.before(self.embeddings(image))
        for layer in self.layers:
            hidden = layer(hidden, attention_mask=None)
        seen = hidden if self.whole else hidden[:, 1:]  # the first token stands for the whole picture
        return self.projector(seen)


def vision(folder: Path, size: tuple[int, int]) -> Subject:
    """Tower and projector. Errors: RecipeError R0590 for another size than the tower has."""
    from transformers import AutoImageProcessor, LlavaForConditionalGeneration

    model = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa")
    model = model.model.eval()
    side = model.config.vision_config.image_size
    if size != (side, side):
        message = f"this vision tower reads pictures of {side} × {side}, and {size[0]} × {size[1]} is asked for"
        raise RecipeError([Diagnostic("R0590", message, f"write `image_size: [{side}, {side}]`")])
    processor = AutoImageProcessor.from_pretrained(folder)

    def original(pictures: Sequence[Image]) -> torch.Tensor:
        given = processor(images=list(pictures), return_tensors="pt")
        features = model.get_image_features(pixel_values=given["pixel_values"]).pooler_output
        return features if isinstance(features, torch.Tensor) else torch.stack(tuple(features))

    looks = Looks(size, tuple(processor.image_mean), tuple(processor.image_std), "crop")
    return Subject(FAMILY, Vision(model).eval(), original, looks, "features")
