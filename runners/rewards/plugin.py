"""Load the rewards of a stage, try them on its data, and write a plugin that gives them to the engine.

python -m runners.rewards.plugin --config pipelines/qwen2-vl-grpo/train.rewards.json --data outputs/qwen2-vl-grpo/data/train.jsonl
  --files rewards/polite.py --to "$RECIPE_OUT/reward_plugin.py"

The configuration: {"rewards": [{"name": "exact", "kind": "exact", "parameters": {"ignore_case": true}},
{"name": "polite", "file": 0, "function": "polite", "parameters": {}}]}. `file` counts `--files`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runners import cli
from runners.rewards.load import Scores, scores
from schema.diagnostics import Diagnostic, RecipeError, Span
from schema.files import write_atomically

PLUGIN = '''"""Written by runners.rewards.plugin; `swift rlhf --external_plugins` reads it."""

import json

from runners.rewards.plugin import register

register(json.loads({config!r}), {files!r})
'''
SHOWN = 5  # rows that are told of one kind of mistake


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError with what is wrong with rewards or data."""
    parser = argparse.ArgumentParser(
        prog="python -m runners.rewards.plugin", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the rewards, as JSON")
    parser.add_argument("--data", type=Path, required=True, nargs="+", metavar="FILE", help="the rows they judge")
    parser.add_argument("--files", nargs="+", default=[], metavar="FILE", help="Python files of the project")
    parser.add_argument("--to", type=Path, required=True, metavar="FILE", help="where the plugin goes")
    options = parser.parse_args(argv)
    config = json.loads(options.config.read_bytes())
    print(check(config, options.files, options.data))
    plugin = PLUGIN.format(config=json.dumps(config, sort_keys=True), files=options.files)
    options.to.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(options.to, plugin.encode(), durable=False)
    return 0


def check(config: Mapping[str, Any], files: Sequence[str], data: Sequence[Path]) -> str:
    """Load every reward and try it on each file of rows; a line for a log. Errors: RecipeError."""
    tried: list[str] = []
    for described in config["rewards"]:
        judge = scores(described, files)
        for file in data:
            rows = [json.loads(line) for line in file.read_bytes().splitlines()]
            unfit = list(_unfit(judge, file, rows))
            if unfit:
                raise RecipeError(unfit)
            worth = _tried(judge, file, rows[:1])
            tried.append(f"{judge.name} {worth:g}")
    return f"rewards, of the first row's own solution: {', '.join(tried)}"


def _unfit(judge: Scores, file: Path, rows: Sequence[Mapping[str, Any]]) -> Iterator[Diagnostic]:
    """R0553: solutions that a reward can make nothing of."""
    found = [(number, said) for number, row in enumerate(rows, 1) if (said := judge.problem(row["solution"]))]
    for number, said in found[:SHOWN]:
        message = f"the solution of row {number} is useless for the reward `{judge.name}`: {said}"
        place = Span(str(file), number, 1, number, 2)
        yield Diagnostic("R0553", message, "mend the data set's solutions, or choose another reward", (place,))
    if len(found) > SHOWN:
        yield Diagnostic("R0553", f"{len(found)} of {len(rows)} rows are so", "mend these first", severity="note")


def _tried(judge: Scores, file: Path, rows: Sequence[Mapping[str, Any]]) -> float:
    columns = {name: [row.get(name) for row in rows] for row in rows for name in row}
    try:
        (worth,) = judge([row["solution"] for row in rows], columns)
    except Exception as error:  # whatever the project's own function raises
        message = f"the reward `{judge.name}` fails on the first row of {file}: {type(error).__name__}: {error}"
        raise RecipeError([Diagnostic("R0552", message, "mend the function")]) from error
    return worth


def register(config: Mapping[str, Any], files: Sequence[str]) -> None:
    """Make the rewards known to ms-swift, each as a class, by their names."""
    from swift.rewards import ORM, orms  # the engine, in whose process this runs

    for described in config["rewards"]:
        orms[described["name"]] = _class(ORM, scores(described, files))


def _class(base: Any, judge: Scores) -> type[Any]:
    def call(self: Any, completions: Sequence[Any], **columns: Any) -> list[float]:
        return judge(completions, columns)

    return type(judge.name, (base,), {"__call__": call, "__doc__": f"The reward `{judge.name}`."})


if __name__ == "__main__":
    cli.run(main)
