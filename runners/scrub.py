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
    for name, told in (("adapter_config.json", "base_model_name_or_path"), ("config.json", "_name_or_path")):
        path = target / name
        config = json.loads(path.read_bytes()) if path.is_file() else {}
        if told in config:
            remove(path)  # the link's other name is the trainer's file
            write_json(path, _steady(config, told, root))


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


def _steady(config: dict[str, Any], told: str, root: Path) -> dict[str, Any]:
    """A configuration without this machine's path. Names of modules, collected in a set, are put in order."""
    base = config[told]
    if isinstance(base, str) and Path(base).is_absolute():
        inside = os.path.relpath(base, root)
        config[told] = Path(base).name if inside.startswith("..") else Path(inside).as_posix()
    modules = config.get("target_modules")
    if isinstance(modules, list):
        config["target_modules"] = sorted(modules)
    elif isinstance(modules, str):
        config["target_modules"] = ALTERNATIVES.sub(lambda found: f"({'|'.join(sorted(found[1].split('|')))})", modules)
    return config
