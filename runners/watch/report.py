"""Compare before the first step, where a difference ends the process, and after the last one, where it is only told.

    $RECIPE_OUT/trainer.json      what the first process of a training holds, and where it differs from the plan
    $RECIPE_OUT/trainer.3.json    the same of another process, when that differs

`recipe exec` reads them; in a run by hand the message on standard error is all.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runners.watch.compare import Difference, differences, normal, planned
from schema.files import read_json, write_json

PLAN = "RECIPE_PLAN"
FORMAT = 1
NAME = "trainer"
ENDING = ".json"


class Watch:
    """One process of a training, and the plan that it is held against."""

    def __init__(self, programs: Sequence[Sequence[str]], rank: int) -> None:
        """Read the plan that RECIPE_PLAN names. Errors: SystemExit when it launches none of these programs."""
        place = os.environ.get(PLAN, "")
        try:
            self.planned = planned(read_json(Path(place)), programs)
        except (KeyError, TypeError, ValueError):
            told = " or ".join(f"`{' '.join(program)}`" for program in programs)
            sys.exit(f"{PLAN} names {place or 'no file'}, which says nothing of {told}: nothing was trained")
        self.rank = rank
        self.begun: dict[str, Any] = {}

    def begin(self, held: Mapping[str, Any], trainable: tuple[int, int]) -> None:
        """Before the first step. Errors: SystemExit when something differs."""
        found = self._compare(held)
        if trainable[0] == 0:
            found.append(Difference("trainable parameters", "some", 0))
        compared = {option: normal(value) for option, value in held.items() if option in self.planned}
        self.begun = {
            "format": FORMAT,
            "held": compared,
            "not_compared": sorted(self.planned.keys() - compared.keys()),
            "parameters": {"trainable": trainable[0], "all": trainable[1]},
            "before": [difference.as_json() for difference in found],
            "after": None,
        }
        if found or self.rank == 0:
            self._write()
        if found:
            told = "\n".join(f"  {difference}" for difference in found)
            sys.exit(f"The trainer does not hold what was planned, and was stopped before its first step:\n{told}")

    def end(self, held: Mapping[str, Any]) -> None:
        """After the last step: what differs now is told, and changes nothing."""
        found = self._compare(held)
        self.begun["after"] = [difference.as_json() for difference in found]
        if found or self.rank == 0:
            self._write()

    def _compare(self, held: Mapping[str, Any]) -> list[Difference]:
        return differences(self.planned, held)

    def _write(self) -> None:
        out = os.environ.get("RECIPE_OUT")
        if out and Path(out).is_dir():
            write_json(Path(out, f"{NAME}{f'.{self.rank}' if self.rank else ''}{ENDING}"), self.begun)
