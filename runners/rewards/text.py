"""What rewards share: the part of an answer that counts, and how two texts are compared."""

from __future__ import annotations

import re
import unicodedata


def part(answer: str, extract: str | None) -> str | None:
    """The first group of the first match of `extract`, or the whole answer without one; None where nothing matches.

    >>> part("so <answer> 4 </answer>", "<answer>(.*?)</answer>")
    ' 4 '
    """
    if extract is None:
        return answer
    found = re.search(extract, answer, re.DOTALL)
    return found[1] if found else None


def plain(text: str, ignore_case: bool) -> str:
    """A text in one form of Unicode (NFC), its runs of white space as one space, none at its ends.

    >>> plain("  Two\\nwords ", ignore_case=True)
    'two words'
    """
    words = " ".join(unicodedata.normalize("NFC", text).split())
    return unicodedata.normalize("NFC", words.casefold()) if ignore_case else words
