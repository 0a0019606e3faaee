"""Relation paths: how an answer follows from what a picture shows, entity by entity, and which of them to learn from.

dog -> wears -> collar -> made of -> leather

Entities and relations take turns, an entity is first and last, and none comes twice. The last one is the answer.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from runners.vqa import normalized

ARROW = re.compile(r"\s*(?:[-=–—]+>|[→⟶➔])\s*")
LABEL = re.compile(r"(?:[-*•]|\d+[.)])\s+|[^:>]{0,40}\bpath\b[^:>]{0,20}:", re.IGNORECASE)
"""What models write before a path: the mark of a list, or `The path is:`."""
AROUND = " \t*`\"'“”.,;!"
"""What they write around it, and around its parts."""
BETWEEN = " -> "
REASONS: Mapping[str, str] = {
    "kept": "learnt from",
    "no path": "the text has no arrow",
    "a gap": "there is no letter and no digit between two arrows, or at an end",
    "no end": "it ends in a relation",
    "too long": "it has more relations than `max_relations`",
    "a circle": "it comes to an entity twice",
    "another answer": "it does not end in an answer that an annotator gave",
    "again": "it is the same as a better one of its question, but for capitals, articles and number words",
    "beyond the best": "its question has `per_question` better ones",
}
"""What became of a written path → what that means."""


@dataclass(frozen=True, slots=True)
class Written:
    """A path as a model wrote it: the question, the answer it was asked to lead to with its score, and the text."""

    question: str
    answer: str
    score: float
    text: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of it: one of REASONS, and the path in its plain form where it has one."""

    written: Written
    reason: str
    path: str = ""

    @property
    def form(self) -> tuple[str, ...]:
        """What two paths are compared by."""
        return tuple(map(normalized, self.path.split(BETWEEN)))


def judge(
    written: Sequence[Written], gold: Mapping[str, Sequence[str]], *, per_question: int, max_relations: int
) -> list[Judged]:
    """What becomes of each path, in their order.

    `gold` has the annotators' answers of each question. Of the paths of one question that hold, better scores go first,
    and between equals the earlier in the alphabet, so the outcome does not depend on the order in which they come.
    """
    judged = [_alone(path, gold[path.question], max_relations) for path in written]
    of_question: defaultdict[str, list[int]] = defaultdict(list)
    for index, found in enumerate(judged):
        if found.reason == "kept":
            of_question[found.written.question].append(index)
    for indices in of_question.values():
        seen: set[tuple[str, ...]] = set()
        for index in sorted(indices, key=lambda index: (-judged[index].written.score, judged[index].path)):
            found = judged[index]
            if found.form in seen:
                judged[index] = Judged(found.written, "again", found.path)
            elif len(seen) == per_question:
                judged[index] = Judged(found.written, "beyond the best", found.path)
            else:
                seen.add(found.form)
    return judged


def counts(judged: Iterable[Judged]) -> dict[str, int]:
    """How many paths each reason has, all reasons in their order."""
    found = Counter(path.reason for path in judged)
    return {reason: found[reason] for reason in REASONS}


def _alone(written: Written, gold: Sequence[str], max_relations: int) -> Judged:
    """What becomes of a path whatever others its question has."""
    parts = _parts(written.text)
    reason = next(_flaws(parts, {normalized(answer) for answer in gold}, max_relations), "kept")
    return Judged(written, reason, BETWEEN.join(parts) if len(parts) > 1 else "")


def _parts(text: str) -> list[str]:
    """Entities and relations of the first line that has an arrow, without what stands around them.

    >>> _parts('The path is:\\n1. **dog** --> chases  → "Ball".')
    ['dog', 'chases', 'Ball']
    """
    line = next((line for line in text.splitlines() if ARROW.search(line)), "").strip()
    while label := LABEL.match(line):
        line = line[label.end() :].lstrip(AROUND)
    return [" ".join(part.split()).strip(AROUND) for part in ARROW.split(line)]


def _flaws(parts: Sequence[str], gold: set[str], max_relations: int) -> Iterator[str]:
    entities = [normalized(entity) for entity in parts[::2]]
    if len(parts) == 1:
        yield "no path"
    if not all(re.search(r"\w", part) for part in parts):
        yield "a gap"
    if len(parts) % 2 == 0:
        yield "no end"
    if len(parts) // 2 > max_relations:
        yield "too long"
    if len(set(entities)) < len(entities):
        yield "a circle"
    if entities[-1] not in gold:
        yield "another answer"
