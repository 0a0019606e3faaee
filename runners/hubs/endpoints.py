"""Which addresses are asked, in which order, and what they may know about us. `schema.machine` says how to set them."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit, urlunsplit

from runners.hubs import tokens
from schema.base import ADDRESS
from schema.diagnostics import Diagnostic, RecipeError
from schema.machine import Machine

DEFAULTS = {"modelscope": "https://modelscope.cn", "huggingface": "https://huggingface.co"}
VARIABLES = {"modelscope": "MODELSCOPE_ENDPOINT", "huggingface": "HF_ENDPOINT"}
MIRRORS = "RECIPE_MIRRORS"
HUBS = "RECIPE_HUBS"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A hub itself (`own`), or a mirror of it. `url` can be shown; `secrets` are headers that nobody but it may see.

    `token` says where its token comes from.
    """

    hub: str
    url: str
    own: bool
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False, compare=False)
    token: str | None = None


def ordered(machine: Machine, environment: Mapping[str, str]) -> tuple[Endpoint, ...]:
    """Everybody that may be asked for bytes: the mirrors, then the hubs. Errors: RecipeError of a wrong variable."""
    return (*_mirrors(machine, environment), *_hubs(machine, environment))


def _hubs(machine: Machine, environment: Mapping[str, str]) -> tuple[Endpoint, ...]:
    """The hubs themselves, which say what a name stands for. Errors: RecipeError of a wrong variable."""
    names: tuple[str, ...] = machine.hubs
    if text := environment.get(HUBS, ""):
        names = tuple(name.strip() for name in text.split(","))
        if not set(names) <= DEFAULTS.keys():
            raise _wrong(HUBS, "modelscope,huggingface")
    return tuple(_own(hub, machine, environment) for hub in dict.fromkeys(names))


def _own(hub: str, machine: Machine, environment: Mapping[str, str]) -> Endpoint:
    configured = machine.endpoints.get(hub)  # type: ignore[call-overload]
    url = environment.get(VARIABLES[hub], "").strip() or configured or DEFAULTS[hub]
    if "://" not in url:
        url = f"https://{url}"
    if not re.match(ADDRESS, url):
        raise _wrong(VARIABLES[hub], DEFAULTS[hub])
    found = tokens.of(hub, environment)
    shown, secrets = _apart(url)
    if found is not None:
        secrets = secrets | tokens.headers(hub, found.value)
    return Endpoint(hub, shown, True, secrets, found.origin if found else None)


def _mirrors(machine: Machine, environment: Mapping[str, str]) -> tuple[Endpoint, ...]:
    """The mirrors, which are sent no token. Errors: RecipeError of a wrong variable."""
    text = environment.get(MIRRORS, "")
    pairs = list(_pairs(text)) if text else [(mirror.hub, mirror.url) for mirror in machine.mirrors]
    return tuple(_mirror(hub, url) for hub, url in pairs)


def _mirror(hub: str, url: str) -> Endpoint:
    shown, secrets = _apart(url)
    return Endpoint(hub, shown, False, secrets)


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """`huggingface=https://…,modelscope=https://…`."""
    for entry in text.split(","):
        hub, _, url = entry.strip().partition("=")
        if hub not in DEFAULTS or not re.match(ADDRESS, url):
            raise _wrong(MIRRORS, "huggingface=https://mirror.example.com")
        yield hub, url


def _wrong(variable: str, example: str) -> RecipeError:
    message = f"{variable} in the environment is not what it has to be"
    return RecipeError([Diagnostic("R0539", message, f"write for example {variable}={example}, or unset it")])


def _apart(url: str) -> tuple[str, dict[str, str]]:
    """An address, and the header that says the name and the password in it.

    >>> _apart("https://me:word@example.com/hf/")
    ('https://example.com/hf', {'Authorization': 'Basic bWU6d29yZA=='})
    """
    parts = urlsplit(url)
    person, _, host = parts.netloc.rpartition("@")
    shown = urlunsplit(parts._replace(netloc=host)).rstrip("/")
    basic = base64.b64encode(unquote(person).encode()).decode()
    return shown, {"Authorization": f"Basic {basic}"} if person else {}
