"""Train a small vision model from what a vision-language model says of each picture.

small:
  kind: distill
  teacher: base
  data: data.train
  student: {family: resnet, size: resnet50}
  evaluation: {data: data.validation}
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from schema.base import Cadence, Model, Positive, Reference, default
from schema.models import Dtype
from schema.stage import FileUse, Product, Stage, Use
from schema.students import FAMILIES, Distillation, Family, FamilyFacts, FeatureLoss, OptimizerName, StudentTask
from schema.training import Checkpoints, EarlyStopping, Logging

NonNegative = Annotated[float, Field(ge=0)]


class StudentLora(Model):
    """Adapters in a transformer student, on pretrained weights; they are folded in before it is handed over."""

    rank: int = Field(0, ge=0)
    """Rank of the update matrices; 0 trains all weights."""
    alpha: Positive = 16
    """The update is scaled by alpha / rank."""
    dropout: float = Field(0.1, ge=0, lt=1)
    """The share of an adapter's inputs that is left out at a step."""
    # `strict=False`: the short form of a student hides from pydantic that the list came from JSON.
    target_modules: Annotated[tuple[str, ...], Field(strict=False)] = ("qkv", "proj")
    """Names or suffixes of the linear layers that get adapters."""
    bias: Literal["none", "all", "lora_only"] = "none"
    """Biases that are trained: none, all, or those of layers with adapters."""


class StudentSpec(Model):
    """The network that learns."""

    family: Family
    """What kind of network it is."""
    size: str = Field(min_length=1, examples=["resnet50", "vit-tiny", "n", "small"])
    """One of the family's sizes."""
    image_size: int | None = Field(None, ge=8)
    """Height and width of its pictures in pixels; the family's when absent."""
    pretrained: str | None = Field(None, min_length=1)
    """A name in `models`, or a file or folder of the project with weights; random ones when absent."""
    lora: StudentLora = default(StudentLora)
    frames: Literal["resnet18", "resnet34", "resnet50"] | None = None
    """Of an `lstm`: the network that looks at each frame; resnet50 when absent."""
    pooling: Literal["last", "attention"] | None = None
    """Of an `lstm`: what it has in the end (when absent), or a learned mean over all frames."""

    @property
    def extra(self) -> dict[str, str]:
        """What only its family knows, where it is said."""
        said = {"frames": self.frames, "pooling": self.pooling}
        return {name: value for name, value in said.items() if value is not None}

    @property
    def facts(self) -> FamilyFacts:
        """What is known of its family."""
        return FAMILIES[self.family]


def _split(value: Any) -> Any:
    if isinstance(value, str) and value.count("/") == 1:
        family, size = value.split("/")
        return {"family": family, "size": size}
    return value


# `[…]`: only text is short for a student; a plain number, which is text elsewhere, is none.
_SHORT = {"type": ["string"], "pattern": f"^({'|'.join(FAMILIES)})/[^/]+$", "examples": ["resnet/resnet50"]}
Student = Annotated[
    StudentSpec,
    Field(strict=False),  # a validator in front hides from pydantic that the map came from JSON
    BeforeValidator(_split, json_schema_input_type=Annotated[str, WithJsonSchema(_SHORT)] | StudentSpec),
]
"""`resnet/resnet50` is short for `{family: resnet, size: resnet50}`."""


class TeacherFeatures(Model):
    """Which features of the teacher's vision tower the student's are compared with."""

    at: Literal["tower", "merger"] = "tower"
    """Patches as the tower gives them, or the tokens that the language model is given."""
    pooling: Literal["mean", "max"] = "mean"
    """How the tokens of a picture become one vector, for students that have one."""
    grid: Positive = 16
    """Rows and columns of the token grid that is kept for students with a feature map."""


class TeacherScores(Model):
    """How the teacher scores each class name as its answer to the prompt."""

    calibration: Literal["none", "mean"] = "none"
    """`mean` takes each class's mean score over the training rows off: what the teacher prefers whatever it sees
    (arXiv:2309.17249)."""


class DistillOptimizer(Model):
    """The optimizer and its schedule; what is absent is what is recommended for the student's family."""

    name: OptimizerName | None = None
    """The optimizer."""
    learning_rate: float | None = Field(None, gt=0)
    """Peak learning rate."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """How the learning rate falls after its rise."""
    warmup_ratio: float = Field(0.0, ge=0, lt=1)
    """The share of the steps in which the learning rate rises."""
    weight_decay: float | None = Field(None, ge=0)
    """How strongly weights are drawn to zero."""
    momentum: float = Field(0.9, ge=0, lt=1)
    """Of SGD."""
    max_grad_norm: NonNegative = 1.0
    """Gradients are clipped to this norm."""


class DistillBatch(Model):
    """`global` is what the optimizer sees at a step; accumulation is derived: global / (micro × gpus × nodes)."""

    global_: Positive | None = Field(None, alias="global")
    """Examples of one optimizer step, over all processes; what is recommended for the family when absent."""
    micro: Positive | None = None
    """Examples of one forward pass of one process; as many as give one pass when absent."""


class DistillEvaluation(Model):
    """The student's scores during training, and before it."""

    data: Reference | None = None
    """`STAGE.SPLIT`; nothing is evaluated when absent."""
    every: Cadence = "epoch"
    """How often: after so many steps, after each epoch, or at the end."""


class Distill(Stage):
    """Trains on rows of pictures; hands over a student. The teacher sees each picture once and is not trained."""

    kind: Literal["distill"]
    teacher: Reference | None = None
    """A name in `models`, or a stage that hands over a model or an adapter; absent with `type: none` only."""
    data: Reference
    """`STAGE.SPLIT` of a `prepare` stage."""
    student: Student
    """The network that learns: `FAMILY/SIZE`, or a map."""
    task: StudentTask | None = None
    """What it learns; what its family is for when absent."""
    classes: int | None = Field(None, ge=2)
    """How many classes there are, checked against the data; as many as the data has when absent."""
    type: Distillation | None = None
    """Learn from the teacher's features, from its scores (`logit`), from both (`hybrid`), or from the labels alone
    (`none`); what is recommended for the family when absent."""
    hard_label_weight: NonNegative = 0.5
    """The weight of the labels' loss."""
    soft_label_weight: NonNegative = 0.5
    """The weight of the teacher's."""
    temperature: float = Field(4.0, gt=0)
    """Softens both scores before they are compared; the loss is multiplied by its square (arXiv:1503.02531)."""
    feature_loss: FeatureLoss | None = None
    """How features are compared; what is recommended for the family when absent."""
    align_feature: bool = True
    """Learn a projection from the student's features to the teacher's; it is dropped when the student is handed over."""
    features: TeacherFeatures = default(TeacherFeatures)
    scores: TeacherScores = default(TeacherScores)
    freeze_batch_norm: bool = False
    """Keep the batch norms of pretrained weights as they are, so that a picture is not seen in the light of its batch: the
    result does not depend on the number of processes where the loss is a mean over pictures."""
    augment: bool = True
    """Vary the pictures that the student sees."""
    views: Positive = 1
    """Variants of each picture that the teacher sees; with more than one, the student sees the same ones in turn."""
    optimizer: DistillOptimizer = default(DistillOptimizer)
    batch: DistillBatch = default(DistillBatch)
    epochs: float = Field(100.0, gt=0)
    """How often each row is seen."""
    max_steps: Positive | None = None
    """End after so many optimizer steps, whatever `epochs` says."""
    precision: Dtype = "float32"
    """The number format of the student's training."""
    evaluation: DistillEvaluation = default(DistillEvaluation)
    checkpoints: Checkpoints = default(Checkpoints)
    early_stopping: EarlyStopping | None = None
    logging: Logging = default(Logging)

    @property
    def uses(self) -> tuple[Use, ...]:
        taught = (Use("teacher", ("teacher",), self.teacher, ("models", "model", "adapter")),) if self.teacher else ()
        held_out = self.evaluation.data
        validation = (Use("validation", ("evaluation", "data"), held_out, ("rows",)),) if held_out else ()
        weights = self.student.pretrained
        named = weights is not None and not self.files
        start = (Use("pretrained", ("student", "pretrained"), str(weights), ("models",)),) if named else ()
        return (*taught, Use("data", ("data",), self.data, ("rows",)), *validation, *start)

    @property
    def files(self) -> tuple[FileUse, ...]:
        """The student's weights, where they are a file or folder of the project."""
        weights = self.student.pretrained
        path = weights is not None and ("/" in weights or "." in weights)
        return (FileUse("pretrained", ("student", "pretrained"), str(weights)),) if path else ()

    @property
    def gives(self) -> Product:
        return "student"

    @property
    def distillation(self) -> Distillation:
        """What it learns from the teacher."""
        return self.type or self.student.facts.type

    @property
    def learns(self) -> StudentTask:
        """Its task."""
        return self.task or self.student.facts.task

    @property
    def global_batch(self) -> int:
        """Examples of one optimizer step."""
        return self.batch.global_ or self.student.facts.batch

    def micro_batch(self, world: int) -> int:
        """Examples of one forward pass of one of `world` processes."""
        return self.batch.micro or max(self.global_batch // world, 1)

    @property
    def recommended(self) -> dict[str, Any]:
        """Path of each field that the recipe leaves to the family → the value that is recommended for it."""
        facts, chosen = self.student.facts, self.optimizer
        compared = self.distillation in ("feature", "hybrid")
        fields: tuple[tuple[str, Any, Any], ...] = (
            ("student.image_size", self.student.image_size, facts.image_size),
            ("type", self.type, facts.type),
            *((("feature_loss", self.feature_loss, facts.feature_loss),) if compared else ()),
            ("optimizer.name", chosen.name, facts.optimizer),
            ("optimizer.learning_rate", chosen.learning_rate, facts.learning_rate),
            ("optimizer.weight_decay", chosen.weight_decay, facts.weight_decay),
            ("batch.global", self.batch.global_, facts.batch),
        )
        return {name: value for name, written, value in fields if written is None}
