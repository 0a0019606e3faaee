"""What a hub lists at one commit, and which of that a run reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from runners.hubs.http import Failed
from schema.lock import is_safe

COMMIT = re.compile(r"[0-9a-f]{40}")

# About the repository, not of it. Owners keep other ones on each hub.
BESIDE = (".*", "readme*", "license*", "licence*", "notice*", "use_policy*", "changelog*", "configuration.json")
# Of a model also: its pictures and papers, and what only its training needed.
SHOWN = (
    "*.md",
    "*.pdf",
    "*.png",
    "*.jpg",
    "*.jpeg",
    "*.gif",
    "*.webp",
    "*.svg",
    "*.mp4",
    "*.ipynb",
    "training_args.bin",
)
# The same weights in forms that no engine here reads. ms-swift leaves out most of them, too.
OTHER_FORMS = (
    "*.gguf", "*.ggml", "*.h5", "*.msgpack", "*.onnx", "*.onnx_data", "*.ot", "*.pt", "*.pth", "*.tflite", "*.zip",
    "*.mlmodel", "*.mlpackage", "*.nemo", "consolidated*", "onnx", "original", "openvino", "coreml",
)  # fmt: skip
PICKLED = ("*model*.bin", "*model*.bin.index.json")


@dataclass(frozen=True, slots=True)
class Listed:
    """A file: bytes, and sha256 in hex; where the hub does not know that, `oid` is the git blob's."""

    size: int
    sha256: str | None
    oid: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a hub has for a revision: the commit (40 hex digits) that it is now, and the files that a run reads."""

    hub: str
    repo: str
    requested: str
    commit: str
    files: Mapping[str, Listed]


def chosen(kind: str, paths: Iterable[str]) -> list[str]:
    """The files that a run reads, sorted.

    Of a model: weights, configuration, tokenizer, processor, chat template, code. Of a data set: everything but what is
    about the repository. Pickled weights are left out where safetensors stand in the same folder.

    >>> chosen("model", ["README.md", "config.json", "model.safetensors", "pytorch_model.bin", "original/params.json"])
    ['config.json', 'model.safetensors']
    >>> chosen("dataset", ["README.md", "train.jsonl", "pictures/1.png"])
    ['pictures/1.png', 'train.jsonl']
    """
    beside = BESIDE if kind == "dataset" else (*BESIDE, *SHOWN, *OTHER_FORMS)
    kept = sorted(path for path in set(paths) if not any(_matches(part, beside) for part in path.split("/")))
    if kind == "dataset":
        return kept
    safe = {_folder(path) for path in kept if path.endswith(".safetensors")}
    return [path for path in kept if _folder(path) not in safe or not _matches(path.rpartition("/")[2], PICKLED)]


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name.lower(), pattern) for pattern in patterns)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def checked(kind: str, listed: Mapping[str, Listed]) -> dict[str, Listed]:
    """The files of a listing that a run reads.

    Errors: Failed when there is none, when a path leads out of the folder, or when a size makes no sense.
    """
    if not listed:
        raise Failed("wrong", "it lists no file")
    if unsafe := [path for path in listed if not is_safe(path)]:
        raise Failed("wrong", f"it lists paths that leave the folder: {', '.join(map(repr, unsafe[:3]))}")
    files = {path: listed[path] for path in chosen(kind, listed)}
    if not files:
        raise Failed("wrong", "none of the files that it lists is read by a run")
    if odd := [path for path, file in files.items() if file.size < 0]:
        raise Failed("wrong", f"it lists no size for {odd[0]}")
    return files


def number(value: object) -> int:
    """A size of a listing; -1 where it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else -1


def hexadecimal(value: object, digits: int) -> str | None:
    """A digest of a listing; None where it is none."""
    text = value.lower() if isinstance(value, str) else ""
    return text if re.fullmatch(rf"[0-9a-f]{{{digits}}}", text) else None
