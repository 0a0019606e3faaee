"""Rules of stages that make rows to learn from out of a model's answers."""

from __future__ import annotations

from collections.abc import Iterator

from schema.context import Context
from schema.diagnostics import Diagnostic
from schema.references import stage_place
from schema.stages import Predict, Synthesize


def paths_belong_to_questions(context: Context) -> Iterator[Diagnostic]:
    """R0333 to R0335: the answers are to the questions that paths are written for, and what is scored is held out."""
    for name, stage in context.recipe.stages.items():
        if not isinstance(stage, Synthesize):
            continue
        answers = context.recipe.stages[stage.predictions]
        if isinstance(answers, Predict) and answers.data != stage.data:
            message = f"`{stage.predictions}` answers `{answers.data}`, and `{name}` asks for paths of `{stage.data}`"
            places = (context.at("stages", name, "predictions"), stage_place(context, stage.predictions))
            yield Diagnostic("R0333", message, f"write `data: {answers.data}`, or predict `{stage.data}`", places)
        if stage.held_out == stage.data:
            message = f"`{stage.data}` is learnt from and held out"
            place = context.at("stages", name, "held_out")
            yield Diagnostic("R0334", message, "hold the split out that is scored later", (place,))
        source = stage.data.partition(".")[0]
        scored = {
            other.data: label
            for label, other in context.recipe.stages.items()
            if isinstance(other, Predict) and label != stage.predictions
            if other.data.partition(".")[0] == source and other.data != stage.data
        }
        if stage.held_out is None and scored:
            data, predicted = next(iter(scored.items()))
            message = f"`{predicted}` answers `{data}`, and nothing keeps its questions out of `{name}`"
            places = (context.key_at("stages", name), context.at("stages", predicted, "data"))
            yield Diagnostic("R0335", message, f"add `held_out: {data}`", places)
