"""Rules of classes that occur together, of embeddings, and of what is measured on which rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from schema.context import Context
from schema.diagnostics import Diagnostic
from schema.references import stage_place
from schema.stages import Classify, Embed, Evaluate, Features, Predict, Prepare, Retrieve


def _evaluations(context: Context) -> Iterator[tuple[str, Evaluate, Predict]]:
    """The scores of predictions, with the stage that predicts."""
    for name, stage in context.recipe.stages.items():
        predictions = context.recipe.stages.get(stage.predictions) if isinstance(stage, Evaluate) else None
        if isinstance(stage, Evaluate) and isinstance(predictions, Predict):
            yield name, stage, predictions


def _tags(context: Context, predictions: Predict) -> bool:
    """Whether predictions hold any number of classes."""
    classifier = context.recipe.classifier(predictions.model)
    return classifier is not None and bool(classifier.multi_label)


def thresholds_are_fair(context: Context) -> Iterator[Diagnostic]:
    """R0370: thresholds are chosen on validation rows, and what is scored with them are other rows of the same data."""
    for name, stage, predictions in _evaluations(context):
        chosen = context.recipe.stages.get(stage.thresholds_from or "")
        if not isinstance(chosen, Predict):
            continue
        problem = _unfair(chosen, predictions)
        if problem is not None:
            message, help = problem
            assert stage.thresholds_from is not None
            places = (
                replace(context.at("stages", name, "thresholds_from"), label=f"chosen on `{chosen.data}`"),
                replace(context.at("stages", name, "predictions"), label=f"scored on `{predictions.data}`"),
            )
            yield Diagnostic("R0370", message, help, places)


def _unfair(chosen: Predict, scored: Predict) -> tuple[str, str] | None:
    prepared, _, split = chosen.data.partition(".")
    if split != "validation":
        message = f"thresholds would be chosen on the split `{split}`, and only `validation` is for choosing"
        return message, f"let `thresholds_from` name a `predict` stage with `data: {prepared}.validation`"
    if scored.data == chosen.data:
        message = "thresholds would be chosen on the rows that they are scored on, which flatters them"
        return message, f"score predictions of `{prepared}.test`, or leave `thresholds_from` out"
    if scored.data.partition(".")[0] != prepared:
        message = "thresholds would be chosen on other prepared data, which may hold rows that are scored"
        return message, "take both splits from one `prepare` stage"
    if scored.model != chosen.model:
        message = f"thresholds would be chosen for `{chosen.model}`, and `{scored.model}` is scored"
        return message, "predict both splits with one model"
    return None


def metrics_fit(context: Context) -> Iterator[Diagnostic]:
    """R0371: average precision and thresholds need a probability for each of the classes that may occur together."""
    for name, stage, predictions in _evaluations(context):
        if _tags(context, predictions):
            continue
        model = context.recipe.classifier(predictions.model)
        instead = "set `multi_label: true` in what trained the model" if model is not None else "remove it"
        if "map" in stage.metrics:
            place = context.at("stages", name, "metrics", stage.metrics.index("map"))
            yield Diagnostic("R0371", "`map` needs predictions with any number of classes", instead, (place,))
        if stage.thresholds_from is not None:
            message = "thresholds need predictions with any number of classes"
            yield Diagnostic("R0371", message, instead, (context.at("stages", name, "thresholds_from"),))


def overlap_has_shards(context: Context) -> Iterator[Diagnostic]:
    """R0372: it is DeepSpeed that overlaps the exchange of gradients, and only where it shards something."""
    for name, stage in context.training():
        if stage.overlap_comm and (stage.deepspeed is None or stage.deepspeed == "zero0"):
            message = f"`overlap_comm` is about DeepSpeed's ZeRO, and `{name}` shards nothing"
            help = "add `deepspeed: zero2`, or remove `overlap_comm`"
            yield Diagnostic("R0372", message, help, (context.at("stages", name, "overlap_comm"),))


def pairs_have_others(context: Context) -> Iterator[Diagnostic]:
    """R0373: a pair is held against others: of its batch, or of its row."""
    world = context.recipe.hardware.world
    for name, stage in context.training():
        if not isinstance(stage, Embed) or (stage.in_batch_negatives and stage.batch.micro * world > 1):
            continue
        without = [number for number, source in enumerate(stage.data) if not _negatives(context, source.data)]
        for number in without:
            message = f"`{name}` has no other text to hold a pair against, so nothing would be learned"
            help = "write `in_batch_negatives: true` and a `micro` of 2 or more, or name `columns.negatives`"
            places = (
                replace(context.at("stages", name, "data", number), label="rows without `negatives`"),
                replace(context.at("stages", name, "batch", "micro"), label="rows whose texts are compared"),
            )
            yield Diagnostic("R0373", message, help, places)


def _negatives(context: Context, data: str) -> bool:
    """Whether rows may have negatives: columns name them, or rows in messages form bring their own."""
    source = context.recipe.stages.get(data.partition(".")[0])
    dataset = context.recipe.datasets.get(source.dataset) if isinstance(source, Prepare) else None
    if dataset is None or not hasattr(dataset, "columns"):
        return False
    return dataset.columns is None or dataset.columns.negatives is not None


def heads_fit(context: Context) -> Iterator[Diagnostic]:
    """R0374: a model that was trained to embed writes no text, and a classifier's head is no place for features."""
    for name, stage in context.recipe.stages.items():
        head = context.recipe.head(stage.model) if isinstance(stage, Predict | Features) else None
        if isinstance(stage, Predict) and isinstance(head, Embed):
            message, help = f"`{stage.model}` was trained to embed and writes no answers", "write `kind: features`"
        elif isinstance(stage, Features) and isinstance(head, Classify):
            message = f"`{stage.model}` was trained to classify, and its states are those of its head"
            help = "write `kind: predict`, or embed with the model below it"
        else:
            continue
        yield Diagnostic("R0374", message, help, (context.at("stages", name, "model"),))


def retrieval_has_pairs(context: Context) -> Iterator[Diagnostic]:
    """R0375: what is to be found are the texts of rows that were prepared with them."""
    stages = context.recipe.stages
    for name, stage in stages.items():
        features = stages.get(stage.embeddings) if isinstance(stage, Retrieve) else None
        source = stages.get(features.data.partition(".")[0]) if isinstance(features, Features) else None
        if isinstance(features, Features) and isinstance(source, Prepare) and source.task != "embed":
            prepared = features.data.partition(".")[0]
            message = f"`{name}` looks for the texts of rows, and `{prepared}` prepares rows to {source.task}"
            places = (context.at("stages", name, "embeddings"), stage_place(context, prepared))
            yield Diagnostic("R0375", message, f"write `task: embed` in `{prepared}`", places)
