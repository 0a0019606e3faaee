"""Stage kinds: one file for each, with its model, its docstring and its example. `AnyStage` is any of them."""

from typing import Annotated

from pydantic import Field

from schema.stage import Stage
from schema.stages.benchmark import Benchmark
from schema.stages.check import Check
from schema.stages.classify import Classify
from schema.stages.deploy import Deploy
from schema.stages.distill import Distill
from schema.stages.dpo import Dpo
from schema.stages.embed import Embed
from schema.stages.evaluate import Evaluate
from schema.stages.export import Export
from schema.stages.features import Features
from schema.stages.grpo import Grpo
from schema.stages.merge import Merge
from schema.stages.predict import Predict
from schema.stages.prepare import Prepare
from schema.stages.quantize import Quantize
from schema.stages.retrieve import Retrieve
from schema.stages.sft import Sft
from schema.stages.synthesize import Synthesize

__all__ = [
    "KINDS",
    "AnyStage",
    "Benchmark",
    "Check",
    "Classify",
    "Deploy",
    "Distill",
    "Dpo",
    "Embed",
    "Evaluate",
    "Export",
    "Features",
    "Grpo",
    "Merge",
    "Predict",
    "Prepare",
    "Quantize",
    "Retrieve",
    "Sft",
    "Stage",
    "Synthesize",
]

KINDS: tuple[type[Stage], ...] = (
    *(Prepare, Check, Sft, Classify, Grpo, Dpo, Distill, Embed),
    *(Merge, Predict, Evaluate, Features, Retrieve, Synthesize),
    *(Export, Quantize, Deploy, Benchmark),
)

AnyStage = Annotated[
    Prepare
    | Sft
    | Classify
    | Grpo
    | Dpo
    | Distill
    | Merge
    | Predict
    | Evaluate
    | Embed
    | Features
    | Retrieve
    | Synthesize
    | Export
    | Quantize
    | Deploy
    | Benchmark
    | Check,
    Field(discriminator="kind"),
]
