"""recipe explain R0101"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from schema.console import fail
from schema.explain import known_codes, page
from schema.suggest import nearest


def complete_code(incomplete: str) -> list[str]:
    """Codes for shell completion."""
    return [code for code in known_codes() if code.startswith(incomplete.upper())]


def explain(
    code: Annotated[str, typer.Argument(help="The code of a diagnostic.", autocompletion=complete_code)],
) -> None:
    """Explain a diagnostic: the rule, why it holds, a wrong and a right example."""
    wanted = code.upper()
    if wanted not in known_codes():
        guess = nearest(wanted, known_codes())
        fail(f"there is no diagnostic {code}" + (f"; did you mean {guess}?" if guess else ""))
    if sys.stdout.isatty():
        from rich.console import Console  # only a terminal pays for it
        from rich.markdown import Markdown

        Console().print(Markdown(page(wanted)))
    else:
        print(page(wanted), end="")
