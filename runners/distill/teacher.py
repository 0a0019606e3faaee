"""What a frozen vision-language model says of a picture: features of its vision tower, and scores of class names.

Qwen2-VL, Qwen2.5-VL and Qwen3-VL, through transformers. Their towers give the patches of a picture in blocks that are
merged into one token later: [h / m, w / m, m, m] for m × m patches a block; Qwen2.5-VL's moreover sorted by windows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from runners.data.rows import IMAGE_TAG
from schema.diagnostics import Diagnostic, RecipeError
from schema.students import TEACHER_TYPES

if TYPE_CHECKING:
    from PIL.Image import Image

ANSWERS_AT_ONCE = 64
"""Class names that are scored in one forward pass."""

FETCH = "fetch it again: `recipe fetch RECIPE`; or use a smaller one"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the teacher says of one picture: features [D] or [D, grid, grid], and a score for each class."""

    features: Tensor | None
    scores: Tensor | None


class Teacher:
    """A vision-language model that only answers."""

    def __init__(self, model: Any, processor: Any) -> None:
        self.model, self.processor = model.eval().requires_grad_(False), processor
        self.visual = model.model.visual
        self.merge: int = self.visual.spatial_merge_size

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def features(self, images: Sequence[Image], at: str, pooling: str, grid: int | None) -> list[Tensor]:
        """For each picture [D], or with `grid` [D, grid, grid]; in float32, on the CPU."""
        prepared = self.processor.image_processor(images=list(images), return_tensors="pt")
        sizes = prepared["image_grid_thw"].to(self.visual.device)
        pixels = prepared["pixel_values"].to(self.visual.device, self.visual.dtype)
        found = self.visual(pixels, grid_thw=sizes)
        tokens = found.pooler_output if at == "merger" else self._in_blocks(found.last_hidden_state, sizes)
        step = self.merge if at == "merger" else 1
        counts = (sizes.prod(-1) // step**2).tolist()
        parts = zip(tokens.float().cpu().split(counts), sizes.tolist(), strict=True)
        if grid is None:
            return [part.mean(0) if pooling == "mean" else part.amax(0) for part, _ in parts]
        return [_resampled(self._as_map(part, height, width, at), grid) for part, (_, height, width) in parts]

    def _in_blocks(self, tokens: Tensor, sizes: Tensor) -> Tensor:
        """Patches in the order of blocks: one family sorts them by windows and leaves them so."""
        if not hasattr(self.visual, "window_size"):
            return tokens
        from transformers.vision_utils import get_vision_window_index

        visual = self.visual
        order, _ = get_vision_window_index(
            sizes, spatial_merge_size=self.merge, window_size=visual.window_size, patch_size=visual.patch_size
        )
        blocks = tokens.reshape(-1, self.merge**2, tokens.shape[-1])
        return blocks[torch.argsort(order).to(blocks.device)].reshape(tokens.shape)

    def _as_map(self, tokens: Tensor, height: int, width: int, at: str) -> Tensor:
        """Tokens of a picture of height × width patches → [D, rows, columns]."""
        m = self.merge
        rows, columns = height // m, width // m
        if at == "merger":
            return tokens.reshape(rows, columns, -1).permute(2, 0, 1)
        blocks = tokens.reshape(rows, columns, m, m, -1)
        return blocks.permute(4, 0, 2, 1, 3).reshape(-1, height, width)

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def scores(self, images: Sequence[Image], prompts: Sequence[str], classes: Sequence[str]) -> Tensor:
        """[B, C]: the mean log-probability of the tokens of each class name, and of the answer's end, as the answer.

        The question with its picture is read once; each name goes on from there.
        """
        return torch.stack([self._scores_of(i, p, classes) for i, p in zip(images, prompts, strict=True)])

    def _scores_of(self, image: Image, prompt: str, classes: Sequence[str]) -> Tensor:
        answers = [self._answer(name) for name in classes]
        begun = self.model(**self._asked(image, prompt), use_cache=True, logits_to_keep=1)
        first = begun.logits[0, -1].float().log_softmax(-1)
        parts = [
            self._go_on(begun.past_key_values, first, answers[at : at + ANSWERS_AT_ONCE])
            for at in range(0, len(answers), ANSWERS_AT_ONCE)
        ]
        return torch.cat(parts).cpu()

    def _go_on(self, cache: Any, first: Tensor, answers: Sequence[Sequence[int]]) -> Tensor:
        """Mean log-probability of answers that go on from what is in the cache; `first` are those of the next token."""
        import copy

        longest = max(map(len, answers))
        tokens = torch.tensor([[*a, *[a[-1]] * (longest - len(a))] for a in answers], device=first.device)
        counts = torch.tensor([len(a) for a in answers], device=first.device)
        ours = copy.deepcopy(cache)
        ours.batch_repeat_interleave(len(answers))
        logits = self.model(input_ids=tokens[:, :-1], past_key_values=ours, use_cache=True).logits.float()
        later = logits.log_softmax(-1).gather(-1, tokens[:, 1:, None]).squeeze(-1)
        said = torch.cat([first[tokens[:, :1]], later], dim=1)
        counted = torch.arange(longest, device=first.device)[None] < counts[:, None]
        return (said * counted).sum(1) / counts

    def _answer(self, name: str) -> list[int]:
        """The tokens of a class name and of the end of an answer."""
        tokenizer = self.processor.tokenizer
        return [*tokenizer(name, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]

    def _asked(self, image: Image, prompt: str) -> Mapping[str, Tensor]:
        text = self.processor.apply_chat_template(conversation(prompt), tokenize=False, add_generation_prompt=True)
        found = self.processor(text=[text], images=[image], return_tensors="pt")
        return {name: tensor.to(self.model.device) for name, tensor in found.items()}


def conversation(prompt: str) -> list[dict[str, Any]]:
    """A question about one picture; the tag says where in the text it stands."""
    before, _, after = prompt.partition(IMAGE_TAG) if IMAGE_TAG in prompt else ("", "", prompt)
    parts = ({"type": "text", "text": before}, {"type": "image"}, {"type": "text", "text": after})
    content = [part for part in parts if part["type"] == "image" or part["text"]]
    return [{"role": "user", "content": content}]


def _resampled(found: Tensor, grid: int) -> Tensor:
    if found.shape[1:] == (grid, grid):
        return found
    return F.interpolate(found[None], size=(grid, grid), mode="bilinear", align_corners=False)[0]


def load(folder: Path, adapter: Path | None, told: Mapping[str, Any], device: str) -> Teacher:
    """The teacher of a folder, with an adapter's weights folded in. Errors: RecipeError R0666 with the reason."""
    from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor

    try:
        family = AutoConfig.from_pretrained(folder).model_type
        if family not in TEACHER_TYPES:
            raise _cannot(folder, f"a {family} has no vision tower that is known here", f"use {_known()}")
        model, loading = AutoModelForImageTextToText.from_pretrained(
            folder,
            dtype=getattr(torch, told["dtype"]),
            attn_implementation=told["attention"],
            output_loading_info=True,
        )
        if loading["missing_keys"]:  # which transformers fills with random numbers
            lost = sorted(loading["missing_keys"])
            raise _cannot(folder, f"{len(lost)} of its weights are missing, such as `{lost[0]}`", FETCH)
        if adapter is not None:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
        processor = AutoProcessor.from_pretrained(folder, **told["pixels"])
        return Teacher(model.to(device), processor)
    except RecipeError:
        raise
    except Exception as error:  # loaders fail in many ways, and each of them leaves no teacher
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise _cannot(folder, reason, FETCH) from error


def _known() -> str:
    return " or ".join(f"a model of the type `{family}`" for family in TEACHER_TYPES)


def _cannot(folder: Path, reason: str, help: str) -> RecipeError:
    return RecipeError([Diagnostic("R0666", f"the teacher in {folder} cannot be loaded: {reason}", help)])
