"""Prediction that is killed goes on where it was, and ends with the bytes of one that was not: a data set, and a folder."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from runners import tiny_model
from runners.predict import __main__ as of_rows
from runners.predict import folder as of_folder
from runners.predict.kept import NAME

pytestmark = pytest.mark.engine
COUNT = 24
FORMS = {"rows": of_rows, "folder": of_folder}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Pictures of several sizes, questions about them, and a tiny model."""
    import torch

    torch.set_num_threads(1)  # two would wait for each other on a busy machine
    place = tmp_path_factory.mktemp("cut")
    (place / "pictures").mkdir()
    lines = []
    for n in range(COUNT):
        Image.new("RGB", (28 + n % 3, 30), (9 * n, 255 - 9 * n, n)).save(place / f"pictures/{n:02}.png")
        row = {
            "messages": [{"role": "user", "content": "<image>What is it?"}],
            "images": [f"{n:02}.png"],
            "label": None,
        }
        lines.append(json.dumps(row) + "\n")
    (place / "rows.jsonl").write_text("".join(lines))
    tiny_model.build("llava1_5_hf", 1, place / "model")
    return place


def words(place, form, to, tokens=8):
    asked = {
        "rows": ("--data", place / "rows.jsonl", "--image_folder", place / "pictures"),
        "folder": (place / "pictures", "--prompt", "What is it?"),
    }
    told = ("--model", place / "model", "--dtype", "float32", "--to", to, "--max_new_tokens", tokens, "--batch", 2)
    return [str(word) for word in (*asked[form], *told)]


def results(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def killed(place, form, to, rows):
    """Start it, and kill it with all that it started as soon as so many rows are answered."""
    module = {"rows": "runners.predict", "folder": "runners.predict.folder"}[form]
    command = (sys.executable, "-m", module, *words(place, form, to))
    run = subprocess.Popen(command, start_new_session=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    end = time.monotonic() + 120
    while not (to / NAME).exists() or (to / NAME).read_bytes().count(b"\n") <= rows:
        assert run.poll() is None and time.monotonic() < end
        time.sleep(0.002)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()


@pytest.mark.parametrize("form", FORMS)
def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(place, form, capfd):
    main = FORMS[form].main
    to, whole = place / f"{form}-cut", place / f"{form}-whole"
    killed(place, form, to, 3)
    assert not (to / "predictions.jsonl").exists()
    before = (to / NAME).read_bytes().count(b"\n") - 1
    assert 3 <= before < COUNT
    with (to / NAME).open("ab") as cut:
        cut.write(b'{"row": "ab')  # as a kill within a write leaves it
    capfd.readouterr()
    assert main(words(place, form, to)) == 0
    assert f"{before} of {COUNT} rows were answered before" in capfd.readouterr().err
    assert main(words(place, form, whole)) == 0
    assert results(to) == results(whole)
    assert {"predictions.jsonl"} <= set(results(to)) and NAME not in results(to)


def test_only_answers_to_the_same_are_kept(place, capfd):
    """Of another model or another way of asking none are; a picture that was added or changed touches no other."""
    to = place / "again"
    kept = place / "kept.jsonl"

    def run(*more, tokens=2):
        assert of_folder.main([*words(place, "folder", to, tokens), "--work", str(kept), *more]) == 0
        return capfd.readouterr().err

    run()
    assert f"{COUNT} of {COUNT} rows were answered before" in run("--batch", "7")
    assert "another way of asking" in run(tokens=3)
    Image.new("RGB", (40, 40), "white").save(place / "pictures/00.png")
    Image.new("RGB", (40, 40), "black").save(place / "pictures/new.png")
    assert f"{COUNT - 1} of {COUNT + 1} rows were answered before" in run(tokens=3)
    os.utime(place / "model/config.json", (1, 1))
    assert "another model" in run(tokens=3)
