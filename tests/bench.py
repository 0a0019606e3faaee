"""make bench: what was promised of speed and memory, measured. Whole processes, medians, ratios within one run.

python -m tests.bench [--runs 5] [--without-engine]
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

BIN = Path(sys.executable).parent
ANIMALS = "recipes/animals-lora.yaml"
IMPORTS = [sys.executable, "-c", "import pydantic, yaml, typer"]


def seconds(command: Sequence[str | Path], runs: int, cwd: Path | None = None) -> float:
    """The median wall time of a command's whole process, after one run that warms caches."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    taken = []
    for _ in range(runs + 1):
        started = time.perf_counter()
        subprocess.run(command, capture_output=True, cwd=cwd, env=environment, check=False)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken[1:])


def starting(runs: int) -> None:
    """The verbs people wait for, against importing the libraries that they cannot do without."""
    floor = seconds(IMPORTS, runs)
    show("import pydantic, yaml, typer", floor)
    with tempfile.TemporaryDirectory() as project:
        shutil.copytree("recipes", Path(project, "recipes"))
        for verb, limit in (("validate", 1.6), ("compile", 2.0)):
            taken = seconds([BIN / "recipe", verb, ANIMALS], runs, Path(project))
            show(f"recipe {verb}", taken, f"{taken / floor:.2f} × the imports (goal: at most {limit})")


def misspelt(runs: int) -> None:
    """How long it takes to be told of a misspelt option: here and by the engine."""
    with tempfile.TemporaryDirectory() as folder:
        recipe = Path(folder, "recipe.yaml")
        text = Path(ANIMALS).read_text(encoding="utf-8")
        misspelt = "    epochs: 2\n    engine: {args: {learning_rte: 1e-4}}\n"
        recipe.write_text(text.replace("    epochs: 2\n", misspelt), encoding="utf-8")
        ours = seconds([BIN / "recipe", "validate", recipe], runs)
        theirs = seconds([BIN / "swift", "sft", "--learning_rte", "1e-4"], runs, Path(folder))
    show("a misspelt option, recipe validate", ours)
    show("a misspelt option, swift sft", theirs, f"{theirs / ours:.0f} × as long (goal: at least 25)")


def many() -> None:
    """Recipes of six stages, validated and compiled in one process: time for each of 100 and of 1,000, and memory."""
    each = {}
    for count in (100, 1000):
        process = subprocess.run(
            [sys.executable, "-m", "tests.bench", "--many", str(count)], capture_output=True, text=True, check=True
        )
        taken, memory = process.stdout.split()
        each[count] = float(taken) / count
        show(f"{count} recipes of 6 stages", float(taken), f"{each[count] * 1e3:.1f} ms each, peak {memory} MB")
    print(f"{'each of 1,000 against each of 100':44} {each[1000] / each[100]:.2f} × (goal: at most 1.2)")


def compile_many(count: int) -> None:
    """Write, validate and compile so many recipes, and print seconds and the peak of memory in MB."""
    from compiler.compilation import compiled
    from compiler.render import render
    from compiler.write import write
    from schema.load import load

    text = Path(ANIMALS).read_text(encoding="utf-8").partition("variants:")[0]
    text = text.replace("  scores:", "  again: {kind: evaluate, predictions: answers}\n  scores:")
    folder = Path(tempfile.mkdtemp())
    try:
        (folder / "recipes").mkdir()
        for number in range(count):
            recipe = folder / "recipes" / f"r{number}.yaml"
            recipe.write_text(
                text.replace("name: animals-lora", f"name: r{number}").replace("seed: 42", f"seed: {number}")
            )
        started = time.perf_counter()
        for number in range(count):
            for plan in compiled(load(folder / "recipes" / f"r{number}.yaml", {})):
                write(folder / plan.pipeline, render(plan))
        taken = time.perf_counter() - started
    finally:
        shutil.rmtree(folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    print(f"{taken:.3f} {peak:.0f}")


def reviewing(runs: int, count: int = 100) -> None:
    """`recipe diff` over so many recipes of two instances, each with a change of its own."""
    text = Path(ANIMALS).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        recipes = Path(folder, "recipes")
        recipes.mkdir()
        for number in range(count):
            named = text.replace("name: animals-lora", f"name: r{number}")
            (recipes / f"r{number}.yaml").write_text(named, encoding="utf-8")
        git = ("git", "-C", folder, "-c", "user.name=bench", "-c", "user.email=bench@example.org")
        for command in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message", "first")):
            subprocess.run((*git, *command), check=True, capture_output=True)
        for recipe in recipes.iterdir():
            changed = recipe.read_text(encoding="utf-8").replace("learning_rate: 1e-4", "learning_rate: 2e-4")
            recipe.write_text(changed, encoding="utf-8")
        one = seconds([BIN / "recipe", "validate", recipes / "r0.yaml"], runs)
        taken = seconds([BIN / "recipe", "diff"], runs, Path(folder))
    show(f"recipe diff over {count} recipes", taken, f"{taken / one:.1f} × validating one")


def show(what: str, taken: float, note: str = "") -> None:
    """A line of the report."""
    print(f"{what:44} {taken:8.3f} s  {note}", flush=True)


def main() -> None:
    """The whole report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--without-engine", action="store_true")
    parser.add_argument("--many", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.many:
        compile_many(options.many)
        return
    print(
        f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}; medians of {options.runs} runs"
    )
    starting(options.runs)
    many()
    reviewing(options.runs)
    if not options.without_engine:
        misspelt(options.runs)


if __name__ == "__main__":
    main()
