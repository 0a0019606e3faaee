"""Students and losses, piece by piece: how large the networks are, what they give, and what the formulas say."""

import json

import numpy
import pytest

from schema.diagnostics import RecipeError
from schema.students import FAMILIES, METRICS

pytestmark = pytest.mark.engine

HERE = ("resnet", "vit")
SIZES = [(family, size) for family in HERE for size in FAMILIES[family].sizes]
SPOKEN = {
    "resnet18": 11,
    "resnet34": 21,
    "resnet50": 25,
    "resnet101": 44,
    "vit-tiny": 5,
    "vit-base": 86,
    "vit-large": 307,
}
"""Millions of parameters that are commonly named; the networks of the libraries have up to 0.8 more, or 3 fewer."""


def options(**others):
    from runners.distill.students.base import Options

    return Options(**{"image_size": 32, **others})


def student(family="resnet", size="resnet18", classes=("a", "b", "c"), seed=0, **others):
    import torch

    from runners.distill import students

    torch.manual_seed(seed)
    return students.build(family, size, classes, options(**others))


@pytest.mark.parametrize(("family", "size"), SIZES)
def test_a_network_is_as_large_as_the_table_says(family, size):
    """For 1,000 classes and 224 pixels."""
    import torch

    with torch.device("meta"):
        network = student(family, size, tuple(map(str, range(1000))), image_size=224)
    facts = FAMILIES[family].sizes[size]
    millions = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    assert round(millions, 1) == facts.millions
    assert network.width == facts.width
    assert millions == pytest.approx(SPOKEN[size], abs=3)


@pytest.mark.parametrize(("family", "size"), [("resnet", "resnet18"), ("vit", "vit-tiny")])
def test_a_saved_student_gives_the_same_output(family, size, tmp_path):
    import torch

    from runners.distill import students

    network = student(family, size).eval()
    students.save(network, tmp_path / "a")
    students.save(network, tmp_path / "b")
    again = students.load(tmp_path / "a")
    pictures = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(network(pictures).task, again(pictures).task)
        assert network(pictures).features.shape == (2, network.width)
    for name in ("student.json", "model.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    described = json.loads((tmp_path / "a" / "student.json").read_text())
    assert (described["family"], described["classes"], described["image_size"]) == (family, ["a", "b", "c"], 32)


def test_a_folder_without_a_student_is_refused(tmp_path):
    from runners.distill import students

    (tmp_path / "student.json").write_text('{"format_version": 99, "family": "resnet"}')
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(RecipeError) as error:
            students.load(folder)
        assert error.value.diagnostics[0].code == "R0660"


# Weights to start from


@pytest.mark.parametrize(("family", "size"), [("resnet", "resnet18"), ("vit", "vit-tiny")])
def test_a_student_starts_from_weights_and_keeps_a_new_head(family, size, tmp_path):
    import torch
    from safetensors.torch import save_file

    first = student(family, size, tuple("abcdefg"))
    save_file(first.network.state_dict(), tmp_path / "model.safetensors")
    same, other = (student(family, size, c, seed=1, pretrained=str(tmp_path)) for c in (tuple("abcdefg"), ("a", "b")))
    name = "layer1.0.conv1.weight" if family == "resnet" else "blocks.0.attn.qkv.weight"
    head = "fc.weight" if family == "resnet" else "head.weight"
    for network in (same, other):
        assert torch.equal(network.network.state_dict()[name], first.network.state_dict()[name])
    assert torch.equal(same.network.state_dict()[head], first.network.state_dict()[head])
    assert other.network.state_dict()[head].shape[0] == 2


def test_weights_of_another_network_are_refused(tmp_path):
    from safetensors.torch import save_file

    save_file(student(size="resnet18").network.state_dict(), tmp_path / "resnet18.safetensors")
    with pytest.raises(RecipeError) as error:
        student(size="resnet50", pretrained=str(tmp_path / "resnet18.safetensors"))
    assert error.value.diagnostics[0].code == "R0662"
    with pytest.raises(RecipeError) as error:
        student(pretrained=str(tmp_path / "nowhere"))
    assert error.value.diagnostics[0].code == "R0661"


# Adapters


@pytest.mark.parametrize(("bias", "biases"), [("none", 0), ("all", 1), ("lora_only", 1)])
def test_adapters_are_folded_in_without_a_change(bias, biases):
    import torch

    from runners.distill import lora

    network = student("vit", "vit-tiny")
    names = set(network.state_dict())
    told = {"rank": 4, "alpha": 16, "dropout": 0.1, "target_modules": ["qkv", "proj"], "bias": bias}
    adapted = lora.inject(network, told)
    trained = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
    assert all("lora_" in name or ".head." in name or name.endswith("bias") for name in trained)
    assert any(name.endswith("qkv.base_layer.bias") for name in trained) == bool(biases)
    assert {name.split(".lora_")[0].rpartition(".")[0] for name in trained if "lora_" in name} == {
        f"network.blocks.{block}.attn" for block in range(12)
    }
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.02)
    pictures = torch.randn(2, 3, 32, 32)
    network.eval()
    with torch.no_grad():
        before = network(pictures).task
        lora.fold(network, adapted)
        after = network(pictures).task
    assert torch.allclose(before, after, atol=1e-4)
    assert set(network.state_dict()) == names


# Losses


def softmax(values):
    exponents = numpy.exp(values - values.max(-1, keepdims=True))
    return exponents / exponents.sum(-1, keepdims=True)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_scores_are_compared_by_the_formula_of_their_paper(temperature):
    import torch

    from runners.distill import losses

    draw = numpy.random.default_rng(0)
    said, told = (draw.standard_normal((5, 7)) * 3 for _ in range(2))
    teacher, own = softmax(told / temperature), softmax(said / temperature)
    expected = temperature**2 * (teacher * (numpy.log(teacher) - numpy.log(own))).sum(-1).mean()
    found = losses.scores(torch.tensor(said), torch.tensor(told), temperature)
    assert float(found) == pytest.approx(expected, rel=1e-5)
    assert float(losses.scores(torch.tensor(told), torch.tensor(told), temperature)) == pytest.approx(0, abs=1e-6)


def test_features_are_compared_with_standardised_ones():
    import torch

    from runners.distill import losses

    teacher = torch.randn(4, 16) * 50 + 7
    standard = (teacher - teacher.mean(1, keepdim=True)) / teacher.std(1, keepdim=True, unbiased=False)
    own = torch.randn(4, 16)
    assert float(losses.features(own, teacher, "mse")) == pytest.approx(float(((own - standard) ** 2).mean()), rel=1e-4)
    assert float(losses.features(3 * standard, teacher, "cosine")) == pytest.approx(0, abs=1e-5)


def test_a_token_grid_takes_the_size_of_the_students_map():
    import torch

    from runners.distill import losses

    align = losses.Align(8, 16, dense=True)
    found = losses.features(align(torch.randn(2, 8, 5, 5)), torch.randn(2, 16, 4, 4), "mse")
    assert found.dim() == 0


# Pictures


def task(folder, **others):
    from runners.distill import tasks
    from runners.distill.tasks.base import Settings

    settings = {"augment": True, "views": 1, "root": folder, **others}
    return tasks.build("classification", Settings(("a", "b"), 32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), **settings))


@pytest.fixture
def rows(tmp_path):
    from PIL import Image

    pixels = numpy.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=numpy.uint8)
    Image.fromarray(pixels).save(tmp_path / "1.png")
    line = {"messages": [{"role": "user", "content": "<image>Which?"}], "images": ["1.png"], "label": 1}
    (tmp_path / "rows.jsonl").write_text(json.dumps(line) + "\n")
    return tmp_path / "rows.jsonl"


def test_the_same_seed_shows_the_same_picture(rows):
    import torch

    made = task(rows.parent)
    (row,) = made.read(rows)
    shown = [made.transform(row, True, seed).inputs for seed in (1, 1, 2)]
    assert torch.equal(shown[0], shown[1])
    assert not torch.equal(shown[0], shown[2])
    plain = [made.transform(row, False, seed).inputs for seed in (1, 2)]
    assert torch.equal(*plain)


def test_with_several_views_the_student_sees_what_the_teacher_saw(rows):
    import torch

    from runners.distill.tasks import pictures

    made = task(rows.parent, views=3)
    (row,) = made.read(rows)
    seen = [made.pictures(row, view)[0] for view in range(3)]
    assert len({image.tobytes() for image in seen}) == 3
    for epoch in range(6):
        expected = pictures.numbers(seen[epoch % 3], 32, (0.5,) * 3, (0.5,) * 3)
        assert torch.equal(made.transform(row, True, epoch).inputs, expected)


def test_a_teacher_with_one_view_sees_the_picture_as_it_is(rows):
    from PIL import Image

    made = task(rows.parent)
    (row,) = made.read(rows)
    with Image.open(rows.parent / "1.png") as image:
        assert made.pictures(row, 0)[0].tobytes() == image.convert("RGB").tobytes()


@pytest.mark.parametrize(
    "change", [{"label": 2}, {"label": "b"}, {"label": None}, {"images": []}, {"images": ["1", "2"]}]
)
def test_a_row_that_is_none_is_named(rows, change):
    line = json.loads(rows.read_text()) | change
    rows.write_text(rows.read_text() + json.dumps(line) + "\n")
    with pytest.raises(RecipeError) as error:
        task(rows.parent).read(rows)
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.code == "R0663"
    assert diagnostic.spans[0].line == 2


def test_scores_of_predictions_are_counted():
    from pathlib import Path

    found = task(Path()).metrics([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]], [0, 1, 1, 1])
    assert {"loss", *found} == set(METRICS["classification"]) == set(METRICS["sequence"])
    assert found["accuracy"] == 0.75
    assert found["f1_macro"] == pytest.approx((2 / 3 + 0.8) / 2, abs=1e-6)
