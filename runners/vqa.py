"""VQA accuracy: how well an answer agrees with those of ten people.

accuracy = mean over the annotators of min(how many of the others gave this answer / 3, 1)

Antol et al., VQA: Visual Question Answering (2015), https://visualqa.org/evaluation.html. Answers are compared after
normalisation: lower case, number words as digits, no articles, contractions with their apostrophes, punctuation removed.

Published programs differ in what they normalise. The authors' own one (PythonEvaluationTools of GT-Vision-Lab/VQA)
normalises the predicted answer always, and of the annotators' answers only the punctuation, and only where they differ;
others normalise both sides in full, but only where the annotators differ. Here both sides are normalised in full always,
as the definition says. That is the authors' number wherever the annotators' answers are stored in normal form, as they
are in VQA and OK-VQA, and the others' number wherever annotators differ; where all ten agree, theirs takes `Surfing` for
wrong where `surfing` is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

ENOUGH = 3
"""So many other annotators make an answer right."""

PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
COMMA_IN_A_NUMBER = re.compile(r"\d,\d")
PERIOD = re.compile(r"\.(?!\d)")
ARTICLES = frozenset(("a", "an", "the"))
NUMBERS: Mapping[str, str] = {
    "none": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7",
    "eight": "8", "nine": "9", "ten": "10",
}  # fmt: skip
_CONTRACTIONS = """
ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've he's
how'd how'll how's isn't it'd it'd've it'll ma'am might've mightn't mightn't've must've mustn't needn't not've o'clock
oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd
someone'd've someone'll someone's something'd something'd've something'll that's there'd there'd've there're there's
they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's what've when's where'd
where's where've who'd who'd've who'll who's who've why'll why're why's won't would've wouldn't wouldn't've y'all y'all'd've
y'all'll you'd you'd've you'll you're you've
"""


def _lacking_one(word: str) -> Iterable[str]:
    """A contraction with one of its apostrophes left out, each in turn."""
    return (word[:place] + word[place + 1 :] for place, character in enumerate(word) if character == "'")


CONTRACTIONS: Mapping[str, str] = {
    **{lacking: word for word in _CONTRACTIONS.split() for lacking in _lacking_one(word)},
    "somebody'd": "somebodyd",  # the other way round in the authors' table
}
"""A contraction that lacks an apostrophe → the whole one. Words that also mean something else, such as `shell` for
`she'll`, are not among them."""


def normalized(answer: str) -> str:
    """An answer in the form in which answers are compared.

    >>> normalized("The two DOGS, dont they?")
    "2 dogs don't they"
    """
    words = _without_punctuation(" ".join(answer.split())).lower().split()
    numbered = (NUMBERS.get(word, word) for word in words)
    return " ".join(CONTRACTIONS.get(word, word) for word in numbered if word not in ARTICLES)


def _without_punctuation(text: str) -> str:
    """A mark goes where it stands beside a space, or the text has a number with a comma; else it becomes a space."""
    glued = COMMA_IN_A_NUMBER.search(text) is not None
    found = text
    for mark in PUNCTUATION:
        gone = glued or f"{mark} " in text or f" {mark}" in text
        found = found.replace(mark, "" if gone else " ")
    return PERIOD.sub("", found)


def agreement(answer: str, gold: Sequence[str]) -> float:
    """The accuracy of one answer, from 0 to 1. `gold` are the annotators' answers, one or more."""
    given = normalized(answer)
    same = [normalized(other) == given for other in gold]
    found = sum(same)
    return sum(min(found - mine, ENOUGH) for mine in same) / (ENOUGH * len(same))  # whole numbers: order cannot matter
