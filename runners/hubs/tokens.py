"""Tokens, where the hubs' own clients keep them. They are read for each run, and never printed or written."""

from __future__ import annotations

import io
import pickle
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LOGINS = {
    "modelscope": "set MODELSCOPE_API_TOKEN, or run `ms login`",
    "huggingface": "set HF_TOKEN, or run `hf auth login`",
}
"""What makes a person known to a hub."""
COOKIE = "m_session_id"


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and the variable or file that it stands in."""

    value: str = field(repr=False)
    origin: str


def of(hub: str, environment: Mapping[str, str]) -> Token | None:
    """The token for a hub, if there is one."""
    places = _modelscope(environment) if hub == "modelscope" else _huggingface(environment)
    return next((Token(value.strip(), origin) for origin, value in places if _is_token(value.strip())), None)


def headers(hub: str, token: str) -> dict[str, str]:
    """What says who we are."""
    bearer = {"Authorization": f"Bearer {token}"}
    return bearer | {"Cookie": f"{COOKIE}={token}"} if hub == "modelscope" else bearer


def _is_token(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and not set(text) & set(" ;,")


def _huggingface(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        yield name, environment.get(name, "")
    cache = environment.get("XDG_CACHE_HOME") or f"{_home(environment)}/.cache"
    home = environment.get("HF_HOME") or f"{cache}/huggingface"
    path = Path(environment.get("HF_TOKEN_PATH") or f"{home}/token").expanduser()
    yield str(path), _content(path).decode("utf-8", "replace")


def _modelscope(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if "MODELSCOPE_API_TOKEN" in environment:  # an empty one says that no token is wanted
        yield "MODELSCOPE_API_TOKEN", environment["MODELSCOPE_API_TOKEN"]
        return
    home = environment.get("MODELSCOPE_HOME") or f"{_home(environment)}/.modelscope"
    path = Path(home).expanduser() / "credentials" / "cookies"
    yield str(path), _session(_content(path))


def _home(environment: Mapping[str, str]) -> str:
    return environment.get("HOME") or str(Path.home())


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


class _Plain:
    """Stands for every class in the file: holds what it held, and can do nothing."""

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)


class _Cookies(pickle.Unpickler):
    """The client of ModelScope pickles its cookies. Loading a pickle may run code; this one knows no code at all."""

    def find_class(self, module: str, name: str) -> Any:
        return _Plain


def _session(content: bytes) -> str:
    """The cookie that says who we are, while it is valid; nothing where the file is something else."""
    try:
        jar = _Cookies(io.BytesIO(content)).load()
        cookies = [c for paths in jar._cookies.values() for named in paths.values() for c in named.values()]
        found = [c for c in cookies if c.name == COOKIE and (c.expires is None or c.expires > time.time())]
        return str(found[0].value) if found else ""
    except Exception:  # whatever a damaged pickle does
        return ""
