"""Rules of visual questions with several people's answers: their split, their prompt, and how they are scored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from schema.context import Context
from schema.datasets.base import Split
from schema.datasets.okvqa import QUESTION, Okvqa
from schema.diagnostics import Diagnostic, Span
from schema.references import stage_place
from schema.stages import Evaluate, Predict, Prepare

AGREEMENT = "vqa_accuracy"


def official_split_stays(context: Context) -> Iterator[Diagnostic]:
    """R0365: the official split is the split."""
    for name, dataset in _okvqa(context):
        if dataset.split != Split():
            message = "the data set brings its own split: training and validation questions are files of their own"
            place = context.at("datasets", name, "split")
            yield Diagnostic("R0365", message, "remove `split`; the splits are `train` and `validation`", (place,))


def prompt_asks_the_question(context: Context) -> Iterator[Diagnostic]:
    """R0368: a prompt says where the question of a row stands."""
    for name, dataset in _okvqa(context):
        if dataset.prompt is not None and QUESTION not in dataset.prompt:
            message = f"the prompt leaves out the question: there is no `{QUESTION}` in it"
            help = f"write `{QUESTION}` where the question of each row belongs, or no `prompt`"
            yield Diagnostic("R0368", message, help, (context.at("datasets", name, "prompt"),))


def questions_are_answered_in_words(context: Context) -> Iterator[Diagnostic]:
    """R0367: rows with ten answers have no class and no rejected answer."""
    for name, stage in context.recipe.stages.items():
        if not isinstance(stage, Prepare) or stage.task in ("generate", "solve"):
            continue
        if isinstance(context.recipe.datasets[stage.dataset], Okvqa):
            message = f"`{stage.dataset}` has questions with answers in words, and nothing to {stage.task}"
            help = "remove `task`, or write `task: solve` for learning from rewards"
            spans = (context.at("stages", name, "task"), _dataset_place(context, stage.dataset))
            yield Diagnostic("R0367", message, help, spans)


def answers_are_scored_as_they_are(context: Context) -> Iterator[Diagnostic]:
    """R0366: agreement with several answers is measured where rows have them, and stands alone."""
    for name, stage in context.recipe.stages.items():
        if not isinstance(stage, Evaluate) or (found := _prepared(context, stage)) is None:
            continue
        rows, prepared = found
        several = isinstance(context.recipe.datasets[prepared.dataset], Okvqa)
        others = [metric for metric in stage.metrics if metric != AGREEMENT]
        spans = (replace(context.at("stages", name, "metrics"), label="scored here"), stage_place(context, rows))
        if several and others:
            message = f"`{others[0]}` counts classes, and the rows of `{rows}` have several people's answers"
            yield Diagnostic("R0366", message, f"write `metrics: [{AGREEMENT}]`", spans)
        elif not several and AGREEMENT in stage.metrics:
            message = f"`{AGREEMENT}` compares with several people's answers, and the rows of `{rows}` have one"
            yield Diagnostic("R0366", message, "score rows of a data set of `kind: okvqa`, or take `accuracy`", spans)


def _okvqa(context: Context) -> Iterator[tuple[str, Okvqa]]:
    return ((name, dataset) for name, dataset in context.recipe.datasets.items() if isinstance(dataset, Okvqa))


def _prepared(context: Context, stage: Evaluate) -> tuple[str, Prepare] | None:
    """The stage that prepared the rows behind predictions, with its name."""
    predictions = context.recipe.stages[stage.predictions]
    if not isinstance(predictions, Predict):
        return None
    name = predictions.data.partition(".")[0]
    prepared = context.recipe.stages[name]
    return (name, prepared) if isinstance(prepared, Prepare) else None


def _dataset_place(context: Context, name: str) -> Span:
    return replace(context.key_at("datasets", name), label=f"`{name}` is described here")
