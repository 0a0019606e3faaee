"""Take over a model without what only its trainer needs and what only makes sense on this machine.

Left out are the states of optimizer, schedule and random generators, and the files with absolute paths or times. In
what stays, the path of the base model is written relative to the project.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from schema.files import remove, write_json

LEFT_OUT = (
    "args.json", "training_args.bin", "trainer_state.json", "optimizer*", "scheduler*", "scaler.pt", "rng_state*",
    "global_step*", "latest", "zero_to_fp32.py", "README.md", "runs", ".*",
)  # fmt: skip
ALTERNATIVES = re.compile(r"\((\w+(?:\|\w+)+)\)")


def take_over(source: Path, target: Path, root: Path) -> None:
    """Make `target` the model in `source`; what was there is replaced. Large files are hard links where possible."""
    remove(target)
    target.mkdir(parents=True)
    for path in sorted(source.iterdir()):
        if not any(fnmatch(path.name, pattern) for pattern in LEFT_OUT):
            _link(path, target / path.name)
    adapter = target / "adapter_config.json"
    if adapter.is_file():
        config = json.loads(adapter.read_bytes())
        remove(adapter)  # the link's other name is the trainer's file
        write_json(adapter, _relative(config, root))


def _link(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, copy_function=_link_file)
    else:
        _link_file(source, target)


def _link_file(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _relative(config: dict[str, Any], root: Path) -> dict[str, Any]:
    """An adapter's configuration without this machine's paths. Module names, collected in a set, are put in order."""
    base = config.get("base_model_name_or_path")
    if isinstance(base, str) and Path(base).is_absolute():
        inside = os.path.relpath(base, root)
        config["base_model_name_or_path"] = Path(base).name if inside.startswith("..") else Path(inside).as_posix()
    modules = config.get("target_modules")
    if isinstance(modules, list):
        config["target_modules"] = sorted(modules)
    elif isinstance(modules, str):
        config["target_modules"] = ALTERNATIVES.sub(lambda found: f"({'|'.join(sorted(found[1].split('|')))})", modules)
    return config
