"""The student of a checkpoint as it is handed over: without the projection, with adapters folded in.

python -m runners.distill.collect --config train.distill.json --from "$RECIPE_OUT/checkpoints" --to "$RECIPE_OUT/result"
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runners import cli, curve
from runners.distill import students
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import read_json, write_json

if TYPE_CHECKING:  # loads torch
    from runners.distill.students.base import Student

PREFIX = "student."


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError R0668 when training left no checkpoint."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--config", type=Path, required=True, metavar="FILE")
    parser.add_argument("--from", dest="source", type=Path, required=True, metavar="DIR")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR")
    parser.add_argument("--evaluation", type=Path, metavar="FILE", help="for what evaluations measured")
    options = parser.parse_args(argv)
    told = json.loads(options.config.read_bytes())
    checkpoint, step, history = chosen(options.source, told["checkpoints"]["select"])
    options.to.mkdir(parents=True, exist_ok=True)
    students.save(student_of(checkpoint), options.to / "student")
    points = curve.points(history)
    curve.write(points, options.to / "curve.csv", options.evaluation)
    metrics = curve.summary(points, step)
    write_json(options.to / "metrics.json", metrics)
    measured = [
        f"{name} {value:.4g}" for name, value in metrics.items() if name.startswith(("before_", "eval_", "teacher_"))
    ]
    which = "the best checkpoint" if told["checkpoints"]["select"] == "best" else "the last checkpoint"
    print(", ".join((f"{which}, of step {step} of {metrics['steps']}", *measured)))
    return 0


def chosen(source: Path, select: str) -> tuple[Path, int, list[dict[str, Any]]]:
    """The checkpoint that goes on, its step, and the history of the last one. Errors: RecipeError R0668 without one."""
    states = {path: read_json(path / "trainer_state.json") for path in source.glob("checkpoint-*")}
    complete = {state["global_step"]: (path, state) for path, state in states.items() if state}
    if not complete:
        raise _unusable(f"there is no complete checkpoint in {source}")
    history = complete[max(complete)][1]
    step = history["best_global_step"] if select == "best" else max(complete)
    if step not in complete:
        raise _unusable(f"the best checkpoint, of step {step}, is not in {source}")
    return complete[step][0], step, history["log_history"]


def _unusable(message: str) -> RecipeError:
    return RecipeError([Diagnostic("R0668", message, "see the end of the log; `recipe run --force` trains anew")])


def student_of(checkpoint: Path) -> Student:
    """The student of a checkpoint, as it is used."""
    from safetensors.torch import load_file

    from runners.distill import lora

    described = read_json(checkpoint / "config.json")
    student = students.from_description(described)
    adapted = lora.inject(student, described["lora"])
    state = load_file(checkpoint / "model.safetensors")
    student.load_state_dict({name.removeprefix(PREFIX): t for name, t in state.items() if name.startswith(PREFIX)})
    lora.fold(student, adapted)
    return student


if __name__ == "__main__":
    cli.run(main)
