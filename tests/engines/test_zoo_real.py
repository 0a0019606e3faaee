"""Adapters with another head than text: trained, merged and asked, by the compiled commands; and what embeddings are made of.

Answers and vectors of an adapter and of the model that it was merged into are the same up to rounding. A vector is the state
that ms-swift itself takes: of the last token that is no padding, scaled to length 1.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
from compiling import plans, project
from test_golden import argv_of

from runners.prepare import prepare
from runners.signatures import clean_environment

pytestmark = pytest.mark.engine

HERE = Path(__file__).parent
SHAPES = (
    "kind: shapes, classes: [red disc, green, a blue triangle], per_class: 8, prompt: Which?, split: {validation: 0.25}"
)
TRAINING = """
    model: base
    tuner: {kind: lora, rank: 4, dropout: 0}
    optimizer: {learning_rate: 1e-2}
    batch: {global: 6, micro: 6}
    max_steps: 4
    epochs: 8
    gradient_checkpointing: false
    checkpoints: {every: end}
    logging: {every: 1 steps, trackers: []}
"""
RECIPE = f"""\
version: 1
name: heads
models: {{base: {{id: tiny/qwen2-vl, dtype: float32}}}}
datasets:
  shapes: {{{SHAPES}}}
  words: {{kind: jsonl, path: words.jsonl, columns: {{prompt: word, positive: opposite, negatives: others}}}}
hardware: {{gpus: 0, threads: 1}}
stages:
  tags: {{kind: prepare, dataset: shapes, task: tag}}
  tagger:
    kind: classify
    multi_label: true
    classes: 3
    data: tags.train{TRAINING}
  tagger-folded: {{kind: merge, adapter: tagger}}
  tagged: {{kind: predict, model: tagger, data: tags.validation, batch: 4}}
  tagged-folded: {{kind: predict, model: tagger-folded, data: tags.validation}}
  pairs: {{kind: prepare, dataset: shapes, task: embed}}
  near:
    kind: embed
    data: pairs.train{TRAINING}
  opposites: {{kind: prepare, dataset: words, task: embed}}
  apart:
    kind: embed
    in_batch_negatives: false
    hard_negatives: 2
    temperature: 0.05
    data: opposites.train{TRAINING}
  near-folded: {{kind: merge, adapter: near}}
  vectors: {{kind: features, model: near, data: pairs.validation, batch: 4}}
  vectors-folded: {{kind: features, model: near-folded, data: pairs.validation, batch: 4}}
  vectors-alone: {{kind: features, model: near-folded, data: pairs.validation}}
  means: {{kind: features, model: base, data: pairs.validation, batch: 4, pooling: mean}}
  means-alone: {{kind: features, model: base, data: pairs.validation, pooling: mean}}
  before: {{kind: features, model: base, data: pairs.validation, batch: 4}}
  asked: {{kind: prepare, dataset: shapes}}
  speed: {{kind: benchmark, model: base, data: asked.validation, batch_sizes: [1, 3], warmup: 1, repeats: 2, max_new_tokens: 5}}
  speed-tagger: {{kind: benchmark, model: tagger-folded, data: tags.validation, batch_sizes: [2], warmup: 1, repeats: 2}}
"""
TEXTS = ["green", "a blue triangle", "red disc"]
WORDS = ["big small", "hot cold", "old new", "wet dry", "up down", "left right"]
SECONDS = 300.0


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The folder of the outputs, after every stage has run. Names of folders are short, for sockets."""
    root = tmp_path_factory.mktemp("heads")
    (plan,) = plans(project(root, heads=RECIPE) / "heads.yaml").values()
    model = root / plan.stage("tagger").input("model").path
    jobs = [{"argv": ["python", "-m", "runners.tiny_model", "--family", "qwen2_vl", "--to", str(model)], "env": {}}]
    (root / "words.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in opposites()))
    for stage in plan.stages:
        if stage.kind == "prepare":
            write_rows(root, plan, stage)
        else:
            jobs += stage_jobs(stage)
        if stage.name == "tagged":
            jobs += again(stage)
    out = root / plan.outputs
    jobs.append({"argv": ["ask", str(model), json.dumps(TEXTS), str(out / "told.json")], "env": {}})
    jobs.append(too_long(plan, out))
    (root / "jobs.json").write_text(json.dumps(jobs))
    environment = clean_environment(str(root)) | {"TMPDIR": "/tmp", "HF_HUB_OFFLINE": "1"}
    command = (sys.executable, str(HERE / "real_stages.py"), "jobs.json")
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (out / "log.txt").write_text(done.stderr)
    return out


def opposites():
    """Rows with one, two or three texts that do not belong to them: the engine draws two of each."""
    for number, (word, opposite) in enumerate(map(str.split, WORDS)):
        others = [pair.split()[1] for pair in WORDS if not pair.startswith(word)]
        yield {"word": word, "opposite": opposite, "others": others[: 1 + number % 3]}


def write_rows(root, plan, stage):
    to = root / stage.out
    to.parent.mkdir(parents=True, exist_ok=True)
    prepare(stage.launch.files["prepare"], to, root)


def stage_jobs(stage):
    """The commands of a stage as they are compiled, without the plugin that watches; results go where they are handed over."""
    env = {name: str(getattr(value, "path", value)) for name, value in stage.launch.env.items()}
    for command in stage.launch.written:
        argv = [
            word.replace("$RECIPE_OUT/result", stage.out).replace("$RECIPE_OUT", f"work/{stage.name}")
            for word in argv_of(command)
        ]
        if "--external_plugins" in argv:
            argv = argv[: argv.index("--external_plugins")]
        yield {"argv": argv, "env": env}


def again(stage):
    """The same once more, as after a kill: blocks of four rows, of which one is kept."""
    changed = {"--every": "4", "--write_batch_size": "4"}
    for job in stage_jobs(stage):
        argv = [word.replace(stage.out, f"{stage.out}-again") for word in job["argv"]]
        for option in changed.keys() & set(argv):
            argv[argv.index(option) + 1] = changed[option]
        yield job | {"argv": argv}


def too_long(plan, out):
    """Rows of more tokens than a stage allows."""
    job = next(stage_jobs(plan.stage("before")))
    argv = [word.replace("pairs/validation", "opposites/train") for word in job["argv"]]
    changed = {"--max-length": "5", "--to": str(out / "cut"), "--batch": "1"}
    for option, value in changed.items():
        argv[argv.index(option) + 1] = value
    return job | {"argv": argv, "code": 1}


def predictions(folder):
    return [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]


def vectors(folder, name="rows"):
    return numpy.load(folder / f"embeddings/{name}.npy")


def test_each_class_has_a_probability_of_its_own(ran):
    found = predictions(ran / "tagged")
    assert len(found) == 6
    for row in found:
        assert set(row["scores"]) == {"red disc", "green", "a blue triangle"}
        assert sorted(row["parsed"]) == sorted(name for name, score in row["scores"].items() if score >= 0.5)
    assert any(abs(sum(row["scores"].values()) - 1) > 0.01 for row in found)


def test_answers_are_kept_and_the_rest_is_asked(ran):
    assert "4 of 6 rows were answered before" in (ran / "log.txt").read_text()
    one, other = (ran / folder / "predictions.jsonl" for folder in ("tagged", "tagged-again"))
    assert one.read_bytes() == other.read_bytes()


def test_a_merged_tagger_answers_as_its_adapter_does(ran):
    for one, other in zip(predictions(ran / "tagged"), predictions(ran / "tagged-folded"), strict=True):
        assert one["label"] == other["label"] and one["input"] == other["input"]
        assert one["scores"] == {name: pytest.approx(value, abs=1e-4) for name, value in other["scores"].items()}


def test_a_merged_embedder_embeds_as_its_adapter_does(ran):
    for name in ("rows", "texts"):
        one, other = vectors(ran / "vectors", name), vectors(ran / "vectors-folded", name)
        assert numpy.abs(one - other).max() < 1e-4
        assert numpy.abs(one - vectors(ran / "before", name)).max() > 1e-2  # it was trained


def test_rows_with_negatives_of_their_own_are_learned(ran):
    """Each is held against two of its own, whatever else is in the batch."""
    with (ran / "apart/curve.csv").open(newline="") as stream:
        losses = [float(row["loss"]) for row in csv.DictReader(stream) if row["loss"]]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(("batched", "alone"), [("vectors-folded", "vectors-alone"), ("means", "means-alone")])
def test_vectors_do_not_depend_on_who_shares_a_batch(ran, batched, alone):
    """The texts have different lengths, so some are padded in a batch."""
    for name, count in (("rows", 6), ("texts", 3)):
        one, other = vectors(ran / batched, name), vectors(ran / alone, name)
        assert one.shape == (count, 32) and one.dtype == numpy.float32
        assert numpy.abs(one - other).max() < 1e-5
        assert numpy.abs(numpy.linalg.norm(one, axis=1) - 1).max() < 1e-5


def test_pooling_matters_and_the_index_says_what_is_what(ran):
    assert numpy.abs(vectors(ran / "means") - vectors(ran / "before")).max() > 1e-2
    index = json.loads((ran / "before/embeddings/index.json").read_bytes())
    assert sorted(index["texts"]) == ["a blue triangle", "green", "red disc"]
    assert [sorted(row) for row in index["rows"]] == [["images", "prompt", "text"]] * 6


def test_a_vector_is_what_the_engine_itself_takes(ran):
    told = numpy.array(json.loads((ran / "told.json").read_text()))
    index = json.loads((ran / "before/embeddings/index.json").read_bytes())
    mine = [vectors(ran / "before", "texts")[index["texts"].index(text)] for text in TEXTS]
    assert numpy.abs(told - numpy.array(mine)).max() < 1e-5


def test_what_is_too_long_is_told(ran):
    assert "error[R0652]: one of the rows 1 to 1 has more than 5 tokens" in (ran / "log.txt").read_text()


def test_a_model_is_measured_through_its_engine_with_answers_of_one_length(ran):
    found = {
        name: json.loads((ran / name / "metrics.json").read_bytes())["engine"] for name in ("speed", "speed-tagger")
    }
    assert {name: list(sizes) for name, sizes in found.items()} == {
        "speed": ["batch_1", "batch_3"],
        "speed-tagger": ["batch_2"],
    }
    for measured in found["speed"].values():
        assert measured["tokens_per_second"] == pytest.approx(5 * measured["samples_per_second"], rel=1e-3)
    assert "tokens_per_second" not in found["speed-tagger"]["batch_2"]
    assert (ran / "speed" / "latency.csv").read_text().startswith("batch_size,engine_p50,engine_p95\n1,")
