"""The same data written as YAML in many ways: block or flow, quotes, order, comments, anchors, notes."""

import json
import re

from compiling import quoted

from schema.yaml_core import resolve

PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_/.-]*( [A-Za-z0-9_/.-]+)*")
COMMENTS = ["# a comment", "", "# - another: one", "#", "   # {", "# 😀 it's"]


def written(recipe, rng):
    """A recipe as text, in a style that chance chooses."""
    return "\n".join(["---"][: rng.randrange(2)] + list(block(recipe, rng, 0))) + "\n"


def block(value, rng, depth):
    """The lines of a map in block style. A value that equals an earlier one may be an alias of it."""
    items = shuffled(value, rng)
    if rng.random() < 0.2 and "x-note" not in value:
        items.insert(0, ("x-note", {"any": [1, None]}))
    margin = " " * depth
    anchors = {}
    for name, item in items:
        if rng.random() < 0.15:
            yield (margin + rng.choice(COMMENTS)).rstrip()
        head = f"{margin}{scalar(name, rng)}:"
        known = json.dumps(item)
        if known in anchors and rng.random() < 0.8:
            yield f"{head} *{anchors[known]}"
            continue
        if isinstance(item, (dict, list)) and item and rng.random() < 0.5:
            anchors[known] = f"a{depth}-{len(anchors)}-{rng.randrange(10**9)}"
            head += f" &{anchors[known]}"
        if isinstance(item, dict) and item and rng.random() < 0.7:
            yield head
            yield from block(item, rng, depth + rng.choice([1, 2, 4]))
        else:
            yield f"{head} {flow(item, rng)}" + rng.choice(["", "  # why"])


def shuffled(value, rng):
    """The items of a map in any order, but for axes, whose order makes the names of variants."""
    items = list(value.items())
    if not all(isinstance(item, list) for item in value.values()):
        rng.shuffle(items)
    return items


def flow(value, rng):
    if isinstance(value, dict):
        items = shuffled(value, rng)
        return "{" + ", ".join(f"{scalar(name, rng)}: {flow(item, rng)}" for name, item in items) + "}"
    if isinstance(value, list):
        return "[" + rng.choice([", ", " , "]).join(flow(item, rng) for item in value) + "]"
    return scalar(value, rng)


def scalar(value, rng):
    if value is None:
        return rng.choice(["null", "~", "Null"])
    if isinstance(value, bool):
        return rng.choice([str(value), str(value).lower()])
    if isinstance(value, int):
        return rng.choice([str(value), f"+{value}", hex(value)] if value >= 0 else [str(value)])
    if isinstance(value, float):
        return rng.choice([repr(value), f"{value:.17e}"])
    styles = [quoted(value)]
    if PLAIN.fullmatch(value) and isinstance(resolve(value), str):
        styles.append(value)
    if value.isprintable() and value.isascii():
        styles.append("'" + value.replace("'", "''") + "'")
    return rng.choice(styles)
