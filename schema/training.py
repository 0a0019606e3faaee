"""What all training stages share: data, optimizer, batch, length, cadences and where the engine runs."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BeforeValidator, Field, JsonValue, WithJsonSchema
from pydantic_core import PydanticCustomError

from schema.base import REFERENCE, Cadence, Model, Positive, Reference, ServiceAddress, default
from schema.models import Dtype
from schema.stage import Product, Stage, Use
from schema.tuner import LoraTuner, Tuner

NonNegative = Annotated[float, Field(ge=0)]


class Source(Model):
    """One of several data sets of a stage."""

    data: Reference
    """`STAGE.SPLIT` of a `prepare` stage."""
    weight: float | None = Field(None, gt=0)
    """Its share of the draws; all sources of a stage have one, or none has."""
    count: Positive | None = None
    """So many rows of it, drawn by the seed; more than it has repeats rows."""


def _one_or_many(value: Any) -> Any:
    return [{"data": value}] if isinstance(value, str) else value


# `[…]`: only text is one source; a plain number, which is text elsewhere, is none.
_REFERENCE_SCHEMA = {"type": ["string"], "pattern": REFERENCE, "examples": ["data.train"]}
Sources = Annotated[
    tuple[Source, ...],
    Field(min_length=1, strict=False),  # a validator in front hides from pydantic that the list came from JSON
    BeforeValidator(
        _one_or_many,
        json_schema_input_type=Annotated[str, WithJsonSchema(_REFERENCE_SCHEMA)]
        | Annotated[tuple[Source, ...], Field(min_length=1)],
    ),
]


class Optimizer(Model):
    """The optimizer and its schedule. Defaults are ms-swift's of version 4.6, on every engine."""

    name: str = Field("adamw_torch_fused", min_length=1)
    """transformers' name of the optimizer."""
    learning_rate: float | None = Field(None, gt=0)
    """Peak learning rate; 1e-4 for adapters and 1e-5 for full fine-tunes when absent."""
    vision_learning_rate: float | None = Field(None, gt=0)
    """Another peak for the vision tower."""
    aligner_learning_rate: float | None = Field(None, gt=0)
    """Another peak for the aligner."""
    schedule: Literal[
        "cosine", "linear", "constant", "constant_with_warmup", "polynomial", "cosine_with_restarts", "inverse_sqrt"
    ] = "cosine"
    """How the learning rate falls after its rise."""
    warmup_ratio: float = Field(0.05, ge=0, lt=1)
    """The share of the steps in which the learning rate rises."""
    warmup_steps: int | None = Field(None, ge=0)
    """The steps in which it rises, instead of a share."""
    weight_decay: NonNegative = 0.1
    """How strongly weights are drawn to zero."""
    betas: Annotated[tuple[float, float], Field()] = (0.9, 0.95)
    """Decay rates of Adam's running moments."""
    epsilon: float = Field(1e-8, gt=0)
    """What Adam adds to the root of its second moment."""
    max_grad_norm: NonNegative = 1.0
    """Gradients are clipped to this norm."""


class Batch(Model):
    """`global` is what the optimizer sees at a step; accumulation is derived: global / (micro × gpus × nodes)."""

    global_: Positive = Field(16, alias="global")
    """Examples of one optimizer step, over all processes."""
    micro: Positive = 1
    """Examples of one forward pass of one process."""


class Evaluation(Model):
    """The validation loss during training."""

    data: Sources | None = None
    """What is evaluated; nothing when absent."""
    every: Cadence = "epoch"
    """How often: after so many steps, after each epoch, or at the end."""
    micro_batch: Positive = 1
    """Examples of one forward pass of one process."""


class Checkpoints(Model):
    """When checkpoints are written, how many stay, and which one the next stage gets."""

    every: Cadence = "epoch"
    """How often: after so many steps, after each epoch, or at the end."""
    keep: Positive = 2
    """How many stay at most."""
    select: Literal["last", "best"] = "last"
    """The checkpoint that goes on."""
    metric: str = Field("eval_loss", min_length=1)
    """What `best` is measured by."""
    higher_is_better: bool = False
    """Whether `metric` is a score, such as an accuracy, and not a loss."""


class EarlyStopping(Model):
    """End when the metric of `checkpoints` has not improved for so many evaluations."""

    patience: Positive
    """How many evaluations may bring nothing better."""


class HttpTracker(Model):
    """A service that is told of a training while it runs: state, epoch, step, loss, metrics and seconds left, as JSON."""

    url: ServiceAddress
    """Reports are posted to this address with `/` and the task behind it."""
    task: str = Field(min_length=1)
    """What the service calls this training."""


class Logging(Model):
    """What is written down while it trains. Nothing here can change the result."""

    every: Cadence = "5 steps"
    """How often loss and learning rate are written down."""
    trackers: tuple[Literal["tensorboard", "swanlab", "wandb"], ...] = ("tensorboard",)
    """Where they are written to."""
    project: str | None = None
    """The tracker's project."""
    http: HttpTracker | None = None
    """A service of your own that is told how it goes."""


class EngineArgs(Model):
    """Options of the engine that the language has no field for."""

    name: Literal["ms-swift"] = "ms-swift"
    """The engine."""
    args: dict[str, JsonValue] = {}
    """Option → value, checked against the engine's recorded signature."""


TrainerName = Literal["ms-swift", "trl"]


class TrainingEngine(Model):
    """Which engine trains, and options of it that the language has no field for."""

    name: TrainerName = "ms-swift"
    """The engine."""
    args: dict[str, JsonValue] = {}
    """Option → value, checked against the engine's recorded signature."""


def by_name(engine: type[Model], names: tuple[str, ...], others: str = "") -> BeforeValidator:
    """A validator that takes the name of an engine alone, too. The field needs `strict=False`: a validator in front hides
    from pydantic that the map came from JSON. `others` says where engines are named that this field does not know.
    """

    def named(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value not in names:
            help = "write " + " or ".join(f"`{name}`" for name in names) + others
            raise PydanticCustomError("R0103", "there is no engine of this name", {"help": help})
        return {"name": value}

    name_alone = Annotated[str, WithJsonSchema({"enum": [*names]})]
    return BeforeValidator(named, json_schema_input_type=name_alone | engine)


Engine = Annotated[TrainingEngine, Field(strict=False), by_name(TrainingEngine, get_args(TrainerName))]
"""`engine: trl` is short for `engine: {name: trl}`."""


DeepSpeed = Literal["zero0", "zero1", "zero2", "zero3", "zero1-offload", "zero2-offload", "zero3-offload"]


class TrainingStage(Stage):
    """Fields of every training stage."""

    starts_from: ClassVar[tuple[Literal["models", "datasets"] | Product, ...]] = ("models", "model")
    """What `model` may name."""
    model: Reference
    """A name in `models`, or a stage that hands over a model."""
    data: Sources
    """What is trained on: `STAGE.SPLIT`, or a list of them with weights or counts."""
    tuner: Tuner = default(LoraTuner)
    """What of the weights is trained: adapters, or all."""
    optimizer: Optimizer = default(Optimizer)
    batch: Batch = default(Batch)
    epochs: float = Field(1.0, gt=0)
    """How often each row is seen."""
    max_steps: Positive | None = None
    """End after so many optimizer steps, whatever `epochs` says."""
    precision: Dtype | None = None
    """The number format of training; the model's when absent."""
    gradient_checkpointing: bool = True
    """Compute activations twice to save memory."""
    deepspeed: DeepSpeed | None = None
    """Shard optimizer state (zero1), gradients (zero2) and weights (zero3) over processes (arXiv:1910.02054)."""
    overlap_comm: bool | None = None
    """DeepSpeed exchanges gradients while the backward pass still runs, for more memory."""
    evaluation: Evaluation = default(Evaluation)
    checkpoints: Checkpoints = default(Checkpoints)
    early_stopping: EarlyStopping | None = None
    logging: Logging = default(Logging)
    engine: Engine = default(TrainingEngine)
    """What trains; a name, or a map with options of it."""

    @property
    def uses(self) -> tuple[Use, ...]:
        return (
            Use("model", ("model",), self.model, self.starts_from),
            *_row_uses("data", ("data",), self.data),
            *_row_uses("validation", ("evaluation", "data"), self.evaluation.data or ()),
        )

    @property
    def gives(self) -> Product:
        return "adapter" if isinstance(self.tuner, LoraTuner) else "model"


class SupervisedStage(TrainingStage):
    """Fields of training stages that learn the answers of their rows."""

    max_length: Positive = 2048
    """Tokens of an example."""
    too_long: Literal["error", "left", "right"] = "error"
    """What happens to an example beyond `max_length`: the run ends, or it is cut at that side."""
    packing: bool = False
    """Several short examples share a sequence; needs flash attention."""


class AlignmentStage(TrainingStage):
    """Fields of stages that compare a policy with a reference model: what it was before they began."""

    starts_from: ClassVar[tuple[Literal["models", "datasets"] | Product, ...]] = ("models", "model", "adapter")
    model: Reference
    """A name in `models`, or a stage that hands over a model or an adapter."""
    adapter: Literal["stack", "new"] = "stack"
    """What an adapter means that `model` hands over. `stack`: training goes on in it, and the reference is as it was.
    `new`: another one starts on the model below it, and the reference is the model with the adapter that was handed over.
    To fold it in for good, put a `merge` stage between."""


def _row_uses(role: str, path: tuple[str | int, ...], sources: tuple[Source, ...]) -> Iterator[Use]:
    for number, source in enumerate(sources):
        yield Use(role if number == 0 else f"{role}-{number + 1}", (*path, number, "data"), source.data, ("rows",))
