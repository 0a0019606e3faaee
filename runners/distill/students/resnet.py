"""ResNet of torchvision (arXiv:1512.03385): features are the averaged map before the last layer."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from torch import Tensor

from runners.distill.students.base import Classifier, Options, StudentOutput, load_pretrained
from schema.students import FAMILIES

FAMILY = "resnet"
SIZES = tuple(FAMILIES["resnet"].sizes)


class ResNet(Classifier):
    """One of torchvision's residual networks."""

    family = FAMILY
    task = "classification"

    def __init__(self, size: str, classes: Sequence[str], options: Options) -> None:
        super().__init__(size, classes, options)
        self.network = getattr(importlib.import_module("torchvision.models"), size)(
            weights=None, num_classes=len(classes)
        )
        self.width = self.network.fc.in_features
        if options.pretrained is not None:
            load_pretrained(self.network, options.pretrained, "fc.")

    def forward(self, inputs: Tensor) -> StudentOutput:
        net = self.network
        map = net.maxpool(net.relu(net.bn1(net.conv1(inputs))))
        map = net.layer4(net.layer3(net.layer2(net.layer1(map))))
        features = net.avgpool(map).flatten(1)
        return StudentOutput(net.fc(features), features)


def build(size: str, classes: Sequence[str], options: Options) -> ResNet:
    """The network of a size. Errors: RecipeError R0661, R0662 for weights that are missing or do not fit."""
    return ResNet(size, classes, options)
