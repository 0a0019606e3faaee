"""Tiny Gemma 3 with pictures: 8.5 M parameters, nearly all of them the embedding of the full-size vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runners.tiny.vocabulary import byte_level_bpe, with_specials

VOCABULARY = 262_208
IDS = {
    "<pad>": 0, "<eos>": 1, "<bos>": 2, "<unk>": 3, "<start_of_turn>": 105, "<end_of_turn>": 106,
    "<start_of_image>": 255_999, "<end_of_image>": 256_000, "<image_soft_token>": 262_144,
}  # fmt: skip
ENDS = [IDS["<eos>"], IDS["<end_of_turn>"]]
CHAT_TEMPLATE = (
    "{{ bos_token }}{%- for m in messages -%}{%- set role = 'model' if m['role'] == 'assistant' else m['role'] -%}"
    "{{ '<start_of_turn>' + role + '\n' }}"
    "{%- if m['content'] is string -%}{{ m['content'] }}{%- else -%}{%- for c in m['content'] -%}"
    "{%- if c['type'] == 'image' -%}{{ '<start_of_image>' }}"
    "{%- elif c['type'] == 'text' -%}{{ c['text'] }}{%- endif -%}{%- endfor -%}{%- endif -%}{{ '<end_of_turn>\n' }}"
    "{%- endfor -%}{%- if add_generation_prompt -%}{{ '<start_of_turn>model\n' }}{%- endif -%}"
)
SPREAD = 0.1  # as in `runners.tiny.qwen`
LOUDNESS = 8
"""The scale of the last norm: that of 1 leaves all tokens of so large a vocabulary nearly as likely as each other, whatever an
adapter learns below it."""
PIXELS = 56
TOKENS_OF_A_PICTURE = 4


def gemma3(to: Path) -> Any:
    """Write a Gemma 3 and its processor."""
    import torch
    from transformers import Gemma3ForConditionalGeneration, Gemma3ImageProcessor, Gemma3Processor

    model = Gemma3ForConditionalGeneration(_config())
    # Zero at random initialisation: pictures would have no effect.
    torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight, std=0.1)
    torch.nn.init.constant_(model.model.language_model.norm.weight, LOUDNESS - 1)  # Gemma adds 1
    settings = model.generation_config
    settings.eos_token_id, settings.pad_token_id, settings.bos_token_id = ENDS, IDS["<pad>"], IDS["<bos>"]
    model.save_pretrained(to)
    half = [0.5] * 3
    Gemma3Processor(
        image_processor=Gemma3ImageProcessor(size={"height": PIXELS, "width": PIXELS}, image_mean=half, image_std=half),
        tokenizer=_tokenizer(),
        chat_template=CHAT_TEMPLATE,
        image_seq_length=TOKENS_OF_A_PICTURE,
    ).save_pretrained(to)
    return model


def _config() -> Any:
    from transformers import Gemma3Config

    return Gemma3Config(
        text_config={
            "vocab_size": VOCABULARY,
            "initializer_range": SPREAD,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": 16,
            "max_position_embeddings": 2048,
            "sliding_window": 512,
            "layer_types": ["sliding_attention", "full_attention"],
            "query_pre_attn_scalar": 16,
            "pad_token_id": IDS["<pad>"],
            "bos_token_id": IDS["<bos>"],
            "eos_token_id": IDS["<eos>"],
        },
        vision_config={
            "initializer_range": SPREAD,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": PIXELS,
            "patch_size": 14,
            "vision_use_head": False,
        },
        mm_tokens_per_image=TOKENS_OF_A_PICTURE,
        boi_token_index=IDS["<start_of_image>"],
        eoi_token_index=IDS["<end_of_image>"],
        image_token_index=IDS["<image_soft_token>"],
        eos_token_id=ENDS,
        tie_word_embeddings=True,
    )


def _tokenizer() -> Any:
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=with_specials(byte_level_bpe(), IDS),
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<pad>",
        unk_token="<unk>",
        additional_special_tokens=["<start_of_turn>", "<end_of_turn>"],
        extra_special_tokens={
            "image_token": "<image_soft_token>",
            "boi_token": "<start_of_image>",
            "eoi_token": "<end_of_image>",
        },
        padding_side="left",
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
