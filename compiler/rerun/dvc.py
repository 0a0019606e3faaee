"""What DVC 3 has on record of a pipeline: `dvc.lock`, its cache of results, and its run cache. Read only; no DVC is loaded.

pipelines/NAME/dvc.lock                  what each stage read and made when it ran last
CACHE/files/md5/3f/9a…                   results by their md5; of a folder, the list of its files as JSON
CACHE/runs/4b/4be1…/77c0…                a run by what it read, then by what it made: an entry as in dvc.lock
"""

from __future__ import annotations

import configparser
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from compiler.rerun.contents import Content
from compiler.rerun.steps import Step
from compiler.write import LOCK
from schema.diagnostics import Diagnostic, RecipeError
from schema.digests import of_file

PROTECTED = 0o444
"""The mode of what DVC has put into its cache, and then trusts."""
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Entry:
    """One run on record: path → content of what it read and what it made."""

    command: str
    dependencies: Mapping[str, Content]
    outs: Mapping[str, Content]


class Record:
    """What DVC knows of one pipeline, whose folder is relative to the root.

    Raises:
        RecipeError: R0430 its files cannot be read.
    """

    def __init__(self, root: Path, pipeline: str) -> None:
        self.pipeline = pipeline
        self.entries = _locked(root, f"{pipeline}/{LOCK}")
        self.cache = _cache_folder(root)
        self.present: dict[str, bool] = {}

    def has(self, content: Content) -> bool:
        """Whether the cache holds a result: of a folder, its list and each file in it."""
        if content.md5 not in self.present:
            self.present[content.md5] = self._has(content.md5)
        return self.present[content.md5]

    def _has(self, md5: str) -> bool:
        return all(self._has_object(part) for part in (*self._parts(md5), md5))

    def _parts(self, md5: str) -> list[str]:
        """The digests of the files of a folder; of a file none. What is no list is found to be missing."""
        if not md5.endswith(".dir"):
            return []
        try:
            listed = json.loads(self._object(md5).read_bytes())
            return [str(file["md5"]) for file in listed]
        except (OSError, ValueError, KeyError, TypeError):
            return ["missing"]

    def _object(self, md5: str) -> Path:
        return self.cache / "files" / "md5" / md5[:2] / md5[2:]

    def _has_object(self, md5: str) -> bool:
        """Whether it is there, and has its bytes where DVC would look at them."""
        path = self._object(md5)
        try:
            trusted = path.stat().st_mode & 0o777 == PROTECTED
            return trusted or of_file(path, algorithm="md5") == md5.removesuffix(".dir")
        except OSError:
            return False

    def run_of(self, step: Step, read: Mapping[str, Content]) -> Entry | None:
        """The run that DVC would put back instead of running a stage on these contents."""
        key = _run_key(step, read)
        return self._newest(self.cache / "runs" / key[:2] / key)

    def runs_of(self, step: Step) -> Iterator[Entry]:
        """The runs of a stage's command on any contents of the same paths, with results of the same paths."""
        wanted = (step.command, step.dependencies, step.outs)
        for run in self._runs:
            if (run.command, tuple(run.dependencies), tuple(run.outs)) == wanted:
                yield run

    @cached_property
    def _runs(self) -> list[Entry]:
        """All runs of the pipeline's stages; most entries of a cache are of others, and not even parsed."""
        mark = f"{self.pipeline}/".encode()
        folders = sorted((self.cache / "runs").glob("??/*"))
        return [entry for folder in folders if (entry := self._newest(folder, mark)) is not None]

    def _newest(self, folder: Path, mark: bytes = b"") -> Entry | None:
        """The last run that was filed in a folder, if it tells of `mark`: DVC looks at no other."""
        try:
            newest = max(os.scandir(folder), key=lambda file: file.stat().st_mtime, default=None)
            text = Path(newest.path).read_bytes() if newest else b""
            return _entry(yaml.load(text, Loader=_Loader)) if newest and mark in text else None
        except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError):
            return None


def _run_key(step: Step, read: Mapping[str, Content]) -> str:
    """What DVC files a run under: command, what it reads, and the paths of what it makes."""
    dependencies: list[dict[str, Any]] = []
    for path in step.dependencies:
        executable = {"isexec": True} if read[path].executable else {}
        dependencies.append({"path": path, "hash": "md5", "md5": read[path].md5, **executable})
    document = {"cmd": step.command, "deps": dependencies, "outs": list(step.outs)}
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _locked(root: Path, file: str) -> dict[str, Entry]:
    """Stage → what `dvc.lock` says of it."""
    try:
        document = yaml.load((root / file).read_bytes(), Loader=_Loader)
        return {name: _entry(found) for name, found in document["stages"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        help = f"resolve the merge, or take the file from git: `git checkout -- {file}`"
        raise RecipeError([Diagnostic("R0430", f"{file} is not a record of DVC: it would run nothing", help)]) from None


def _entry(found: Any) -> Entry:
    return Entry(found["cmd"], _contents(found.get("deps", ())), _contents(found.get("outs", ())))


def _contents(items: Any) -> dict[str, Content]:
    """Path → content. Digests of DVC 2, which counts texts in another way, stand for nothing that we know."""
    return {
        item["path"]: Content(item["md5"], bool(item.get("isexec")), item.get("nfiles", 1))
        for item in items
        if item.get("hash") == "md5"
    }


def _cache_folder(root: Path) -> Path:
    """Where DVC keeps its cache: `cache.dir` of .dvc/config.local or .dvc/config, relative to them, else .dvc/cache."""
    for name in ("config.local", "config"):
        written = _setting(root / ".dvc" / name, "cache", "dir")
        if written:
            return root / ".dvc" / Path(written).expanduser()
    return root / ".dvc" / "cache"


def _setting(file: Path, section: str, name: str) -> str:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        lines = file.read_text("utf-8").splitlines()
        parser.read_string("\n".join(line.strip() for line in lines))  # DVC indents, which goes on with a value here
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeError, configparser.Error):
        message = f".dvc/{file.name} is not a configuration of DVC"
        raise RecipeError([Diagnostic("R0430", message, "correct it: `dvc config --list` says where")]) from None
    return parser.get(section, name, fallback="").strip().strip("\"'")
