"""Tiny Qwen2-VL and Qwen2.5-VL: 4.9 M parameters, nearly all of them the embedding of the full-size vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runners.tiny.vocabulary import byte_level_bpe, with_specials

VOCABULARY = 151_936
SPECIALS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
    "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
IDS = {token: 151_643 + i for i, token in enumerate(SPECIALS)}
CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif c['type'] == 'video' %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif c['type'] == 'text' %}{{ c['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Standard deviation of random weights. At width 32 the families' own 0.02 all but silences a layer: the digits are read
# with 0.87 accuracy after six epochs, and with 0.96 from this one.
SPREAD = 0.1
LOUDNESS = 8
"""The scale of the last norm of Qwen2.5-VL: that of 1 leaves all tokens of so large a vocabulary nearly as likely as each
other, whatever an adapter learns below it. Qwen2-VL is trained in full where it is to learn, and needs none."""
CELL = 28  # pixels of one merged image token: patch 14, merged 2 x 2


def qwen2_vl(to: Path) -> Any:
    """Write a Qwen2-VL and its processor."""
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    config = Qwen2VLConfig(
        text_config=_text(),
        vision_config={
            "depth": 2,
            "initializer_range": SPREAD,
            "embed_dim": 32,
            "hidden_size": 32,
            "mlp_ratio": 2,
            "num_heads": 2,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "in_channels": 3,
        },
        tie_word_embeddings=True,
        **_token_ids(),
    )
    return _save(Qwen2VLForConditionalGeneration(config), "Qwen2VLProcessor", to)


def qwen2_5_vl(to: Path) -> Any:
    """Write a Qwen2.5-VL and its processor."""
    import torch
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    config = Qwen2_5_VLConfig(
        text_config=_text(),
        vision_config={
            "depth": 2,
            "initializer_range": SPREAD,
            "hidden_size": 32,
            "out_hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "window_size": 56,
            "fullatt_block_indexes": [1],
            "in_channels": 3,
        },
        tie_word_embeddings=True,
        **_token_ids(),
    )
    model = Qwen2_5_VLForConditionalGeneration(config)
    torch.nn.init.constant_(model.model.language_model.norm.weight, LOUDNESS)
    return _save(model, "Qwen2_5_VLProcessor", to)


def _text() -> dict[str, Any]:
    return {
        "vocab_size": VOCABULARY,
        "initializer_range": SPREAD,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": True,
        "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0},
    }


def _token_ids() -> dict[str, int]:
    return {
        "image_token_id": IDS["<|image_pad|>"],
        "video_token_id": IDS["<|video_pad|>"],
        "vision_start_token_id": IDS["<|vision_start|>"],
        "vision_end_token_id": IDS["<|vision_end|>"],
    }


def _save(model: Any, processor: str, to: Path) -> Any:
    import transformers
    from transformers.models.qwen2_vl import Qwen2VLImageProcessor

    tokenizer = transformers.Qwen2TokenizerFast(
        tokenizer_object=with_specials(byte_level_bpe(), IDS),
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=list(SPECIALS),
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    model.generation_config.eos_token_id = IDS["<|im_end|>"]
    model.generation_config.pad_token_id = IDS["<|endoftext|>"]
    model.save_pretrained(to)
    getattr(transformers, processor)(
        image_processor=Qwen2VLImageProcessor(min_pixels=CELL**2, max_pixels=16 * CELL**2),
        tokenizer=tokenizer,
        video_processor=transformers.Qwen2VLVideoProcessor(),
        chat_template=CHAT_TEMPLATE,
    ).save_pretrained(to)
    return model
