"""A difference as a comment of a pull request: GitHub's Markdown, collapsible, within the length of a comment.

What comes from recipes stands only where nothing is interpreted: escaped within `<code>` in blocks of HTML, where neither
Markdown nor mentions are looked for, or within a fence that is longer than any run of backticks in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from compiler.diff.model import PipelineDiff, RecipeDiff, Side
from compiler.diff.words import (
    field_change,
    field_name,
    heading,
    option_name,
    place,
    summary,
    values,
    visible,
)
from schema import render

MARKER = "<!-- recipe-diff -->"
"""The first line: whoever posts a comment looks for it, and updates the one that has it."""
LIMIT = 60_000
"""Characters; GitHub takes 65,536."""
LAST_LINE = 300
"""Characters that are kept for saying what was left out."""
FRAME = 8
"""Characters for the line ends around a pipeline."""
CELL = 400
"""Characters of a cell beyond which it is cut."""


@dataclass(frozen=True, slots=True)
class Block:
    """A table or a fence: its rows can be cut off at any place."""

    what: str
    head: str
    rows: tuple[str, ...]
    tail: str
    more: str
    """A row that says how many are missing."""

    def cut(self, room: int) -> tuple[str, int]:
        """As many rows as there is room for (characters), and how many are left out."""
        whole = "\n".join([self.head, *self.rows, self.tail])
        if len(whole) <= room:
            return whole, 0
        left = room - len(self.head) - len(self.tail) - len(self.more) - 12
        kept = 0
        while kept < len(self.rows) and len(self.rows[kept]) < left:
            left -= len(self.rows[kept]) + 1
            kept += 1
        if not kept:
            return "", len(self.rows)
        missing = len(self.rows) - kept
        return "\n".join([self.head, *self.rows[:kept], self.more.format(missing), self.tail]), missing


def markdown(diff: RecipeDiff, limit: int = LIMIT) -> str:
    """The comment: what does not compile, risks, then stages of all pipelines before fields, options and files."""
    head = f"{MARKER}\n\n<p><strong>Recipes</strong> {code(summary(diff), 2 * CELL)}</p>\n"
    shown = [pipeline for pipeline in diff.pipelines if not pipeline.like]
    frames = [_frame(pipeline, diff) for pipeline in shown]
    room = limit - len(head) - LAST_LINE
    first, room, missing = _fill([*_failures(diff), *_risks(diff)], room)
    texts: list[list[str]] = [[] for _ in frames]
    sections = [_sections(pipeline) for pipeline in shown]
    for level in range(max(map(len, sections), default=0)):
        for number, section in enumerate(sections):
            frame = 0 if texts[number] else sum(map(len, frames[number])) + FRAME
            found, left, lost = _fill(section[level], room - frame)
            texts[number] += found
            room = left if found else room
            missing += lost
    parts = [head, *first, *(_framed(frame, inner) for frame, inner in zip(frames, texts, strict=True) if inner)]
    return "\n".join([*parts, *_left_out(missing)])


def code(text: str, long: int = CELL) -> str:
    """Text in which nothing is interpreted, within a block of HTML: one line, escaped."""
    shown = visible(text)
    return f"<code>{escape(shown if len(shown) <= long else shown[: long - 1] + '…')}</code>"


def fence(text: str, language: str) -> tuple[str, str]:
    """The lines around a text that it cannot close."""
    marks = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text + "`")))
    return f"{marks}{language}", marks


def _fill(blocks: Sequence[Block], room: int) -> tuple[list[str], int, list[str]]:
    """The texts of blocks as far as they fit, the room that is left, and what was left out."""
    texts, missing = [], []
    for block in blocks:
        text, lost = block.cut(room - 2)
        if text:
            texts.append(f"{text}\n")
            room -= len(text) + 2
        if lost:
            missing.append(f"{lost} {block.what}")
    return texts, room, missing


def _frame(pipeline: PipelineDiff, diff: RecipeDiff) -> tuple[str, str]:
    alike = [other.label for other in diff.pipelines if other.like == pipeline.label]
    told = f"{code(pipeline.label)} {code(heading(pipeline))}" + (f" and {code(', '.join(alike))}" if alike else "")
    return f"<details><summary>{told}</summary>\n\n", "</details>\n"


def _framed(frame: tuple[str, str], inner: Sequence[str]) -> str:
    return frame[0] + "\n".join(inner) + "\n" + frame[1]


def _failures(diff: RecipeDiff) -> Iterator[Block]:
    for side in (diff.base, diff.head):
        if side.failures:
            files = ", ".join(dict.fromkeys(failure.file for failure in side.failures))
            said = f"<p>in {code(side.name)} {code(files)} cannot be compared:</p>"
            yield _fenced("lines of errors", _errors(side), "text", said)


def _errors(side: Side) -> str:
    found = [diagnostic for failure in side.failures for diagnostic in failure.diagnostics]
    return render.text(found, side.sources)


def _fenced(what: str, text: str, language: str, before: str) -> Block:
    start, end = fence(text, language)
    return Block(what, f"{before}\n\n{start}", tuple(text.split("\n")), end, "… {} more lines")


def _risks(diff: RecipeDiff) -> Iterator[Block]:
    shown = [pipeline for pipeline in diff.pipelines if not pipeline.like]
    rows = [(pipeline.label, note.message, place(note.place)) for pipeline in shown for note in pipeline.notes]
    yield from _table("risks", ("risk in", "what a reviewer should know", "written at"), rows)


def _sections(pipeline: PipelineDiff) -> list[list[Block]]:
    """Stages, fields, options and files: the weightiest first."""
    stages = [(s.action, s.name, s.kind, "; ".join(s.reasons)) for s in pipeline.stages]
    fields = [(field_name(f), field_change(f), place(f.place)) for f in pipeline.fields]
    options = [(o.stage, o.program, option_name(o), values(o)) for o in pipeline.options]
    return [
        list(_table("stages", ("action", "stage", "kind", "reason"), stages)),
        list(_table("fields", ("field", "change", "written at"), fields)),
        list(_table("options", ("stage", "command", "option", "change"), options)),
        [_diff(file.path, file.diff) for file in pipeline.files],
    ]


def _diff(path: str, diff: str) -> Block:
    text = "\n".join(visible(line) for line in diff.split("\n"))
    return _fenced("lines of generated files", text, "diff", f"<p>{code(path)}</p>")


def _table(what: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[Block]:
    if rows:
        head = "<table>\n<tr>" + "".join(f"<th>{name}</th>" for name in names) + "</tr>"
        lines = tuple("<tr>" + "".join(f"<td>{code(c) if c else ''}</td>" for c in row) + "</tr>" for row in rows)
        yield Block(what, head, lines, "</table>", f'<tr><td colspan="{len(names)}">… {{}} more</td></tr>')


def _left_out(missing: Sequence[str]) -> Iterator[str]:
    """A last line with the sums of what did not fit."""
    counts: dict[str, int] = {}
    for entry in missing:
        count, _, what = entry.partition(" ")
        counts[what] = counts.get(what, 0) + int(count)
    if counts:
        told = ", ".join(f"{count} {what}" for what, count in counts.items())
        yield f"Left out to fit a comment: {told}. `recipe diff` shows all.\n"
