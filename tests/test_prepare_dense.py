"""Preparing boxes, masks and clips: what is written, and everything that is broken, by file and row."""

import json

import av
import numpy
import pytest
from PIL import Image
from prepare_data import config, picture, refused, rows
from pycocotools import mask as packed

from runners.data.rows import Place
from runners.prepare import prepare
from runners.readers import outlines
from schema import render

NONE = {"validation": 0.0, "test": 0.0, "stratify": False}
SQUARE = [2, 2, 6, 2, 6, 6, 2, 6]


def described(kind, task, **dataset):
    return config(kind, task=task, split=NONE, path="data", **dataset)


def coco(root, annotations, count=3, indent=None, **changes):
    """Pictures of 10 × 8 pixels with the ids 1, 2, …; categories 3 `car` and 5 `cone`."""
    for number in range(count):
        picture(root / f"data/images/{number}.png", (number * 9, 0, 0), (10, 8))
    document = {
        "info": {"year": 2020},
        "images": [{"id": n + 1, "file_name": f"{n}.png", "width": 10, "height": 8} for n in range(count)],
        "categories": [{"id": 5, "name": "cone"}, {"id": 3, "name": "car"}],
        "annotations": [{"id": n, "iscrowd": 0, **thing} for n, thing in enumerate(annotations)],
    } | changes
    (root / "data/annotations.json").write_text(json.dumps(document, indent=indent))


COCO = {"images": "images", "annotations": "annotations.json"}


def test_boxes_of_coco(tmp_path):
    good = {"image_id": 1, "category_id": 5, "bbox": [1, 2, 3, 4]}
    coco(tmp_path, [good, good | {"category_id": 3, "bbox": [5.5, 0, 5, 8]}, good | {"iscrowd": 1, "image_id": 2}])
    report = prepare(described("coco", "detect", **COCO), tmp_path / "out", tmp_path)
    assert rows(tmp_path / "out/train.jsonl") == [
        {"images": ["data/images/0.png"], "boxes": [[1, 2, 4, 6], [5.5, 0, 10, 8]], "labels": [1, 0]},
        {"images": ["data/images/1.png"], "boxes": [], "labels": []},
        {"images": ["data/images/2.png"], "boxes": [], "labels": []},
    ]
    assert json.loads((tmp_path / "out/classes.json").read_bytes()) == ["car", "cone"]
    assert report["classes"] == {"car": {"train": 1}, "cone": {"train": 1}}
    assert report["ignored_files"] == {"crowds": 1}


def test_everything_that_is_wrong_with_coco_at_once(tmp_path):
    good = {"image_id": 1, "category_id": 5, "bbox": [1, 2, 3, 4]}
    broken = [
        good,
        good | {"image_id": 2, "bbox": [1, 2, 0, 4]},
        good | {"image_id": 2, "bbox": [1, 2, float("nan"), 4]},
        good | {"image_id": 2, "bbox": [8, 2, 30, 4]},
        good | {"image_id": 2, "bbox": [1, 2]},
        good | {"image_id": 2, "category_id": 4},
        good | {"image_id": 77},
    ]
    coco(tmp_path, broken, indent=1)
    lines = (tmp_path / "data/annotations.json").read_text().splitlines()
    found = refused(described("coco", "detect", **COCO), tmp_path)
    assert [code for code, _, _ in found] == ["R0671"] * 4 + ["R0672", "R0670"]
    for number, (_, file, line) in enumerate(found, 1):
        assert file == "data/annotations.json"
        assert f'"id": {number},' in lines[line]  # the line after the one with the brace
    skipping = described("coco", "detect", on_bad="skip", **COCO)
    report = prepare(skipping, tmp_path / "out", tmp_path)
    assert (report["read"], report["kept"], report["refused"]["count"]) == (3, 2, 1)
    assert report["refused"]["reasons"] == {"R0671": 4, "R0672": 1, "R0670": 1}


def test_pictures_that_coco_names(tmp_path):
    images = [
        {"id": 1, "file_name": "0.png", "width": 8, "height": 10},
        {"id": 2, "file_name": "gone.png"},
        {"id": 2, "file_name": "1.png"},
    ]
    coco(tmp_path, [], count=2, images=images)
    codes = [code for code, _, _ in refused(described("coco", "detect", **COCO), tmp_path)]
    assert codes == ["R0674", "R0612", "R0670"]


@pytest.mark.parametrize(
    ("text", "place"),
    [('{"images": [1,\n 2,]}', 2), ("[]", 1), ('{"images": []}', 1), ('{"images": [}', 1), ("", 1), ("{} x", 1)],
)
def test_files_that_are_no_coco(tmp_path, text, place):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/annotations.json").write_text(text)
    assert refused(described("coco", "detect", **COCO), tmp_path) == [("R0670", "data/annotations.json", place)]


def test_outlines_become_masks(tmp_path):
    runs = {"size": [8, 10], "counts": [0, 8, 72]}
    coco(
        tmp_path,
        [
            {"image_id": 1, "category_id": 5, "segmentation": [SQUARE]},
            {"image_id": 1, "category_id": 3, "segmentation": [[0, 0, 10, 0, 10, 8, 0, 8]]},
            {"image_id": 2, "category_id": 3, "segmentation": runs, "iscrowd": 1},
        ],
        count=2,
    )
    report = prepare(described("coco", "segment", **COCO), tmp_path / "out", tmp_path)
    first, second = rows(tmp_path / "out/train.jsonl")
    mask = Image.open(tmp_path / "out" / first["mask"])
    assert (mask.mode, mask.size) == ("P", (10, 8))
    pixels = numpy.asarray(mask)
    assert (pixels[2:6, 2:6] == 2).all() and (pixels == 2).sum() == 16 and (pixels == 1).sum() == 64
    crowd = numpy.asarray(Image.open(tmp_path / "out" / second["mask"]))
    assert (crowd[:, 0] == 255).all() and (crowd[:, 1:] == 0).all()
    assert json.loads((tmp_path / "out/classes.json").read_bytes()) == ["background", "car", "cone"]
    assert report["classes"] == {"background": {"train": 1}, "car": {"train": 1}, "cone": {"train": 1}}
    assert set(first) == {"images", "mask"}


def test_broken_outlines(tmp_path):
    broken = [
        None,
        [[1, 2, 3, 4]],
        [[1, 2, 3, 4, 5, float("nan")]],
        [[1, 2, 3, 4, 50, 6]],
        {"size": [10, 8], "counts": [80]},
        {"size": [8, 10], "counts": [79]},
        {"size": [8, 10], "counts": ""},
        {"size": [8, 10], "counts": "zzzz"},
        {"size": [8, 10], "counts": "PPYo0"},
    ]
    things = [{"image_id": 1, "category_id": 5, "segmentation": outline} for outline in broken]
    coco(tmp_path, things)
    codes = [code for code, _, _ in refused(described("coco", "segment", **COCO), tmp_path)]
    assert codes == ["R0671"] * 4 + ["R0674"] + ["R0671"] * 4


def test_run_lengths_that_are_packed_into_text():
    """What pycocotools packs is whole; with its last character cut off it is not, and nothing would say so."""
    draw = numpy.random.default_rng(0)
    for number in range(60):
        height, width = draw.integers(1, 80, 2).tolist()
        pixels = (draw.random((height, width)) < draw.random()) * (number % 3 > 0)
        text = packed.encode(numpy.asfortranarray(pixels.astype(numpy.uint8)))["counts"].decode()
        size, runs = (width, height), {"size": [height, width]}
        assert outlines.problem(runs | {"counts": text}, size) is None
        assert outlines.problem(runs | {"counts": text[:-1]}, size)


YOLO = {"images": "images", "labels": "labels", "classes": ["leaf", "pod"]}


def yolo(root, labels):
    for name, text in labels.items():
        picture(root / f"data/images/{name}.png", (len(name), 7, 7), (10, 8))
        if text is not None:
            file = root / f"data/labels/{name}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)


def test_boxes_of_yolo(tmp_path):
    yolo(tmp_path, {"a/1": "1 0.5 0.5 0.4 0.5\n\n0 0.1 0.25 0.2 0.5\n", "2two": None, "three": ""})
    report = prepare(described("yolo", "detect", **YOLO), tmp_path / "out", tmp_path)
    found = rows(tmp_path / "out/train.jsonl")
    assert found[1] == {
        "images": ["data/images/a/1.png"],
        "boxes": [[3, 2, 7, 6], [0, 0, 2, 4]],
        "labels": [1, 0],
    }
    assert [len(row["boxes"]) for row in found] == [0, 2, 0]
    assert report["ignored_files"] == {"pictures without labels": 1}


def test_everything_that_is_wrong_with_yolo_at_once(tmp_path):
    wrong = "2 0.5 0.5 0.4 0.5\n0 0.5 0.5 0.4\n0 0.5 x 0.4 0.5\n0 0.5 0.5 0 0.5\n0 nan 0.5 0.1 0.1\n0 0.9 0.5 0.9 0.5\n"
    yolo(tmp_path, {"one": wrong, "three": "0 0.5 0.5 1 1"})
    (tmp_path / "data/labels/lost.txt").write_text("")
    assert refused(described("yolo", "detect", **YOLO), tmp_path) == [
        ("R0673", "data/labels/lost.txt", 1),
        ("R0672", "data/labels/one.txt", 1),
        ("R0670", "data/labels/one.txt", 2),
        ("R0670", "data/labels/one.txt", 3),
        ("R0671", "data/labels/one.txt", 4),
        ("R0671", "data/labels/one.txt", 5),
        ("R0671", "data/labels/one.txt", 6),
    ]
    report = prepare(described("yolo", "detect", on_bad="skip", **YOLO), tmp_path / "out", tmp_path)
    assert (report["read"], report["kept"]) == (2, 1)


MASKS = {"images": "images", "masks": "masks", "classes": ["ground", "road"]}


def mask(root, name, values, mode="L"):
    file = root / f"data/masks/{name}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(numpy.array(values, dtype=numpy.uint8)).convert(mode).save(file)


def test_pairs_of_pictures_and_masks(tmp_path):
    for name in ("a/1", "2"):
        picture(tmp_path / f"data/images/{name}.jpg", (len(name) * 60, 7, 7), (3, 2))
        mask(tmp_path, name, [[0, 1, 255], [0, 0, 0]])
    report = prepare(described("masks", "segment", **MASKS), tmp_path / "out", tmp_path)
    assert rows(tmp_path / "out/train.jsonl")[1] == {"images": ["data/images/a/1.jpg"], "mask": "data/masks/a/1.png"}
    assert report["classes"] == {"ground": {"train": 2}, "road": {"train": 2}}
    assert not (tmp_path / "out/masks").exists()


def test_everything_that_is_wrong_with_masks_at_once(tmp_path):
    for number, name in enumerate(("alone", "colours", "cut", "other-size", "unknown")):
        picture(tmp_path / f"data/images/{name}.jpg", (number * 50, 7, 7), (3, 2))
    mask(tmp_path, "colours", [[0, 1, 1], [0, 0, 0]], "RGB")
    mask(tmp_path, "other-size", [[0, 1], [0, 0], [1, 1]])
    mask(tmp_path, "unknown", [[0, 1, 1], [0, 9, 0]])
    mask(tmp_path, "lost", [[0]])
    (tmp_path / "data/masks/cut.png").write_bytes(b"\x89PNG")
    assert refused(described("masks", "segment", **MASKS), tmp_path) == [
        ("R0673", "data/masks/lost.png", 1),
        ("R0673", "data/images/alone.jpg", 1),
        ("R0675", "data/masks/colours.png", 1),
        ("R0604", "data/masks/cut.png", 1),
        ("R0674", "data/masks/other-size.png", 1),
        ("R0672", "data/masks/unknown.png", 1),
    ]


def test_clips_of_frames(tmp_path):
    for label in ("bow", "wave"):
        for clip in range(2):
            for frame in range(5):  # all begin with one black frame
                color = (0, 0, 0) if not frame else (clip * 50, frame * 20, len(label))
                picture(tmp_path / f"data/{label}/{clip}/{frame}.png", color)
    split = {"validation": 0.5, "test": 0.0, "stratify": True}
    description = config("frame-folder", task="sequence", path="data", frames=2, split=split, prompt=None)
    prepare(description, tmp_path / "out", tmp_path)
    train, held_out = rows(tmp_path / "out/train.jsonl"), rows(tmp_path / "out/validation.jsonl")
    assert sorted(row["label"] for row in held_out) == [0, 1]
    first = train[0]["frames"]
    assert [name.rpartition("/")[2] for name in first] == ["1.png", "3.png"] and set(train[0]) == {"frames", "label"}
    (tmp_path / "data/wave/empty").mkdir()
    (tmp_path / "data/wave/stray.png").write_bytes(b"")
    (tmp_path / "data/wait").mkdir()
    assert refused(description, tmp_path) == [
        ("R0603", "data/wait", 1),
        ("R0676", "data/wave/empty", 1),
        ("R0605", "data/wave/stray.png", 1),
    ]


def video(file, brightness):
    file.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        for value in brightness:
            frame = av.VideoFrame.from_ndarray(numpy.full((32, 64, 3), value, dtype=numpy.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def test_clips_of_videos(tmp_path):
    video(tmp_path / "data/rise/1.mp4", range(0, 240, 20))
    video(tmp_path / "data/fall/1.mp4", range(240, 0, -20))
    description = described("video-folder", "sequence", frames=3, size=16) | {"prompt": "Which way?"}
    prepare(description, tmp_path / "out", tmp_path)
    fall, rise = rows(tmp_path / "out/train.jsonl")
    shown = [Image.open(tmp_path / "out" / name) for name in rise["frames"]]
    assert [image.size for image in shown] == [(32, 16)] * 3
    assert [round(numpy.asarray(image).mean() / 20) for image in shown] == [2, 6, 10]
    assert fall["label"] == 0 and fall["messages"] == [{"role": "user", "content": "<image>Which way?"}]
    (tmp_path / "data/rise/2.mp4").write_bytes(b"no video")
    assert refused(description, tmp_path) == [("R0676", "data/rise/2.mp4", 1)]


def test_scenes_tell_where_their_shapes_are(tmp_path):
    description = {"classes": ["car", "cone"], "count": 6, "most": 3, "size": 48}
    for task in ("detect", "segment"):
        prepare(config("scenes", task=task, split=NONE, **description), tmp_path / task, tmp_path)
    for boxed, masked in zip(
        rows(tmp_path / "detect/train.jsonl"), rows(tmp_path / "segment/train.jsonl"), strict=True
    ):
        assert boxed["images"] == masked["images"] and boxed["boxes"]
        pixels = numpy.asarray(Image.open(tmp_path / "segment" / masked["mask"]))
        outside = pixels.copy()
        for (left, top, right, bottom), label in zip(boxed["boxes"], boxed["labels"], strict=True):
            part = pixels[int(top) : int(bottom), int(left) : int(right)]
            assert set(numpy.unique(part)) <= {0, label + 1}
            assert (part[0] > 0).any() and (part[-1] > 0).any() and (part[:, 0] > 0).any() and (part[:, -1] > 0).any()
            outside[int(top) : int(bottom), int(left) : int(right)] = 0
        assert not outside.any()


def test_motions_go_where_their_class_says(tmp_path):
    description = config(
        "motions", task="sequence", split=NONE, classes=["right", "left"], per_class=3, frames=4, size=32
    )
    prepare(description, tmp_path / "out", tmp_path)
    for row in rows(tmp_path / "out/train.jsonl"):
        places = []
        for name in row["frames"]:
            pixels = numpy.asarray(Image.open(tmp_path / "out" / name)).astype(int)
            places.append((pixels != pixels[0, 0]).any(axis=2).nonzero()[1].mean())
        assert (places == sorted(places)) == (row["label"] == 0)
    assert len(rows(tmp_path / "out/train.jsonl")) == 6


@pytest.mark.parametrize(("place", "shown"), [(Place("1.txt", 1), "1.txt:1:1"), (Place("1.txt"), "1.txt")])
def test_a_first_row_is_told_from_a_whole_file(place, shown):
    told = render.text([place.refuse("R0671", "the box has no area")], {})
    assert f"--> {shown}\n" in told
