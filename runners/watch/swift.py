"""The callback `recipe` of ms-swift: `--external_plugins pipelines/watch.py --callbacks recipe`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from runners.watch import held
from runners.watch.compare import GROUPS, OWN_GROUPS
from runners.watch.report import Watch

PROGRAMS = (("swift", "sft"), ("swift", "rlhf"))
"""What the engine may have been started as."""
NAME = "recipe"
CHECKPOINTING = ("gradient_checkpointing", "vit_gradient_checkpointing")
TOWERS = {"freeze_aligner": "aligner", "freeze_vit": "vision_tower", "freeze_llm": "language_model"}
"""Option of a full fine-tune → what ms-swift calls that part of a model. An aligner can stand inside a vision tower."""
OTHER_FREEZING = (
    "freeze_parameters", "freeze_parameters_ratio", "freeze_parameters_regex", "trainable_parameters",
    "trainable_parameters_regex",
)  # fmt: skip
"""Options that freeze or unfreeze single parameters, beside those parts."""
EXPANDED = {"all-linear", "all-embedding", "all-router"}
"""Target modules in whose place the engine puts names of the model."""
SHORTENED = 20
"""From this number of target modules on, PEFT looks for shorter names that mean the same."""


def register() -> None:
    """Make the callback known to ms-swift."""
    from swift.callbacks import TrainerCallback, callbacks_map  # the engine, which only its own process may load

    class Recipe(TrainerCallback):  # type: ignore[misc,unused-ignore]
        """Compares what the trainer holds with the plan, before the first step and after the last."""

        def __init__(self, args: Any, trainer: Any) -> None:
            super().__init__(args, trainer)
            self.watch = Watch(PROGRAMS, args.process_index)
            # ms-swift turns these off in the arguments while it trains, as it does that part itself.
            self.checkpointing = {name: getattr(args, name) for name in CHECKPOINTING}

        def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            self.watch.begin(self._held(args), held.trainable(self.trainer.model))

        def on_train_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            self.watch.end(self._held(args))

        def _held(self, args: Any) -> dict[str, Any]:
            return settings(self.trainer, args, self.watch.planned) | self.checkpointing

    callbacks_map[NAME] = Recipe


def settings(trainer: Any, args: Any, planned: Mapping[str, Any]) -> dict[str, Any]:
    """What a trainer of ms-swift holds, by option; what its engine rewrites on purpose is left out."""
    model = trainer.model
    found = held.settings(trainer, args, model) | {"max_length": trainer.template.max_length}
    targets = planned.get("target_modules") or ()
    if EXPANDED & set(targets) or len(targets) >= SHORTENED:
        found.pop("target_modules", None)
    if args.optimizer not in OWN_GROUPS:
        found = {option: value for option, value in found.items() if not option.startswith(GROUPS)}
    if planned.get("tuner_type") == "full" and not any(planned.get(option) for option in OTHER_FREEZING):
        found |= _frozen(model)
    return found


def _frozen(model: Any) -> dict[str, bool]:
    """Whether no parameter of a part trains; parts that a model does not have are left out."""
    meta = model.model_meta
    architecture = meta.model_arch if meta.is_multimodal else None
    found: dict[str, bool] = {}
    seen: set[int] = set()
    for option, part in TOWERS.items():
        own = {id(p): p for p in _parameters(model, getattr(architecture, part, None) or ()) if id(p) not in seen}
        if own:
            found[option] = not any(p.requires_grad for p in own.values())
        seen |= own.keys()
    return found


def _parameters(model: Any, names: Iterable[str]) -> Iterator[Any]:
    from swift.utils import deep_getattr  # see above

    for name in names:
        part = deep_getattr(model, name)
        if part is not None:
            yield from part.parameters()
