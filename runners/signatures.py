"""Record what the installed engines accept on a command line, for checks that import no engine.

python -m runners.signatures                    # writes schema/signatures/
python -m runners.signatures --check            # exit 1 with a diff when what is committed is stale
python -m runners.signatures --toolchain trl1   # the same for another toolchain, in its own environment

The parsers are built in a fresh interpreter with a fixed hash seed and an environment of its own: one help text is
made from a set, torchrun takes defaults from `PET_*`, and some engines read the user's configuration while imported.
What is recorded is read from the parsers' objects, never from what they print.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schema.diagnostics import Diagnostic, RecipeError
from schema.digests import of_file
from schema.signature.recorded import place_of
from schema.toolchain import DEFAULT, NAMES

LOCKS = Path(__file__).parent.parent / "toolchains"
WRITTEN_BY_HAND = frozenset({"name-traps.json"})
DIFF_LINES = 80

PACKAGES = (
    *("ms-swift", "trl", "transformers", "peft", "accelerate", "deepspeed", "torch", "torchvision"),
    *("qwen-vl-utils", "tokenizers", "safetensors", "datasets", "numpy", "pillow", "scikit-learn", "pyarrow"),
    *(
        "onnx",
        "onnxruntime",
        "onnxscript",
        "pycocotools",
        "segmentation-models-pytorch",
        "timm",
        "torchao",
        "torchmetrics",
    ),
    "bitsandbytes",
    "ultralytics",  # of an extra of its own; what is recorded is what the tests run with
)
"""The packages whose version can change a result."""
FURTHER = ("flash-attn", "gptqmodel", "optimum", "vllm", "xformers")
"""The same of toolchains beside the default one."""
ENGINES: dict[str, tuple[str, ...]] = {
    DEFAULT: ("ms-swift", "torch", "deepspeed", "accelerate", "trl"),
    "quant": ("ms-swift", "torch", "deepspeed", "accelerate", "trl"),
    "transformers-4.41": ("ms-swift", "torch", "deepspeed"),
    "trl1": ("torch", "deepspeed", "accelerate", "trl"),
    "vllm": ("ms-swift", "torch", "deepspeed", "accelerate", "trl", "vllm"),
}
"""Toolchain → the distributions whose commands are recorded."""
PLATFORM = {"python_version": "3.11", "python_full_version": "3.11.9", "sys_platform": "linux"}
PLATFORM |= {"platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix"}


def document(**sections: tuple[Any, int]) -> str:
    """JSON of sections, each broken into lines to its own depth, so that a diff names the option that changed.

    >>> print(document(format=(1, 0), options=({"b": {"x": 1}, "a": [2, 3]}, 1)), end="")
    {
    "format": 1,
    "options": {
    "a": [2, 3],
    "b": {"x": 1}
    }
    }
    """
    body = (f"{json.dumps(name)}: {_lines(value, depth)}" for name, (value, depth) in sections.items())
    return "{\n" + ",\n".join(body) + "\n}\n"


def _lines(value: Any, depth: int) -> str:
    if depth and value and isinstance(value, Mapping):
        body = (f"{json.dumps(key)}: {_lines(value[key], depth - 1)}" for key in sorted(value))
        return "{\n" + ",\n".join(body) + "\n}"
    if depth and value and isinstance(value, list):
        return "[\n" + ",\n".join(_lines(item, depth - 1) for item in value) + "\n]"
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)


def record(toolchain: str = DEFAULT) -> dict[str, str]:
    """File (relative to the folder of signatures) → text, of the engines installed in this interpreter."""
    from importlib.metadata import version

    # Both import the engines.
    from runners import signatures_parsers, signatures_registry

    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for (engine, command), parser in signatures_parsers.parsers(ENGINES[toolchain]).items():
        folders[engine] = f"{engine}-{version(engine)}"
        recorded = signatures_parsers.recorded(parser)
        files[f"{folders[engine]}/{command}.json"] = document(
            format=(1, 0),
            program=(parser.program, 0),
            packages=({package: version(package) for package in parser.packages}, 0),
            abbreviations=(recorded.abbreviations, 0),
            positionals=(recorded.positionals, 0),
            options=(recorded.options, 1),
        )
    if toolchain != DEFAULT:
        return files | {"toolchain.json": described(toolchain, folders)}
    kinds, rows = signatures_registry.models()
    files[f"{folders['ms-swift']}/registry.json"] = document(
        format=(1, 0), model_types=(kinds, 1), models=(rows, 1), vocabularies=(signatures_registry.vocabularies(), 2)
    )
    files["toolchain.json"] = document(
        format=(1, 0), packages=({name: version(name) for name in PACKAGES}, 1), signatures=(folders, 1)
    )
    return files


def described(toolchain: str, folders: Mapping[str, str]) -> str:
    """The document of a toolchain that is not the default one, from what locks it: nothing has to be installed."""
    lock = LOCKS / f"{toolchain}.txt"
    versions = locked(lock.read_text(encoding="utf-8"))
    packages = {name: versions[name] for name in (*PACKAGES, *FURTHER) if name in versions}
    return document(
        format=(1, 0), packages=(packages, 1), requirements=(of_file(lock), 0), signatures=(dict(folders), 1)
    )


def locked(text: str) -> dict[str, str]:
    """Package → version of a requirements file, for the platform that results are recorded on.

    >>> locked("numpy==2.4.6 ; python_version < '3.12'")
    {'numpy': '2.4.6'}
    """
    from packaging.requirements import Requirement

    lines = (line.rstrip("\\ ") for line in text.splitlines() if line and not line.startswith((" ", "#")))
    requirements = (Requirement(line) for line in lines)
    found = (one for one in requirements if one.marker is None or one.marker.evaluate(PLATFORM))
    return {one.name: str(one.specifier).removeprefix("==") for one in found}


def clean_environment(home: str) -> dict[str, str]:
    """The environment of the recording interpreter: nothing of the caller's but the search path."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": home,
        "TMPDIR": home,
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(Path(__file__).parent.parent),
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "80",
    }


def record_apart(toolchain: str = DEFAULT) -> dict[str, str]:
    """`record()` in a fresh interpreter, that of the toolchain.

    Raises:
        RecipeError: when an engine is missing or has an option of a type that is not known here.
    """
    with tempfile.TemporaryDirectory() as home:
        answer = Path(home) / "signatures-answer.json"
        command = [
            interpreter(toolchain),
            "-m",
            "runners.signatures",
            "--answer",
            str(answer),
            "--toolchain",
            toolchain,
        ]
        run = subprocess.run(
            command, env=clean_environment(home), cwd=home, capture_output=True, text=True, check=False
        )
        if run.returncode:
            raise RecipeError([_failed(run.stderr)])
        files: dict[str, str] = json.loads(answer.read_text(encoding="utf-8"))
    return files


def interpreter(toolchain: str) -> str:
    """The Python of a toolchain, whose environment is made where it is missing. Errors: RecipeError R0570 to R0572."""
    if toolchain == DEFAULT:
        return sys.executable
    from runners import toolchains  # not what an interpreter of another toolchain needs
    from runners.compiled import environment_of

    root = Path(__file__).parent.parent
    sha256 = of_file(LOCKS / f"{toolchain}.txt")
    toolchains.make(root, toolchain, sha256, lambda: None)
    return str(environment_of(root, toolchain, sha256) / "bin" / "python")


def _failed(stderr: str) -> Diagnostic:
    last = (stderr.strip().splitlines() or ["no message"])[-1]
    return Diagnostic("R0410", f"the engines' parsers cannot be read: {last}", help="install the engines: `make setup`")


def existing(folder: Path) -> dict[str, str]:
    """What stands in the folder of signatures, without what is written by hand."""
    paths = sorted(path for path in folder.rglob("*.json") if path.name not in WRITTEN_BY_HAND)
    files = {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    return {name: text for name, text in files.items() if not name.startswith("toolchains/")}


def difference(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """A unified diff over all files, empty when they are equal."""
    lines: list[str] = []
    for name in sorted(set(old) | set(new)):
        before, after = old.get(name, ""), new.get(name, "")
        lines += difflib.unified_diff(
            before.splitlines(), after.splitlines(), f"committed/{name}", f"installed/{name}", lineterm="", n=0
        )
    return lines


def write(files: Mapping[str, str], folder: Path) -> None:
    """Put the files there and take away what is no longer recorded."""
    for name in set(existing(folder)) - set(files):
        (folder / name).unlink()
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 fine, 1 stale, 2 the engines cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m runners.signatures", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 when stale")
    parser.add_argument("--out", type=Path, help="the folder of signatures")
    parser.add_argument("--toolchain", choices=NAMES, default=DEFAULT, help="whose engines")
    parser.add_argument("--answer", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    out = options.out or place_of(options.toolchain)
    if options.answer:
        options.answer.write_text(json.dumps(record(options.toolchain)), encoding="utf-8")
        return 0
    try:
        files = record_apart(options.toolchain)
    except RecipeError as error:
        print("\n".join(f"{found.message}\n  help: {found.help}" for found in error.diagnostics), file=sys.stderr)
        return 2
    if not options.check:
        write(files, out)
        return 0
    lines = difference(existing(out), files)
    print("\n".join(lines[:DIFF_LINES]) if lines else "the recorded signatures are those of the installed engines")
    if lines:
        print(f"{len(lines)} lines differ; renew them with `make signatures`", file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
