"""Scores, confusion matrix, training curve and what was measured, as they are shown in a terminal.

from rich.console import Console; Console().print(*show(Path("outputs/quickstart/scores")))
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from runners.data import pictures
from runners.evaluate import AVERAGES, METRICS, UNPARSED
from schema.files import read_json

MAX_CLASSES = 25  # wider confusion matrices do not fit a terminal
NAME = 12  # characters of a class name in the head of a matrix
BLOCKS = "▁▂▃▄▅▆▇█"
WIDTH = 60  # characters of a curve


def show(folder: Path) -> list[RenderableType]:
    """What a stage's folder has to show: scores and confusion matrix, a training curve, numbers, or nothing."""
    found: list[RenderableType] = []
    if (folder / "report.json").is_file() and (folder / "confusion.csv").is_file():
        found.append(scores(folder))
        found.append(confusion(folder / "confusion.csv", list(_report(folder)["classes"])))
    if (folder / "thresholds.json").is_file():
        found.append(tags(folder))
    if (folder / "report.json").is_file() and "question_types" in _report(folder):
        found.append(agreement(folder))
    if "turned_pictures" in (report := read_json(folder / "report.json") or {}):  # of prepared rows
        found += map(Text, filter(None, (left_out(report), pictures.lying(report))))
    metrics = read_json(folder / "metrics.json") or {}
    if (folder / "ranks.csv").is_file():
        found.append(plain(metrics))
    if (folder / "curve.csv").is_file():
        found.append(curve(folder))
    if (folder / "latency.csv").is_file():
        found.append(speed(metrics))
    elif metrics and ((folder / "export").is_dir() or "bytes_before" in metrics):  # what another form of a model costs
        found.append(plain(metrics, "g"))
    if built := read_json(folder / "export" / "tensorrt.json"):
        found.append(Text(f"TensorRT {built['skipped'] or 'built an engine'}"))
    return found


def left_out(report: Mapping[str, Any]) -> str:
    """A line where rows were left out of what was prepared; empty where all were kept."""
    refused = report["refused"]
    if not refused["count"]:
        return ""
    first = refused["first"][0]
    where = f"{first['file']}, line {first['line']}: " if first.get("line", 1) > 1 else ""
    codes = ", ".join(f"{code} {count} ×" for code, count in refused["reasons"].items())
    return f"{refused['count']} of {report['read']} rows are left out ({codes}), such as {where}{first['message']}"


def _report(folder: Path) -> dict[str, dict[str, dict[str, float]]]:
    report: dict[str, dict[str, dict[str, float]]] = json.loads((folder / "report.json").read_bytes())
    return report


def scores(folder: Path) -> RenderableType:
    """Accuracy and the other metrics, averaged and for each class."""
    metrics = json.loads((folder / "metrics.json").read_bytes())
    names = [name for name in METRICS if name != "accuracy" and any(key.startswith(name) for key in metrics)]
    table = Table("", *names, "rows", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, values in _report(folder)["classes"].items():
        table.add_row(name, *(f"{values[metric]:.3f}" for metric in names), str(values["rows"]))
    for average in AVERAGES:
        averaged = [f"{metrics[f'{metric}_{average}']:.3f}" for metric in names]
        table.add_row(f"({average})", *averaged, str(metrics["rows"]), style="bold")
    return Group(Text(_headline(metrics), style="bold"), table)


def tags(folder: Path) -> RenderableType:
    """The metrics of predictions with any number of classes, averaged and for each class, which has a threshold."""
    columns = ("precision", "recall", "f1", "average_precision", "threshold")
    table = Table("", *(name.replace("_", " ") for name in columns), "rows", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, values in _report(folder)["classes"].items():
        table.add_row(name, *(f"{values[metric]:.3f}" for metric in columns), str(values["rows"]))
    return Group(plain(json.loads((folder / "metrics.json").read_bytes())), table)


def plain(metrics: dict[str, float], form: str = ".3f") -> RenderableType:
    """Numbers under their names, in a few columns."""
    told = [f"{name} {value if isinstance(value, int) else format(value, form)}" for name, value in metrics.items()]
    return Columns(told, padding=(0, 3), column_first=True)


def speed(metrics: dict[str, dict[str, Any]]) -> RenderableType:
    """What was measured of each format at each batch size, and where."""
    sizes = {
        (name, size): found for name, by_size in metrics.items() if name != "machine" for size, found in by_size.items()
    }
    columns = list(dict.fromkeys(column for found in sizes.values() for column in found))
    table = Table("", "batch", *(column.replace("_", " ") for column in columns), box=None, pad_edge=False)
    for shown in table.columns[1:]:
        shown.justify = "right"
    for (name, size), found in sizes.items():
        table.add_row(name, size.removeprefix("batch_"), *(f"{found[column]:,.2f}" for column in columns))
    return Group(table, Text(", ".join(f"{name} {value}" for name, value in metrics["machine"].items()), style="dim"))


def agreement(folder: Path) -> RenderableType:
    """VQA accuracy of all questions, and of each type of question where the data tells it."""
    report: Any = _report(folder)
    table = Table("", "vqa_accuracy", "rows", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, values in report["question_types"].items():
        table.add_row(name, f"{values['vqa_accuracy']:.3f}", str(values["rows"]))
    headline = Text(f"vqa_accuracy {report['vqa_accuracy']:.3f} on {report['rows']} rows", style="bold")
    return Group(headline, table) if report["question_types"] else headline


def _headline(metrics: dict[str, float]) -> str:
    accuracy = f"accuracy {metrics['accuracy']:.3f} on " if "accuracy" in metrics else ""
    unparsed = f", {metrics['unparsed']} answers without a class" if metrics["unparsed"] else ""
    return f"{accuracy}{metrics['rows']} rows{unparsed}"


def confusion(file: Path, classes: Sequence[str]) -> RenderableType:
    """How often each class (a line) was answered as each other one (a column)."""
    with file.open(encoding="utf-8", newline="") as stream:
        counts = Counter((row["actual"], row["predicted"]) for row in csv.DictReader(stream))
    others = sorted({predicted for _, predicted in counts} - set(classes), key=lambda name: (name == UNPARSED, name))
    if len(classes) + len(others) > MAX_CLASSES:
        return Text(f"confusion matrix of {len(classes)} classes: {file}")
    columns = [*classes, *others]
    table = Table("actual ↓ predicted →", *(name[:NAME] for name in columns), box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for actual in classes:
        table.add_row(actual, *(_cell(counts[actual, name], actual == name) for name in columns))
    return table


def _cell(count: int, right: bool) -> Text:
    return Text(str(count) if count else "·", style="green" if right else "red" if count else "dim")


def curve(folder: Path) -> RenderableType:
    """Training loss by step, or the reward, of which the loss of a policy says nothing; and validation loss."""
    return Group(*_plots(folder))


def _plots(folder: Path) -> Iterator[RenderableType]:
    for file, names in (("curve.csv", ("reward", "loss")), ("evaluation.csv", ("eval_loss",))):
        if not (folder / file).is_file():
            continue
        rows = list(csv.DictReader((folder / file).read_text("utf-8").splitlines()))
        name = next((name for name in names if rows and name in rows[0]), names[-1])
        points = [(float(row["step"]), float(row[name])) for row in rows if row.get(name)]
        if len(points) > 1:
            yield plot(name, points)


def plot(name: str, points: Sequence[tuple[float, float]]) -> Text:
    """A line of blocks, with the first and last value at its ends."""
    values = _resampled(points, WIDTH)
    low, high = min(values), max(values)
    scale = (len(BLOCKS) - 1) / (high - low) if high > low else 0.0
    bars = "".join(BLOCKS[round((value - low) * scale)] for value in values)
    first, last = points[0], points[-1]
    return Text(f"{name:>10} {first[1]:8.4f} {bars} {last[1]:.4f}  (step {first[0]:.0f} to {last[0]:.0f})")


def _resampled(points: Sequence[tuple[float, float]], width: int) -> list[float]:
    """At most `width` values: the mean of the points that share a column."""
    columns = min(width, len(points))
    groups = [points[i * len(points) // columns : (i + 1) * len(points) // columns] for i in range(columns)]
    return [sum(value for _, value in group) / len(group) for group in groups]
