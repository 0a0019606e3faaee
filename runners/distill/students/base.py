"""What every student is: a torch module that gives its task's raw output and the features to compare with a teacher's."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from schema.diagnostics import Diagnostic, RecipeError
from schema.students import StudentTask

STRIDE = 32
"""By how much the coarsest map of a student with features for places is smaller than its picture."""
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Options:
    """How a student is built, and what its pictures are. `extra` holds what only one family knows."""

    image_size: int
    """Height and width of its pictures, in pixels."""
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    """Pixels between 0 and 1 have this mean taken off, and are divided by this."""
    pretrained: str | None = None
    """A file of weights (safetensors, or a torch state dict), or a folder that holds `model.safetensors`."""
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StudentOutput:
    """`task`: what the family's own `loss` and `decode` understand; logits [B, C] where it tells classes apart.

    `features`: [B, D], or [B, D, H, W] of a dense student; D is the student's `width`.
    """

    task: Any
    features: Tensor


class Student(torch.nn.Module):  # type: ignore[misc]
    """A small vision model."""

    family: str
    size: str
    task: StudentTask
    width: int
    """Channels of its features."""

    def __init__(self, size: str, classes: Sequence[str], options: Options) -> None:
        super().__init__()
        self.size, self.classes, self.options = size, tuple(classes), options

    @abstractmethod
    def forward(self, inputs: Any) -> StudentOutput:
        """Inputs are what the task's `collate` gives: pictures [B, 3, H, W], or frames [B, T, 3, H, W]."""

    @abstractmethod
    def loss(self, output: StudentOutput, targets: Any) -> Tensor:
        """The loss of the hard labels, one number; targets are what the task's `collate` gives."""

    @abstractmethod
    def decode(self, output: StudentOutput) -> list[Any]:
        """One prediction for each picture, in the form that the task's `metrics` takes."""

    def result(self, output: StudentOutput) -> Tensor:
        """The one tensor of a raw output in evaluation mode that answers are decoded of: what an export gives."""
        result: Tensor = output.task
        return result

    def settle(self) -> None:
        """Make ready to be traced: what a network works out of its first batch must not depend on the batch."""

    def decoded(self, result: Tensor) -> list[Any]:
        """The predictions of an export's output."""
        return self.decode(StudentOutput(result, result))

    def logits(self, output: StudentOutput) -> Tensor:
        """The scores of classes [B, C], for families that learn from the teacher's."""
        scores: Tensor = output.task
        return scores


class Classifier(Student):
    """What students have in common whose raw output is logits [B, C]; targets are class numbers [B]."""

    def loss(self, output: StudentOutput, targets: Tensor) -> Tensor:
        return torch.nn.functional.cross_entropy(output.task.float(), targets)

    def decode(self, output: StudentOutput) -> list[list[float]]:
        """The probability of each class, for each picture."""
        probabilities: list[list[float]] = output.task.float().softmax(-1).tolist()
        return probabilities


def check_halves(what: str, image_size: int) -> None:
    """Errors: RecipeError R0682 for pictures that cannot be halved five times."""
    if image_size % STRIDE:
        near = max(1, round(image_size / STRIDE)) * STRIDE
        message = f"{what} halves a picture five times, and {image_size} is no multiple of {STRIDE}"
        raise RecipeError([Diagnostic("R0682", message, f"write `image_size: {near}`")])


def load_pretrained(network: torch.nn.Module, place: str, head: str) -> None:
    """Put weights of a file or folder into a network. A head (`fc.`, `head.`) for other classes keeps its new weights.

    Errors: RecipeError R0661 when there are none, R0662 when they belong to another network.
    """
    state = _read(place)
    own = network.state_dict()
    head_differs = [n for n in own if n.startswith(head) and n in state and state[n].shape != own[n].shape]
    kept = {name: tensor for name, tensor in state.items() if not (head_differs and name.startswith(head))}
    missing = sorted(name for name in own if name not in kept and not name.startswith(head))
    wrong = sorted(name for name, tensor in kept.items() if name not in own or own[name].shape != tensor.shape)
    if missing or wrong:
        message = f"the weights in {place} belong to another network: `{(missing or wrong)[0]}` does not fit"
        raise RecipeError([Diagnostic("R0662", message, "name weights of the same family and size")])
    network.load_state_dict(kept, strict=False)


def _read(place: str) -> dict[str, Tensor]:
    path = Path(place)
    if path.is_dir():
        found = [path / name for name in ("model.safetensors", "pytorch_model.bin") if (path / name).is_file()]
        path = found[0] if found else path / "model.safetensors"
    if not path.is_file():
        message = f"there are no weights at {place}"
        raise RecipeError(
            [Diagnostic("R0661", message, "name a file of weights, or a folder with `model.safetensors`")]
        )
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        state: dict[str, Tensor] = load_file(path)
        return state
    loaded: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return loaded
