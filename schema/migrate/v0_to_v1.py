"""Version 0, the draft before the first release → version 1.

1. A training stage cut rows that are too long at their left end; now such a row is an error. The old default is written out.
2. `batch_size` (of one process) and `gradient_accumulation`, each 1 where it was not written, become
   `batch: {global, micro}`: global = batch_size × gpus × nodes × gradient_accumulation, with the hardware of each instance.
3. `lora_rank`, `lora_alpha`, `lora_dropout` and `lora_target_modules` become `tuner: {kind: lora, …}`. Beside
   `tuner: {kind: full}` they had no effect.
4. `learning_rate`, `lr_scheduler`, `warmup_ratio` and `weight_decay` become `optimizer: {…}`.
5. `shuffle_seed`, a seed of its own for the order of the rows, is gone: `seed` is for everything. Where it was another
   number, the order of the rows changes, and the hash with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from schema.diagnostics import Diagnostic, RecipeError, Span
from schema.migrate.changes import Edit, Move, Remove
from schema.migrate.draft import Draft, Stack, training, value
from schema.migrate.step import Loss, Result
from schema.migrate.wishes import Wish
from schema.tree import MapNode, find, key_span, value_span

FROM = 0
TO = 1

OPTIMIZER = {
    "learning_rate": "learning_rate",
    "lr_scheduler": "schedule",
    "warmup_ratio": "warmup_ratio",
    "weight_decay": "weight_decay",
}
TUNER = {
    "lora_rank": "rank",
    "lora_alpha": "alpha",
    "lora_dropout": "dropout",
    "lora_target_modules": "target_modules",
}
OWN_KIND = "has a kind of its own"
SEED = 42
"""The recipe's seed where it is not written."""


def long_rows(draft: Draft) -> Iterator[Result]:
    """1: the old default of `too_long`."""
    for stack in draft.stacks:
        for stage in training(stack):
            if find(stack.tree, ("stages", stage, "too_long")) is None:
                note = "too_long: left, the default of version 0, is written out: now it is `error`"
                yield Wish(stack, stage, ("too_long",), "left", note, {("stages", stage, "kind"): OWN_KIND})


def batch(draft: Draft) -> Iterator[Result]:
    """2: a batch of one process and accumulation → the global batch."""
    yield from _global_batches(draft)
    for stage, node in draft.training_stages():
        flat = [name for name in ("batch_size", "gradient_accumulation") if name in node.items]
        micro = [Move(node, name, ("batch", "micro")) for name in flat if name == "batch_size"]
        spare = [Remove(node, name, "batch") for name in flat if name == "gradient_accumulation"]
        if flat:
            yield Edit(f"{stage}: {', '.join(flat)} → batch", _key(node, flat[0]), (*micro, *spare))


def _global_batches(draft: Draft) -> list[Wish]:
    """The global batch of each training stage that does not state it. Errors: RecipeError R0720, all at once."""
    found: list[Wish] = []
    errors: dict[Diagnostic, None] = {}
    for stack in draft.stacks:
        for stage in training(stack):
            try:
                if find(stack.tree, ("stages", stage, "batch", "global")) is None:
                    found.append(_global_batch(stack, stage))
            except RecipeError as error:
                errors |= dict.fromkeys(error.diagnostics)
    if errors:
        raise RecipeError(errors)
    return found


def _global_batch(stack: Stack, stage: str) -> Wish:
    micro = _whole(stack, 1, "stages", stage, "batch_size")
    accumulation = _whole(stack, 1, "stages", stage, "gradient_accumulation")
    gpus, nodes = _whole(stack, 1, "hardware", "gpus", least=0), _whole(stack, 1, "hardware", "nodes")
    total = micro * max(gpus, 1) * nodes * accumulation
    processes = f"{gpus} GPU{'' if gpus == 1 else 's'}" if gpus else "1 process on the CPU"
    note = (
        f"batch.global = {total}: batch_size {micro} × {processes} × {nodes} node{'' if nodes == 1 else 's'}"
        f" × gradient_accumulation {accumulation}"
    )
    own, hardware = "sets another batch", "changes the hardware, and with it the global batch"
    factors = {
        ("stages", stage, "gradient_accumulation"): own,
        ("stages", stage, "batch_size"): own,
        ("hardware", "gpus"): hardware,
        ("hardware", "nodes"): hardware,
        ("stages", stage, "kind"): OWN_KIND,
    }
    near = "batch_size" if _written(stack, stage, "batch_size") else "gradient_accumulation"
    return Wish(stack, stage, ("batch", "global"), total, note, factors, near)


def _written(stack: Stack, stage: str, field: str) -> bool:
    return any((node := layer.stage(stage)) is not None and field in node.items for layer in stack.layers)


def _whole(stack: Stack, default: int, *path: str, least: int = 1) -> int:
    """A whole number of an instance. Errors: RecipeError R0720, when it is something else."""
    if find(stack.tree, path) is None:
        return default
    found = value(stack.tree, *path)
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    if not isinstance(found, int) or isinstance(found, bool) or found < least:
        message = f"`{path[-1]}` is no whole number of at least {least}, and the global batch follows from it"
        raise RecipeError([Diagnostic("R0720", message, "write a whole number", (value_span(stack.tree, path),))])
    return found


def tuner(draft: Draft) -> Iterator[Result]:
    """3: flat fields of LoRA → `tuner`."""
    for stack in draft.stacks:
        for stage in training(stack):
            flat: Mapping[tuple[str, ...], str] = {("stages", stage, name): "sets fields of LoRA" for name in TUNER}
            if value(stack.tree, "stages", stage, "tuner", "kind") is None and any(
                find(stack.tree, path) is not None for path in flat
            ):
                yield Wish(stack, stage, ("tuner", "kind"), "lora", "tuner.kind: lora", flat, next(iter(TUNER)))
    idle = _idle(draft)
    for stage, node in draft.training_stages():
        if id(node) in idle:
            yield from _idle_fields(stage, node)
        else:
            yield from _moves(stage, node, "tuner", TUNER)


def _idle(draft: Draft) -> set[int]:
    """The maps of stages that train all weights in every instance, and in which fields of LoRA have no effect."""
    kinds: dict[int, set[object]] = {}
    for stack in draft.stacks:
        for stage in training(stack):
            for layer in stack.effective(stage):
                kinds.setdefault(id(layer.stage(stage)), set()).add(value(stack.tree, "stages", stage, "tuner", "kind"))
    return {node for node, found in kinds.items() if found == {"full"}}


def _idle_fields(stage: str, node: MapNode) -> Iterator[Edit]:
    flat = [name for name in node.items if name in TUNER]
    if flat:
        note = f"{stage}: {', '.join(flat)} had no effect beside `kind: full`"
        yield Edit(note, _key(node, flat[0]), tuple(Remove(node, name) for name in flat))


def optimizer(draft: Draft) -> Iterator[Result]:
    """4: flat fields of the optimizer → `optimizer`."""
    for stage, node in draft.training_stages():
        yield from _moves(stage, node, "optimizer", OPTIMIZER)


def _moves(stage: str, node: MapNode, into: str, names: Mapping[str, str]) -> Iterator[Edit]:
    """Fields of a stage that move into a map, told in one line."""
    flat = [name for name in node.items if name in names]
    if flat:
        moved = ", ".join(name if names[name] == name else f"{name} ({names[name]})" for name in flat)
        moves = tuple(Move(node, name, (into, names[name])) for name in flat)
        yield Edit(f"{stage}: {moved} → {into}", _key(node, flat[0]), moves)


def shuffle_seed(draft: Draft) -> Iterator[Result]:
    """5: the seed of the order of rows goes."""
    for stage, node in draft.training_stages():
        if "shuffle_seed" in node.items:
            note = f"{stage}: shuffle_seed is gone, `seed` is for everything"
            yield Edit(note, _key(node, "shuffle_seed"), (Remove(node, "shuffle_seed"),))
    for stack in draft.stacks:
        seed = SEED if find(stack.tree, ("seed",)) is None else value(stack.tree, "seed")
        for stage in training(stack):
            old = value(stack.tree, "stages", stage, "shuffle_seed")
            if old is not None and old != seed:
                reason = f"rows came in the order of shuffle_seed {old}, and come in that of seed {seed}"
                place = value_span(stack.tree, ("stages", stage, "shuffle_seed"))
                yield Loss(stack.file, stack.variant, stage, reason, place)


def _key(node: MapNode, key: str) -> Span:
    return key_span(node, (key,))


TRANSFORMS = (long_rows, batch, tuner, optimizer, shuffle_seed)
