"""U-Net of segmentation-models-pytorch (arXiv:1505.04597) with cross-entropy and Dice.

The encoders are timm's and torchvision's, with new weights: the library's standard networks nearest to 7, 17 and 31
million parameters. Features are the encoder's coarsest map, of 1/32 of the picture's size.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from runners.data.dense import IGNORED
from runners.distill.students.base import Options, Student, StudentOutput, check_halves, load_pretrained
from schema.students import FAMILIES

FAMILY = "unet"
SIZES = tuple(FAMILIES["unet"].sizes)
ENCODERS = {"small": "mobilenet_v2", "medium": "dpn68", "large": "resnet50"}
"""Size → the library's name of its encoder."""


class UNet(Student):
    """Raw output is a score for each class and pixel, [B, C, H, W]; targets are class numbers [B, H, W], 255 left out."""

    family = FAMILY
    task = "segmentation"

    def __init__(self, size: str, classes: Sequence[str], options: Options) -> None:
        import segmentation_models_pytorch as library

        super().__init__(size, classes, options)
        check_halves("a U-Net", options.image_size)
        self.network = library.Unet(ENCODERS[size], encoder_weights=None, classes=len(classes))
        self.width = int(self.network.encoder.out_channels[-1])
        if options.pretrained is not None:
            load_pretrained(self.network, options.pretrained, "segmentation_head.")

    def forward(self, inputs: Tensor) -> StudentOutput:
        maps = self.network.encoder(inputs)
        return StudentOutput(self.network.segmentation_head(self.network.decoder(maps)), maps[-1])

    def loss(self, output: StudentOutput, targets: Tensor) -> Tensor:
        """Cross-entropy, and one minus the mean Dice of the classes; both over pixels that are not left out."""
        scores = output.task.float()
        counted = targets != IGNORED
        if not counted.any():
            return scores.sum() * 0.0
        return F.cross_entropy(scores, targets, ignore_index=IGNORED) + dice_loss(scores, targets)

    def decode(self, output: StudentOutput) -> list[Tensor]:
        """The likeliest class of each pixel, [H, W] for each picture."""
        return list(output.task.argmax(1).to(torch.uint8).cpu())


def dice_loss(scores: Tensor, targets: Tensor) -> Tensor:
    """1 − mean over the classes that occur of 2·|A ∩ B| / (|A| + |B|), with probabilities (arXiv:1606.04797).

    Scores [B, C, H, W], targets [B, H, W]; the batch counts as one picture.
    """
    counted = (targets != IGNORED)[:, None]
    wanted = F.one_hot(targets.masked_fill(targets == IGNORED, 0), scores.shape[1]).permute(0, 3, 1, 2) * counted
    found = scores.softmax(1) * counted
    common, sizes = (found * wanted).sum((0, 2, 3)), (found + wanted).sum((0, 2, 3))
    present = wanted.sum((0, 2, 3)) > 0
    return 1 - (2 * common[present] / sizes[present]).mean()


def build(size: str, classes: Sequence[str], options: Options) -> UNet:
    """The network of a size. Errors: RecipeError R0682 for the picture's size; R0661, R0662 for weights."""
    return UNet(size, classes, options)
