"""What TRL's options and its own defaults mean in a recipe: names, and readers for what a table cannot say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from compiler.backends import trl as trl_sft
from compiler.backends import trl_rlhf
from compiler.backends.trl_training import LORA
from compiler.importing.call import Call
from compiler.importing.draft import Draft, Path, number
from compiler.importing.left import Given
from compiler.importing.options import OTHER_MEANING, Meaning, is_on
from schema.signature import Signature, find_model
from schema.synonyms import SYNONYMS, VALUES

_WARMUP: dict[str, Path] = {"warmup_ratio": ("optimizer", "warmup_ratio")}
_ROLLOUT: dict[str, Path] = {
    **trl_rlhf.VLLM["colocate"],
    **trl_rlhf.VLLM["server"],
    "vllm_mode": ("rollout", "mode"),
}
_SHARED: dict[str, Path] = {**LORA, **_WARMUP, "learning_rate": ("optimizer", "learning_rate")}
BY_OPTION: dict[str, dict[str, Path]] = {
    "sft": {**trl_sft.TRAINING, **_SHARED, "packing": ("packing",)},
    "grpo": {**trl_rlhf.GRPO, **_ROLLOUT, **_SHARED},
    "dpo": {**trl_rlhf.DPO, **_SHARED},
}
"""Kind of a stage → option of TRL → field."""
SPECIAL = frozenset(
    {
        *("use_peft", "load_in_4bit", "load_in_8bit", "dtype", "model_name_or_path", "train_dataset", "eval_dataset"),
        *("warmup_steps", "truncation_mode", "loss_type", "loss_weights", "vllm_enable_sleep_mode", "adapter"),
        *("rewards", "reward_files", "reference_adapter", "reference_model", "processor", "image_folder"),
    }
)
"""What a reader of its own looks at, beside those of every engine."""
UNHEARD = frozenset(
    {
        *("model_init_kwargs", "dataset_text_field", "dataset_kwargs", "chat_template_path", "reward_files"),
        *("generation_batch_size", "vllm_server_base_url", "do_train", "do_eval", "do_predict"),
    }
)
"""Options of TRL that our programs, which load model and rows themselves, would take and not follow."""
OPEN = frozenset({"lora_target_modules", "completion_only_loss", "max_prompt_length", "max_length", "learning_rate"})
"""Options without a recorded default that change the result all the same, or that only our programs have."""
_OTHERS: dict[str, str] = {
    **dict.fromkeys(("dataset_name", "dataset", "data_path", "data_dir", "train_data_dir"), "train_dataset"),
    **dict.fromkeys(("dataset_path", "train_path", "train_file", "train_data"), "train_dataset"),
    **dict.fromkeys(("val_dataset", "validation_dataset", "validation_file"), "eval_dataset"),
    **dict.fromkeys(("model", "model_id", "model_name", "base_model"), "model_name_or_path"),
    **dict.fromkeys(("attn_impl", "attention_implementation"), "attn_implementation"),
    **dict.fromkeys(("freeze_vit", "freeze_vision_tower"), "freeze_vision"),
    "freeze_llm": "freeze_language",
    "no_cuda": "use_cpu",
    "num_workers": "dataloader_num_workers",
    "max_steps_per_epoch": "",
}
"""Names of TRL's own script, of older releases and of other tools → the option that means the same."""
_PEFT = frozenset({"use_peft", "use_lora"})
_DATA = frozenset({"train_dataset", "eval_dataset", "model_name_or_path"})
_OF_TRL = frozenset({"use_peft", "assistant_only_loss", "completion_only_loss", "dataset_text_field", "max_seq_length"})
"""Options by which a script shows that it is built on TRL's configuration, and has its defaults."""
_SCRIPTS = ("sft", "sft_vlm", "sft_gemma3", "sft_video_llm", "sft_gpt_oss")
REWARDS = "rewards"


def is_own(program: str, options: Mapping[str, Given]) -> bool:
    """Whether a program is TRL's, one of its examples, or built on its configuration: its defaults are known then."""
    last = program.split()[-1]
    if (
        last.endswith((".yaml", ".yml", ".json"))
        or program.startswith("trl ")
        or last.startswith(("trl.scripts.", "runners.trl_"))
    ):
        return True
    example = PurePosixPath(last).stem in _SCRIPTS and "dataset_name" in options
    return example or bool(_OF_TRL & options.keys())


def meaning(signature: Signature) -> Meaning:
    """How a trainer's names read for TRL: of this version, of older ones, of other tools."""
    fields = BY_OPTION[signature.command]
    by_field = {".".join(map(str, path)): option for option, path in fields.items()}
    by_field |= {"models.NAME.dtype": "dtype", "models.NAME.attention": "attn_implementation"}
    by_field |= {"models.NAME.revision": "model_revision", "models.NAME.id": "model_name_or_path"}

    def read(name: str, values: tuple[str, ...]) -> tuple[str, tuple[str, ...], str]:
        found = signature.find(name)
        bare = name.lstrip("-").replace("-", "_")
        if found is not None:
            return found[0].name, ("false",) if found[1] else values, ""
        if bare in _WARMUP or bare in ("reward_funcs", "model_type"):
            return bare, values, ""
        if bare == "use_lora":
            return "use_peft", values, "`use_lora` is `use_peft` of the engine"
        if bare == "use_flash_attn" and is_on(values):
            told = "`use_flash_attn` is `attn_implementation: flash_attention_2` now"
            return "attn_implementation", ("flash_attention_2",), told
        option = _OTHERS.get(bare) or by_field.get(SYNONYMS.get(bare, ""), "")
        if bare in OTHER_MEANING or bare == "use_flash_attn" or option not in signature.options:
            return "", values, ""
        return option, values, "" if option in _DATA else f"`{bare}` is `{option}` of the engine"

    return read


# Readers


def tuner(draft: Draft, call: Call, stage: str, given: Mapping[str, Given]) -> None:
    """Adapters or all weights: TRL trains all of them unless it is told to use PEFT."""
    path, peft = ("stages", stage, "tuner"), given.get("use_peft")
    if peft is not None and not peft.odd:
        draft.put((*path, "kind"), "lora" if is_on(peft.values) else "full", peft)
    draft.put((*path, "kind"), "lora" if call.trainer else "full")
    for bits in (4, 8):
        loads = given.get(f"load_in_{bits}bit")
        if loads is not None and is_on(loads.values) and not loads.odd:
            draft.put((*path, "bits"), bits, loads)
            draft.put((*path, "quantization"), "bnb", loads)


def freeze(draft: Draft, call: Call, stage: str, model: str | None) -> None:
    """TRL leaves no part of a model as it is; a recipe does so with the vision tower unless it is told otherwise."""
    spec = draft.placed.get(("models", model or "", "id"))
    sees = spec is not None and any(entry.multimodal for entry in find_model(str(spec.value)))
    full = draft.placed[("stages", stage, "tuner", "kind")].value == "full"
    if sees and full and not call.trainer:
        for part in ("vision", "aligner"):
            draft.put(("stages", stage, "tuner", "freeze", part), False, default=True)


def precision(draft: Draft, stage: str, model: str | None, given: Mapping[str, Given]) -> None:
    """Weights are float32 unless it is told otherwise, and training is in bfloat16 unless that is turned off."""
    dtype, bf16, fp16 = (given.get(name) for name in ("dtype", "bf16", "fp16"))
    weights = VALUES.get(dtype.value, dtype.value) if dtype is not None and not dtype.odd else "float32"
    if model:
        draft.put(("models", model, "dtype"), weights, dtype, default=dtype is None)
    if fp16 is not None and is_on(fp16.values):
        trained, source = "float16", fp16
    elif bf16 is not None and not is_on(bf16.values):
        trained, source = "float32", bf16
    else:
        trained, source = "bfloat16", bf16  # type: ignore[assignment]
    known = draft.placed.get(("models", model or "", "dtype"))
    if known is None or known.value != trained:
        draft.put(("stages", stage, "precision"), trained, source, default=source is None)


def read(draft: Draft, call: Call, stage: str, given: Mapping[str, Given]) -> None:
    """What else a table cannot say: warm-up in steps or as a share, and what is cut of what is too long."""
    path = ("stages", stage)
    warmup = given.get("warmup_steps")
    if warmup is not None and not warmup.odd:
        count = number(warmup.value)
        share = not isinstance(count, int)
        draft.put((*path, "optimizer", "warmup_ratio" if share else "warmup_steps"), count, warmup)
    elif "warmup_ratio" not in given:
        draft.put((*path, "optimizer", "warmup_ratio"), 0, default=True)
    cut, said = given.get("truncation_mode"), given.get("too_long")
    if cut is not None and not cut.odd and said is None:
        draft.put((*path, "too_long"), "left" if cut.value == "keep_end" else "right", cut)
    elif said is None and call.stage != "grpo" and not call.trainer:
        draft.put((*path, "too_long"), "right", default=True)


def preference(draft: Draft, stage: str, given: Mapping[str, Given]) -> None:
    """The loss of DPO, with that of the preferred answer beside it."""
    loss, weights = given.get("loss_type"), given.get("loss_weights")
    path = ("stages", stage)
    if loss is None or loss.odd:
        return
    several = [number(text) for text in weights.values] if weights is not None and not weights.odd else []
    if len(loss.values) == 1:
        draft.put((*path, "loss_type"), loss.value, loss)
    elif loss.values[1:] == ("sft",) and len(several) == 2 and number("1") == several[0]:
        draft.put((*path, "loss_type"), loss.values[0], loss)
        draft.put((*path, "sft_weight"), several[1], weights)
    else:
        draft.refused[(*path, "engine", "args", "loss_weights")] = "a stage has one loss, and it weighs several"


def rollout(draft: Draft, stage: str, given: Mapping[str, Given]) -> None:
    """vLLM is a server of its own unless it is told to share the GPUs."""
    path, sleep = ("stages", stage, "rollout"), given.get("vllm_enable_sleep_mode")
    if sleep is not None and is_on(sleep.values):
        draft.put((*path, "sleep"), "2", sleep)
    if (*path, "engine") in draft.placed and "vllm_mode" not in given:
        draft.put((*path, "mode"), "server", default=True)


def whole(value: Any) -> Any:
    """A default as a recipe says it."""
    return number(repr(value)) if isinstance(value, float) else value
