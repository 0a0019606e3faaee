"""Tiny Llama 3.2 Vision: 0.1 M parameters. The image token's id is the size of the text vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runners.tiny.vocabulary import appended, byte_level_bpe

SPECIALS = (
    "<|begin_of_text|>", "<|end_of_text|>", "<|finetune_right_pad_id|>", "<|start_header_id|>", "<|end_header_id|>",
    "<|eom_id|>", "<|eot_id|>", "<|python_tag|>",
)  # fmt: skip
IMAGE = "<|image|>"
CHAT_TEMPLATE = (
    "{{ bos_token }}{%- for m in messages -%}"
    "{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' }}"
    "{%- if m['content'] is string -%}{{ m['content'] }}{%- else -%}{%- for c in m['content'] -%}"
    "{%- if c['type'] == 'image' -%}{{ '<|image|>' }}"
    "{%- elif c['type'] == 'text' -%}{{ c['text'] }}{%- endif -%}{%- endfor -%}{%- endif -%}{{ '<|eot_id|>' }}"
    "{%- endfor -%}{%- if add_generation_prompt -%}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif -%}"
)
TILE = 28  # pixels
TILINGS = [[1, 1], [1, 2], [1, 3], [1, 4], [2, 1], [2, 2], [3, 1], [4, 1]]


def mllama(to: Path) -> Any:
    """Write a Llama 3.2 Vision and its processor."""
    import torch
    from transformers import MllamaForConditionalGeneration, MllamaImageProcessor, MllamaProcessor

    tokenizer = _tokenizer()
    model = MllamaForConditionalGeneration(_config(tokenizer))
    for name, parameter in model.named_parameters():
        if "gate" in name and parameter.numel() == 1:  # zero at random initialisation: pictures would have no effect
            torch.nn.init.constant_(parameter, 0.5)
    _set_ids(model.generation_config, tokenizer)
    model.save_pretrained(to)
    MllamaProcessor(
        image_processor=MllamaImageProcessor(size={"height": TILE, "width": TILE}, max_image_tiles=4),
        tokenizer=tokenizer,
        chat_template=CHAT_TEMPLATE,
    ).save_pretrained(to)
    return model


def _set_ids(settings: Any, tokenizer: Any) -> None:
    settings.eos_token_id = tokenizer.convert_tokens_to_ids("<|eot_id|>")
    settings.pad_token_id = tokenizer.convert_tokens_to_ids("<|finetune_right_pad_id|>")
    settings.bos_token_id = tokenizer.convert_tokens_to_ids("<|begin_of_text|>")


def _tokenizer() -> Any:
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=appended(byte_level_bpe(), [*SPECIALS, IMAGE]),
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
        pad_token="<|finetune_right_pad_id|>",
        additional_special_tokens=[*SPECIALS[3:], IMAGE],
        extra_special_tokens={"image_token": IMAGE},
        padding_side="left",
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def _config(tokenizer: Any) -> Any:
    from transformers import MllamaConfig

    image = tokenizer.convert_tokens_to_ids(IMAGE)
    text = {
        "vocab_size": image,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "cross_attention_layers": [1, 3],
        "max_position_embeddings": 2048,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        "bos_token_id": tokenizer.convert_tokens_to_ids("<|begin_of_text|>"),
        "eos_token_id": tokenizer.convert_tokens_to_ids("<|eot_id|>"),
        "pad_token_id": tokenizer.convert_tokens_to_ids("<|finetune_right_pad_id|>"),
        "tie_word_embeddings": False,
    }
    vision = {
        "hidden_size": 32,
        "attention_heads": 2,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_global_layers": 1,
        "image_size": TILE,
        "patch_size": 14,
        "max_num_tiles": 4,
        "vision_output_dim": 64,
        "intermediate_layers_indices": [1],
        "supported_aspect_ratios": TILINGS,
    }
    return MllamaConfig(text_config=text, vision_config=vision, image_token_index=image)
