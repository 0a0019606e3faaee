"""Whether recipes that are migrated file by file still compose to what each instance means."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from schema.diagnostics import Diagnostic, RecipeError
from schema.migrate.changes import applied
from schema.migrate.draft import Draft, Stack
from schema.migrate.step import Step, edits_of, results
from schema.tree import MapNode, to_data, value_span

LONG = 80
"""Characters of a value that are shown."""


class _Absent:
    """Stands for a value that one side does not have; null is a value."""


ABSENT = _Absent()


def check(step: Step, old: Draft, new: Draft) -> None:
    """Compare each instance of the new files with what the old instance becomes when it is migrated as a file of its own.

    They could differ: a map that gets a `kind` in one file is replaced by one of another kind, and was merged with it before.

    Raises:
        RecipeError: R0722, what differs.
    """
    found = {(stack.file, stack.variant): stack.tree for stack in new.stacks}
    wrong = [d for stack in old.stacks for d in _differences(step, stack, found[stack.file, stack.variant])]
    if wrong:
        raise RecipeError(wrong)


def _differences(step: Step, stack: Stack, new: MapNode) -> Iterator[Diagnostic]:
    alone = Draft({stack.file: stack.tree}, (stack.alone(),))
    changes = [change for edit in edits_of(results(step, alone)) for change in edit.changes]
    meant = {**applied(stack.tree, changes), "version": step.TO}
    for path, wanted, found in differing(meant, to_data(new)):
        message = f"{stack.name}: `{'.'.join(path)}` would be {_said(found)}, and what is written means {_said(wanted)}"
        help = (
            f"write what this instance says about `{'.'.join(path[:2])}` out in a layer of its own, and migrate again"
        )
        yield Diagnostic("R0722", message, help, (value_span(stack.tree, path),))


def differing(left: Any, right: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """The places where two values differ, with what stands there on both sides.

    >>> list(differing({"a": {"b": 1, "c": 2}}, {"a": {"b": True, "c": 2}}))
    [(('a', 'b'), 1, True)]
    """
    if isinstance(left, dict) and isinstance(right, dict):
        for name in dict.fromkeys([*left, *right]):
            yield from differing(left.get(name, ABSENT), right.get(name, ABSENT), (*path, name))
    elif ABSENT in (left, right) or json.dumps(left) != json.dumps(right):
        yield path, left, right


def _said(value: Any) -> str:
    if value is ABSENT:
        return "absent"
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text if len(text) <= LONG else text[: LONG - 1] + '…'}`"
