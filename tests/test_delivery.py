"""What follows training, without torch: pictures, smaller numbers, and the command of TensorRT."""

import csv
import json

import numpy as np
import onnx
import pytest
from compiling import plans, project
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from compiler.backends.delivery import trtexec
from compiler.validation import findings
from runners import benchmark, quantize, quantized, tensorrt
from runners.exporting import folder as folders
from runners.exporting import pictures
from runners.exporting.folder import Exported
from runners.exporting.subject import Looks
from schema.diagnostics import RecipeError
from schema.stages.export import TensorRt

SIDE, CLASSES = 8, ("dark", "light")
LOOKS = Looks((SIDE, SIDE), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
CHAT = """\
version: 1
name: chat
models: {base: {id: MODEL}}
datasets: {animals: {kind: image-folder, path: data/animals, split: {validation: 0.2}}}
stages:
  data: {kind: prepare, dataset: animals}
  STAGE
"""


@pytest.fixture
def rows(tmp_path):
    """Twenty dark and light pictures."""
    lines = []
    for number in range(20):
        level = 40 + 4 * number if number % 2 else 140 + 4 * number
        Image.new("RGB", (SIDE, SIDE), (level, level, level)).save(tmp_path / f"{number}.png")
        label = 0 if level < 128 else 1
        message = {"role": "user", "content": "<image>Light?"}
        lines.append(json.dumps({"messages": [message], "images": [f"{number}.png"], "label": label}) + "\n")
    (tmp_path / "rows.jsonl").write_text("".join(lines))
    return tmp_path / "rows.jsonl"


@pytest.fixture
def export(tmp_path):
    """An export that sums the pixels: light pictures give the second class."""
    count = 3 * SIDE * SIDE
    weights = np.stack([np.full(count, -1 / count), np.full(count, 1 / count)], axis=1).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["image"], ["flat"], axis=1),
            helper.make_node("MatMul", ["flat", "weights"], ["result"]),
        ],
        "sum",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("result", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(weights, "weights")],
    )
    target = tmp_path / "export"
    target.mkdir()
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save_model(model, str(target / "model.onnx"))
    folders.write(Exported("sum", "logits", LOOKS, {"onnx": "model.onnx"}, 20, CLASSES), target)
    return target


def test_an_export_says_of_itself_what_was_written(export):
    assert folders.read(export) == Exported("sum", "logits", LOOKS, {"onnx": "model.onnx"}, 20, CLASSES)


def test_a_folder_without_an_export_is_refused(tmp_path):
    with pytest.raises(RecipeError) as caught:
        folders.read(tmp_path)
    assert caught.value.diagnostics[0].code == "R0593"


@pytest.mark.parametrize("method", ["int8-dynamic", "int8-static"])
def test_integers_keep_the_classes_and_say_what_they_cost(method, export, rows, tmp_path):
    calibrated = ["--calibration", str(rows), "--samples", "20"] if method == "int8-static" else []
    argv = ["--export", str(export), "--method", method, "--check", str(rows), "--to", str(tmp_path / "out")]
    assert quantize.main([*argv, *calibrated]) == 0
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_bytes())
    assert (metrics["rows"], metrics["accuracy_before"], metrics["accuracy_after"]) == (20, 1.0, 1.0)
    assert 0 < metrics["max_difference"] < 0.05
    made = onnx.load(str(tmp_path / "out" / "export" / "model.onnx"))
    assert any(tensor.data_type == TensorProto.INT8 for tensor in made.graph.initializer)
    again = folders.read(tmp_path / "out" / "export")
    assert (again.files, again.classes) == ({"onnx": "model.onnx"}, CLASSES)


def test_what_is_no_number_after_quantisation_is_refused(export, rows, tmp_path):
    """In a later chunk of rows, where a maximum of Python's forgets it."""
    exported = folders.read(export)
    calls = []

    def broken(images):
        calls.append(len(images))
        return np.full((len(images), 2), 1 if len(calls) == 1 else np.nan, dtype=np.float32)

    with pytest.raises(RecipeError) as caught:
        quantize.compare(folders.onnx(export / "model.onnx"), broken, rows, exported)
    assert len(calls) > 1
    assert caught.value.diagnostics[0].code == "R0582"


def test_an_export_of_any_number_of_classes_is_scored_by_them(export, rows, tmp_path):
    lines = [json.loads(line) for line in rows.read_text().splitlines()]
    several = [line | {"label": [line["label"]] if number else []} for number, line in enumerate(lines)]
    rows.write_text("".join(json.dumps(line) + "\n" for line in several))
    argv = ["--export", str(export), "--method", "int8-dynamic", "--check", str(rows), "--to", str(tmp_path / "out")]
    assert quantize.main(argv) == 0
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_bytes())
    assert metrics["same_class"] == 1
    assert metrics["accuracy_before"] == metrics["accuracy_after"] == 0.95  # all but the row without classes


def test_each_size_of_batch_is_compared_whatever_there_are_of_rows():
    from runners import export

    sizes = []

    def run(images):
        sizes.append(len(images))
        return images + (np.nan if len(images) == 3 else 0)

    assert np.isnan(export._difference(run, np.ones((1, 2), np.float32), np.ones((1, 2), np.float32)))
    assert {1, 3, 16} <= set(sizes)


def test_the_same_rows_give_the_same_integers(export, rows, tmp_path):
    argv = ["--export", str(export), "--method", "int8-static", "--calibration", str(rows)]
    for name in ("first", "second"):
        quantize.main([*argv, "--to", str(tmp_path / name)])
    first, second = ((tmp_path / name / "export" / "model.onnx").read_bytes() for name in ("first", "second"))
    assert first == second


def test_an_export_without_onnx_is_not_quantised(export, tmp_path):
    folders.write(Exported("sum", "logits", LOOKS, {"torchscript": "model.pt"}, 20, CLASSES), export)
    with pytest.raises(RecipeError) as caught:
        quantize.main(["--export", str(export), "--method", "int8-dynamic", "--to", str(tmp_path / "out")])
    assert caught.value.diagnostics[0].code == "R0596"


def test_an_export_is_measured_at_each_batch_size(export, rows, tmp_path):
    argv = ["--export", str(export), "--data", str(rows), "--batch_sizes", "32", "1", "--repeats", "4"]
    assert benchmark.main([*argv, "--threads", "1", "--to", str(tmp_path / "out")]) == 0
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_bytes())
    assert set(metrics) == {"onnx", "machine"}
    for size in ("batch_1", "batch_32"):
        found = metrics["onnx"][size]
        assert 0 < found["latency_p50_ms"] <= found["latency_p95_ms"]
        assert found["peak_memory_mib"] > 10
    for name, columns in (("throughput", ["onnx"]), ("latency", ["onnx_p50", "onnx_p95"])):
        with (tmp_path / "out" / f"{name}.csv").open() as file:
            head, *lines = csv.reader(file)
        assert (head, [size for size, *_ in lines]) == (["batch_size", *columns], ["1", "32"])
        assert all(float(value) > 0 for _, *values in lines for value in values)


@pytest.mark.parametrize("images", [[], ["a.png", "b.png"]])
def test_a_row_without_one_picture_is_refused_with_its_place(images, tmp_path):
    good = {"messages": [], "images": ["a.png"]}
    (tmp_path / "rows.jsonl").write_text(f"{json.dumps(good)}\n{json.dumps({'messages': [], 'images': images})}\n")
    assert len(pictures.read_rows(tmp_path / "rows.jsonl", 1)) == 1
    with pytest.raises(RecipeError) as caught:
        pictures.read_rows(tmp_path / "rows.jsonl", None)
    assert (caught.value.diagnostics[0].code, caught.value.diagnostics[0].spans[0].line) == ("R0591", 2)


def test_the_command_of_tensorrt_has_the_three_batches():
    assert trtexec(TensorRt(fp16=False, workspace=512, batch=(1, 2, 4)), (28, 56)) == [
        *("trtexec", "--onnx=model.onnx", "--saveEngine=model.plan", "--memPoolSize=workspace:512"),
        *("--minShapes=image:1x3x28x56", "--optShapes=image:2x3x28x56", "--maxShapes=image:4x3x28x56"),
    ]


def built(tmp_path, monkeypatch, program):
    """What the runner says, with this program in the place of `trtexec`."""
    (tmp_path / "config.json").write_text(json.dumps({"argv": ["trtexec", "--onnx=model.onnx"]}))
    (tmp_path / "export").mkdir()
    (tmp_path / "bin").mkdir()
    if program is not None:
        (tmp_path / "bin" / "trtexec").write_text(f"#!/bin/sh\n{program}\n")
        (tmp_path / "bin" / "trtexec").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin")
    tensorrt.main(["--config", str(tmp_path / "config.json"), "--to", str(tmp_path)])
    return json.loads((tmp_path / "export" / "tensorrt.json").read_bytes())


def test_without_trtexec_a_report_says_so(tmp_path, monkeypatch):
    report = built(tmp_path, monkeypatch, None)
    assert report["ran"] is False
    assert report["skipped"] == "skipped: the program `trtexec` is not installed on this machine"


def test_with_trtexec_it_runs_in_the_folder_of_the_export(tmp_path, monkeypatch):
    report = built(tmp_path, monkeypatch, 'echo "$1" > model.plan')
    assert (report["ran"], report["skipped"]) == (True, None)
    assert (tmp_path / "export" / "model.plan").read_text() == "--onnx=model.onnx\n"


def test_a_trtexec_that_fails_fails_the_stage(tmp_path, monkeypatch):
    with pytest.raises(RecipeError, match="status 7"):
        built(tmp_path, monkeypatch, "exit 7")


def codes(tmp_path, model, stage):
    recipes = project(tmp_path, chat=CHAT.replace("MODEL", model).replace("STAGE", stage))
    return [diagnostic.code for diagnostic in findings(recipes / "chat.yaml", {})]


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("Qwen/Qwen2-VL-2B-Instruct", []),
        ("llava-hf/llava-1.5-7b-hf", []),
        ("Qwen/Qwen2.5-VL-7B-Instruct", ["R0380"]),
        ("google/gemma-3-12b-it", ["R0380"]),
    ],
)
def test_vision_towers_that_were_compared_are_exported_and_others_not(tmp_path, model, found):
    stage = "tower: {kind: export, model: base, part: vision, image_size: [336, 336], data: data.validation}"
    assert codes(tmp_path, model, stage) == found


@pytest.mark.parametrize(
    ("toolchain", "option", "found"),
    [
        ("vllm", "enforce_eager: true", []),
        ("vllm", "enforce-eagre: true", ["R0401"]),
        ("vllm", "max-num-seqs: 4", ["R0403"]),
        ("default", "enforce_eager: true", ["R0314", "R0388"]),
    ],
)
def test_options_of_vllm_are_checked_where_the_toolchain_holds_it(tmp_path, toolchain, option, found):
    stage = f"served: {{kind: deploy, model: base, data: data.validation, server: vllm, toolchain: {toolchain}"
    stage += f", engine: {{args: {{{option}}}}}}}"
    recipes = project(tmp_path, chat=CHAT.replace("MODEL", "Qwen/Qwen2-VL-2B-Instruct").replace("STAGE", stage))
    assert [diagnostic.code for diagnostic in findings(recipes / "chat.yaml", {})] == found
    if not found:
        [plan] = plans(recipes / "chat.yaml").values()
        [serve] = plan.stage("served").launch.beside["serve"]
        assert serve.passed == {"enforce_eager": True} and serve.signature == ("vllm", "serve", "vllm")


def test_where_a_server_listens_is_no_part_of_the_key(tmp_path):
    """It stands in the script for people alone."""
    keys = set()
    for port in (8000, 9000):
        stage = f"served: {{kind: deploy, model: base, data: data.validation, port: {port}}}"
        recipes = project(tmp_path, chat=CHAT.replace("MODEL", "Qwen/Qwen2-VL-2B-Instruct").replace("STAGE", stage))
        [plan] = plans(recipes / "chat.yaml").values()
        keys.add(plan.stage("served").key)
        [serve] = plan.stage("served").launch.beside["serve"]
        assert serve.options["host"] == "127.0.0.1"
        assert serve.options["port"] == port
    assert len(keys) == 1


def test_a_mask_does_not_take_the_steps_of_what_it_masks(tmp_path):
    """Scores of -3e38 that a mask adds are no range for integers: static quantisation leaves sums alone."""
    rng = np.random.default_rng(0)
    mask = np.zeros((1, 4), dtype=np.float32)
    mask[0, 3] = np.finfo(np.float32).min
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["image"], ["flat"], axis=1),
            helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
            helper.make_node("Mul", ["scores", "half"], ["scaled"]),  # as in attention
            helper.make_node("Add", ["scaled", "mask"], ["masked"]),
            helper.make_node("Softmax", ["masked"], ["result"], axis=-1),
        ],
        "masked",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 2, 2])],
        [helper.make_tensor_value_info("result", TensorProto.FLOAT, ["batch", 4])],
        [
            numpy_helper.from_array(rng.normal(size=(12, 4)).astype(np.float32), "weights"),
            numpy_helper.from_array(np.float32([0.5]), "half"),
            numpy_helper.from_array(mask, "mask"),
        ],
    )
    before, after = tmp_path / "before.onnx", tmp_path / "after.onnx"
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), str(before))
    images = rng.normal(size=(64, 3, 2, 2)).astype(np.float32)
    quantize.quantize(before, after, images)
    assert np.abs(folders.onnx(before)(images) - folders.onnx(after)(images)).max() < 0.1


STUDENT = """\
version: 1
name: chat
models: {teacher: {id: tiny/qwen2-vl}}
datasets: {animals: {kind: image-folder, path: data/animals, split: {validation: 0.2}}}
hardware: {gpus: 0}
stages:
  data: {kind: prepare, dataset: animals, task: classify}
  small: {kind: distill, teacher: teacher, data: data.train, student: STUDENT}
  exported: {kind: export, model: small, data: data.validation}
  int8: {kind: quantize, data: data.train, check: data.validation, METHOD}
"""


def students(tmp_path, student, method):
    text = STUDENT.replace("STUDENT", student).replace("METHOD", method)
    return project(tmp_path, chat=text) / "chat.yaml"


@pytest.mark.parametrize(
    ("student", "method", "words"),
    [
        ("vit/vit-tiny", "model: small, method: int8-qat", "`vit` is not made of them alone"),
        ("resnet/resnet18", "model: exported, method: int8-static, training: {epochs: 1}", "trains nothing"),
    ],
)
def test_only_convolutions_are_trained_on_with_their_rounding(tmp_path, student, method, words):
    [diagnostic] = findings(students(tmp_path, student, method), {})
    assert (diagnostic.code, diagnostic.severity) == ("R0467", "error")
    assert words in diagnostic.message


def test_what_trains_with_rounding_is_given_a_student(tmp_path):
    [diagnostic] = findings(students(tmp_path, "resnet/resnet18", "model: exported, method: int8-qat"), {})
    assert diagnostic.code == "R0204"
    assert "student" in diagnostic.message + diagnostic.help


def test_training_with_rounding_is_told_what_suits_the_family(tmp_path):
    """A tenth of the recommended rate; what the recipe says comes first. The export that results can be measured."""
    file = students(tmp_path, "resnet/resnet18", "model: small, method: int8-qat, training: {batch: 8}")
    [plan] = plans(file).values()
    [command] = plan.stage("int8").launch.commands
    assert command.program == ("python", "-m", "runners.quantize_aware")
    told = {name: command.options[name] for name in ("epochs", "learning_rate", "batch", "seed")}
    assert told == {"epochs": 3.0, "learning_rate": 1e-5, "batch": 8, "seed": plan.instance.recipe.seed}
    assert plan.stage("int8").stage.gives == "export"


def test_an_export_of_clips_reads_clips_of_its_length(rows, tmp_path):
    looks = Looks((SIDE, SIDE), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), frames=2)
    frames = [{"frames": ["0.png", "1.png"]}, {"frames": ["1.png", "3.png"]}]
    seen = list(pictures.fitted(frames, rows, looks))
    assert pictures.tensors(seen, looks).shape == (2, 2, 3, SIDE, SIDE)
    for row in ({"frames": ["0.png"]}, {"images": ["0.png"]}):
        with pytest.raises(RecipeError) as caught:
            list(pictures.fitted([frames[0], row], rows, looks))
        assert (caught.value.diagnostics[0].code, caught.value.diagnostics[0].spans[0].line) == ("R0591", 2)


def test_a_picture_in_a_gray_square_keeps_its_sides_ratio():
    made = pictures.fit(Image.new("RGB", (40, 20), "red"), Looks((8, 8), (0, 0, 0), (1, 1, 1), "letterbox"))
    assert [made.getpixel((4, y)) for y in (0, 2, 5, 7)] == [(114,) * 3, (255, 0, 0), (255, 0, 0), (114,) * 3]


def test_a_quantised_model_says_how_much_smaller_its_weights_are(tmp_path):
    for name, size in (("before", 400), ("quantized", 100)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "model.safetensors").write_bytes(bytes(size))
    argv = ["--before", str(tmp_path / "before"), "--from", str(tmp_path / "quantized"), "--to", str(tmp_path / "out")]
    assert quantized.main(argv) == 0
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_bytes())
    assert metrics == {"bytes_before": 400, "bytes_after": 100, "ratio": 0.25}
    (tmp_path / "quantized" / "model.safetensors").write_bytes(bytes(400))
    with pytest.raises(RecipeError, match="no smaller than before: 400 bytes"):
        quantized.main([*argv[:-1], str(tmp_path / "as-large")])
    (tmp_path / "before" / "model.safetensors").unlink()
    with pytest.raises(RecipeError, match="there are no weights"):
        quantized.main([*argv[:-1], str(tmp_path / "again")])
