"""The policy of GRPO and DPO and what it is compared with, from an adapter or a model of the stage before.

adapter                    training goes on in it; TRL makes a frozen copy of it itself
reference_adapter alone    a new adapter starts, and the reference is the model with the other one
reference_model            all weights train, and the reference is this model, also where a run goes on
none of them               a new adapter starts, and the reference is the model without it
"""

from __future__ import annotations

from functools import partial
from typing import Any

from runners import trl_model, trl_parts
from runners.trl_arguments import ComparedArguments

REFERENCE = "ref"
"""What TRL calls the adapter that is the reference."""


def policy(rows: ComparedArguments, config: Any, given: Any) -> tuple[Any, Any, Any]:
    """The model, its processor or tokenizer, and the configuration of an adapter that is still to be put on it."""
    model, processor = trl_model.load(rows, given)
    frozen = trl_model.frozen(rows)
    if rows.adapter:
        return _adapted(model, rows.adapter), processor, None
    if given.use_peft:
        return model, processor, trl_model.adapter(model, given, frozen)
    trl_parts.freeze(model, frozen)
    if rows.reference_model:
        # TRL loads the reference from where the model came from, which is a checkpoint where a run goes on.
        model.config._name_or_path = rows.reference_model
        config.model_init_kwargs = trl_model.how_loaded(given)
    return model, processor, None


def _adapted(model: Any, folder: str) -> Any:
    from peft import PeftModel  # loads torch

    return PeftModel.from_pretrained(model, folder, is_trainable=True)


def compare(trainer: Any, rows: ComparedArguments) -> None:
    """Give the trainer its reference where TRL has none, and have checkpoints hold the trained adapter alone.

    A checkpoint with a second adapter would be taken for one that has nothing but that.
    """
    model = trainer.model
    if rows.reference_adapter and not rows.adapter:
        trained = model.active_adapter
        model.load_adapter(rows.reference_adapter, REFERENCE, is_trainable=False)
        model.set_adapter(trained)  # PEFT has frozen it together with the one that was loaded
        _without_dropout(trainer, model)
    if REFERENCE in getattr(model, "peft_config", {}):
        model.save_pretrained = partial(model.save_pretrained, selected_adapters=[model.active_adapter])


def _without_dropout(trainer: Any, model: Any) -> None:
    from trl.trainer.utils import disable_dropout_in_model  # loads torch

    if trainer.args.disable_dropout:
        disable_dropout_in_model(model)
