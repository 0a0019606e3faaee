"""Rules of data sets: what their rows can be prepared for, and what is asked of databases."""

from __future__ import annotations

import re
from collections.abc import Iterator

from schema.context import Context
from schema.datasets import KINDS
from schema.datasets.databases import Queried, Sql
from schema.diagnostics import Diagnostic
from schema.stages import Distill, Evaluate, Predict, Prepare

FOUND = {"detection": "map50 and map50_95", "segmentation": "miou and dice"}
"""Task of a student whose predictions have scores of their own → these."""
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_WRITES = re.compile(r"\b(insert|update|delete|drop|create|alter|attach|replace|truncate|merge|grant|pragma)\b", re.I)
_PASSWORD = re.compile(r"^[^:/@]+://[^/@]*:[^/@]*@")


def kinds_fit_tasks(context: Context) -> Iterator[Diagnostic]:
    """R0450: rows are prepared for what the data set can say of them."""
    for name, stage in context.recipe.stages.items():
        if not isinstance(stage, Prepare):
            continue
        dataset = context.recipe.datasets[stage.dataset]
        if stage.task not in dataset.tasks:
            fitting = [str(_name(kind)) for kind in KINDS if stage.task in kind.tasks]
            message = f"rows of `kind: {_name(type(dataset))}` cannot be prepared to {stage.task}"
            help = f"write `task: {dataset.tasks[0]}`, or a data set of the kind {' or '.join(fitting)}"
            places = (context.at("stages", name, "task"), context.at("datasets", stage.dataset, "kind"))
            yield Diagnostic("R0450", message, help, places)


def _name(kind: type) -> object:
    return kind.model_fields["kind"].annotation.__args__[0]  # type: ignore[attr-defined]


def queries_only_read(context: Context) -> Iterator[Diagnostic]:
    """R0451: a query is one SELECT."""
    for name, dataset in context.recipe.datasets.items():
        if not isinstance(dataset, Queried):
            continue
        plain = _QUOTED.sub(" ", dataset.query).strip().removesuffix(";").strip()
        wrong = None
        if not re.match(r"(select|with)\b", plain, re.I):
            wrong = "the query is no SELECT"
        elif ";" in plain:
            wrong = "the query is more than one statement"
        elif (found := _WRITES.search(plain)) is not None and found[1].lower() != "replace":
            wrong = f"the query has `{found[1]}`, and a query only reads"
        if wrong is not None:
            help = "write one SELECT; a name that looks like a command stands in double quotes"
            yield Diagnostic("R0451", wrong, help, (context.at("datasets", name, "query"),))


def urls_tell_no_secret(context: Context) -> Iterator[Diagnostic]:
    """R0452: the URL of a database names no password, and a server."""
    for name, dataset in context.recipe.datasets.items():
        if not isinstance(dataset, Sql):
            continue
        place = context.at("datasets", name, "url")
        if _PASSWORD.match(dataset.url) or re.search(r"[?&](password|passwd|pwd)=", dataset.url, re.I):
            help = "take it out, change it where it is known, and write `password_env: VARIABLE`"
            yield Diagnostic("R0452", "the URL holds a password, which everyone can read here", help, (place,))
        elif dataset.url.startswith("sqlite"):
            message = "a file of SQLite is data of the project, which a lock can pin"
            yield Diagnostic("R0452", message, "write `kind: sqlite` and `path:`", (place,))
        elif re.match(r"^[a-z0-9+_]+://[^/]+", dataset.url) is None:
            help = "write `postgresql+psycopg://USER@HOST/DATABASE`"
            yield Diagnostic("R0452", "this is not the URL of a database on a server", help, (place,))


def extras_are_known(context: Context) -> Iterator[Diagnostic]:
    """R0453: what only sequences of frames have, is said of a student that sees them."""
    for name, stage in context.recipe.stages.items():
        if isinstance(stage, Distill) and stage.student.family != "lstm":
            for field in stage.student.extra:
                message = f"`{field}` is about sequences of frames, and a `{stage.student.family}` sees one picture"
                place = context.at("stages", name, "student", field)
                yield Diagnostic("R0453", message, "remove it, or write `family: lstm`", (place,))


def found_things_have_their_scores(context: Context) -> Iterator[Diagnostic]:
    """R0454: what is found in pictures is scored by its place, and not by classes of rows."""
    for name, stage in context.recipe.stages.items():
        if not isinstance(stage, Evaluate) or stage.metrics == Evaluate.model_fields["metrics"].default:
            continue
        predicting = context.recipe.stages[stage.predictions]
        student = context.recipe.student(predicting.model) if isinstance(predicting, Predict) else None
        if student is not None and student.learns in FOUND:
            message = f"`metrics` are of rows with a class, and {student.learns} has {FOUND[student.learns]}"
            help = "remove `metrics`: these are always measured"
            yield Diagnostic("R0454", message, help, (context.at("stages", name, "metrics"),))


RULES = (kinds_fit_tasks, queries_only_read, urls_tell_no_secret, extras_are_known, found_things_have_their_scores)
