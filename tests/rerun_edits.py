"""Edits for walks through a project of rerun_project.py: of its recipe, its data, its results, and DVC's own files."""

import copy
import os
import shutil

import yaml
from rerun_project import RECIPE

from schema.digests import of_path
from schema.lock import Local, Lock, text_of

EDITS = {}
"""Name → an edit of a project, which gets a source of randomness. The recipe is written afterwards."""


def edit(function):
    EDITS[function.__name__] = function
    return function


def setting(name, path, *values):
    """An edit that gives a field of the recipe another of some values."""

    def change(project, rng):
        *above, last = path
        found = project.recipe
        for part in above:
            found = found.setdefault(part, {})
        found[last] = rng.choice([value for value in values if value != found.get(last)])

    EDITS[name] = change


TRAIN, ANSWERS = ("stages", "train"), ("stages", "answers")
setting("learning_rate", (*TRAIN, "optimizer", "learning_rate"), 1e-4, 2e-4, 3e-4)
setting("weight_decay", (*TRAIN, "optimizer", "weight_decay"), 0.0, 0.1, 0.01)
setting("passed_option", (*TRAIN, "engine", "args"), {"neftune_noise_alpha": 5.0}, {})
setting("max_new_tokens", (*ANSWERS, "max_new_tokens"), 8, 9)
setting("another_split", (*ANSWERS, "data"), "data.validation", "data.train")
setting("seed", ("seed",), 7, 8)
setting("threads", ("hardware", "threads"), 2, 3)
setting("prompt", ("datasets", "pets", "prompt"), "Which?", "What?")
setting("share", ("datasets", "pets", "split", "validation"), 0.25, 0.5)
setting("on_bad", ("datasets", "rows", "on_bad"), "skip", "error")
setting("name", ("name",), "pets", "beasts")


@edit
def metrics(project, rng):
    found = project.recipe["stages"].setdefault("scores", copy.deepcopy(RECIPE["stages"]["scores"]))
    found["metrics"] = ["accuracy"] if len(found["metrics"]) > 1 else ["accuracy", "f1"]


@edit
def what_cannot_matter(project, rng):
    """Comment, description, order of keys, logging, and the time of files."""
    project.head = f"# Seen {rng.random()}\n"
    project.recipe["description"] = f"What the tests run, {rng.random()}."
    project.recipe["stages"]["train"]["logging"] = {"every": f"{rng.randint(6, 9)} steps", "trackers": []}
    for section in ("models", "datasets", "hardware"):
        project.recipe[section] = dict(reversed(project.recipe[section].items()))
    for path in (project.root / "data").rglob("*"):
        os.utime(path)


@edit
def rename_stage(project, rng):
    stages = project.recipe["stages"]
    old, new = ("merged", "joined") if "merged" in stages else ("joined", "merged")
    renamed = {new if name == old else name: stage for name, stage in stages.items()}
    for stage in renamed.values():
        if stage.get("model") == old:
            stage["model"] = new
    project.recipe["stages"] = renamed


@edit
def add_stage(project, rng):
    stages = project.recipe["stages"]
    model = "merged" if "merged" in stages else "joined"
    stages["more-answers"] = {"kind": "predict", "model": model, "data": "data.train"}


@edit
def remove_stage(project, rng):
    project.recipe["stages"].pop("more-answers", None)
    project.recipe["stages"].pop("scores", None)


@edit
def fewer_inputs(project, rng):
    sources = project.recipe["stages"]["train"]["data"]
    project.recipe["stages"]["train"]["data"] = sources[:1] if len(sources) > 1 else RECIPE["stages"]["train"]["data"]


@edit
def revert(project, rng):
    project.recipe, project.head = copy.deepcopy(RECIPE), ""


@edit
def nothing(project, rng):
    pass


# Data

PETS, ROWS = "data/pets", "data/rows.jsonl"


def append(path, text):
    if path.exists():
        path.write_text(path.read_text() + text)


@edit
def pictures_change(project, rng):
    append(project.root / PETS / "cat/0.png", f"{rng.random()}\n")


@edit
def a_picture_more(project, rng):
    if (project.root / PETS).exists():
        (project.root / PETS / "dog" / f"{rng.random()}.png").write_text("new\n")


@edit
def pictures_with_equal_rows(project, rng):
    append(project.root / PETS / "cat/1.png", f"# {rng.random()}\n")


@edit
def rows_change(project, rng):
    append(project.root / ROWS, f"{rng.random()}\n")


@edit
def rows_with_equal_result(project, rng):
    append(project.root / ROWS, f"# {rng.random()}\n")


@edit
def executable(project, rng):
    """Part of what DVC files a run under."""
    if (project.root / ROWS).exists():
        (project.root / ROWS).chmod(rng.choice([0o644, 0o755]))


@edit
def ignored_file(project, rng):
    (project.root / ".dvcignore").write_text("*.tmp\n")
    if (project.root / PETS).exists():
        (project.root / PETS / "cat" / "x.tmp").write_text(str(rng.random()))


@edit
def data_goes_or_comes(project, rng):
    here, away = project.root / PETS, project.control / "away"
    if away.exists():
        away.rename(here)
    elif not here.is_symlink():
        here.rename(away)


@edit
def data_is_mapped(project, rng):
    """To a place outside, which is linked before DVC looks."""
    here, away = project.root / PETS, project.control / "elsewhere"
    if here.exists() and not here.is_symlink():
        here.rename(away)
        project.write_machine(data={PETS: str(away)})


@edit
def pin(project, rng):
    """The bytes that are there now."""
    if (project.root / ROWS).exists():
        local = Local(**of_path(project.root / ROWS).as_json())
        lock = text_of(Lock(version=1, revision=1, local={ROWS: local}), "recipes/pets.yaml")
        (project.root / "recipes/pets.lock").write_text(lock)


@edit
def unpin(project, rng):
    (project.root / "recipes/pets.lock").unlink(missing_ok=True)


# Results and DVC's own files


def results(project):
    return sorted(p for p in project.out.rglob("*") if p.is_file() and p.name not in ("run.json", ".gitignore"))


@edit
def result_is_gone(project, rng):
    if found := results(project):
        rng.choice(found).unlink()


@edit
def result_is_altered(project, rng):
    if found := results(project):
        append(rng.choice(found), f"{rng.random()}\n")


@edit
def stage_folder_is_gone(project, rng):
    shutil.rmtree(project.out / "train", ignore_errors=True)


@edit
def all_results_are_gone(project, rng):
    shutil.rmtree(project.out, ignore_errors=True)


@edit
def lock_is_gone(project, rng):
    project.lock.unlink(missing_ok=True)


@edit
def entry_is_gone(project, rng):
    if project.lock.exists():
        document = yaml.safe_load(project.lock.read_text())
        document["stages"].pop(rng.choice(sorted(document["stages"])), None)
        project.lock.write_text(yaml.safe_dump(document, sort_keys=False))


@edit
def record_is_gone(project, rng):
    for path in project.out.glob("*/run.json"):
        path.unlink()


def cached(project):
    return sorted(p for p in (project.root / ".dvc/cache/files/md5").rglob("*") if p.is_file())


@edit
def cache_loses_an_object(project, rng):
    if found := cached(project):
        rng.choice(found).unlink()


@edit
def cache_has_a_damaged_object(project, rng):
    """DVC looks at the bytes of what is not protected, and throws it away."""
    if found := cached(project):
        damaged = rng.choice(found)
        damaged.chmod(0o644)
        damaged.write_text("damaged")


@edit
def cache_is_gone(project, rng):
    shutil.rmtree(project.root / ".dvc/cache", ignore_errors=True)


@edit
def run_cache_is_gone(project, rng):
    shutil.rmtree(project.root / ".dvc/cache/runs", ignore_errors=True)


@edit
def cache_is_elsewhere(project, rng):
    """`cache.dir` relative to the file that says it."""
    (project.root / ".dvc/config.local").write_text("[cache]\n    dir = ../../control/cache\n")
    old, new = project.root / ".dvc/cache", project.control / "cache"
    if old.exists() and not new.exists():
        old.rename(new)
