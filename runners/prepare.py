"""Read a data set, check every row, hold some out, and write what engines read.

python -m runners.prepare --config pipelines/quickstart/data.prepare.json --to outputs/quickstart/data

The configuration: {"dataset": {"kind": "digits", "size": 56, "on_bad": "error"}, "task": "classify",
"prompt": "Digit?", "system": null, "split": {"validation": 0.2, "test": 0.0, "stratify": true}, "seed": 42}.
Paths are relative to the working directory, the project. Written are train.jsonl, validation.jsonl and test.jsonl where
rows are held out, classes.json (class names in the order of their labels; empty without classes), report.json, and
images/ and masks/ where the reader makes pictures.
The same configuration and data give the same bytes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from runners import cli
from runners.data import conversations, dense, holdout, pairs, pictures, preferences, tags
from runners.data.rows import Read, Row, Source
from runners.readers import READERS, made
from runners.readers.values import UNANSWERED
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import write_atomically, write_json

FORMAT = 1
CHECKS: Mapping[str, Callable[[Row], Diagnostic | None]] = {"prefer": preferences.check, "embed": pairs.check}
"""Task → what a row has to be besides a conversation."""
SHOWN = 50  # diagnostics of bad rows that are shown, and places that a report names

T = TypeVar("T")


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError with everything that is wrong with the data."""
    parser = argparse.ArgumentParser(prog="python -m runners.prepare", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the data set, as JSON")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="where the prepared data goes")
    parser.add_argument("--prompt", type=Path, metavar="FILE", help="a text with the user's message")
    options = parser.parse_args(argv)
    config = json.loads(options.config.read_bytes())
    if options.prompt is not None:
        config["prompt"] = _prompt(options.prompt)
    report = prepare(config, options.to, Path.cwd())
    print(summary(report))
    if said := pictures.lying(report):
        print(said)
    return 0


def _prompt(path: Path) -> str:
    """The text of a file, without the line end that editors add. Errors: RecipeError R0620 when there is none."""
    try:
        text = path.read_text("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise RecipeError([Diagnostic("R0620", f"{path} is not UTF-8", "save it as UTF-8")]) from None
    if not text.strip():
        raise RecipeError([Diagnostic("R0620", f"{path} holds no prompt", "write what the model is asked")])
    return text


def prepare(config: Mapping[str, Any], to: Path, root: Path) -> Mapping[str, Any]:
    """Write the prepared data; the report. Errors: RecipeError."""
    to.mkdir(parents=True, exist_ok=True)
    for folder in (made.FOLDER, made.MASKS):
        shutil.rmtree(to / folder, ignore_errors=True)
    source = Source(
        config["dataset"], config["task"], config.get("prompt"), config.get("system"), config["seed"], root, to
    )
    read = READERS[source.dataset["kind"]](source)
    rows, fingerprints, refused = _checked(read, source)
    splits = _given(rows) or _held_out(rows, fingerprints, config)
    classes = _classes(rows, read.classes, source, config.get("classes"))
    if source.task == "tag" and (unlearned := tags.unlearned(rows, splits, classes)):
        raise RecipeError(unlearned)
    for name, indices in splits.items():
        lines = [_line(rows[index], classes, source.task) for index in indices]
        write_atomically(to / f"{name}.jsonl", "".join(lines).encode(), durable=False)
    report = _report(read, source, rows, refused, splits, classes, holdout.same_input(rows, fingerprints))
    write_json(to / "classes.json", classes)
    write_json(to / "report.json", report)
    return report


def _given(rows: Sequence[Row]) -> dict[str, list[int]]:
    """Split → indices of its rows, where the data set itself says what is held out."""
    splits: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        if row.split is not None:
            splits.setdefault(row.split, []).append(index)
    return splits


def _held_out(
    rows: Sequence[Row], fingerprints: holdout.Fingerprints, config: Mapping[str, Any]
) -> dict[str, list[int]]:
    shares = holdout.Shares(**config["split"])
    return holdout.split(rows, holdout.units(rows, fingerprints), shares, config["seed"])


def _checked(read: Read, source: Source) -> tuple[list[Row], holdout.Fingerprints, list[Diagnostic]]:
    """The rows that are good, and why the others are not. Errors: RecipeError when bad rows are not to be skipped."""
    fingerprints, unreadable = pictures.check(read.rows, progress)
    refused = [*read.refused, *unreadable]
    readable = [row for row in read.rows if all(picture.file in fingerprints for picture in row.pictures)]
    rows: list[Row] = []
    for row in readable:
        problem = None if source.task in dense.TASKS else conversations.check(row, source.task)
        if problem is None and source.task in CHECKS:
            problem = CHECKS[source.task](row)
        rows.append(row) if problem is None else refused.append(problem)
    repeated = holdout.same_input(rows, fingerprints)
    disputed = list(_disputed(rows, repeated, source.task))
    refused += (problem for problem, _ in disputed)
    if refused and source.dataset.get("on_bad", "error") == "error":
        raise RecipeError(_shown(refused))
    left_out = {index for _, group in disputed for index in group}
    rows = [row for index, row in enumerate(rows) if index not in left_out]
    if not rows:
        place = str(source.dataset.get("path", source.dataset["kind"]))
        message = f"no row of the data set `{place}` can be used" if refused else f"the data set `{place}` has no rows"
        raise RecipeError([Diagnostic("R0602", message, "add rows"), *_shown(refused)])
    return rows, fingerprints, refused


def _disputed(
    rows: Sequence[Row], repeated: Sequence[Sequence[int]], task: str
) -> Iterator[tuple[Diagnostic, Sequence[int]]]:
    """What contradicts each other, with the indices of the rows."""
    if task == "embed":  # several texts may belong to one picture
        return pairs.uneven(rows)
    return (preferences.reversals if task == "prefer" else holdout.contradictions)(rows, repeated)


def _shown(refused: Sequence[Diagnostic]) -> list[Diagnostic]:
    more = len(refused) - SHOWN
    message = f"{more} more rows are refused, {len(refused)} in all"
    note = Diagnostic("R0618", message, "mend these first", severity="note")
    return [*refused[:SHOWN], *((note,) if more > 0 else ())]


def _classes(rows: Sequence[Row], declared: Sequence[str] | None, source: Source, expected: int | None) -> list[str]:
    """The class names in the order of their labels. Errors: RecipeError R0619 when they do not fit the task."""
    present = {name for row in rows for name in row.classes}
    classes = [name for name in declared if name in present] if declared else sorted(present, key=_natural)
    if source.task in dense.PLACED:
        classes = list(declared or ())  # a number in a mask or a label means the same whether it occurs or not
    if source.task in ("classify", "tag", "sequence", "segment") and len(classes) < 2:
        message = f"there {'is 1 class' if classes else 'are no classes'}: nothing to tell apart"
        raise RecipeError([Diagnostic("R0619", message, "add rows of another class")])
    if expected is not None and expected != len(classes):
        message = f"the model is to tell {expected} classes apart and the data has {len(classes)}"
        help = f"write `classes: {len(classes)}`; they are: {', '.join(classes[:20])}"
        raise RecipeError([Diagnostic("R0619", message, help)])
    return classes


def _natural(name: str) -> tuple[int, int, str]:
    """Whole numbers by value, then other names by code point."""
    number = int(name) if name.isascii() and name.removeprefix("-").isdigit() and len(name) < 18 else None
    return (1, 0, name) if number is None else (0, number, name)


def _line(row: Row, classes: Sequence[str], task: str) -> str:
    if task in dense.TASKS:
        return json.dumps(dense.line(row, classes, task), ensure_ascii=False) + "\n"
    messages = list(row.messages)
    answer = row.answer or {"role": "assistant", "content": row.label}
    if task in ("generate", "prefer"):
        messages.append(answer)
    value: dict[str, Any] = {"messages": messages}
    if row.pictures:
        value["images"] = [picture.path for picture in row.pictures]
    if row.tools is not None:
        value["tools"] = row.tools
    if task == "solve":
        value["solution"] = answer["content"]
    if row.rejected is not None:
        value["rejected_response"] = row.rejected["content"]
    if task == "classify":
        value["label"] = classes.index(str(row.label))
    if row.labels is not None:
        value["label"] = sorted(map(classes.index, row.labels))
    if task == "embed":
        value["positive_messages"] = [_said(str(pairs.written(row)))]
        if row.negatives:
            value["negative_messages"] = list(map(_said, row.negatives))
    value |= row.more
    return json.dumps(value, ensure_ascii=False) + "\n"


def _said(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def _report(
    read: Read,
    source: Source,
    rows: Sequence[Row],
    refused: Sequence[Diagnostic],
    splits: Mapping[str, Sequence[int]],
    classes: Sequence[str],
    repeated: Sequence[Sequence[int]],
) -> dict[str, Any]:
    """What was read, kept and refused, and why."""
    counts = {name: Counter(c for index in indices for c in rows[index].classes) for name, indices in splits.items()}
    unanswered = source.task in UNANSWERED
    shown = {picture.file: picture.path for row in rows for picture in row.pictures}
    turned = pictures.turned(shown)
    found = len(read.rows) + (len(read.refused) if read.lost is None else read.lost)
    return {
        "format_version": FORMAT,
        "kind": source.dataset["kind"],
        "task": source.task,
        "seed": source.seed,
        "read": found,
        "kept": len(rows),
        "refused": {
            "count": found - len(rows),
            "reasons": dict(Counter(problem.code for problem in refused)),
            "first": [_refusal(problem) for problem in refused[:SHOWN]],
        },
        "splits": {name: len(indices) for name, indices in splits.items()},
        "classes": {name: {split: count[name] for split, count in counts.items()} for name in classes},
        "duplicates": {
            "groups": len(repeated),
            "rows": sum(map(len, repeated)),
            "first": [[str(rows[index].place) for index in group] for group in repeated[:SHOWN]],
        },
        "turned_pictures": {
            "count": len(turned),
            "of": len(shown),
            "first": [shown[file] for file in turned[:SHOWN]],
        },
        "answers_left_out": sum(row.answer is not None for row in rows) if unanswered else 0,
        "ignored_files": dict(read.ignored),
        "unused_columns": list(read.unused),
        **({"rows_sha256": read.digest} if read.digest else {}),
    }


def _refusal(problem: Diagnostic) -> dict[str, Any]:
    place = problem.spans[0] if problem.spans else None
    where = {"file": place.file, "line": place.line or 1} if place else {}
    return {"code": problem.code, "message": problem.message, **where}


def summary(report: Mapping[str, Any]) -> str:
    """One line for a log."""
    splits = ", ".join(f"{name} {count}" for name, count in report["splits"].items())
    refused, classes = report["refused"]["count"], len(report["classes"])
    return f"read {report['read']}, kept {report['kept']}, refused {refused}; {splits}; {classes} classes"


def progress(items: Iterable[T], total: int) -> Iterable[T]:
    """The items, with a bar on a terminal."""
    if not sys.stderr.isatty():
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, "pictures", total, console=Console(stderr=True), transient=True)


if __name__ == "__main__":
    cli.run(main)
