"""Stand-in for schema.machine until that exists: the four fields of machine.yaml, read without fine messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Machine:
    gpus: tuple[int, ...] | None = None
    data: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    allow_other_versions: bool = False


def load_machine(root: Path) -> Machine:
    path = root / "machine.yaml"
    content = (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}
    gpus = content.get("gpus")
    return Machine(
        gpus=tuple(gpus) if gpus is not None else None,
        data=content.get("data", {}),
        env=content.get("env", {}),
        allow_other_versions=content.get("allow_other_versions", False),
    )
