"""The records of earlier runs, outputs/NAME[/VARIANT]/STAGE/run.json, as far as a plan needs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compiler.plan import Json
from compiler.render import MANIFEST, pretty
from compiler.rerun.contents import of_text
from schema.files import read_json

NAME = "run.json"
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A stage that ran to its end. `identity` is its identity document, where the record has it."""

    label: str
    stage: str
    key: str
    identity: Json = None

    @property
    def title(self) -> str:
        """`quickstart/train`."""
        return f"{self.label}/{self.stage}"


class Records:
    """All run records of a project."""

    def __init__(self, root: Path) -> None:
        self.root = root
        files = (*root.glob(f"outputs/*/*/{NAME}"), *root.glob(f"outputs/*/*/*/{NAME}"))
        found = (_record(root, file) for file in sorted(files))
        self.by_title = {record.title: record for record in found if record is not None}

    def of(self, label: str, stage: str) -> RunRecord | None:
        """The record at a stage's own place."""
        return self.by_title.get(f"{label}/{stage}")

    def elsewhere(self, label: str, stage: str, key: str) -> RunRecord | None:
        """A record of the same key at another place, within the same recipe first."""
        others = [r for r in self.by_title.values() if r.key == key and r.title != f"{label}/{stage}"]
        return min(others, key=lambda record: record.label != label, default=None)

    def identity(self, pipeline: str, label: str, stage: str, md5: str) -> Json:
        """The identity document that has this md5 as a file: of the record, or as it is committed; None without any."""
        record = self.of(label, stage)
        on_disk = read_json(self.root / pipeline / f"{stage}.json")
        for document in (record.identity if record else None, on_disk):
            if isinstance(document, dict) and of_text(pretty(document)).md5 == md5:
                return document
        return None

    def is_used(self, label: str, stage: str, recipe: str, labels: Mapping[str, str]) -> bool:
        """Whether a place still belongs to a recipe, so that its result is not to be carried away.

        Args:
            recipe: The file that is planned now.
            labels: Label → file, of all instances of that recipe.
        """
        if label in labels:
            return True
        manifest = read_json(self.root / "pipelines" / label / MANIFEST)
        try:
            file = manifest["recipe"]["file"]
            return file != recipe and stage in manifest["stages"] and (self.root / file).is_file()
        except (KeyError, TypeError):
            return False


def _record(root: Path, file: Path) -> RunRecord | None:
    """What a file says, if it is a record: such a name can be part of a result."""
    found: Any = read_json(file)
    title = file.parent.relative_to(root / "outputs").as_posix()
    if not isinstance(found, dict) or found.get("format_version") != FORMAT_VERSION or found.get("stage") != title:
        return None
    label, _, stage = title.rpartition("/")
    return RunRecord(label, stage, str(found.get("key")), found.get("identity"))
