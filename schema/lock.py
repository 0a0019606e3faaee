"""What the names in a recipe resolved to: `recipes/NAME.lock`, written by `recipe lock` and committed.

version: 1
revision: 1
models:
  Qwen/Qwen2-VL-2B-Instruct:
    sha256: 5f0c…                                              # of all files together
    sources:
      modelscope: {repo: Qwen/Qwen2-VL-2B-Instruct, requested: master, commit: 8d2f…}
    files:
      config.json: {size: 1203, sha256: 2c26…}
local:
  data/animals/train_data: {kind: tree, files: 200, size: 88123, sha256: 9b74…}
toolchain:
  torch: 2.15.0
toolchains:                                                      # revision 2
  trl1:
    trl: 1.16.0

`version` changes when an old program would misread the file, `revision` when it would only miss something.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import yaml
from pydantic import ConfigDict, Field, ValidationError

from schema import components
from schema.base import Model
from schema.diagnostics import Diagnostic, RecipeError, Span
from schema.models import Hub
from schema.shape import to_diagnostics
from schema.source import parse, read_source
from schema.tree import MapNode, Node, ScalarNode, key_span, to_data, value_span

VERSION = 1
REVISION = 2
"""The newest. A lock is written in the first one that can say all of it, and never in an older one than was found."""
SUFFIX = ".lock"
MAX_BYTES = 16 << 20
_NUMBER = re.compile(r"[0-9]+e[0-9]+")
HEAD = "# What the names in {recipe} resolved to. Written by `recipe lock`; commit it, and do not edit it.\n"

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{7,64}$")]
Size = Annotated[int, Field(ge=0)]


class Entry(Model):
    """Something of a lock. A later revision may say more about it; its scalars are text until they are needed as numbers."""

    model_config = ConfigDict(extra="ignore", strict=False)


class LockedFile(Entry):
    """One file of a model or data set: bytes, and sha256 in hex."""

    size: Size
    sha256: Sha256


class Source(Entry):
    """A repository of a hub that has exactly the locked files at this commit."""

    repo: str
    requested: str
    commit: Commit


class Asset(Entry):
    """A model or data set of hubs. Its files are its identity; commits differ from hub to hub."""

    sha256: Sha256
    chat_template: Sha256 | None = None
    sources: Annotated[dict[Hub, Source], Field(min_length=1)]
    files: Annotated[dict[str, LockedFile], Field(min_length=1)]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())


class Local(Entry):
    """A file or folder of the project, or what the machine file puts in its place."""

    kind: Literal["file", "tree"]
    files: Size
    size: Size
    sha256: Sha256


class Built(Entry):
    """A tiny model: `code` is the sha256 of what makes it."""

    code: Sha256


class Lock(Entry):
    """Everything that one recipe names, in all of its variants."""

    version: Annotated[int, Field(ge=1, le=VERSION)]
    revision: Annotated[int, Field(ge=1)]
    models: dict[str, Asset] = {}
    """By id, or `ID@REVISION` where the recipe asks for one."""
    datasets: dict[str, Asset] = {}
    built: dict[str, Built] = {}
    local: dict[str, Local] = {}
    """By path, as the recipe writes it."""
    toolchain: dict[str, str] = {}
    """Package → version in the default toolchain."""
    toolchains: dict[str, dict[str, str]] = {}
    """The same of every other toolchain in which a stage runs. Since revision 2."""


@dataclass(frozen=True, slots=True)
class Locked:
    """A lock that was read, and where its facts stand. `file` is its name in messages."""

    lock: Lock
    file: str
    tree: MapNode

    def at(self, *path: str) -> Span:
        """The place of a fact."""
        return value_span(self.tree, path)


def name_of(id: str, revision: str | None) -> str:
    """What a lock calls a model or data set of a hub.

    >>> name_of("Qwen/Qwen2-VL-2B-Instruct", "v1.0")
    'Qwen/Qwen2-VL-2B-Instruct@v1.0'
    """
    return id if revision is None else f"{id}@{revision}"


def digest_of(files: Mapping[str, LockedFile]) -> str:
    """The digest of a folder that holds just these files: that of `schema.digests`, computed from the list."""
    return components.digest({path: file.sha256 for path, file in files.items()})


def lock_of(recipe: Path) -> Path:
    """Where a recipe's lock stands: beside it."""
    return recipe.with_suffix(SUFFIX)


def is_safe(path: str) -> bool:
    """Whether a path of a listing stays inside the folder it is put into, on every system.

    >>> [is_safe(path) for path in ("a/b.json", "../b", "/b", "a/./b", "C:b")]
    [True, False, False, False, False]
    """
    parts = PurePosixPath(path).parts
    plain = path.isprintable() and not set(path) & set('\\:*?"<>|')
    return plain and bool(parts) and "/".join(parts) == path and ".." not in parts and not path.startswith("/")


def read_lock(path: Path, display: str, sources: dict[str, str]) -> Locked:
    """The lock in a file.

    Args:
        display: Its name in messages.
        sources: Receives its text, for the excerpts of diagnostics.

    Raises:
        RecipeError: it cannot be read, or is no lock; R0701 it contradicts itself.
    """
    text = read_source(path, display, limit=MAX_BYTES).text
    sources[display] = text
    tree = parse(text, display)
    try:
        lock = Lock.model_validate(_texts(tree))
    except ValidationError as error:
        raise RecipeError(to_diagnostics(error, tree, Lock)) from None
    if wrong := [*_contradictions(lock, tree)]:
        raise RecipeError(wrong)
    return Locked(lock, display, tree)


def _texts(node: Node) -> Any:
    """Maps of the texts of all scalars: `12e4567` may be a commit, and `2.10` a version."""
    if isinstance(node, MapNode):
        return {key: _texts(entry.value) for key, entry in node.items.items()}
    return node.raw if isinstance(node, ScalarNode) else to_data(node)


def _contradictions(lock: Lock, tree: MapNode) -> list[Diagnostic]:
    """Paths that lead out, and digests that are not those of the files: a merge that went wrong, or an edit by hand."""
    found = []
    for section, assets in (("models", lock.models), ("datasets", lock.datasets)):
        for name, asset in assets.items():
            for path in (path for path in asset.files if not is_safe(path)):
                place = key_span(tree, (section, name, "files", path))
                message = f"`{path}` is no path inside of {name}"
                found.append(Diagnostic("R0701", message, "write the lock anew: `recipe lock`", (place,)))
            if digest_of(asset.files) != asset.sha256:
                place = value_span(tree, (section, name, "sha256"))
                message = f"the files of {name} are not those that its digest stands for"
                help = f"take one side of the merge, or resolve it again: `recipe lock --upgrade {name}`"
                found.append(Diagnostic("R0701", message, help, (place,)))
    return found


class _Line(dict[str, Any]):
    """A map that is written in one line."""


class _Dumper(yaml.SafeDumper):
    """Maps in their order, lines as long as they are."""


_Dumper.add_representer(
    _Line, lambda dumper, line: dumper.represent_mapping("tag:yaml.org,2002:map", line.items(), flow_style=True)
)


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """A text, in quotes where YAML 1.2 reads a number and 1.1 does not: `12e4567` may be a commit."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="'" if _NUMBER.fullmatch(text) else None)


_Dumper.add_representer(str, _string)


def text_of(lock: Lock, recipe: str) -> str:
    """A lock as it stands in its file: sorted, a line for each fact, in ASCII."""
    document: dict[str, Any] = {"version": lock.version, "revision": lock.revision}
    for section in ("models", "datasets"):
        document[section] = {name: _asset(asset) for name, asset in sorted(getattr(lock, section).items())}
    for section in ("built", "local"):
        document[section] = {n: _Line(e.model_dump(mode="json")) for n, e in sorted(getattr(lock, section).items())}
    document["toolchain"] = dict(sorted(lock.toolchain.items()))
    document["toolchains"] = {name: dict(sorted(of.items())) for name, of in sorted(lock.toolchains.items())}
    kept = {name: value for name, value in document.items() if value != {}}
    return HEAD.format(recipe=recipe) + yaml.dump(kept, Dumper=_Dumper, sort_keys=False, width=1_000_000)


def _asset(asset: Asset) -> dict[str, Any]:
    template = {"chat_template": asset.chat_template} if asset.chat_template else {}
    return {
        "sha256": asset.sha256,
        **template,
        "sources": {hub: _Line(asset.sources[hub].model_dump(mode="json")) for hub in sorted(asset.sources)},
        "files": {path: _Line(file.model_dump(mode="json")) for path, file in sorted(asset.files.items())},
    }
