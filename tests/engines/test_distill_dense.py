"""Students that look at places and at clips: their sizes and losses, what they are shown, and how they are scored."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
from PIL import Image

from schema.diagnostics import RecipeError
from schema.students import FAMILIES, METRICS

pytestmark = pytest.mark.engine

ROOT = Path(__file__).resolve().parents[2]
SPOKEN = {
    "yolov8": {"n": 3, "s": 11, "m": 26, "l": 44, "x": 68},
    "unet": {"small": 7, "medium": 17, "large": 31},
}
"""Millions of parameters that are commonly named."""
HEADS = {"small": 3.1, "medium": 7.9, "large": 22.0}
"""Millions in the LSTM and the layer above it, for 1,000 classes; the ResNet-50 below has 23.5."""


def student(family, size, count=2, image_size=64, seed=0, **extra):
    import torch

    from runners.distill import students
    from runners.distill.students.base import Options

    torch.manual_seed(seed)
    return students.build(family, size, tuple(f"c{n}" for n in range(count)), Options(image_size, extra=extra))


def millions(network):
    return sum(parameter.numel() for parameter in network.parameters()) / 1e6


@pytest.mark.parametrize("size", FAMILIES["unet"].sizes)
def test_a_unet_is_as_large_as_the_table_says(size):
    import torch

    with torch.device("meta"):
        network = student("unet", size, 21)
    facts = FAMILIES["unet"].sizes[size]
    assert (round(millions(network), 1), network.width) == (facts.millions, facts.width)
    assert millions(network) == pytest.approx(SPOKEN["unet"][size], rel=0.06)


@pytest.mark.parametrize("size", FAMILIES["lstm"].sizes)
def test_an_lstm_is_as_large_as_the_table_says(size):
    import torch

    with torch.device("meta"):
        network = student("lstm", size, 1000)
    facts = FAMILIES["lstm"].sizes[size]
    assert (round(millions(network), 1), network.width) == (facts.millions, facts.width)
    assert (round(millions(network.head), 1), round(millions(network.frames), 1)) == (HEADS[size], 23.5)


@pytest.mark.parametrize("size", FAMILIES["yolov8"].sizes)
def test_a_yolo_is_as_large_as_the_table_says(size):
    """The layers of ultralytics without the forward pass of its constructor, which needs real numbers."""
    import torch

    student("yolov8", "n")  # so that ultralytics is loaded as students load it
    from ultralytics.nn.tasks import parse_model, yaml_model_load

    with torch.device("meta"):
        layers, _ = parse_model(yaml_model_load(f"yolov8{size}.yaml") | {"nc": 80}, ch=3, verbose=False)
    facts = FAMILIES["yolov8"].sizes[size]
    assert round(millions(layers), 1) == facts.millions
    assert layers[21].cv2.conv.out_channels == facts.width
    assert millions(layers) == pytest.approx(SPOKEN["yolov8"][size], rel=0.06)


TARGETS = {"batch_idx": [0.0, 1.0], "cls": [0.0, 1.0], "bboxes": [[0.5, 0.5, 0.5, 0.5], [0.3, 0.4, 0.2, 0.3]]}


@pytest.fixture(scope="module")
def yolo():
    return student("yolov8", "n")


def test_the_loss_of_yolo_is_the_full_one_for_each_picture(yolo):
    import torch

    targets = {name: torch.tensor(values) for name, values in TARGETS.items()}
    output = yolo.train()(torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)))
    assert output.features.shape == (2, yolo.width, 2, 2)
    loss = yolo.loss(output, targets)
    parts, _ = yolo.criterion(output.task, targets)
    assert parts.shape == (3,) and (parts > 0).all()  # box, class, distribution
    assert loss.item() == pytest.approx(parts.sum().item() / 2)
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in yolo.parameters() if p.grad is not None)
    nothing = {"batch_idx": torch.zeros(0), "cls": torch.zeros(0), "bboxes": torch.zeros(0, 4)}
    assert torch.isfinite(yolo.loss(output, nothing))


def test_double_boxes_are_suppressed(yolo):
    import torch

    from runners.distill.students.base import StudentOutput

    # Centre, size, and the scores of two classes, of three anchors: two on one thing, one elsewhere.
    raw = torch.tensor([[[20, 20, 10, 10, 0.9, 0.1], [21, 20, 10, 10, 0.8, 0.1], [50, 50, 8, 8, 0.0, 0.6]]]).mT
    (found,) = yolo.decode(StudentOutput((raw.clone(), {}), torch.zeros(1)))
    assert found["labels"] == [0, 1] and found["scores"] == pytest.approx([0.9, 0.6])
    assert found["boxes"][0] == pytest.approx([15, 15, 25, 25])


def test_without_ultralytics_the_extra_and_its_licence_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ultralytics.nn.tasks", None)
    with pytest.raises(RecipeError) as caught:
        student("yolov8", "n")
    (found,) = caught.value.diagnostics
    assert found.code == "R0681" and "AGPL-3.0" in found.help and "[yolo]" in found.help


ALONE = """
import sys
tried = []
sys.addaudithook(lambda event, told: tried.append(told) if event in ("socket.connect", "socket.getaddrinfo") else None)
from runners.distill import students
from runners.distill.students.base import Options
students.build("yolov8", "n", ("a", "b"), Options(64))
assert not tried, tried
"""


def test_yolo_writes_nothing_to_the_home_folder_and_asks_nobody(tmp_path):
    environment = os.environ | {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    environment.pop("YOLO_CONFIG_DIR", None)
    subprocess.run([sys.executable, "-c", ALONE], cwd=tmp_path, env=environment, check=True)
    assert [str(path) for path in tmp_path.rglob("*") if "ltralytics" in str(path)] == []


@pytest.mark.parametrize("family", ["yolov8", "unet"])
def test_pictures_that_cannot_be_halved_five_times(family):
    with pytest.raises(RecipeError) as caught:
        student(family, next(iter(FAMILIES[family].sizes)), image_size=100)
    assert caught.value.diagnostics[0].code == "R0682" and "96" in caught.value.diagnostics[0].help


def test_dice_by_hand():
    """Two classes on two pixels that count: probabilities 3/4 and 1/2 for the right one."""
    import torch

    from runners.distill.students.unet import dice_loss

    scores = torch.tensor([[0.75, 0.5, 0.9], [0.25, 0.5, 0.1]]).log()[None, :, None]
    targets = torch.tensor([[[0, 1, 255]]])
    first = 2 * 0.75 / (1 + 0.75 + 0.5)
    second = 2 * 0.5 / (1 + 0.25 + 0.5)
    assert dice_loss(scores, targets).item() == pytest.approx(1 - (first + second) / 2, abs=1e-6)


def test_the_loss_of_a_unet_leaves_ignored_pixels_out():
    import torch

    network = student("unet", "small").eval()
    output = network(torch.rand(1, 3, 64, 64))
    assert output.task.shape == (1, 2, 64, 64) and output.features.shape == (1, network.width, 2, 2)
    targets = torch.zeros(1, 64, 64, dtype=torch.long)
    targets[:, :32] = 255
    loss = network.loss(output, targets)
    output.task[:, :, :32] = 100 * torch.rand(1, 2, 32, 64)
    assert network.loss(output, targets).item() == pytest.approx(loss.item(), rel=1e-5)
    assert network.loss(output, torch.full_like(targets, 255)).item() == 0


@pytest.mark.parametrize("pooling", ["last", "attention"])
def test_an_lstm_sees_frames_in_their_order(pooling):
    import torch

    network = student("lstm", "small", frames="resnet18", pooling=pooling, image_size=32).eval()
    frames = torch.rand(2, 3, 3, 32, 32)
    with torch.no_grad():
        output, turned = network(frames), network(frames.flip(1))
    assert output.task.shape == (2, 2) and output.features.shape == (2, 256)
    assert not torch.allclose(output.task, turned.task)


@pytest.mark.parametrize(
    ("family", "extra"), [("yolov8", {}), ("unet", {}), ("lstm", {"frames": "resnet18", "pooling": "attention"})]
)
def test_a_saved_student_gives_the_same_output(family, extra, tmp_path):
    import torch

    from runners.distill import students

    network = student(family, next(iter(FAMILIES[family].sizes)), **extra).eval()
    students.save(network, tmp_path)
    again = students.load(tmp_path)
    inputs = torch.rand(*((1, 2) if family == "lstm" else (1,)), 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(network(inputs).features, again(inputs).features)
    assert again.options.extra == extra


def task(name, root, augment=True, **changes):
    from runners.distill import tasks
    from runners.distill.tasks.base import Settings

    return tasks.build(name, Settings(("car", "cone"), 64, (0.0,) * 3, (1.0,) * 3, root, augment, **changes))


def written(folder, row, size=(128, 64)):
    picture = numpy.zeros((size[1], size[0], 3), dtype=numpy.uint8)
    picture[16:48, 8:24] = 255
    Image.fromarray(picture).save(folder / "1.png")
    (folder / "rows.jsonl").write_text(json.dumps(row) + "\n")
    return folder / "rows.jsonl"


def test_boxes_follow_their_picture_into_the_square_and_back(tmp_path):
    import torch

    boxes = task("detection", tmp_path)
    row = {"images": ["1.png"], "boxes": [[8, 16, 24, 48]], "labels": [1]}
    (read,) = boxes.read(written(tmp_path, row))
    seen = {boxes.transform(read, True, seed).flipped: boxes.transform(read, True, seed) for seed in range(12)}
    assert set(seen) == {False, True}
    for flipped, sample in (*seen.items(), (False, boxes.transform(read, False, 0))):
        left, top, right, bottom = sample.target["boxes"][0].tolist()
        assert (left, top, right, bottom) == ((52, 24, 60, 40) if flipped else (4, 24, 12, 40))
        bright = sample.inputs[0, 24:40, round(left) : round(right)]
        assert bright.min() > sample.inputs[0, 20:22, 30].max()
    again = boxes.transform(read, True, 5)
    assert torch.equal(again.inputs, boxes.transform(read, True, 5).inputs)
    inputs, targets = boxes.collate([again, again])
    assert inputs.shape == (2, 3, 64, 64) and targets["batch_idx"].tolist() == [0, 1]
    assert targets["bboxes"][0, 2:].tolist() == [8 / 64, 16 / 64]
    said = {"boxes": [[4, 24, 12, 40], [0, 0, 64, 64]], "scores": [0.9, 0.1], "labels": [1, 0]}
    line = boxes.prediction(read, said)
    assert line["answer"] == [{"box": [8, 16, 24, 48], "class": "cone", "score": 0.9}]
    assert line["scores"][1]["box"] == [0, 0, 128, 64] and line["label"][0]["class"] == "cone"


def test_average_precision(tmp_path):
    """One of two things is found exactly; for the other class, a box that overlaps by half counts at no threshold."""
    boxes = task("detection", tmp_path)
    assert METRICS["detection"] == ("loss", "map50", "map50_95")
    wanted = [{"boxes": [[0, 0, 10, 10]], "labels": [0]}, {"boxes": [[0, 0, 10, 10]], "labels": [1]}]
    right = [{**thing, "scores": [0.9]} for thing in wanted]
    assert boxes.metrics(right, wanted) == {"map50": 1.0, "map50_95": 1.0}
    half = [right[0], {"boxes": [[0, 0, 10, 4]], "scores": [0.9], "labels": [1]}]
    assert boxes.metrics(half, wanted) == {"map50": 0.5, "map50_95": 0.5}
    none = [{"boxes": [], "scores": [], "labels": []}] * 2
    assert boxes.metrics(none, wanted) == {"map50": 0.0, "map50_95": 0.0}


def test_pixels(tmp_path):
    import torch

    pixels = task("segmentation", tmp_path)
    mask = numpy.zeros((64, 128), dtype=numpy.uint8)
    mask[16:48, 8:24], mask[:8] = 1, 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    (row,) = pixels.read(written(tmp_path, {"images": ["1.png"], "mask": "mask.png"}))
    for seed in range(8):
        sample = pixels.transform(row, True, seed)
        bright = sample.inputs[0] > 0.5 * sample.inputs[0].max()
        assert ((sample.target == 1) == bright).float().mean() > 0.95
        assert set(sample.target.unique().tolist()) == {0, 1, 255}
    wanted = torch.tensor([[0, 0, 1, 1], [255, 255, 1, 1]])
    found = torch.tensor([[0, 1, 1, 1], [1, 0, 1, 1]], dtype=torch.uint8)
    assert METRICS["segmentation"] == ("loss", "miou", "dice")
    # Class 0: 1 of 2 in common; class 1: 4 of 5.
    assert pixels.metrics([found], [wanted]) == {"miou": 0.65, "dice": round((2 / 3 + 8 / 9) / 2, 6)}


def test_clips(tmp_path):
    clips = task("sequence", tmp_path)
    file = written(tmp_path, {"frames": ["1.png", "1.png"], "label": 1})
    (row,) = clips.read(file)
    sample = clips.transform(row, True, 3)
    assert sample.inputs.shape == (2, 3, 64, 64) and sample.target == 1
    assert clips.prediction(row, [0.2, 0.8])["answer"] == "cone"
    file.write_text("".join(json.dumps({"frames": ["1.png"] * n, "label": 0}) + "\n" for n in (1, 2)))
    with pytest.raises(RecipeError) as caught:
        clips.read(file)
    assert caught.value.diagnostics[0].code == "R0663"


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("detection", {"images": ["1.png"], "boxes": [[0, 0, 1, 1]], "labels": [2]}),
        ("detection", {"images": ["1.png"], "label": 1}),
        ("segmentation", {"images": ["1.png"], "label": 1}),
        ("sequence", {"frames": ["1.png"], "label": 2}),
        ("sequence", {"frames": []}),
    ],
)
def test_rows_of_another_task_are_named(name, row, tmp_path):
    with pytest.raises(RecipeError) as caught:
        task(name, tmp_path).read(written(tmp_path, row))
    (found,) = caught.value.diagnostics
    assert (found.code, found.spans[0].line) == ("R0663", 1)


def scored(folder, lines):
    from runners.distill import score

    (folder / "predictions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "classes.json").write_text('["car", "cone", "bus"]')
    given = ["--predictions", folder / "predictions.jsonl", "--classes", folder / "classes.json", "--to", folder]
    score.main([str(argument) for argument in given])
    return [json.loads((folder / name).read_bytes()) for name in ("metrics.json", "report.json")]


def test_scores_of_predicted_boxes(tmp_path):
    gold = [{"box": [0, 0, 10, 10], "class": "car"}, {"box": [20, 20, 30, 30], "class": "cone"}]
    found = [{"box": [0, 0, 10, 10], "class": "car", "score": 0.9}]
    metrics, report = scored(tmp_path, [{"label": gold, "scores": found}])
    assert metrics == {"rows": 1, "map50": 0.5, "map50_95": 0.5}
    assert report["classes"]["car"] == {"map50_95": 1.0, "wanted": 1, "found": 1}
    assert report["classes"]["cone"] == {"map50_95": 0.0, "wanted": 1, "found": 0}
    assert report["classes"]["bus"]["map50_95"] is None


def test_scores_of_predicted_pixels(tmp_path):
    first, second = [[1, 1, 0], [0, 1, 0], [0, 0, 0]], [[0, 0, 0], [0, 3, 0], [0, 0, 0]]
    metrics, report = scored(tmp_path, [{"counts": first}, {"counts": second}])
    assert metrics == {"rows": 2, "miou": 0.65, "dice": round((2 / 3 + 8 / 9) / 2, 6)}
    assert report["classes"]["bus"]["iou"] is None
    with pytest.raises(RecipeError) as caught:
        scored(tmp_path, [{"label": "car", "answer": "car", "scores": {"car": 1.0}}])
    assert caught.value.diagnostics[0].code == "R0683"
