"""Qwen2-VL for one size of picture: the vision tower, or a whole classifier with its prompt.

The model takes patches of pictures of any size in one long row, and splits them again by numbers that only the data
has: no tracer can follow that. For one size all of it is constant (positions, splits, the mask, the tokens of the
prompt), so the same layers are called here in batches, and the result is compared with the model's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional as F

from runners.exporting.subject import Looks, Subject
from schema.diagnostics import Diagnostic, RecipeError

if TYPE_CHECKING:
    from PIL.Image import Image

FAMILY = "qwen2_vl"


class Patches(nn.Module):  # type: ignore[misc]
    """[B, 3, H, W] → [B, patches, 3 · 2 · P · P], in the order in which the merger takes four at a time."""

    def __init__(self, size: tuple[int, int], patch: int, merge: int, frames: int) -> None:
        super().__init__()
        self.patch, self.merge, self.frames = patch, merge, frames
        self.rows, self.columns = size[0] // (patch * merge), size[1] // (patch * merge)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        merge, patch = self.merge, self.patch
        grid = image.reshape(-1, 3, self.rows, merge, patch, self.columns, merge, patch)
        ordered = grid.permute(0, 2, 5, 3, 6, 1, 4, 7)  # rows, columns, merge, merge, channel, patch, patch
        still = ordered.unsqueeze(6).repeat_interleave(self.frames, dim=6)  # a picture is a film of equal frames
        return still.reshape(-1, self.rows * self.columns * merge * merge, 3 * self.frames * patch * patch)


class Vision(nn.Module):  # type: ignore[misc]
    """[B, 3, H, W] → [B, tokens, hidden] as the language model reads them."""

    def __init__(self, tower: Any, size: tuple[int, int]) -> None:
        super().__init__()
        config = tower.config
        self.tower = tower
        self.patches = Patches(size, config.patch_size, config.spatial_merge_size, config.temporal_patch_size)
        cos, sin = _angles(tower, size)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        patches = self.patches(image)
        count = patches.shape[1]
        # A convolution whose kernel is the whole patch is a product of matrices.
        kernel = self.tower.patch_embed.proj.weight
        hidden = F.linear(patches, kernel.reshape(kernel.shape[0], -1))
        for block in self.tower.blocks:
            hidden = hidden + self._attend(block.attn, block.norm1(hidden), count)
            hidden = hidden + block.mlp(block.norm2(hidden))
        merger = self.tower.merger
        merged = merger.ln_q(hidden).reshape(-1, count // self.patches.merge**2, merger.hidden_size)
        return merger.mlp(merged)

    def _attend(self, attention: Any, hidden: torch.Tensor, count: int) -> torch.Tensor:
        """Full attention within each picture."""
        heads = attention.num_heads
        query, key, value = attention.qkv(hidden).reshape(-1, count, 3, heads, attention.head_dim).unbind(2)
        query, key = self._turn(query), self._turn(key)
        mixed = F.scaled_dot_product_attention(
            query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), scale=attention.scaling
        )
        return attention.proj(mixed.transpose(1, 2).reshape(-1, count, attention.dim))

    def _turn(self, states: torch.Tensor) -> torch.Tensor:
        """Rotary positions (arXiv:2104.09864) of rows and columns; states [B, patches, heads, size of a head]."""
        first, second = states.chunk(2, dim=-1)
        return states * self.cos + torch.cat((-second, first), dim=-1) * self.sin


class Classifier(nn.Module):  # type: ignore[misc]
    """[B, 3, H, W] → [B, classes]: the prompt is part of it."""

    def __init__(self, model: Any, size: tuple[int, int], tokens: torch.Tensor, positions: torch.Tensor) -> None:
        super().__init__()
        image = model.config.image_token_id
        places = (tokens == image).nonzero().flatten().tolist()
        begin, end = places[0], places[-1] + 1
        assert places == list(range(begin, end))  # one picture stands in one piece
        self.vision = Vision(model.model.visual, size)
        self.language, self.score = model.model.language_model, model.score
        embedded = self.language.embed_tokens(tokens)[None].detach()
        length = len(tokens)
        causal = torch.full((length, length), torch.finfo(torch.float32).min).triu(1)[None, None]
        for name, value in (
            ("before", embedded[:, :begin]),
            ("after", embedded[:, end:]),
            ("positions", positions),
            ("mask", causal),
        ):
            self.register_buffer(name, value.clone(), persistent=False)
        self.language.embed_tokens = nn.Identity()  # its rows are in the buffers, and 150,000 others are not needed

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        seen = self.vision(image)
        batch = seen.shape[0]
        before, after = (part.expand(batch, -1, -1) for part in (self.before, self.after))
        hidden = self.language(
            inputs_embeds=torch.cat((before, seen, after), dim=1),
            attention_mask=dict.fromkeys(("full_attention", "sliding_attention"), self.mask),
            position_ids=self.positions.expand(-1, batch, -1),
            use_cache=False,
        ).last_hidden_state
        return self.score(hidden[:, -1])


def vision(folder: Path, size: tuple[int, int]) -> Subject:
    """The vision tower with its aligner. Errors: RecipeError R0590 for a size that is no whole number of tokens."""
    from transformers import AutoImageProcessor, Qwen2VLForConditionalGeneration

    model = Qwen2VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa")
    processor = AutoImageProcessor.from_pretrained(folder)
    tower = model.model.visual.eval()
    check_size(size, tower.config)
    looks = _looks(processor, size)

    def original(pictures: Sequence[Image]) -> torch.Tensor:
        given = processor(images=list(pictures), return_tensors="pt")
        merged = tower(given["pixel_values"], given["image_grid_thw"]).pooler_output
        return merged.reshape(len(pictures), -1, merged.shape[-1])

    return Subject(FAMILY, Vision(tower, size).eval(), original, looks, "features")


def classifier(folder: Path, size: tuple[int, int], classes: int, row: dict[str, Any]) -> Subject:
    """A model with a head, for one size and the prompt of one row. `original` is what ms-swift computes.

    Errors: RecipeError R0590 for a size that is no whole number of tokens.
    """
    from swift.model import get_model_processor
    from swift.template import get_template

    model, processor = get_model_processor(
        str(folder), torch_dtype=torch.float32, device_map="cpu", model_type=FAMILY, task_type="seq_cls",
        num_labels=classes, problem_type="single_label_classification", attn_impl="sdpa", use_hf=False,
    )  # fmt: skip
    template = get_template(processor, template_type=FAMILY)
    template.model = model
    template.set_mode("transformers")
    model.eval()
    check_size(size, model.model.visual.config)

    def encoded(picture: Image) -> dict[str, Any]:
        asked = [message for message in row["messages"] if message["role"] != "assistant"]
        found: dict[str, Any] = template.encode({"messages": asked, "images": [picture]})
        return found

    def original(pictures: Sequence[Image]) -> torch.Tensor:
        batch = template.data_collator([encoded(picture) for picture in pictures])
        _, batch = template.pre_forward_hook(model, None, batch)
        batch.pop("labels", None)
        return model(**batch).logits

    from PIL import Image as images

    first = template.data_collator([encoded(images.new("RGB", (size[1], size[0])))])
    tokens = first["input_ids"][0]
    positions, _ = model.model.get_rope_index(
        tokens[None], (tokens == model.config.image_token_id).int()[None], image_grid_thw=first["image_grid_thw"]
    )
    copy = Classifier(_same_layers(model), size, tokens, positions)
    return Subject(FAMILY, copy.eval(), original, _looks(processor.image_processor, size), "logits")


def _same_layers(model: Any) -> Any:
    """The model with a language model of its own around the same layers: the original keeps its embeddings."""
    import copy

    outer, inner, language = copy.copy(model), copy.copy(model.model), copy.copy(model.model.language_model)
    for module in (outer, inner, language):
        module._modules = dict(module._modules)
    outer.model, inner.language_model = inner, language
    return outer


def check_size(size: tuple[int, int], config: Any) -> None:
    """Errors: RecipeError R0590."""
    unit = config.patch_size * config.spatial_merge_size
    if size[0] % unit or size[1] % unit:
        near = [max(round(side / unit), 1) * unit for side in size]
        message = f"a picture of {size[0]} × {size[1]} is no whole number of {unit} × {unit} tokens"
        raise RecipeError([Diagnostic("R0590", message, f"write `image_size: {near}`")])


def _angles(tower: Any, size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosine and sine of each patch's place, [1, patches, 1, size of a head]."""
    from transformers.vision_utils import get_vision_position_ids

    config = tower.config
    grid = torch.tensor([[1, size[0] // config.patch_size, size[1] // config.patch_size]])
    positions = get_vision_position_ids(grid, config.spatial_merge_size, kwargs={})
    cos, sin = tower.rotary_pos_emb(torch.zeros(1), positions)
    return cos[None, :, None].float(), sin[None, :, None].float()


def _looks(processor: Any, size: tuple[int, int]) -> Looks:
    return Looks(size, tuple(processor.image_mean), tuple(processor.image_std), "stretch")
