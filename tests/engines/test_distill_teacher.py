"""Teachers: what is read from their towers, and scores of class names, against the models' own whole forward passes."""

import json
import shutil

import numpy
import pytest

from runners.data.rows import IMAGE_TAG
from runners.tiny_model import build
from schema.diagnostics import RecipeError

pytestmark = pytest.mark.engine

CLASSES = ("cat", "dog", "butterfly", "10")
TOLD = {"dtype": "float32", "attention": "eager", "pixels": {}}
PROMPT = f"{IMAGE_TAG}What animal is in the picture?"


def qwen3_vl(to):
    """A tiny Qwen3-VL with the tokenizer of the tiny Qwen2-VL, which has the ids of this family, too."""
    import torch
    import transformers

    from runners.tiny import qwen

    torch.manual_seed(0)
    text = {**qwen._text(), "head_dim": 8}
    text["rope_parameters"] = {"rope_type": "default", "mrope_section": [2, 1, 1], "rope_theta": 10000.0}
    vision = {
        "depth": 2, "hidden_size": 32, "out_hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "patch_size": 16,
        "spatial_merge_size": 2, "temporal_patch_size": 2, "num_position_embeddings": 64, "deepstack_visual_indexes": [0],
        "initializer_range": qwen.SPREAD,
    }  # fmt: skip
    config = transformers.Qwen3VLConfig(
        text_config=text, vision_config=vision, tie_word_embeddings=True, **qwen._token_ids()
    )
    model = transformers.Qwen3VLForConditionalGeneration(config)
    qwen.qwen2_vl(to)
    tokenizer = transformers.AutoTokenizer.from_pretrained(to)
    shutil.rmtree(to)
    model.save_pretrained(to)
    images = transformers.Qwen2VLImageProcessor(patch_size=16, min_pixels=32**2, max_pixels=16 * 32**2)
    transformers.Qwen3VLProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        video_processor=transformers.Qwen3VLVideoProcessor(),
        chat_template=qwen.CHAT_TEMPLATE,
    ).save_pretrained(to)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("teachers")
    for family in ("qwen2_vl", "qwen2_5_vl"):
        build(family, 0, root / family)
    qwen3_vl(root / "qwen3_vl")
    return root


@pytest.fixture(scope="module", params=["qwen2_vl", "qwen2_5_vl", "qwen3_vl"])
def teacher(request, folders):
    from runners.distill.teacher import load

    return load(folders / request.param, None, TOLD, "cpu")


def picture(width=112, height=84, seed=0):
    from PIL import Image

    pixels = numpy.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=numpy.uint8)
    return Image.fromarray(pixels)


def test_scores_are_those_of_whole_answers(teacher):
    """One forward pass over question and answer together gives the same log-probabilities."""
    import torch

    (scores,) = teacher.scores([picture()], [PROMPT], CLASSES)
    asked = teacher._asked(picture(), PROMPT)
    length = asked["input_ids"].shape[1]
    for name, score in zip(CLASSES, scores.tolist(), strict=True):
        answer = torch.tensor([teacher._answer(name)])
        whole = dict(asked)
        whole["input_ids"] = torch.cat([asked["input_ids"], answer], 1)
        whole["attention_mask"] = torch.ones_like(whole["input_ids"])
        kinds = asked["mm_token_type_ids"]
        whole["mm_token_type_ids"] = torch.cat([kinds, torch.zeros_like(answer)], 1)
        with torch.inference_mode():
            said = teacher.model(**whole).logits[0, length - 1 : -1].log_softmax(-1)
        expected = said.gather(-1, answer[0][:, None]).mean()
        assert score == pytest.approx(float(expected), abs=2e-4), name


def test_scores_do_not_depend_on_their_neighbours(teacher, monkeypatch):
    from runners.distill import teacher as module

    together = teacher.scores([picture(), picture(seed=1)], [PROMPT, PROMPT], CLASSES)
    monkeypatch.setattr(module, "ANSWERS_AT_ONCE", 1)
    alone = teacher.scores([picture(seed=1)], [PROMPT], CLASSES)
    numpy.testing.assert_allclose(together[1], alone[0], atol=1e-4)


@pytest.mark.parametrize("at", ["tower", "merger"])
def test_pooled_features_are_the_mean_over_the_grid(teacher, at):
    """Of a picture as wide as high, where the grid is not resampled."""
    square = picture(128, 128)
    sizes = teacher.processor.image_processor(images=[square], return_tensors="pt")["image_grid_thw"][0].tolist()
    grid = sizes[1] // (teacher.merge if at == "merger" else 1)
    (pooled,) = teacher.features([square], at, "mean", None)
    (map,) = teacher.features([square], at, "mean", grid)
    assert map.shape == (pooled.shape[0], grid, grid)
    numpy.testing.assert_allclose(map.mean((1, 2)), pooled, atol=1e-5)


def test_a_token_stands_where_its_patch_is(teacher):
    """A change in one corner of the picture is seen in that corner of the grid more than anywhere else."""
    from PIL import Image

    unit = teacher.visual.config.patch_size * teacher.merge
    side = 4 * unit
    plain = Image.new("RGB", (side, side), (128, 128, 128))
    for corner, (x, y) in {(0, 0): (0, 0), (0, -1): (side - unit, 0), (-1, 0): (0, side - unit)}.items():
        changed = plain.copy()
        changed.paste(picture(unit, unit), (x, y))
        for at, grid in (("tower", 8), ("merger", 4)):
            before, after = (teacher.features([shown], at, "mean", grid)[0] for shown in (plain, changed))
            difference = (after - before).norm(dim=0)
            rows, columns = numpy.unravel_index(int(difference.argmax()), difference.shape)
            expected = [0 if c == 0 else grid - 1 for c in corner]
            assert abs(rows - expected[0]) <= 1 and abs(columns - expected[1]) <= 1, (at, corner, rows, columns)


def test_pictures_of_different_sizes_are_seen_as_if_alone(teacher):
    both = teacher.features([picture(), picture(56, 56, 1)], "tower", "mean", None)
    (alone,) = teacher.features([picture(56, 56, 1)], "tower", "mean", None)
    numpy.testing.assert_allclose(both[1], alone, atol=1e-5)


def test_nothing_of_a_teacher_is_trained(teacher):
    assert not teacher.model.training
    assert not any(parameter.requires_grad for parameter in teacher.model.parameters())


def test_the_prompts_text_stands_around_the_picture():
    from runners.distill.teacher import conversation

    (message,) = conversation(f"Look: {IMAGE_TAG} What is it?")
    assert [part.get("text", "·") for part in message["content"]] == ["Look: ", "·", " What is it?"]
    assert [part["type"] for part in conversation("What is it?")[0]["content"]] == ["image", "text"]


def test_an_adapter_is_folded_into_its_teacher(folders, tmp_path):
    """The scores are those of the model with the adapter beside its weights, and others than without it."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForImageTextToText

    from runners.distill.teacher import Teacher, load

    torch.manual_seed(0)
    folder = folders / "qwen2_vl"
    plain = load(folder, None, TOLD, "cpu")
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False))
    adapted.save_pretrained(tmp_path / "adapter")
    beside = Teacher(adapted.base_model.model, plain.processor).scores([picture()], [PROMPT], CLASSES)
    folded = load(folder, tmp_path / "adapter", TOLD, "cpu").scores([picture()], [PROMPT], CLASSES)
    numpy.testing.assert_allclose(folded, beside, atol=1e-4)
    assert abs(folded - plain.scores([picture()], [PROMPT], CLASSES)).max() > 1e-3


# A teacher that cannot be loaded


def cut(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


def lose_weights(folder):
    (folder / "model.safetensors").unlink()


def lose_processor(folder):
    for path in (*folder.glob("*processor*"), *folder.glob("tokenizer*")):
        path.unlink()


def another_family(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "llava"}))


@pytest.mark.parametrize("damage", [cut, lose_weights, lose_processor, another_family])
def test_a_teacher_that_cannot_be_loaded_is_an_error_with_its_reason(damage, folders, tmp_path):
    from runners.distill.teacher import load

    shutil.copytree(folders / "qwen2_vl", tmp_path / "teacher")
    damage(tmp_path / "teacher")
    with pytest.raises(RecipeError) as error:
        load(tmp_path / "teacher", None, TOLD, "cpu")
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.code == "R0666"
    assert len(diagnostic.message.partition("cannot be loaded: ")[2]) > 10
