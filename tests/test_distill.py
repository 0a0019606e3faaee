"""The stage kind `distill`: what it compiles to, what is filled in for a family, and what is refused before anything runs."""

import json
from pathlib import Path

import pytest
from compiling import plans, project, recipe

from compiler.validation import findings
from runners.distill import collect
from schema.diagnostics import RecipeError
from schema.signature import toolchain
from schema.students import FAMILIES, TEACHERS

TEACHER = "{id: Qwen/Qwen2.5-VL-7B-Instruct}"
RECIPE = """\
version: 1
name: small
models: {{teacher: {teacher}}}
datasets: {{animals: {{kind: image-folder, path: data/animals, split: {{validation: 0.2}}}}}}
hardware: {{gpus: {gpus}, gpu_memory: {memory}}}
stages:
  data: {{kind: prepare, dataset: animals, task: classify}}
  small: {{kind: distill, data: data.train, {fields}}}
"""
TAUGHT = "teacher: teacher, student: resnet/resnet50"


def written(root, fields=TAUGHT, teacher=TEACHER, gpus=1, memory="24GiB", more=""):
    text = RECIPE.format(fields=fields, teacher=teacher, gpus=gpus, memory=memory) + more
    return project(root, small=text) / "small.yaml"


def config(root, fields, **others):
    """What the runner is told."""
    plan = plans(written(root, fields, **others))["small"]
    return plan.stage("small").launch.files["distill"]


def found(root, fields, **others):
    """Code → its diagnostic."""
    return {diagnostic.code: diagnostic for diagnostic in findings(written(root, fields, **others), {})}


ADAPTED = "teacher: teacher, student: {{family: vit, size: vit-base, pretrained: a/b.pt, lora: {{rank: 8, target_modules: {}}}}}"


# What is filled in


@pytest.mark.parametrize(
    ("student", "batch", "optimizer", "rate", "decay", "kind", "loss", "size"),
    [
        ("resnet/resnet50", 32, "adamw", 1e-4, 0.01, "hybrid", "cosine", 224),
        ("vit/vit-base", 64, "adamw", 5e-5, 0.05, "hybrid", "mse", 224),
    ],
)
def test_what_a_recipe_leaves_out_is_recommended_for_the_family(
    tmp_path, student, batch, optimizer, rate, decay, kind, loss, size
):
    told = config(tmp_path, f"teacher: teacher, student: {student}")
    chosen = told["optimizer"]
    assert told["batch"] == {"micro": batch, "accumulation": 1}
    assert (chosen["name"], chosen["learning_rate"], chosen["weight_decay"]) == (optimizer, rate, decay)
    assert (told["type"], told["feature_loss"], told["student"]["image_size"]) == (kind, loss, size)


def test_the_other_defaults_are_those_of_every_family(tmp_path):
    told = config(tmp_path, TAUGHT)
    names = ("epochs", "temperature", "hard_label_weight", "soft_label_weight", "align_feature")
    assert [told[name] for name in names] == [100, 4.0, 0.5, 0.5, True]
    assert (told["optimizer"]["schedule"], told["optimizer"]["max_grad_norm"]) == ("cosine", 1.0)
    lora = told["student"]["lora"]
    assert (lora["rank"], lora["alpha"], lora["dropout"], lora["bias"]) == (0, 16, 0.1, "none")


def test_what_a_recipe_says_stands(tmp_path):
    fields = TAUGHT + ", type: feature, optimizer: {name: sgd, weight_decay: 0}, batch: {global: 64, micro: 16}"
    told = config(tmp_path, fields)
    assert (told["type"], told["optimizer"]["name"], told["optimizer"]["weight_decay"]) == ("feature", "sgd", 0)
    assert told["batch"] == {"micro": 16, "accumulation": 4}


def test_show_marks_what_was_recommended(tmp_path):
    written(tmp_path, TAUGHT + ", optimizer: {learning_rate: 2e-4}")
    code, shown, _ = recipe(tmp_path, "show", "recipes/small.yaml")
    assert code == 0
    line = next(line for line in shown.splitlines() if line.startswith("recommended for resnet"))
    assert "batch.global 32" in line and "feature_loss cosine" in line
    assert "learning_rate" not in line


@pytest.mark.parametrize("fields", ["type: none, student: resnet/resnet50", TAUGHT + ", type: logit"])
def test_show_names_no_loss_of_features_where_none_are_compared(tmp_path, fields):
    written(tmp_path, fields)
    _, shown, _ = recipe(tmp_path, "show", "recipes/small.yaml")
    assert "recommended for resnet" in shown and "feature_loss" not in shown


# What it compiles to


def test_a_teacher_is_asked_before_the_student_is_trained(tmp_path):
    launch = plans(written(tmp_path))["small"].stage("small").launch
    assert [command.program[-1] for command in launch.commands] == [
        "runners.distill.remember",
        "runners.distill.train",
        "runners.distill.collect",
    ]


def test_without_a_teacher_nobody_is_asked(tmp_path):
    stage = plans(written(tmp_path, "type: none, student: resnet/resnet50"))["small"].stage("small")
    assert [command.program[-1] for command in stage.launch.commands] == [
        "runners.distill.train",
        "runners.distill.collect",
    ]
    assert [given.role for given in stage.inputs] == ["data", "classes"]


def test_several_gpus_are_started_by_accelerate(tmp_path):
    stage = plans(written(tmp_path, gpus=4))["small"].stage("small")
    assert stage.launch.commands[1].launcher is not None
    assert stage.launch.files["distill"]["batch"] == {"micro": 8, "accumulation": 1}


def test_a_teacher_may_be_an_adapter_of_a_stage_before(tmp_path):
    more = "  said: {kind: prepare, dataset: animals}\n  tuned: {kind: sft, model: teacher, data: said.train}\n"
    stage = plans(written(tmp_path, "teacher: tuned, student: resnet/resnet50", more=more))["small"].stage("small")
    options = stage.launch.commands[0].options
    assert options["teacher"].role == "base"
    assert options["adapter"].path == "outputs/small/tuned/model"


def test_weights_of_a_student_are_an_input(tmp_path):
    fields = "teacher: teacher, student: {family: resnet, size: resnet50, pretrained: weights/resnet50.safetensors}"
    stage = plans(written(tmp_path, fields))["small"].stage("small")
    assert stage.launch.commands[1].options["pretrained"].path == "weights/resnet50.safetensors"


def test_weights_of_a_student_may_be_a_locked_model_that_no_engine_knows(tmp_path):
    recipes = written(tmp_path, "teacher: teacher, student: {family: resnet, size: resnet50, pretrained: weights}")
    text = recipes.read_text().replace("models: {", "models: {weights: {id: timm/resnet50.a1_in1k}, ")
    recipes.write_text(text)
    stage = plans(recipes)["small"].stage("small")
    assert stage.input("pretrained").path == ".recipe/models/timm--resnet50.a1_in1k"


def test_a_student_answers_through_its_own_runner(tmp_path):
    more = "  answers: {kind: predict, model: small, data: data.validation}\n"
    for fields in (TAUGHT, "type: none, student: resnet/resnet50"):
        stage = plans(written(tmp_path, fields, more=more))["small"].stage("answers")
        assert stage.launch.commands[0].program[-1] == "runners.distill.answer"
        assert stage.launch.commands[0].options["student"].path == "outputs/small/small/student"


def test_logging_cannot_change_the_key(tmp_path):
    keys = {
        plans(written(tmp_path, TAUGHT + more))["small"].stage("small").key
        for more in ("", ", logging: {every: epoch, trackers: []}", ", checkpoints: {keep: 5}")
    }
    assert len(keys) == 1


def test_a_service_may_be_told_how_it_goes(tmp_path):
    fields = TAUGHT + ", logging: {http: {url: 'http://127.0.0.1:8000/jobs', task: '42'}}"
    written(tmp_path, fields)
    assert recipe(tmp_path, "compile")[0] == 0
    manifest = json.loads((tmp_path / "pipelines/small/manifest.json").read_text())
    assert manifest["stages"]["small"]["reports"] == {"url": "http://127.0.0.1:8000/jobs", "task": "42"}


def test_the_modules_of_family_and_task_count(tmp_path):
    code = plans(written(tmp_path))["small"].stage("small").identity["code"]
    assert {"runners.distill.students.resnet", "runners.distill.tasks.classification"} <= code.keys()
    assert "runners.distill.students.vit" not in code


@pytest.mark.parametrize(
    ("student", "task", "counts"), [("yolov8/n", "detect", True), ("unet/small", "segment", False)]
)
def test_the_version_of_a_library_that_is_installed_by_hand_counts_where_it_is_used(tmp_path, student, task, counts):
    wanted = toolchain()["ultralytics"]
    assert f"\nultralytics=={wanted} " in (Path(__file__).parents[1] / "requirements/dev.txt").read_text()
    drawn = "kind: scenes, classes: [car, sign], count: 8, size: 64"
    recipes = written(tmp_path, f"teacher: teacher, student: {student}")
    text = recipes.read_text().replace("kind: image-folder, path: data/animals", drawn).replace("classify", task)
    recipes.write_text(text + "  answers: {kind: predict, model: small, data: data.validation}\n")
    plan = plans(recipes)["small"]
    found = [plan.stage(name).identity["toolchain"].get("ultralytics") for name in ("data", "small", "answers")]
    assert found == [None, wanted, wanted] if counts else [None] * 3


# What is refused


@pytest.mark.parametrize(
    ("data", "task", "student", "help"),
    [
        (
            "image-folder, path: data/animals",
            "sequence",
            "resnet/resnet50",
            "`task: classify` in `data`, or `family: lstm`",
        ),
        ("coco, path: data/roads, annotations: a.json", "detect", "resnet/resnet50", "`family: yolov8`"),
        (
            "coco, path: data/roads, annotations: a.json",
            "detect",
            "unet/small",
            "`task: segment` in `data`, or `family: yolov8`",
        ),
        ("yolo, path: data/roads, classes: [car, sign]", "detect", "unet/small", "`family: yolov8`"),
        ("image-folder, path: data/animals", "classify", "lstm/small", "`family: resnet` or `family: vit`"),
        ("image-folder, path: data/animals", "generate", "resnet/resnet50", "`task: classify` in `data`"),
    ],
)
def test_rows_for_another_student_are_told_with_the_students_that_learn_from_them(tmp_path, data, task, student, help):
    recipes = written(tmp_path, f"teacher: teacher, student: {student}")
    text = (
        recipes.read_text().replace("image-folder, path: data/animals", data).replace("task: classify", f"task: {task}")
    )
    recipes.write_text(text)
    told = {diagnostic.code: diagnostic for diagnostic in findings(recipes, {})}["R0307"]
    ends = "" if help.endswith("`data`") else " in `small`"
    assert told.help == f"write {help}{ends}"


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        (TAUGHT + ", batch: {global: 32, micro: 5}", "R0390", "32"),
        ("teacher: teacher, student: resnet/resnet51", "R0391", "resnet51"),
        (TAUGHT + ", task: detection", "R0391", "`resnet` is for classification, and not for detection"),
        ("teacher: teacher, student: unet/small, type: logit", "R0392", "segmentation"),
        ("teacher: teacher, student: {family: unet, size: small, lora: {rank: 8}}", "R0393", "`unet` is none"),
        ("teacher: teacher, student: {family: vit, size: vit-base, lora: {rank: 8}}", "R0393", "random weights"),
        (ADAPTED.format("[q_proj, qkv]"), "R0485", "no linear layer `q_proj`"),
        (TAUGHT + ", align_feature: false", "R0394", "2048 channels and the teacher's 1280"),
        (TAUGHT + ", align_feature: false, features: {at: merger}", "R0394", "the teacher's 3584"),
        ("student: resnet/resnet50", "R0395", "names none"),
        (TAUGHT + ", type: none", "R0395", "is not asked"),
        (TAUGHT + ", views: 4, augment: false", "R0460", "the same"),
        (TAUGHT + ", checkpoints: {select: best}", "R0461", "has none"),
        (
            TAUGHT + ", evaluation: {data: data.validation}, checkpoints: {select: best, metric: eval_acuracy}",
            "R0464",
            "loss, accuracy, f1_macro",
        ),
        (TAUGHT + ", freeze_batch_norm: true", "R0463", "random weights"),
        ("teacher: teacher, student: vit/vit-base, freeze_batch_norm: true", "R0463", "a `vit` has no batch norms"),
        (TAUGHT + ", hard_label_weight: 0, soft_label_weight: 0", "R0462", "nothing is learned"),
    ],
)
def test_what_cannot_work_is_refused(tmp_path, fields, code, words):
    diagnostic = found(tmp_path, fields)[code]
    assert diagnostic.severity == "error"
    assert words in diagnostic.message
    assert diagnostic.help
    assert diagnostic.spans[0].file.endswith("small.yaml")


@pytest.mark.parametrize(
    ("fields", "memory", "code"),
    [
        ("teacher: teacher, student: vit/vit-base, optimizer: {learning_rate: 1e-3}", "24GiB", "R0396"),
        ("teacher: teacher, student: vit/vit-large", "16GiB", "R0397"),
        ("teacher: teacher, student: unet/small, batch: {global: 32}", "24GiB", "R0398"),
    ],
)
def test_what_seldom_works_is_warned_of(tmp_path, fields, memory, code):
    assert found(tmp_path, fields, memory=memory)[code].severity == "warning"


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        (
            "type: none, student: resnet/resnet50, temperature: 2.0, hard_label_weight: 1.0",
            ["hard_label_weight", "temperature"],
        ),
        (TAUGHT + ", type: feature, temperature: 2.0, scores: {calibration: mean}", ["scores", "temperature"]),
        (TAUGHT + ", type: logit, features: {grid: 8}", ["features"]),
        (TAUGHT + ", features: {grid: 8, pooling: max}", ["grid"]),
        (TAUGHT + ", optimizer: {momentum: 0.5}", ["momentum"]),
        (TAUGHT + ", optimizer: {name: sgd, momentum: 0.5}", []),
        (TAUGHT + ", temperature: 2.0, feature_loss: mse, scores: {calibration: mean}", []),
    ],
)
def test_what_has_no_effect_is_warned_of(tmp_path, fields, names):
    told = findings(written(tmp_path, fields), {})
    assert [(d.code, d.severity, d.message.split("`")[1]) for d in told] == [
        ("R0465", "warning", name) for name in names
    ]


def test_layers_of_adapters_may_be_told_more_exactly(tmp_path):
    assert "R0485" not in found(tmp_path, ADAPTED.format("[attn.qkv, blocks.3.attn.proj, fc1]"))


def test_what_works_is_not_warned_of(tmp_path):
    fields = "teacher: teacher, student: vit/vit-large, optimizer: {learning_rate: 9e-4}"
    assert found(tmp_path, fields) == {}


@pytest.mark.parametrize("name", ["Qwen/Qwen2.5-VL-8B-Instruct", "Qwen2.5-VL-8B", "Qwen2.5-VL 8B"])
def test_a_model_that_does_not_exist_is_told_with_what_may_be_meant(tmp_path, name):
    diagnostic = found(tmp_path, TAUGHT, teacher=f"{{id: {name}}}")["R0315"]
    assert "does not exist" in diagnostic.message
    assert "Qwen/Qwen2.5-VL-7B-Instruct" in diagnostic.help
    assert "Qwen/Qwen3-VL-8B-Instruct" in diagnostic.help


def test_a_teacher_whose_width_is_known_may_go_without_a_projection(tmp_path):
    """ViT-Large has 1,024 channels, and so has the tower of Qwen3-VL-2B."""
    assert TEACHERS["Qwen/Qwen3-VL-2B-Instruct"][0] == FAMILIES["vit"].sizes["vit-large"].width
    fields = "teacher: teacher, student: vit/vit-large, align_feature: false"
    assert "R0394" not in found(tmp_path, fields, teacher="{id: Qwen/Qwen3-VL-2B-Instruct}")


def test_the_configuration_holds_no_place(tmp_path):
    assert str(tmp_path) not in json.dumps(config(tmp_path, TAUGHT))


# Which checkpoint is handed over


def checkpoint(folder, step, best=None):
    path = folder / f"checkpoint-{step}"
    path.mkdir()
    state = {"global_step": step, "best_global_step": best, "log_history": [{"step": step, "loss": 1.0}]}
    (path / "trainer_state.json").write_text(json.dumps(state))


@pytest.mark.parametrize(("select", "step"), [("last", 30), ("best", 20)])
def test_the_last_or_the_best_checkpoint_is_taken(tmp_path, select, step):
    for number, best in ((9, None), (20, 9), (30, 20)):
        checkpoint(tmp_path, number, best)
    path, chosen, history = collect.chosen(tmp_path, select)
    assert (path.name, chosen) == (f"checkpoint-{step}", step)
    assert history == [{"step": 30, "loss": 1.0}]


@pytest.mark.parametrize("select", ["last", "best"])
def test_a_training_without_checkpoint_is_told(tmp_path, select):
    (tmp_path / "checkpoint-5").mkdir()
    if select == "best":
        checkpoint(tmp_path, 8)  # and never evaluated
    with pytest.raises(RecipeError) as error:
        collect.chosen(tmp_path, select)
    assert error.value.diagnostics[0].code == "R0668"
