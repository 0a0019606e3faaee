"""Put data where a recipe says it is: links to where `machine.yaml` says it lies, before DVC looks for it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from runners.machine import link_data
from schema.diagnostics import RecipeError
from schema.machine import load_machine
from schema.render import text


def main(argv: Sequence[str] | None = None) -> int:
    """Link the data of the project in the working directory; 1 when the machine file is wrong."""
    root = Path.cwd()
    try:
        link_data(root, load_machine(root))
    except RecipeError as error:
        print(text(error.diagnostics, {}), file=sys.stderr)
        return 1
    return 0
