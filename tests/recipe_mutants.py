"""Recipes with something changed: dropped, renamed, retyped, swapped, added, out of range or nested."""

import copy

WORDS = ["x-note", "lr", "kind", "rank", "epochs", "train", "name", "data", "a b", "A", "x-", ""]
SCALARS = [None, True, False, 0, 1, -1, 4.0, 2.5, 1e300, -0.0, 2**53, 5e-324, "", " ", "a\n", "x", "1", "true", "nan"]
SCALARS += [
    "lora",
    "full",
    "sft",
    "predict",
    "zero3",
    "epoch",
    "5 steps",
    "24GiB",
    "data.train",
    "base",
    "a.b.c",
    "é",
    "１ steps",
]
NESTED = [
    [],
    {},
    [[]],
    [None],
    {"x-note": [1]},
    {"kind": "lora"},
    {"kind": {}},
    {"": {"": {"": [{}]}}},
    {"train": None},
]
NESTED += [[scalar] for scalar in SCALARS[:8]] + [{word: SCALARS[-i]} for i, word in enumerate(WORDS)]
VALUES = [*SCALARS, *NESTED]
SECTIONS = ("models", "datasets", "stages", "variants")


def slices(recipe, rng):
    """A recipe with few entries in each section, so that a change is likely to be the only one and checks are fast."""
    sliced = dict(recipe)
    for section in SECTIONS:
        if len(recipe.get(section, {})) > 2:
            sliced[section] = {name: recipe[section][name] for name in rng.sample(sorted(recipe[section]), 2)}
    for name, overlay in sliced.get("variants", {}).items():
        kept = {s: {n: e for n, e in overlay[s].items() if n in sliced[s]} for s in SECTIONS if s in overlay}
        sliced["variants"] = sliced["variants"] | {name: overlay | kept}
    if "axes" in sliced:
        sliced["axes"] = {"size": list(sliced["variants"])}
    return copy.deepcopy(sliced)


def places(value, path=()):
    """Every place in the data, as a path."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from places(item, (*path, key))


def get(value, path):
    for key in path:
        value = value[key]
    return value


def near(value):
    """Numbers near another one: still in range, or just out of it."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return [str(value)]
    return [value + 1, value - 1, -value, value * 0.5, float(value), str(value), value * 2**33]


def changed(data, rng):
    """Change one thing: dropped, renamed, retyped, swapped, added, out of range or nested."""
    found = list(places(data))
    if not found:
        return
    path = rng.choice(found)
    parent, key, value = get(data, path[:-1]), path[-1], get(data, path)
    change = rng.choice(["drop", "rename", "value", "swap", "add", "note", "nest", "near", "near", "null"])
    if change == "drop":
        del parent[key]
    elif change == "rename" and isinstance(parent, dict):
        parent[rng.choice(WORDS)] = parent.pop(key)
    elif change == "swap":
        parent[key] = copy.deepcopy(get(data, rng.choice(found)))
    elif change in ("add", "note") and isinstance(value, dict):
        value["x-note" if change == "note" else rng.choice(WORDS)] = copy.deepcopy(rng.choice(VALUES))
    elif change == "nest":
        parent[key] = rng.choice([[value], {"kind": value}, {"x-note": value}, [[value]]])
    elif change == "near":
        parent[key] = rng.choice(near(value))
    else:
        parent[key] = None if change == "null" else copy.deepcopy(rng.choice(VALUES))


def thinned(value, rng):
    """A value with some of its parts left out."""
    if not isinstance(value, dict):
        return value
    return {key: thinned(item, rng) for key, item in value.items() if rng.random() < 0.6}
