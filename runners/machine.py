"""What differs from machine to machine, applied: where data lies, which GPUs, what environment an engine gets."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from schema.diagnostics import Diagnostic, RecipeError
from schema.machine import Machine, place_of

# Read by an engine and able to change a result without a trace in the stage's identity: only the script or machine.yaml
# may set them. PYTHONDONTWRITEBYTECODE would only make engines start slowly.
DROPPED = {
    "FPS", "FPS_MAX_FRAMES", "IMAGE_MAX_TOKEN_NUM", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT",
    "MAX_PIXELS", "MIN_PIXELS", "MKL_NUM_THREADS", "NNODES", "NODE_RANK", "NPROC_PER_NODE", "OMP_NUM_THREADS",
    "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED", "RANK", "ROOT_IMAGE_DIR", "USE_HF", "VIDEO_MAX_PIXELS", "WORLD_SIZE",
}  # fmt: skip
# Where the nodes of one run meet, which only the cluster can say.
RENDEZVOUS = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK")
DROPPED_PREFIXES = ("ACCELERATE_", "FSDP_", "PET_", "RECIPE_", "TORCHELASTIC_")
# A stage reads local files: no engine and nothing that it starts gets a token of a hub.
SECRETS = {
    "DVC_STUDIO_TOKEN", "GH_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN", "HF_API_TOKEN", "HF_TOKEN", "HF_TOKEN_PATH",
    "HUGGINGFACEHUB_API_TOKEN", "HUGGINGFACE_HUB_TOKEN", "HUGGINGFACE_TOKEN", "HUGGING_FACE_HUB_TOKEN",
    "MODELSCOPE_ACCESS_TOKEN", "MODELSCOPE_API_TOKEN", "MODELSCOPE_GIT_TOKEN", "MODELSCOPE_SDK_TOKEN",
    "MODELSCOPE_TOKEN", "MS_TOKEN",
}  # fmt: skip

# Nor does it find one that a person has logged in with, or fetch by a way round the endpoints that are set.
NO_LOGIN = {
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "HF_HUB_DISABLE_XET": "1",
    "HF_TOKEN_PATH": os.devnull,
    "MODELSCOPE_CREDENTIALS_PATH": ".recipe/cache/modelscope-home/credentials",
    "MODELSCOPE_HOME": ".recipe/cache/modelscope-home",
}


def environment(machine: Machine, identity: Mapping[str, Any]) -> dict[str, str]:
    """The environment of a launch. What the script itself sets comes on top of it.

    Threads and hash seed are fixed, because they change the last bits of a result; machine.yaml may say otherwise.
    """
    fixed = _without_ambient(os.environ)
    if _nodes(identity) > 1:
        fixed |= {name: os.environ[name] for name in RENDEZVOUS if name in os.environ}
    fixed["OMP_NUM_THREADS"] = str(_threads(identity))
    fixed["PYTHONHASHSEED"] = "0"
    fixed |= NO_LOGIN
    gpus = _gpus(machine)
    if gpus is not None:
        fixed["CUDA_VISIBLE_DEVICES"] = gpus
    fixed |= machine.env
    path = [str(Path(sys.executable).parent), fixed.get("PATH", os.defpath)]
    return fixed | {"PATH": os.pathsep.join(path)}


def _without_ambient(ambient: Mapping[str, str]) -> dict[str, str]:
    dropped = DROPPED | SECRETS
    return {n: v for n, v in ambient.items() if n not in dropped and not n.startswith(DROPPED_PREFIXES)}


def processes(identity: Mapping[str, Any]) -> int:
    """How many processes the launch trains with, on this node and the others."""
    launched = _accelerate(identity)
    if launched is not None:
        return int(launched["num_processes"])
    return _number(identity, "NPROC_PER_NODE") * _number(identity, "NNODES")


def _nodes(identity: Mapping[str, Any]) -> int:
    launched = _accelerate(identity)
    return int(launched["num_machines"]) if launched is not None else _number(identity, "NNODES")


def _accelerate(identity: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The configuration of the launch, where accelerate starts the processes and not the engine itself."""
    found: Mapping[str, Any] | None = identity.get("files", {}).get("accelerate")
    return found


def _number(identity: Mapping[str, Any], name: str) -> int:
    text = str(identity.get("env", {}).get(name, "1"))
    return int(text) if text.isdigit() and int(text) > 0 else 1


def _threads(identity: Mapping[str, Any]) -> int:
    """The cores that this process may use, shared by the processes of the launch."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, cores // _number(identity, "NPROC_PER_NODE"))


def threads(identity: Mapping[str, Any], environment: Mapping[str, str]) -> int:
    """The threads that each process of a launch computes with: what its script says, else its environment."""
    text = str(identity.get("env", {}).get("OMP_NUM_THREADS", environment["OMP_NUM_THREADS"]))
    return int(text) if text.isdigit() else 1


def _gpus(machine: Machine) -> str | None:
    """RECIPE_GPUS (`recipe run --gpus 2,3`) goes before the machine file; None leaves what is set."""
    if (asked := os.environ.get("RECIPE_GPUS")) is not None:
        return asked
    return ",".join(map(str, machine.gpus)) if machine.gpus is not None else None


def link_data(root: Path, machine: Machine) -> list[str]:
    """Make each mapped path that the project does not hold a link to its place; those that were made.

    Errors: RecipeError when a place does not exist or a path leaves the project.
    """
    found = [problem for path, place in machine.data.items() if (problem := _problem(root, path, place))]
    if found:
        raise RecipeError(found)
    return [path for path, place in machine.data.items() if _link(root / path, place_of(root, place))]


def _problem(root: Path, path: str, place: str) -> Diagnostic | None:
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or PurePosixPath(path).is_absolute():
        message = f"machine.yaml maps `{path}`, which is not a path inside the project"
        return Diagnostic("R0506", message, help="write the path as the recipe has it, for example `data/animals`")
    if not place_of(root, place).exists():
        message = f"machine.yaml maps `{path}` to {place}, which does not exist"
        return Diagnostic("R0506", message, help="correct the place, or mount the disk it lies on")
    return None


def _link(link: Path, place: Path) -> bool:
    """Whether a link had to be made. A link of an earlier mapping is replaced; what the project holds itself stays."""
    if link.is_symlink() and link.readlink() == place:
        return False
    if os.path.lexists(link) and not link.is_symlink():
        return False
    link.parent.mkdir(parents=True, exist_ok=True)
    partial = link.with_name(f".{link.name}.{os.getpid()}.link")
    partial.unlink(missing_ok=True)
    partial.symlink_to(place)
    partial.replace(link)
    return True
