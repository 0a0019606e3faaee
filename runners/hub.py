"""One download with the stock client of a hub, in a process of its own; `runners.fetch` starts it.

python -m runners.hub --hub modelscope --kind model --id Qwen/Qwen2-VL-2B-Instruct --to FOLDER

The clients read their endpoints and tokens when they are imported, keep threads and exit codes of their own, and call
an empty or half-filled folder a success. So this lists first, downloads what is listed, looks at every file, and says
what came of it as one JSON object on standard output: {"verdict": "done", "detail": "…"}.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any, Literal

Verdict = Literal["done", "missing", "gated", "login", "unreachable", "empty", "wrong", "failed"]

# Other forms of the same weights, and what frameworks that are not used here read. ms-swift leaves out the same.
NOT_NEEDED = (
    "*.gguf", "*.h5", "*.msgpack", "*.onnx", "*.ot", "*.pt", "*.pth", "*.safetensors.md", "*.zip",
    "consolidated*", "onnx/*",
)  # fmt: skip
ATTEMPTS = 2  # the second after wrong bytes were thrown away
WORKERS = 4
CHUNK = 1 << 20
MAX_DETAIL = 300  # characters


class Refused(Exception):
    """The download came to nothing; `detail` is for people."""

    def __init__(self, verdict: Verdict, detail: str) -> None:
        super().__init__(detail)
        self.verdict = verdict
        self.detail = detail


@dataclass(frozen=True, slots=True)
class File:
    """What the hub lists: bytes, and sha256 in hex where the hub knows it."""

    path: str
    size: int | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A repository of a hub at a revision; None is the hub's default branch."""

    kind: str
    id: str
    revision: str | None


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; 0 when the folder is as the hub lists it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: os._exit(128 + number))
    answer = os.dup(1)
    os.dup2(2, 1)  # what clients print is not the answer
    options = _parse(argv)
    wanted = Wanted(options.kind, options.id, options.revision)
    try:
        download(HUBS[options.hub], wanted, options.to)
        verdict, detail = "done", ""
    except Refused as refused:
        verdict, detail = refused.verdict, refused.detail
    except Exception as error:
        verdict, cause = classified(error)
        detail = f"{type(cause).__name__}: {cause}"
    os.write(answer, json.dumps({"verdict": verdict, "detail": _without_secrets(detail)}).encode())
    return 0 if verdict == "done" else 1


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m runners.hub")
    parser.add_argument("--hub", choices=sorted(HUBS), required=True)
    parser.add_argument("--kind", choices=("model", "dataset"), required=True)
    parser.add_argument("--id", required=True)
    parser.add_argument("--revision")
    parser.add_argument("--to", type=Path, required=True)
    return parser.parse_args(argv)


def download(hub: Hub, wanted: Wanted, to: Path) -> None:
    """Fill a folder with exactly what the hub lists. Errors: Refused, or what the client raises."""
    files, get = hub(wanted)
    files = [file for file in files if wanted.kind != "model" or not any(fnmatch(file.path, p) for p in NOT_NEEDED)]
    if not files:
        raise Refused("empty", "the hub lists no file for it")
    if unsafe := [file.path for file in files if not _safe(file.path)]:
        raise Refused("wrong", f"the hub lists paths that leave the folder: {', '.join(unsafe[:3])}")
    to.mkdir(parents=True, exist_ok=True)
    for attempt in range(1, ATTEMPTS + 1):
        get(files, to)
        _remove_others(files, to)
        wrong = list(_wrong(files, to))
        if not wrong:
            return
        if attempt == ATTEMPTS:
            raise Refused("wrong", f"{'; '.join(wrong[:5])}{' …' if len(wrong) > 5 else ''}")


def _safe(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts and "\\" not in path and path.isprintable()


def _remove_others(files: list[File], to: Path) -> None:
    """What the clients keep beside the files, and what an earlier revision had left."""
    listed = {to / file.path for file in files}
    for path in sorted(to.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path not in listed:
            path.unlink()


def _wrong(files: list[File], to: Path) -> Iterator[str]:
    """What is not as listed; such a file is removed, so that it is downloaded from its start."""
    for file in files:
        path = to / file.path
        if not path.is_file():
            yield f"{file.path} is missing"
        elif file.size is not None and path.stat().st_size != file.size:
            yield f"{file.path} has {path.stat().st_size} bytes instead of {file.size}"
            path.unlink()
        elif file.sha256 and _sha256(path) != file.sha256:
            yield f"{file.path} has other bytes than the hub lists"
            path.unlink()


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while content := stream.read(CHUNK):
            digest.update(content)
    return digest.hexdigest()


Get = Callable[[list[File], Path], None]
Hub = Callable[[Wanted], tuple[list[File], Get]]
"""Asks for the files of a repository; what it gives downloads them into a folder."""


def modelscope(wanted: Wanted) -> tuple[list[File], Get]:
    """ModelScope by its client, which checks sha256 itself. A listed file goes on from where it was cut."""
    from modelscope_hub import HubApi  # about a second; `modelscope` itself takes seven

    api = HubApi()
    entries = [e for e in api.list_repo_files(wanted.id, wanted.kind, revision=wanted.revision) if e.type != "tree"]
    files = [File(entry.path, entry.size, entry.sha256) for entry in entries]

    def get(files: list[File], to: Path) -> None:
        chosen: list[dict[str, Any]] = [
            {"Path": f.path, "Name": Path(f.path).name, "Size": f.size, "Sha256": f.sha256, "Type": "blob"}
            for f in files
        ]
        api.download_repo(
            wanted.id, wanted.kind, revision=wanted.revision, local_dir=to, max_workers=WORKERS, file_list=chosen
        )

    return files, get


def huggingface(wanted: Wanted) -> tuple[list[File], Get]:
    """Hugging Face by its client, at the commit that the revision is now. It knows sha256 of large files only."""
    from huggingface_hub import HfApi, snapshot_download

    about = HfApi().repo_info(wanted.id, repo_type=wanted.kind, revision=wanted.revision, files_metadata=True)
    files = [File(s.rfilename, s.size, s.lfs.sha256 if s.lfs else None) for s in about.siblings or ()]

    def get(files: list[File], to: Path) -> None:
        snapshot_download(
            wanted.id,
            repo_type=wanted.kind,
            revision=about.sha,
            local_dir=to,
            max_workers=WORKERS,
            allow_patterns=[_literally(file.path) for file in files],
        )

    return files, get


def _literally(path: str) -> str:
    """A pattern that matches nothing but the path."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)


HUBS: dict[str, Hub] = {"modelscope": modelscope, "huggingface": huggingface}


def classified(error: BaseException) -> tuple[Verdict, BaseException]:
    """What an exception of a client means, and which of its causes says so."""
    for cause in _causes(error):
        names = {kind.__name__ for kind in type(cause).__mro__}
        status = _status(cause)
        if names & {"GatedRepoError", "PermissionDeniedError"} or status == 403:
            return "gated", cause
        if names & {"RepositoryNotFoundError", "RevisionNotFoundError", "NotExistError"} or status == 404:
            return "missing", cause
        if "AuthenticationError" in names or status == 401:
            return "login", cause
        if names & {"FileIntegrityError"}:
            return "wrong", cause
        if names & {"ConnectionError", "TransportError", "ServerError", "TimeoutError"} or (status or 0) >= 500:
            return "unreachable", cause
    return "failed", error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, those of single files in it, and what it came from."""
    while error is not None:
        yield error
        yield from getattr(error, "failed_files", {}).values()
        error = error.__cause__ or error.__context__


def _status(error: BaseException) -> int | None:
    response = getattr(error, "response", None)
    status = getattr(error, "status_code", None) or getattr(response, "status_code", None)
    return status if isinstance(status, int) else None


def _without_secrets(text: str) -> str:
    """The first line, without the values of variables that hold tokens."""
    first = text.strip().splitlines()[0] if text.strip() else ""
    for name, value in os.environ.items():
        if len(value) >= 8 and ("TOKEN" in name.upper() or "SECRET" in name.upper() or "PASSWORD" in name.upper()):
            first = first.replace(value, "***")
    return first if len(first) <= MAX_DETAIL else f"{first[:MAX_DETAIL]} …"


if __name__ == "__main__":
    sys.exit(main())
