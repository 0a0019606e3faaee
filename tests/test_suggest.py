"""What is suggested for unknown names, and that the suggestions exist."""

from typing import get_args

import pytest
from pydantic import BaseModel

from schema import synonyms
from schema.datasets import KINDS as DATASETS
from schema.hardware import Hardware
from schema.models import ModelSpec
from schema.recipe import Recipe
from schema.stages import KINDS as STAGES
from schema.suggest import NOTES, SYNONYMS, field_help, nearest, nearest_choice


def models_in(annotation):
    """The models that an annotation mentions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in models_in(argument)]


def has(model, path):
    first, *rest = path
    for name, field in model.model_fields.items():
        if (field.alias or name) == first:
            return not rest or any(has(below, rest) for below in models_in(field.annotation))
    return False


def roots(path):
    sections = {"models": [ModelSpec], "datasets": DATASETS, "hardware": [Hardware]}
    if path[0] in ("models", "datasets"):
        return sections[path[0]], path[2:]
    return (sections[path[0]], path[1:]) if path[0] in sections else ([*STAGES, Recipe], path)


@pytest.mark.parametrize("target", sorted(set(SYNONYMS.values())))
def test_a_synonym_leads_to_a_field(target):
    models, path = roots(target.split("."))
    assert any(has(model, path) for model in models), target


def test_no_synonym_stands_twice():
    tables = (synonyms._TUNER, synonyms._TRAINING, synonyms._ALIGNMENT, synonyms._RECIPE)
    names = [name for table in tables for listed in table.values() for name in listed.split()]
    assert len(names) == len(set(names)) == len(SYNONYMS)
    assert len(names) > 150


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("learning_rat", ["learning_rate", "schedule"], "learning_rate"),
        ("Learning-Rate", ["learning_rate"], "learning_rate"),
        ("epoch", ["epochs", "model"], "epochs"),
        ("modle", ["model", "data"], "model"),
        ("atention", ["attention", "dtype"], "attention"),
        ("attn", ["attention", "dtype"], "attention"),
        ("eval", ["evaluation", "engine"], "evaluation"),
        ("zero4", ["zero1", "zero2", "zero3"], "zero3"),
        ("xyz", ["model", "data"], None),
        ("", ["model"], None),
        ("a", [], None),
        ("中文", ["model"], None),
    ],
)
def test_nearest(name, known, found):
    assert nearest(name, known) == found


@pytest.mark.parametrize(
    ("value", "choices", "found"),
    [
        ("bf16", ["bfloat16", "float16"], "bfloat16"),
        ("BF16", ["bfloat16", "float16"], "bfloat16"),
        ("flash_attn", ["eager", "flash_attention_2"], "flash_attention_2"),
        ("zero-3", ["zero2", "zero3"], "zero3"),
        ("qlora", ["cosine"], None),
    ],
)
def test_nearest_choice(value, choices, found):
    assert nearest_choice(value, choices) == found


@pytest.mark.parametrize(
    ("name", "known", "here", "help_"),
    [
        ("lr", ["kind", "optimizer"], ("stages", "train"), "write `optimizer.learning_rate`"),
        ("lr", ["learning_rate"], ("stages", "train", "optimizer"), "write `learning_rate`"),
        ("--lora-r", ["tuner"], ("stages", "train"), "write `tuner.rank`"),
        ("lora_rank", ["rank"], ("stages", "train", "tuner"), "write `rank`"),
        ("freeze_vit", ["vision"], ("stages", "train", "tuner", "freeze"), "write `vision`"),
        ("attn_impl", ["attention"], ("models", "base"), "write `attention`"),
        ("attn_impl", ["tuner"], ("stages", "train"), "write `models.NAME.attention`"),
        ("per_device_train_batch_size", ["batch"], ("stages", "t"), "write `batch.micro`"),
        ("num_train_epochs", ["epochs"], ("stages", "t"), "write `epochs`"),
        ("gradient_accumulation_steps", [], (), "write `batch.global`: accumulation is derived from it"),
        ("output_dir", ["model"], (), NOTES["output_dir"]),
        ("zzz", ["model"], (), ""),
    ],
)
def test_field_help(name, known, here, help_):
    assert field_help(name, known, here) == help_
