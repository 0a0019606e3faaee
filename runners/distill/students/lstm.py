"""An LSTM over what a convolutional network sees in each frame (arXiv:1411.4389).

Sizes are told apart by the head: the LSTM and what follows it. The network for the frames is torchvision's ResNet-50
without its last layer, of 23.5 million parameters, and is counted apart. `extra` may name a smaller one as `frames`, and
`pooling`: `last` takes what the LSTM has in the end, `attention` a learned mean over all frames.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import torch
from torch import Tensor

from runners.distill.students.base import Classifier, Options, StudentOutput, load_pretrained
from schema.students import FAMILIES

FAMILY = "lstm"
SIZES = tuple(FAMILIES["lstm"].sizes)
HIDDEN = {"small": 256, "medium": 512, "large": 1024}
LAYERS = 2
POOLINGS = ("last", "attention")


class Lstm(Classifier):
    """Inputs are frames [B, T, 3, H, W]; features are the pooled states of the LSTM, [B, hidden]."""

    family = FAMILY
    task = "sequence"

    def __init__(self, size: str, classes: Sequence[str], options: Options) -> None:
        super().__init__(size, classes, options)
        self.frames = getattr(
            importlib.import_module("torchvision.models"), str(options.extra.get("frames", "resnet50"))
        )(weights=None)
        seen = int(self.frames.fc.in_features)
        self.frames.fc = torch.nn.Identity()
        self.width = HIDDEN[size]
        self.head = Head(seen, self.width, len(classes), str(options.extra.get("pooling", "last")))
        if options.pretrained is not None:
            load_pretrained(self, options.pretrained, "head.classes.")

    def forward(self, inputs: Tensor) -> StudentOutput:
        batch, frames = inputs.shape[:2]
        seen = self.frames(inputs.flatten(0, 1)).unflatten(0, (batch, frames))
        features, logits = self.head(seen)
        return StudentOutput(logits, features)


class Head(torch.nn.Module):  # type: ignore[misc]
    """[B, T, D] of the frames → pooled states [B, hidden], and logits [B, C]."""

    def __init__(self, seen: int, hidden: int, classes: int, pooling: str) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(seen, hidden, LAYERS, batch_first=True)
        self.weights = torch.nn.Linear(hidden, 1) if pooling == "attention" else None
        self.classes = torch.nn.Linear(hidden, classes)

    def forward(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        states, _ = self.lstm(seen)
        pooled = states[:, -1]
        if self.weights is not None:
            pooled = (self.weights(states).softmax(1) * states).sum(1)
        return pooled, self.classes(pooled)


def build(size: str, classes: Sequence[str], options: Options) -> Lstm:
    """The network of a size. Errors: RecipeError R0661, R0662 for weights that are missing or do not fit."""
    return Lstm(size, classes, options)
