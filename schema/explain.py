"""The page of each diagnostic code, for `recipe explain CODE`: one Markdown file in `schema/explain` for each.

>>> page("R0010").splitlines()[0]
'# A key stands once in its map'
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from schema.diagnostics import Diagnostic, RecipeError

__all__ = ["is_code", "known_codes", "page"]

_CODE = re.compile(r"[rR]?(\d{1,4})\Z")
_PAGES = files("schema") / "explain"


@cache
def known_codes() -> tuple[str, ...]:
    """All codes that have a page, in order."""
    return tuple(sorted(entry.name.removesuffix(".md") for entry in _PAGES.iterdir() if entry.name.endswith(".md")))


def is_code(word: str) -> bool:
    """Whether a word has the form of a code, and not that of a field."""
    return _CODE.match(word.strip()) is not None


def page(code: str) -> str:
    """The page of a code in Markdown; `r7` and `7` are `R0007`. Raises RecipeError when there is no such code."""
    match = _CODE.match(code.strip())
    wanted = f"R{int(match[1]):04}" if match else code.strip().upper()
    if wanted not in known_codes():
        raise RecipeError([Diagnostic("R0020", f"there is no code `{code}`", _near(wanted))])
    return (_PAGES / f"{wanted}.md").read_text("utf-8")


def _near(wanted: str) -> str:
    from schema.suggest import nearest  # loads the fuzzy matcher, which only a mistake pays for

    close = nearest(wanted, known_codes())
    return f"did you mean `{close}`?" if close else "a code is an R and four digits, such as `R0101`"
