"""What a recipe of version 0 means, said a second time and without the migration: per instance, as data of version 1."""

import copy
import itertools

from schema.source import parse
from schema.tree import to_data

FLAT = {
    "learning_rate": ("optimizer", "learning_rate"),
    "lr_scheduler": ("optimizer", "schedule"),
    "warmup_ratio": ("optimizer", "warmup_ratio"),
    "weight_decay": ("optimizer", "weight_decay"),
    "lora_rank": ("tuner", "rank"),
    "lora_alpha": ("tuner", "alpha"),
    "lora_dropout": ("tuner", "dropout"),
    "lora_target_modules": ("tuner", "target_modules"),
}


def meaning(path):
    """Variant, or None → a recipe of version 1 without variants. `shuffle_seed` has no meaning there."""
    return {variant: translated(recipe) for variant, recipe in instances(path).items()}


def shuffle_seeds(path):
    """Variant, or None → stage → the seed of the order of its rows, where it has one of its own."""
    return {
        variant: {s: stage["shuffle_seed"] for s, stage in recipe["stages"].items() if "shuffle_seed" in (stage or {})}
        for variant, recipe in instances(path).items()
    }


def instances(path):
    whole = extended(path)
    variants, axes = whole.pop("variants", {}), whole.pop("axes", {})
    found = {None: whole}
    grouped = {name for group in axes.values() for name in group}
    alone = {name: overlay for name, overlay in variants.items() if name not in grouped}
    found |= {name: over(whole, overlay) for name, overlay in alone.items()}
    for names in itertools.product(*axes.values()) if axes else ():
        instance = whole
        for name in names:
            instance = over(instance, variants[name])
        found["-".join(names)] = instance
    return found


def extended(path):
    own = without_notes(to_data(parse(path.read_bytes().decode("utf-8-sig"), str(path))))
    whole = {}
    for base in own.pop("extends", []):
        whole = over(whole, extended(path.parent / base))
    return over(whole, own)


def without_notes(value):
    if isinstance(value, list):
        return [without_notes(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: without_notes(item) for name, item in value.items() if not name.startswith("x-")}


def over(base, overlay):
    if not (isinstance(base, dict) and isinstance(overlay, dict)):
        return copy.deepcopy(overlay)
    kinds = {part["kind"] for part in (base, overlay) if part.get("kind") is not None}
    if len(kinds) > 1:
        return copy.deepcopy(overlay)
    return copy.deepcopy(base) | {
        name: over(base[name], value) if name in base else copy.deepcopy(value) for name, value in overlay.items()
    }


def translated(recipe):
    hardware = recipe.get("hardware", {})
    world = max(hardware.get("gpus", 1), 1) * hardware.get("nodes", 1)
    stages = {name: stage for name, stage in recipe["stages"].items() if stage is not None}
    return recipe | {
        "version": 1,
        "stages": {
            name: trained(stage, world) if stage["kind"] in ("sft", "classify") else stage
            for name, stage in stages.items()
        },
    }


def trained(stage, world):
    micro, accumulation = stage.pop("batch_size", 1), stage.pop("gradient_accumulation", 1)
    stage.pop("shuffle_seed", None)
    flat = {name: stage.pop(name) for name in FLAT if name in stage}
    if any(name.startswith("lora_") for name in flat) and "kind" not in stage.get("tuner", {}):
        stage["tuner"] = {"kind": "lora"} | stage.get("tuner", {})
    for name, value in flat.items():
        section, field = FLAT[name]
        if section == "optimizer" or stage["tuner"]["kind"] == "lora":
            stage.setdefault(section, {})[field] = value
    return {"too_long": "left", **stage, "batch": {"global": micro * world * accumulation, "micro": micro}}
