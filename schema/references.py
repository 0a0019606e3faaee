"""References between parts of a recipe: what is named exists, fits, and leads in one direction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from schema.context import Context
from schema.datasets.okvqa import Okvqa
from schema.diagnostics import Diagnostic, Span
from schema.stage import Stage, Use
from schema.stages import Merge, Prepare, Synthesize


def names_are_apart(context: Context) -> Iterator[Diagnostic]:
    """R0211, R0306: one name means one thing, and one folder belongs to one stage."""
    for name in context.recipe.models:
        if name in context.recipe.stages:
            spans = (context.key_at("stages", name), context.key_at("models", name))
            yield Diagnostic("R0211", f"`{name}` is a model and a stage", "rename one of them", spans)
    if "compiled" in context.recipe.stages:
        message = "the name `compiled` belongs to the stage that every pipeline starts with"
        yield Diagnostic("R0306", message, "rename the stage", (context.key_at("stages", "compiled"),))


def references_exist(context: Context) -> Iterator[Diagnostic]:
    """R0201, R0202: a reference names something that the recipe has."""
    for stage, use in context.uses():
        known = _known(context, use)
        if use.name not in known and use.name not in context.lost:
            code, what = ("R0202", "data set") if "datasets" in use.accepts else ("R0201", _what(use))
            fitting = _fitting(context, stage, use)
            help = _did_you_mean(use.name, fitting) if fitting else _what_to_add(use)
            yield Diagnostic(code, f"there is no {what} `{use.name}`", help, (place(context, stage, use),))


def references_fit(context: Context) -> Iterator[Diagnostic]:
    """R0203, R0204: a stage gets what it can use, and a split that has rows."""
    for name, use in context.uses():
        stage = context.recipe.stages.get(use.name)
        if stage is None or use.name == name or "datasets" in use.accepts:
            yield from _no_split(context, name, use) if stage is None else ()
        elif stage.gives not in use.accepts:
            wanted = " or ".join(a for a in use.accepts if a not in ("models", "datasets"))
            message = f"`{use.name}` hands over {_article(stage.gives)}, and `{name}` wants {_article(wanted)}"
            places = (place(context, name, use), stage_place(context, use.name))
            yield Diagnostic("R0204", message, _merged(context, stage, use) or _stage_that_gives(context, use), places)
        elif isinstance(stage, Prepare):
            yield from _no_rows(context, name, use, stage)
        elif isinstance(stage, Synthesize) and use.split != "train":
            help = f"write `{use.name}.train`"
            yield Diagnostic("R0203", f"`{use.name}` makes rows to train on only", help, (place(context, name, use),))
        elif isinstance(stage, Synthesize):
            continue
        else:
            yield from _no_split(context, name, use)


def no_cycles(context: Context) -> Iterator[Diagnostic]:
    """R0205: stages depend on each other in one direction."""
    stages = context.recipe.stages
    graph = {
        name: [use.name for use in stage.uses if use.name in stages and use.names_stage]
        for name, stage in stages.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        spans = tuple(
            replace(place(context, stage, use), label=f"`{stage}` needs `{use.name}`")
            for stage, used in pairwise(circle)
            for use in stages[stage].uses
            if use.name == used
        )
        message = "stages wait for each other: " + " → ".join(circle)
        yield Diagnostic("R0205", message, "remove one of these references", spans)


def place(context: Context, stage: str, use: Use) -> Span:
    """Where a reference stands."""
    return context.at("stages", stage, *use.path)


def stage_place(context: Context, name: str) -> Span:
    """Where a stage is defined."""
    return replace(context.key_at("stages", name), label=f"`{name}` is defined here")


def _known(context: Context, use: Use) -> dict[str, object]:
    recipe = context.recipe
    if "datasets" in use.accepts:
        return {**recipe.datasets}
    return {**(recipe.models if "models" in use.accepts else {}), **recipe.stages}


def _what(use: Use) -> str:
    return "model or stage" if "models" in use.accepts else "stage"


def _no_rows(context: Context, name: str, use: Use, stage: Prepare) -> Iterator[Diagnostic]:
    dataset = context.recipe.datasets.get(stage.dataset)
    if dataset is not None and use.split not in dataset.splits:
        written = f"split `{use.split}`" if use.split else "split"
        message = f"`{use.target}` names no {written} of `{use.name}` that has rows"
        choices = " or ".join(f"`{use.name}.{split}`" for split in dataset.splits)
        help = f"write {choices}" + ("" if isinstance(dataset, Okvqa) else ", or add to the data set's `split`")
        yield Diagnostic("R0203", message, help, (place(context, name, use),))


def _no_split(context: Context, name: str, use: Use) -> Iterator[Diagnostic]:
    if use.split is not None and use.name in _known(context, use):
        message = f"`{use.name}` has no splits: only stages that prepare data have"
        yield Diagnostic("R0203", message, f"write `{use.name}`", (place(context, name, use),))


def _article(product: str) -> str:
    return f"an {product}" if product[0] in "aeiou" else product if product.endswith("s") else f"a {product}"


_KINDS: dict[str, str] = {
    "adapter": "sft` with `tuner: {kind: lora}",
    "embeddings": "features",
    "export": "export",
    "model": "merge",
    "predictions": "predict",
    "rows": "prepare",
    "student": "distill",
}


def _merged(context: Context, stage: Stage, use: Use) -> str | None:
    """What to write for an adapter where a model is wanted."""
    if stage.gives != "adapter" or "model" not in use.accepts:
        return None
    stages = context.recipe.stages.items()
    merges = [name for name, other in stages if isinstance(other, Merge) and other.adapter == use.name]
    if merges:
        return "write " + " or ".join(f"`{name}`" for name in merges)
    return f"add `{use.name}-merged: {{kind: merge, adapter: {use.name}}}`, and write `{use.name}-merged`"


def _stage_that_gives(context: Context, use: Use) -> str:
    fitting = [name for name, stage in context.recipe.stages.items() if stage.gives in use.accepts]
    return "write " + " or ".join(f"`{name}`" for name in fitting) if fitting else _what_to_add(use)


def _what_to_add(use: Use) -> str:
    if "datasets" in use.accepts:
        return "add it to `datasets`"
    if "models" in use.accepts:
        return "add it to `models`"
    return f"add a stage of `kind: {_KINDS[use.accepts[-1]]}`"


def _fitting(context: Context, stage: str, use: Use) -> list[str]:
    """The names that would do instead."""
    stages = context.recipe.stages
    return [n for n in _known(context, use) if n != stage and (n not in stages or stages[n].gives in use.accepts)]


def _did_you_mean(name: str, known: list[str]) -> str:
    from schema.suggest import nearest  # the fuzzy matcher, which only a mistake pays for

    guess = nearest(name, known)
    return f"did you mean `{guess}`?" if guess else "there are " + ", ".join(f"`{other}`" for other in known)
