"""`recipe ls` is read on a terminal of any width, and by programs behind a pipe."""

import contextlib
import re
from dataclasses import replace
from pathlib import Path

import pytest
from compiling import project, recipe
from terminal import on_terminal

from compiler.commands.ls import listed
from compiler.commands.ls_table import grouped, lines
from schema.console import recipe_files

ROOT = Path(__file__).parents[1]
STATES = {"  tested", "  GPU", "  not run"}


@pytest.fixture(scope="module")
def rows():
    with contextlib.chdir(ROOT):
        found = [row for file in recipe_files(Path()) for row in listed(file)]
    assert len(found) > 50
    return found


@pytest.mark.parametrize("width", [80, 100, 140, 250])
@pytest.mark.parametrize("state", [{}, {"compiled": "no", "last_run": "12 of 12 stages, 2026-01-01"}])
def test_a_terminal_gets_whole_words_within_its_width(rows, width, state):
    rows = [replace(row, **state) for row in rows]
    shown = [line for line, _ in grouped(rows, width)]
    assert max(map(len, shown)) <= width
    words = set(re.findall(r"\S+", " ".join(shown)))
    for row in rows:
        named = {kind for kind in row.kinds.split(", ") if kind} | {row.name.partition("/")[2] or "plain"}
        assert {word for word in named if word not in words and f"{word}," not in words} == set()
        for model in row.models.split(", "):
            short = model.rpartition("/")[2].partition("." if model.startswith("timm/") else "\0")[0]
            assert any(word.rstrip(",").endswith(short) for word in words), model


def test_every_variant_says_whether_tests_run_it_and_why_not(rows):
    told = {row.name: row.smoke for row in rows}
    assert all(text == "run" or text.startswith("not run: ") for text in told.values()), told
    assert told["quickstart"] == told["animals-lora/trl-smoke"] == "run"
    assert told["deploy/gptq"] == "not run: its first call compiles for a minute and a half"
    assert told["deploy/bnb"] == "not run: needs a GPU"
    assert told["dpo"] == "not run: needs 8 GPUs"
    assert "vLLM" in told["okvqa/vllm"]
    shown = "\n".join(line for line, _ in grouped(rows, 80))
    assert all(any(state in line for state in STATES) for line in shown.splitlines() if re.search(r"(GiB|CPU)  ", line))


def test_a_pipe_gets_one_line_for_each_instance(rows):
    head, *others = lines(rows)
    assert [line.split()[0] for line in others] == [row.name for row in rows]
    assert head.split() == ["recipe", "kinds", "models", "hardware", "tests", "compiled", "last", "run"]
    for row, line in zip(rows, others, strict=True):
        assert all(cell in line for cell in (row.models, row.hardware, row.smoke, row.last_run))


def test_what_is_wrong_with_a_recipe_stands_in_its_place(tmp_path):
    project(tmp_path, broken="version: 1\nname: broken\nstages: 3\n")
    code, out, _ = recipe(tmp_path, "ls")
    assert (code, "recipe validate recipes/broken.yaml" in out) == (0, True)
    with contextlib.chdir(tmp_path):
        shown = [line for line, _ in grouped(listed(Path("recipes/broken.yaml")), 80)]
    assert any("recipe validate recipes/broken.yaml" in line for line in shown)


def test_a_person_sees_groups(tmp_path):
    text = (ROOT / "recipes" / "quickstart.yaml").read_text("utf-8")
    project(tmp_path, quickstart=text)
    code, out = on_terminal(ROOT / ".venv/bin/recipe", "ls", cwd=tmp_path, COLUMNS="80")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out).replace("\r", "")
    assert code == 0, out
    assert re.search(r"^quickstart  A tiny Qwen2-VL", plain, re.MULTILINE)
    assert re.search(r"^  plain +classify +tiny/qwen2-vl +CPU +tested, new$", plain, re.MULTILINE), plain
