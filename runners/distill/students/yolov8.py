"""YOLOv8 of ultralytics with its own losses (box, distribution focal, class) and its suppression of double boxes.

ultralytics is under AGPL-3.0, which this project is not, and so an extra of its own: `pip install .[yolo]`. It is asked for
the network alone: it writes its settings into a folder that is thrown away, installs nothing and asks nobody.
Features are the coarsest map that the head sees, of 1/32 of the picture's size.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from runners.distill.students.base import Options, Student, StudentOutput, check_halves, load_pretrained
from schema.diagnostics import Diagnostic, RecipeError
from schema.students import FAMILIES

FAMILY = "yolov8"
SIZES = tuple(FAMILIES["yolov8"].sizes)
MEAN, STD = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
GAINS = {"box": 7.5, "cls": 0.5, "dfl": 1.5}
"""The weights of the three losses that YOLOv8 was published with."""
QUIET = {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false"}
SURE, OVERLAP, MOST = 0.001, 0.7, 300
"""Scores and overlaps that suppression keeps when scores are measured, and how many boxes of a picture."""
PATIENCE = 60.0
"""Seconds for the suppression in one picture, far more than it takes: to stop by the clock would change results."""


class Settled(tuple[int, ...]):
    """A shape that equals every other."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False


class Yolo(Student):
    """One of the five networks. Raw output is the head's: boxes and scores at each anchor, and the maps below."""

    family = FAMILY
    task = "detection"

    def __init__(self, size: str, classes: Sequence[str], options: Options) -> None:
        super().__init__(size, classes, options)
        check_halves("YOLOv8", options.image_size)
        self.network = _model(size, len(classes))
        self.width = int(FAMILIES["yolov8"].sizes[size].width)
        self.criterion: Any = None
        if options.pretrained is not None:
            load_pretrained(self.network, options.pretrained, "model.22.cv3.")

    def forward(self, inputs: Tensor) -> StudentOutput:
        found = self.network(inputs)
        raw = found if isinstance(found, dict) else found[1]
        return StudentOutput(found, raw["feats"][-1])

    def loss(self, output: StudentOutput, targets: Mapping[str, Tensor]) -> Tensor:
        """The sum of the three losses, over all pictures: ultralytics' own."""
        from types import SimpleNamespace

        from ultralytics.utils.loss import v8DetectionLoss

        raw = output.task if isinstance(output.task, dict) else output.task[1]
        device = raw["scores"].device
        if self.criterion is None or self.criterion.device != device:
            self.network.args = SimpleNamespace(**GAINS)
            self.criterion = v8DetectionLoss(self.network)
        total, _ = self.criterion(raw, targets)
        loss: Tensor = total.sum() / raw["scores"].shape[0]
        return loss

    def result(self, output: StudentOutput) -> Tensor:
        """Boxes and scores at each anchor, [B, 4 + C, anchors]."""
        result: Tensor = output.task[0]
        return result

    def settle(self) -> None:
        """Keep the anchors of pictures of its size: the library works them out anew for each size of a batch."""
        side, head = self.options.image_size, self.network.model[-1]
        with torch.no_grad():
            self.eval()(torch.zeros(1, 3, side, side))
        head.shape = Settled()

    def decoded(self, result: Tensor) -> list[Any]:
        return self.decode(StudentOutput((result,), result))

    def decode(self, output: StudentOutput) -> list[dict[str, list[Any]]]:
        """For each picture its boxes, scores and classes, by falling score; corners in pixels of the student's picture."""
        from ultralytics.utils.nms import non_max_suppression

        found = non_max_suppression(
            output.task[0], SURE, OVERLAP, max_det=MOST, nc=len(self.classes), max_time_img=PATIENCE, multi_label=False
        )
        return [
            {
                "boxes": part[:, :4].float().tolist(),
                "scores": part[:, 4].float().tolist(),
                "labels": part[:, 5].int().tolist(),
            }
            for part in found
        ]


def _model(size: str, classes: int) -> torch.nn.Module:
    """The network with new weights. Errors: RecipeError R0681 when ultralytics is missing."""
    opens = Image.open
    with tempfile.TemporaryDirectory(prefix="yolo-") as settings:
        os.environ.update({**QUIET, "YOLO_CONFIG_DIR": settings})
        try:
            from ultralytics.nn.tasks import DetectionModel
        except ModuleNotFoundError:
            message = "the student `yolov8` needs the package `ultralytics`, which is not installed"
            help = "if its licence AGPL-3.0 suits you: `pip install .[yolo]`"
            raise RecipeError([Diagnostic("R0681", message, help)]) from None
        finally:
            Image.open = opens  # the library puts its own in place, for the whole process
        network: torch.nn.Module = DetectionModel(f"yolov8{size}.yaml", nc=classes, verbose=False)
    return network


def build(size: str, classes: Sequence[str], options: Options) -> Yolo:
    """The network of a size. Errors: RecipeError R0681 without ultralytics, R0682; R0661, R0662 for weights."""
    return Yolo(size, classes, options)
