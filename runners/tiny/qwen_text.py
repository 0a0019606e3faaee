"""Tiny Qwen3, a text model: 0.05 M parameters, because no engine hard-codes an id of its small vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runners.tiny.vocabulary import appended, byte_level_bpe

SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPREAD = 0.1  # at width 32 the family's own 0.02 all but silences a layer


def qwen3(to: Path) -> Any:
    """Write a Qwen3 and its tokenizer."""
    import transformers

    tokenizer = transformers.Qwen2TokenizerFast(
        tokenizer_object=appended(byte_level_bpe(), SPECIALS),
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=list(SPECIALS),
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    end, pad = (tokenizer.convert_tokens_to_ids(token) for token in ("<|im_end|>", "<|endoftext|>"))
    config = transformers.Qwen3Config(
        vocab_size=-(-len(tokenizer) // 64) * 64,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        initializer_range=SPREAD,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        eos_token_id=end,
        pad_token_id=pad,
    )
    model = transformers.Qwen3ForCausalLM(config)
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = end, pad
    model.save_pretrained(to)
    tokenizer.save_pretrained(to)
    return model
