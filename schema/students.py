"""Families of small vision models that a teacher is distilled into: facts that need no library.

A size has the parameters that its network has for 1,000 classes (80 for detection, 21 for segmentation) and the channels
of the features that are compared with the teacher's. Recommended settings fill what a recipe leaves open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Family = Literal["resnet", "vit", "yolov8", "unet", "lstm"]
StudentTask = Literal["classification", "detection", "segmentation", "sequence"]
Distillation = Literal["feature", "logit", "hybrid", "none"]
FeatureLoss = Literal["mse", "cosine"]
OptimizerName = Literal["adamw", "adam", "sgd"]


@dataclass(frozen=True, slots=True)
class Size:
    """Parameters in millions, and the channels of the features."""

    millions: float
    width: int


@dataclass(frozen=True, slots=True)
class FamilyFacts:
    """What a family is for, its sizes, and the settings that are recommended for it."""

    task: StudentTask
    sizes: Mapping[str, Size]
    image_size: int
    learning_rate: float
    optimizer: OptimizerName
    batch: int
    type: Distillation
    feature_loss: FeatureLoss
    weight_decay: float = 0.01
    layers: tuple[str, ...] = ()
    """What the linear layers of a transformer are called, which adapters can stand in."""
    batch_norm: bool = True
    """Whether its layers keep statistics of batches."""
    convolutional: bool = True
    """Whether it is made of convolutions, whose rounding can be learned."""
    kinds: tuple[Distillation, ...] = ("feature", "logit", "hybrid", "none")
    """What it can learn from a teacher: scores of classes need one answer for a picture."""


TEACHERS: dict[str, tuple[int, int]] = {
    "tiny/qwen2-vl": (32, 32),
    "tiny/qwen2.5-vl": (32, 32),
    "Qwen/Qwen2-VL-2B-Instruct": (1280, 1536),
    "Qwen/Qwen2-VL-7B-Instruct": (1280, 3584),
    "Qwen/Qwen2-VL-72B-Instruct": (1280, 8192),
    "Qwen/Qwen2.5-VL-3B-Instruct": (1280, 2048),
    "Qwen/Qwen2.5-VL-7B-Instruct": (1280, 3584),
    "Qwen/Qwen2.5-VL-32B-Instruct": (1280, 5120),
    "Qwen/Qwen2.5-VL-72B-Instruct": (1280, 8192),
    "Qwen/Qwen3-VL-2B-Instruct": (1024, 2048),
    "Qwen/Qwen3-VL-4B-Instruct": (1024, 2560),
    "Qwen/Qwen3-VL-8B-Instruct": (1152, 4096),
    "Qwen/Qwen3-VL-32B-Instruct": (1152, 5120),
}
"""Teacher → channels of its features in the vision tower, and behind the merger, which are the language model's.

Of each `config.json`: `vision_config.hidden_size` (Qwen2-VL: `embed_dim`) and `out_hidden_size` (Qwen2-VL: `hidden_size`).
Up to Qwen3-VL-8B, networks of these widths have exactly the published number of parameters; of Qwen2.5-VL-72B none is
published to the digit, and its language model's width is the default of transformers' `Qwen2_5_VLTextConfig`.
Qwen3-VL-32B's are in the configuration of a model that holds it whole, huggingface.co/quanliang/F1.
A teacher that is not listed is not refused: the training compares its own widths (R0667).
"""
TEACHER_TYPES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl")
"""Model types whose vision tower and scores can be read."""

METRICS: dict[StudentTask, tuple[str, ...]] = {
    "classification": ("loss", "accuracy", "f1_macro"),
    "detection": ("loss", "map50", "map50_95"),
    "segmentation": ("loss", "miou", "dice"),
    "sequence": ("loss", "accuracy", "f1_macro"),
}
"""Task → what an evaluation measures, each with `eval_` in front."""

FAMILIES: dict[Family, FamilyFacts] = {
    "resnet": FamilyFacts(
        task="classification",
        sizes={
            "resnet18": Size(11.7, 512),
            "resnet34": Size(21.8, 512),
            "resnet50": Size(25.6, 2048),
            "resnet101": Size(44.5, 2048),
        },
        image_size=224,
        learning_rate=1e-4,
        optimizer="adamw",
        batch=32,
        type="hybrid",
        feature_loss="cosine",
    ),
    "vit": FamilyFacts(
        task="classification",
        sizes={"vit-tiny": Size(5.7, 192), "vit-base": Size(86.6, 768), "vit-large": Size(304.3, 1024)},
        image_size=224,
        learning_rate=5e-5,
        optimizer="adamw",
        batch=64,
        weight_decay=0.05,
        type="hybrid",
        feature_loss="mse",
        layers=("qkv", "proj", "fc1", "fc2"),
        batch_norm=False,
        convolutional=False,
    ),
    "yolov8": FamilyFacts(
        task="detection",
        sizes={
            "n": Size(3.2, 256),
            "s": Size(11.2, 512),
            "m": Size(25.9, 576),
            "l": Size(43.7, 512),
            "x": Size(68.2, 640),
        },
        image_size=640,
        learning_rate=1e-3,
        optimizer="sgd",
        batch=16,
        type="feature",
        feature_loss="mse",
        kinds=("feature", "none"),
    ),
    "unet": FamilyFacts(
        task="segmentation",
        sizes={"small": Size(6.6, 1280), "medium": Size(17.0, 832), "large": Size(32.5, 2048)},
        image_size=512,
        learning_rate=1e-4,
        optimizer="adam",
        batch=8,
        type="feature",
        feature_loss="mse",
        kinds=("feature", "none"),
    ),
    "lstm": FamilyFacts(
        task="sequence",
        sizes={"small": Size(26.7, 256), "medium": Size(31.4, 512), "large": Size(45.5, 1024)},
        image_size=224,
        learning_rate=1e-4,
        optimizer="adam",
        batch=32,
        type="feature",
        feature_loss="cosine",
        convolutional=False,
    ),
}
