"""Vision transformer of timm (arXiv:2010.11929): features are the class token that the head sees."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from runners.distill.students.base import Classifier, Options, StudentOutput, load_pretrained
from schema.students import FAMILIES

FAMILY = "vit"
SIZES = tuple(FAMILIES["vit"].sizes)
NETWORKS = {
    "vit-tiny": "vit_tiny_patch16_224",
    "vit-base": "vit_base_patch16_224",
    "vit-large": "vit_large_patch16_224",
}
"""Size → timm's name."""


class VisionTransformer(Classifier):
    """One of timm's vision transformers with patches of 16 pixels."""

    family = FAMILY
    task = "classification"

    def __init__(self, size: str, classes: Sequence[str], options: Options) -> None:
        import timm

        super().__init__(size, classes, options)
        self.network = timm.create_model(
            NETWORKS[size], pretrained=False, num_classes=len(classes), img_size=options.image_size
        )
        self.width = self.network.num_features
        if options.pretrained is not None:
            load_pretrained(self.network, options.pretrained, "head.")

    def forward(self, inputs: Tensor) -> StudentOutput:
        features = self.network.forward_head(self.network.forward_features(inputs), pre_logits=True)
        return StudentOutput(self.network.head(features), features)


def build(size: str, classes: Sequence[str], options: Options) -> VisionTransformer:
    """The network of a size. Errors: RecipeError R0661, R0662 for weights that are missing or do not fit."""
    return VisionTransformer(size, classes, options)
