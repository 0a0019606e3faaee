"""A model card as text: YAML for the hub's index, then Markdown for people. The same facts are always the same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from runners.card import Card, Data, Result
from runners.events import duration
from runners.runs import Run
from runners.watch.compare import shown

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

PICTURES = {"digits", "image-folder", "shapes"}
"""Kinds of data sets whose rows have pictures."""
RELATIONS = {"adapter": "adapter", "model": "finetune"}
"""What a stage hands over → how the hub calls its relation to the base: an adapter folded into it is no `merge` of models."""
SETTINGS = (
    "tuner_type", "lora_rank", "lora_alpha", "lora_dropout", "lora_bias", "target_modules", "use_rslora", "use_dora",
    "freeze_vit", "freeze_aligner", "freeze_llm", "learning_rate", "vit_lr", "aligner_lr", "optim", "lr_scheduler_type",
    "warmup_ratio", "warmup_steps", "weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon", "max_grad_norm",
    "per_device_train_batch_size", "gradient_accumulation_steps", "num_train_epochs", "max_steps", "max_length",
    "packing", "torch_dtype", "bf16", "fp16", "attn_impl", "gradient_checkpointing", "quant_bits", "seed", "data_seed",
)  # fmt: skip
"""Options of a training that a card has, in this order."""
AVERAGES = ("macro", "micro", "weighted", "samples")
COUNTS = ("rows", "unparsed")


def text(card: Card) -> str:
    """The whole README.md."""
    return f"---\n{_metadata(card)}\n---\n\n" + "\n\n".join(_sections(card)) + "\n"


def _metadata(card: Card) -> str:
    from huggingface_hub import ModelCardData  # takes a second to load

    adapter = card.product == "adapter"
    results = [result for found in card.results for result in _eval_results(found)]
    data = ModelCardData(
        base_model=card.model_id,
        base_model_relation=RELATIONS[card.product] if card.model_id else None,
        datasets=sorted({each.id for each in card.data if each.id}) or None,
        library_name="peft" if adapter else "transformers",
        tags=["recipe-compiler", "ms-swift", *sorted({run.record["identity"]["kind"] for run in card.trainings})],
        metrics=sorted({result.metric_type for result in results}) or None,
        model_name=card.run.recipe.replace("/", "-"),
        eval_results=results or None,
    )
    return str(data.to_yaml()).strip()


def _eval_results(result: Result) -> Iterator[EvalResult]:
    from huggingface_hub import EvalResult

    for name, value in sorted(result.metrics.items()):
        if name in COUNTS:
            continue
        kind, _, average = name.partition("_")
        averaged = average in AVERAGES
        yield EvalResult(
            task_type="image-classification" if result.data.kind in PICTURES else "text-classification",
            dataset_type=result.data.id or result.data.name,
            dataset_name=result.data.name,
            dataset_split=result.split,
            metric_type=kind if averaged else name,
            metric_value=value,
            metric_name=f"{kind} ({average})" if averaged else name,
            metric_args={"average": average} if averaged else None,
        )


def _sections(card: Card) -> Iterator[str]:
    yield f"# {card.run.recipe.replace('/', ' · ')}"
    if card.instance.recipe.description:
        yield card.instance.recipe.description
    yield _what(card)
    if card.results:
        yield "## Results"
        yield from (_result(result) for result in card.results)
    yield "## Data"
    yield _data(card.data)
    for run in card.trainings:
        yield f"## Training: {run.stage}"
        yield from _training(run)
    yield "## Reproduce"
    yield _reproduce(card)
    yield "## Provenance"
    yield _provenance(card)


def _what(card: Card) -> str:
    base = f"`{card.model_id}`" if card.model_id else "a model that no hub has"
    asked = f", revision `{card.model_revision}`" if card.model_revision else ""
    pinned = f" ({card.model_pinned})" if card.model_pinned else ""
    kind = "An adapter for" if card.product == "adapter" else "A model made from"
    return f"{kind} {base}{asked}{pinned}, from the stage `{card.run.stage}` of a recipe."


def _result(result: Result) -> str:
    rows = ((name, shown(value)) for name, value in sorted(result.metrics.items()))
    return f"On `{result.split}` of `{result.data.name}`, from `{result.run.title}`:\n\n{_table(('metric', 'value'), rows)}"


def _data(data: Iterable[Data]) -> str:
    rows = ((each.name, each.id or each.kind, each.pinned or "made by the recipe") for each in data)
    return _table(("data set", "id or kind", "pinned to"), rows)


def _training(run: Run) -> Iterator[str]:
    """Its settings as they were launched; what the trainer said of them; the machine; the versions."""
    record = run.record
    commands = [command for command in record["identity"]["launch"] if "learning_rate" in command["options"]]
    options = commands[0]["options"] if commands else {}
    files = record["identity"]["files"]
    rows = [(name, shown(options[name])) for name in SETTINGS if options.get(name) is not None]
    rows += (
        [("DeepSpeed ZeRO stage", shown(files["deepspeed"]["zero_optimization"]["stage"]))]
        if "deepspeed" in files
        else []
    )
    yield _table(("setting", "value"), rows)
    trainer = record.get("trainer")
    if trainer:
        held = len(trainer["held"])
        trains, every = trainer["parameters"]["trainable"], trainer["parameters"]["all"]
        yield (
            f"The trainer itself held {held} settings as they were planned before its first step, and trained {trains:,} "
            f"of {every:,} parameters."
        )
    yield _table(("machine", ""), _machine(record))
    yield _table(
        ("package", "version"), ((name, version or "") for name, version in sorted(record["packages"].items()))
    )


def _machine(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    machine = record["machine"]
    gpus = machine["gpus"]
    threads = machine["threads"]
    yield "CPU", f"{machine['cpu']}, {threads} thread{'' if threads == 1 else 's'}"
    if gpus:
        yield "GPUs", ", ".join(f"{gpus.count(name)} × {name}" for name in dict.fromkeys(gpus))
    yield "system", machine["platform"]
    yield "time", duration(record["elapsed"])


def _reproduce(card: Card) -> str:
    variant = f" --variant {card.instance.variant}" if card.instance.variant else ""
    git = card.run.record.get("git")
    lines = [f"git checkout {git['commit']}"] if git else []
    lines += [f"recipe run {card.loaded.file}{variant}", f"recipe verify {card.run.title}"]
    dirty = "\n\nThe repository had changes that were not committed when this ran." if git and git["dirty"] else ""
    return "```sh\n" + "\n".join(lines) + "\n```" + dirty


def _provenance(card: Card) -> str:
    record = card.run.record
    rows = [
        ("recipe", f"`{card.loaded.file}`"),
        ("recipe hash", f"`{record['recipe_hash']}`"),
        *((f"stage key of {run.stage}", f"`{run.record['key']}`") for run in (*card.upstream, card.run)),
        ("action", f"`{record['action']}`"),
        ("model", f"sha256 `{record['outputs']['model']['sha256']}`, {record['outputs']['model']['files']} files"),
        ("record", f"`{card.run.file}`, sha256 `{card.record_sha256}`"),
        ("ran", f"{record['started']} to {record['ended']}"),
    ]
    return _table(("", ""), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(value: str) -> str:
    return " ".join(value.replace("|", "\\|").split())
