"""The components of an identity document, each with its digest, so that two keys that differ name what differs.

{"launch": …, "env": …, "files": …, "code": {"runners.collect": "<sha256>"}, "toolchain": {"torch": "2.15.0"}, …}
→ {"launch": "<sha256>", "code": "<sha256>", "toolchain": "<sha256>", "lock": None}
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import rfc8785

APART = ("code", "toolchain")
"""Parts of an identity document that are components of their own. All others together, without the pins, are the launch."""


PINS = "pins"
"""The part that a lock gives: role of an input → what stands for its bytes."""


def digest(document: Any) -> str:
    """sha256 in hexadecimal of the canonical JSON (RFC 8785) of a document."""
    return hashlib.sha256(rfc8785.dumps(document)).hexdigest()


def components(identity: Mapping[str, Any]) -> dict[str, str | None]:
    """Component → digest. Two documents are equal exactly when all components are; `lock` is null where nothing is pinned."""
    launch = {name: part for name, part in identity.items() if name not in (*APART, PINS)}
    pins = digest(identity[PINS]) if PINS in identity else None
    return {"launch": digest(launch), **{name: digest(identity.get(name, {})) for name in APART}, "lock": pins}
