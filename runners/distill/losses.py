"""What a student is told.

loss = hard_label_weight · task loss + soft_label_weight · distillation loss
scores:    T² · KL(softmax(teacher / T) ‖ softmax(student / T))      Hinton, Vinyals, Dean 2015, arXiv:1503.02531
features:  mse, or 1 − cosine, of the teacher's and the projected student's  Romero et al. 2015, arXiv:1412.6550
hybrid:    the sum of both
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def scores(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """The divergence of softened scores, both [B, C]; its square keeps the gradient's size at any temperature."""
    told = F.log_softmax(teacher.float() / temperature, dim=-1)
    said = F.log_softmax(student.float() / temperature, dim=-1)
    return F.kl_div(said, told, reduction="batchmean", log_target=True) * temperature**2


def features(student: Tensor, teacher: Tensor, how: str) -> Tensor:
    """The distance of features with equal channels, [B, D] or [B, D, H, W]; a token grid takes the student's size.

    The teacher's are standardised over their channels, so that the loss does not depend on how large a tower's are.
    """
    target = F.layer_norm(teacher.movedim(1, -1).float(), teacher.shape[1:2]).movedim(-1, 1).to(student.dtype)
    if student.dim() == 4 and student.shape[2:] != target.shape[2:]:
        target = F.interpolate(target, size=student.shape[2:], mode="bilinear", align_corners=False)
    if how == "cosine":
        return (1 - F.cosine_similarity(student, target, dim=1)).mean()
    return F.mse_loss(student, target)


class Align(torch.nn.Module):  # type: ignore[misc]
    """A learned projection of the student's channels to the teacher's; for a map, a 1 × 1 convolution."""

    def __init__(self, width: int, to: int, dense: bool) -> None:
        super().__init__()
        self.project = torch.nn.Conv2d(width, to, 1) if dense else torch.nn.Linear(width, to)

    def forward(self, found: Tensor) -> Tensor:
        """[B, D, …] → [B, D', …]."""
        projected: Tensor = self.project(found)
        return projected
