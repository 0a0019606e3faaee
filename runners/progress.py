"""How far a training is, from the log that the trainer itself writes.

{"loss": 2.1465, "acc": 0.2093, "epoch": 0.44, "global_step/max_steps": "20/450", "remaining_time": "32s", …}
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runners.events import Progressed

STEPS = "global_step/max_steps"
NOT_METRICS = ("loss", "memory", "total_flos")
NOT_METRICS_ENDS = ("_runtime", "_per_second", "(s/it)", "(GiB)")
UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_PARTS = re.compile(r"(\d+(?:\.\d+)?)([dhms])")


@dataclass
class Follower:
    """Reads what is appended to `logging.jsonl` after we began; what an earlier try wrote is passed over."""

    stage: str
    log: Path
    position: int = 0
    file: tuple[int, int] | None = None
    rest: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        self.file, self.position = _identity_and_size(self.log)

    def new(self) -> list[Progressed]:
        """What the trainer has logged since the last call."""
        found, size = _identity_and_size(self.log)
        if found != self.file or size < self.position:
            self.file, self.position, self.rest = found, 0, b""
        if found is None or size == self.position:
            return []
        try:
            with self.log.open("rb") as stream:
                stream.seek(self.position)
                content = stream.read()
        except OSError:
            return []
        self.position += len(content)
        *lines, self.rest = (self.rest + content).split(b"\n")
        return [event for line in lines if (event := parse(self.stage, line)) is not None]


def _identity_and_size(path: Path) -> tuple[tuple[int, int] | None, int]:
    try:
        status = path.stat()
    except OSError:
        return None, 0
    return (status.st_dev, status.st_ino), status.st_size


def parse(stage: str, line: bytes) -> Progressed | None:
    """One line of the log; None for lines that name no step."""
    try:
        row = json.loads(line)
        step, _, steps = row[STEPS].partition("/")
        numbers = {name: float(value) for name, value in row.items() if _is_number(value)}
        return Progressed(stage, int(step), int(steps), numbers.get("loss"), _metrics(numbers), _left(row))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _metrics(numbers: dict[str, float]) -> dict[str, float]:
    return {n: v for n, v in numbers.items() if n not in NOT_METRICS and not n.endswith(NOT_METRICS_ENDS)}


def _left(row: dict[str, Any]) -> float | None:
    parts = _PARTS.findall(str(row.get("remaining_time", "")))
    return sum(float(number) * UNITS[unit] for number, unit in parts) if parts else None
