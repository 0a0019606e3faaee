"""How our runners end: 0 when the work is done, 1 with what is wrong on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from schema.diagnostics import RecipeError
from schema.render import text


def run(main: Callable[[Sequence[str] | None], int]) -> NoReturn:
    """Call a runner's `main` with the process's arguments and leave with its exit status."""
    try:
        status = main(None)
    except RecipeError as error:
        print(text(error.diagnostics, sources={}), file=sys.stderr)
        status = 1
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 1
    sys.exit(status)
