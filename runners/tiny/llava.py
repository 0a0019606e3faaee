"""Tiny LLaVA 1.5: 0.1 M parameters, because nothing fixes the size of its vocabulary. Also as transformers 4 reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runners.tiny.vocabulary import appended, byte_level_bpe, with_specials
from schema.files import read_json, write_json

IDS = {"<unk>": 0, "<s>": 1, "</s>": 2}
CHAT_TEMPLATE = (
    "{%- for m in messages -%}{%- if m['role'] == 'user' -%}{{ 'USER: ' }}{%- for c in m['content'] -%}"
    "{%- if c['type'] == 'image' -%}{{ '<image>\n' }}"
    "{%- elif c['type'] == 'text' -%}{{ c['text'] }}{%- endif -%}{%- endfor -%}"
    "{%- else -%}{{ '\nASSISTANT: ' }}{%- if m['content'] is string -%}{{ m['content'] }}"
    "{%- else -%}{{ m['content'][0]['text'] }}{%- endif -%}{%- endif -%}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '\nASSISTANT:' }}{%- endif -%}"
)
PIXELS, PATCH = 56, 14


def llava(to: Path) -> Any:
    """Write a LLaVA 1.5 and its processor."""
    from transformers import CLIPImageProcessor, LlavaForConditionalGeneration, LlavaProcessor

    tokenizer = _tokenizer()
    model = LlavaForConditionalGeneration(_config(tokenizer))
    settings = model.generation_config
    settings.bos_token_id, settings.eos_token_id = IDS["<s>"], IDS["</s>"]
    settings.pad_token_id = tokenizer.convert_tokens_to_ids("<pad>")
    settings.suppress_tokens = [tokenizer.convert_tokens_to_ids("<image>")]  # random weights would write it
    model.save_pretrained(to)
    LlavaProcessor(
        image_processor=CLIPImageProcessor(
            size={"shortest_edge": PIXELS}, crop_size={"height": PIXELS, "width": PIXELS}
        ),
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT_TEMPLATE,
    ).save_pretrained(to)
    return model


def llava_v4(to: Path) -> Any:
    """The same model in the files of transformers 4, which has other names for some of what they hold."""
    from safetensors.torch import load_file, save_file

    model = llava(to)
    weights = load_file(to / "model.safetensors")
    inner = {name: name.replace("vision_tower.", "vision_tower.vision_model.", 1) for name in weights}
    save_file({inner[name]: weight for name, weight in weights.items()}, to / "model.safetensors", {"format": "pt"})
    config = read_json(to / "config.json")
    write_json(to / "config.json", {**config, "torch_dtype": config.pop("dtype")})
    processor = read_json(to / "processor_config.json")
    (to / "processor_config.json").unlink()
    pictures = processor["image_processor"] | {"processor_class": processor["processor_class"]}
    write_json(to / "preprocessor_config.json", pictures)
    tokenizer = read_json(to / "tokenizer_config.json")
    known = {name: value for name, value in tokenizer.items() if name not in ("backend", "extra_special_tokens")}
    fast = {"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": CHAT_TEMPLATE}
    write_json(to / "tokenizer_config.json", known | fast)
    tokens = read_json(to / "tokenizer.json")
    tokens["model"]["merges"] = [" ".join(pair) for pair in tokens["model"]["merges"]]
    write_json(to / "tokenizer.json", tokens)
    return model


def _tokenizer() -> Any:
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=appended(with_specials(byte_level_bpe(), IDS), ["<image>", "<pad>"]),
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        extra_special_tokens={"image_token": "<image>"},
        padding_side="left",
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def _config(tokenizer: Any) -> Any:
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig

    return LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=3,
            num_attention_heads=2,
            image_size=PIXELS,
            patch_size=PATCH,
            projection_dim=32,
        ),
        text_config=LlamaConfig(
            vocab_size=-(-len(tokenizer) // 64) * 64,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=2048,
            bos_token_id=IDS["<s>"],
            eos_token_id=IDS["</s>"],
            pad_token_id=tokenizer.convert_tokens_to_ids("<pad>"),
        ),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
        image_seq_length=(PIXELS // PATCH) ** 2,
    )
