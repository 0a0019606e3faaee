"""The two hubs. Each module speaks one protocol and has the same few names: `resolve`, `file_path`, `page_path`."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from runners.hubs import huggingface, modelscope

PROTOCOLS: Mapping[str, ModuleType] = {"modelscope": modelscope, "huggingface": huggingface}
NAMES: Mapping[str, str] = {hub: protocol.NAME for hub, protocol in PROTOCOLS.items()}
"""Hub → its name for people."""
