"""What our TRL programs train: a model from its folder, its processor or tokenizer, and the adapter that is put on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runners import trl_parts
from runners.trl_arguments import RowsArguments
from schema.diagnostics import Diagnostic, RecipeError


def load(rows: RowsArguments, given: Any) -> tuple[Any, Any]:
    """The model, and its processor or tokenizer. Errors: RecipeError R0562 when it knows no limits of pixels."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    from trl import get_quantization_config

    folder = given.model_name_or_path
    options = how_loaded(given)
    quantization = get_quantization_config(given)
    if quantization is not None:
        options |= {"device_map": _own_gpu(), "quantization_config": quantization}
    sees = AutoConfig.from_pretrained(folder).model_type in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    model = (AutoModelForImageTextToText if sees else AutoModelForCausalLM).from_pretrained(folder, **options)
    if sees:
        trl_parts.check(model)
    asked = {"max_pixels": rows.max_pixels, "min_pixels": rows.min_pixels}
    limits = {name: value for name, value in asked.items() if value is not None}
    processor = (AutoProcessor if sees else AutoTokenizer).from_pretrained(rows.processor or folder, **limits)
    _check_limits(processor, limits)
    return model, processor


def _own_gpu() -> dict[str, int] | None:
    """Where quantised weights go: the GPU of this process; None on a CPU. TRL 1 no longer has a function for that."""
    import torch
    from accelerate import PartialState

    return {"": PartialState().local_process_index} if torch.cuda.is_available() else None


def _check_limits(processor: Any, limits: Mapping[str, int]) -> None:
    images = getattr(processor, "image_processor", None)
    size = dict(getattr(images, "size", None) or {})
    understood = {"max_pixels": size.get("longest_edge"), "min_pixels": size.get("shortest_edge")}
    for name, value in limits.items():
        if understood[name] != value:
            message = f"the processor of this model does not know `{name}`"
            raise RecipeError([Diagnostic("R0562", message, f"remove `{name}` from the model")])


def has_pictures(processor: Any) -> bool:
    """Whether examples may hold pictures: a processor has a tokenizer among its parts, a tokenizer is alone."""
    return hasattr(processor, "tokenizer") and hasattr(processor, "image_processor")


def how_loaded(given: Any) -> dict[str, Any]:
    """The number format and the attention that models are loaded with."""
    return {"attn_implementation": given.attn_implementation, "dtype": given.dtype}


def frozen(rows: RowsArguments) -> set[trl_parts.Part]:
    """The parts of the model that stay as they are."""
    parts: dict[trl_parts.Part, bool] = {
        "vision": rows.freeze_vision,
        "aligner": rows.freeze_aligner,
        "language": rows.freeze_language,
    }
    return {part for part, stays in parts.items() if stays}


def adapter(model: Any, given: Any, frozen: set[trl_parts.Part]) -> Any:
    """PEFT's configuration of the adapter, from TRL's options."""
    from trl import get_peft_config

    if given.lora_target_modules == trl_parts.ALL_LINEAR:
        given.lora_target_modules = trl_parts.linear_layers(model, frozen)
    return get_peft_config(given)
