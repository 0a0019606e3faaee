"""What this machine lacks for a recipe, and what to do about each: `recipe doctor`.

Each examination looks at one thing and gives findings. Nothing is installed, downloaded or started but nvidia-smi.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runners import compiled, known_models
from runners.compiled import Stage
from runners.hubs import tokens
from runners.pipeline import Pipeline
from schema.load import Instance, Loaded
from schema.machine import FILE, here, load_machine
from schema.models import ModelSpec
from schema.pins import model_folder, of_model
from schema.signature import requirements, toolchain
from schema.toolchain import DEFAULT, NEEDS_GPU
from schema.unlocked import unlocked

Status = Literal["ok", "note", "lacks"]
PROGRAMS = {
    "git": "install git: records name the commit, and locks are merged with it",
    "uv": "run `make setup`, or `pip install uv`: it makes the environments of toolchains",
}
ENVIRONMENT_BYTES = 8 << 30
"""What an environment with torch and CUDA's libraries takes, about."""
SHARED_BYTES = 1 << 30
"""Workers hand batches over in shared memory; containers often begin with 64 MiB of it."""
OPEN_FILES = 4096
MIB = 1 << 20
TOLERANCE = 0.95
"""A GPU of 80 GiB tells a little less."""
ASK_SECONDS = 20.0
MADE = ("outputs/", "pipelines/", ".recipe/")
"""Where what stages read is made by other stages, by the compiler and by fetch."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `lacks` keeps the recipe from running; `help` is what to do about it."""

    about: str
    what: str
    status: Status
    found: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """A recipe's instance on this machine: `stages` are those that are compiled."""

    loaded: Loaded
    instance: Instance
    pipeline: Pipeline
    stages: tuple[Stage, ...]
    environment: Mapping[str, str]

    @property
    def root(self) -> Path:
        return self.loaded.root

    @property
    def toolchains(self) -> tuple[str, ...]:
        """The toolchains that its stages name, each once."""
        recipe = self.instance.recipe
        return tuple(dict.fromkeys(recipe.toolchain_of(name) for name in recipe.stages))

    @property
    def fetch(self) -> str:
        """The command that loads what it needs from hubs."""
        variant = self.instance.variant
        return f"recipe fetch {self.loaded.file}" + (f" --variant {variant}" if variant else "")

    def missing_models(self) -> Iterator[ModelSpec]:
        """Models that are not in their place yet."""
        lock = self.loaded.lock.lock if self.loaded.lock else None
        for spec in self.instance.recipe.models.values():
            if not (self.root / model_folder(spec, lock)).exists():
                yield spec


def examine(patient: Patient) -> list[Finding]:
    """Everything that was looked at, in a fixed order."""
    return [finding for examination in EXAMINATIONS for finding in examination(patient)]


def packages(patient: Patient) -> Iterator[Finding]:
    """The packages that the stages were compiled for, and the environments of other toolchains."""
    for name in patient.toolchains:
        if name != DEFAULT:
            yield _environment(patient, name)
    wanted: dict[tuple[str, str], str] = {}
    for stage in patient.stages:
        named = stage.toolchain["name"] if stage.toolchain else DEFAULT
        if stage.environment is None or stage.environment.exists():
            wanted |= {(named, package): version for package, version in stage.identity.get("toolchain", {}).items()}
    for (named, package), version in sorted(wanted.items()):
        folder = _folder(patient, named)
        others = compiled.other_versions({package: version}, folder)
        help = (
            f"run {compiled.remedy(others)}"
            if folder is None
            else f"remove {folder.relative_to(patient.root)}; it is made anew"
        )
        found = (others[0].installed or "not installed") if others else version
        of = "" if named == DEFAULT else f" of {named}"
        yield Finding(
            "package",
            f"{package}{of}",
            "lacks" if others else "ok",
            f"{found}, wanted {version}" if others else found,
            help if others else "",
        )


def beside(patient: Patient) -> Iterator[Finding]:
    """Packages that a choice of the recipe needs and its toolchain does not hold."""
    recipe = patient.instance.recipe
    for (name, _), lack in {(recipe.toolchain_of(lack.stage), lack.package): lack for lack in unlocked(recipe)}.items():
        found = compiled.installed(lack.package, _folder(patient, name))
        told = found or f"not installed, and `{lack.choice}` needs it"
        of = "" if name == DEFAULT else f" of {name}"
        yield Finding("package", f"{lack.package}{of}", "ok" if found else "lacks", told, "" if found else lack.help)


def _folder(patient: Patient, name: str) -> Path | None:
    sha256 = requirements(name)
    return compiled.environment_of(patient.root, name, sha256) if sha256 else None


def _environment(patient: Patient, name: str) -> Finding:
    folder = _folder(patient, name)
    if folder is not None and folder.exists():
        return Finding("toolchain", name, "ok", str(folder.relative_to(patient.root)))
    gpu = f"; {NEEDS_GPU[name]}" if name in NEEDS_GPU else ""
    help = f"`{patient.fetch}` makes it, as does the first run{gpu}"
    return Finding("toolchain", name, "note", f"{len(toolchain(name))} packages that matter, not installed yet", help)


def programs(patient: Patient) -> Iterator[Finding]:
    """Programs that runs call."""
    wanted = dict(PROGRAMS)
    if any(re.search(r"^\s*trtexec\b", _script(stage), re.MULTILINE) for stage in patient.stages):
        wanted["trtexec"] = "install TensorRT and put its `bin` on the PATH"
    search = os.pathsep.join((str(Path(sys.executable).parent), patient.environment.get("PATH", os.defpath)))
    for program, help in wanted.items():
        found = shutil.which(program, path=search)
        needed = program != "uv" or patient.toolchains != (DEFAULT,)
        status: Status = "ok" if found else "lacks" if needed else "note"
        yield Finding("program", program, status, found or "not found", "" if found else help)


def _script(stage: Stage) -> str:
    return (stage.root / stage.script).read_text(encoding="utf-8")


def gpus(patient: Patient) -> Iterator[Finding]:
    """The GPUs of this machine against `hardware`."""
    hardware = patient.instance.recipe.hardware
    if hardware.gpus == 0:
        yield Finding("hardware", "GPU", "ok", "the recipe runs on the CPU")
        for name in patient.toolchains:
            if name in NEEDS_GPU:
                help = "run it on a machine with a GPU, and write `hardware: {gpus: 1}`"
                yield Finding("hardware", name, "lacks", NEEDS_GPU[name], help)
        return
    here = cards(patient.environment)
    if here is None:
        help = "run it on a machine with NVIDIA GPUs and their driver, or take a variant that runs on the CPU"
        yield Finding("hardware", "GPU", "lacks", f"nvidia-smi tells of none, wanted {hardware.gpus}", help)
        return
    told = ", ".join(f"{name} of {mib} MiB" for name, mib in here)
    help = f"write `hardware: {{gpus: {len(here)}}}`, or run it where {hardware.gpus} are"
    enough = len(here) >= hardware.gpus
    yield Finding("hardware", "GPUs", "ok" if enough else "lacks", told, "" if enough else help)
    if hardware.gpu_memory is not None:
        wanted = bytes_of(hardware.gpu_memory)
        least = min(mib for _, mib in here) * MIB
        fits = least >= wanted * TOLERANCE
        help = "lower batch.micro, shard more (`deepspeed: zero3-offload`), or train in 4 bits"
        found = f"{_size(least)}, wanted {hardware.gpu_memory}"
        yield Finding("hardware", "GPU memory", "ok" if fits else "lacks", found, "" if fits else help)


def cards(environment: Mapping[str, str]) -> list[tuple[str, int]] | None:
    """Name and memory in MiB of each GPU that nvidia-smi tells of; None where there is none."""
    query = ("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits")
    program = shutil.which(query[0], path=environment.get("PATH", os.defpath))
    if program is None:
        return None
    try:
        done = subprocess.run((program, *query[1:]), capture_output=True, text=True, timeout=ASK_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    rows = [line.rpartition(",") for line in done.stdout.splitlines()]
    return [(name.strip(), int(mib)) for name, _, mib in rows if mib.strip().isdigit()] or None


def models(patient: Patient) -> Iterator[Finding]:
    """Models that are not fetched, and the tokens that their hubs ask for."""
    lock = patient.loaded.lock.lock if patient.loaded.lock else None
    missing = {spec.id for spec in patient.missing_models()}
    for name, spec in patient.instance.recipe.models.items():
        if spec.id not in missing:
            yield Finding("model", name, "ok", model_folder(spec, lock))
        elif spec.path is not None:
            yield Finding("model", name, "lacks", f"{spec.path} does not exist", "put the model there, or link it")
        elif spec.tiny:
            yield Finding("model", name, "ok", f"{spec.id} is built at the first run")
        else:
            size = _bytes(patient, spec)
            told = f"{spec.id}, {_size(size) if size else 'of unknown size'}, is not fetched yet"
            yield Finding("model", name, "note", told, f"`{patient.fetch}`, or the first run does it")
            yield from _token(patient, name, spec)


def _token(patient: Patient, name: str, spec: ModelSpec) -> Iterator[Finding]:
    """A token is only said to be there or not, with the place where it stands."""
    if not known_models.is_gated(spec.id):
        return
    token = tokens.of(spec.hub, patient.environment)
    login = f"accept its licence on the hub, then {tokens.LOGINS[spec.hub]}"
    if token:
        yield Finding("token", name, "ok", f"for {spec.id}, in {token.origin}")
    elif spec.hub == "huggingface":
        found = f"{spec.id} is gated, and there is no token"
        yield Finding("token", name, "lacks", found, f"{login}; or write `hub: modelscope`")
    else:
        found = "none; Hugging Face asks for one, and whether ModelScope does is not known"
        yield Finding("token", name, "note", found, f"where the download is refused, {login}")


def data(patient: Patient) -> Iterator[Finding]:
    """Data sets and files of the project that stages read, and data sets of hubs that are not fetched yet."""
    machine = load_machine(patient.root)
    datasets = {spec.local for spec in patient.instance.recipe.datasets.values()}
    models = {spec.path for spec in patient.instance.recipe.models.values()}
    for path in dict.fromkeys(path for step in patient.pipeline.steps for path in step.given):
        if path.startswith(MADE) or path in models:
            continue
        place = here(patient.root, machine, path)
        shown = str(place.relative_to(patient.root) if place.is_relative_to(patient.root) else place)
        about = "data" if path in datasets else "file"
        if place.exists():
            yield Finding(about, path, "ok", "is here" if shown == path else f"lies at {shown}")
        elif shown != path:
            help = "correct the place there, or mount the disk that it lies on"
            yield Finding(about, path, "lacks", f"{FILE} says {shown}, which does not exist", help)
        else:
            help = f"put it there, or say in {FILE} where it lies: `data: {{{path}: /WHERE}}`"
            yield Finding(about, path, "lacks", "does not exist", help)
    for download in patient.pipeline.downloads:
        if download["kind"] == "dataset" and not (patient.root / download["to"]).exists():
            help = f"`{patient.fetch}`, or the first run does it"
            yield Finding("data", download["id"], "note", "is not fetched yet", help)


def _bytes(patient: Patient, spec: ModelSpec) -> int | None:
    """The size of a model: by its lock, else of its weights."""
    pin: Any = of_model(spec, patient.loaded.lock.lock if patient.loaded.lock else None)
    size: int | None = getattr(pin, "size", None)
    return size or known_models.size_of(spec.id)


def disk(patient: Patient) -> Iterator[Finding]:
    """Free space against what is still to be fetched and installed."""
    sizes = [_bytes(patient, spec) for spec in patient.missing_models() if not spec.tiny and spec.path is None]
    folders = [_folder(patient, name) for name in patient.toolchains]
    wanted = sum(filter(None, sizes)) + ENVIRONMENT_BYTES * sum(
        folder is not None and not folder.exists() for folder in folders
    )
    free = shutil.disk_usage(patient.root).free
    unknown = f", and {sizes.count(None)} of unknown size" if None in sizes else ""
    help = f"free {_size(wanted - free)}, or link `.recipe` to a larger disk" if free < wanted else ""
    yield Finding("disk", "free", "lacks" if help else "ok", f"{_size(free)}, wanted {_size(wanted)}{unknown}", help)


def limits(patient: Patient) -> Iterator[Finding]:
    """Shared memory and open files, which workers of data loaders and several processes run out of."""
    shared = Path("/dev/shm")
    needs = patient.instance.recipe.hardware.gpus > 0
    if needs and shared.is_dir():
        size = shutil.disk_usage(shared).total
        help = "start the container with `--shm-size=8g` or `--ipc=host`" if size < SHARED_BYTES else ""
        yield Finding("limit", "shared memory", "lacks" if help else "ok", _size(size), help)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    few = files != resource.RLIM_INFINITY and files < OPEN_FILES
    status: Status = "ok" if not few else "lacks" if needs else "note"
    yield Finding("limit", "open files", status, str(files), f"run `ulimit -n {OPEN_FILES}`" if few else "")


def bytes_of(size: str) -> int:
    """The bytes of a size in a recipe.

    >>> bytes_of("80GiB") >> 30
    80
    """
    number, unit = re.fullmatch(r"([0-9.]+) ?([KMGT]?)i?B", size).groups()  # type: ignore[union-attr]
    base = 1024 if "iB" in size else 1000
    return int(float(number) * base ** (" KMGT".index(unit) if unit else 0))


def _size(count: int) -> str:
    return f"{count / (1 << 30):.1f} GiB"


Examination = Callable[[Patient], Iterator[Finding]]
EXAMINATIONS: tuple[Examination, ...] = (packages, beside, programs, gpus, models, data, disk, limits)
