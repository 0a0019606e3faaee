"""A compiled stage, read back and checked: its files are unaltered, and the packages are those it was compiled for.

pipelines/animals-lora/train   →   manifest.json, train.sh, train.json beside it; the root is above `pipelines`
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from schema import components, digests
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import read_json
from schema.toolchain import BY_HAND

FORMAT_VERSION = 1
CODE = Path(__file__).resolve().parent.parent
PYTHON = "3.11"
"""The Python that the toolchains are locked for."""
SHORT = 12
"""Digits of a digest in the name of a folder."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a compiled recipe. Digests are 64 hex digits; `inputs` maps a role to a path below the root."""

    root: Path
    folder: Path
    name: str
    recipe_file: str
    recipe_hash: str
    key: str
    out: PurePosixPath
    outs: tuple[str, ...]
    inputs: Mapping[str, str]
    checkpoints: str | None
    files: Mapping[str, str]
    identity: Mapping[str, Any]
    downloads: tuple[Mapping[str, Any], ...] = ()
    intent: str | None = None
    pins: Mapping[str, str] = field(default_factory=dict)
    """Role of an input → the sha256 that the lock gives for it."""
    reports: Mapping[str, str] | None = None
    """`url` and `task` of the service that is told how the stage goes."""
    toolchain: Mapping[str, str] | None = None
    """`name` and the `sha256` of what locks it; None for the packages of this installation."""

    @property
    def environment(self) -> Path | None:
        """The folder of the environment that it runs in, where that is not this installation."""
        named = self.toolchain
        return environment_of(self.root, named["name"], named["sha256"]) if named else None

    @property
    def own(self) -> str:
        """The digest of the identity document."""
        return components.digest(dict(self.identity))

    @property
    def title(self) -> str:
        """`animals-lora/train`, `animals-lora/smoke/train`."""
        return self.folder.relative_to(self.root / "pipelines").joinpath(self.name).as_posix()

    @property
    def script(self) -> PurePosixPath:
        return PurePosixPath("pipelines", self.title).with_name(f"{self.name}.sh")


def load(target: Path) -> Stage:
    """The stage at `pipelines/NAME[/VARIANT]/STAGE`. Errors: RecipeError; its files are not checked yet."""
    folder, name = target.absolute().parent, target.name
    root = _root(folder, target)
    manifest = _manifest(folder, root)
    if name not in manifest["stages"]:
        raise _unknown(target, manifest["stages"])
    identity = read_json(folder / f"{name}.json")
    try:
        return _stage(root, folder, name, manifest, identity if isinstance(identity, dict) else {})
    except (KeyError, TypeError, AttributeError):
        raise _not_a_manifest(folder.relative_to(root)) from None


def _stage(root: Path, folder: Path, name: str, manifest: dict[str, Any], identity: dict[str, Any]) -> Stage:
    stage = manifest["stages"][name]
    return Stage(
        root=root,
        folder=folder,
        name=name,
        recipe_file=manifest["recipe"]["file"],
        recipe_hash=manifest["recipe_hash"],
        key=stage["key"],
        out=PurePosixPath(stage["out"]),
        outs=tuple(stage["outs"]),
        inputs=dict(stage["inputs"]),
        checkpoints=stage["checkpoints"],
        files=dict(manifest["files"]),
        identity=identity,
        downloads=tuple(manifest.get("downloads", ())),
        intent=manifest.get("intent"),
        pins=dict(stage.get("pins", {})),
        reports=stage.get("reports"),
        toolchain=stage.get("toolchain"),
    )


def environment_of(root: Path, toolchain: str, sha256: str) -> Path:
    """The folder of a toolchain's environment: another lock is another folder."""
    return root / ".recipe" / "toolchains" / f"{toolchain}-{sha256[:SHORT]}"


def _root(folder: Path, target: Path) -> Path:
    for parent in folder.parents:
        if parent.name == "pipelines":
            return parent.parent
    message = f"{target} is not a compiled stage: there is no `pipelines` folder above it"
    help = "write pipelines/NAME/STAGE, for example pipelines/animals-lora/train"
    raise RecipeError([Diagnostic("R0502", message, help=help)])


def _unknown(target: Path, stages: Iterable[str]) -> RecipeError:
    message = f"{target.parent} has no stage `{target.name}`"
    return RecipeError([Diagnostic("R0502", message, help=f"its stages are: {', '.join(stages)}")])


def _manifest(folder: Path, root: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    shown = path.relative_to(root)
    if not path.exists():
        message = f"{shown} is missing: nothing is compiled there"
        raise RecipeError([Diagnostic("R0502", message, help="run `recipe compile RECIPE`, or correct the path")])
    manifest = read_json(path)
    if not isinstance(manifest, dict) or manifest.get("format_version") != FORMAT_VERSION:
        raise _not_a_manifest(shown.parent)
    if not isinstance(manifest.get("stages"), dict):
        raise _not_a_manifest(shown.parent)
    return manifest


def _not_a_manifest(pipeline: Path) -> RecipeError:
    message = f"{pipeline / 'manifest.json'} is not a manifest of format {FORMAT_VERSION}"
    help = "run `recipe compile RECIPE` with the version installed here"
    return RecipeError([Diagnostic("R0501", message, help=help)])


def check_files(stage: Stage) -> None:
    """Every compiled file has the bytes that the manifest names. Errors: RecipeError with each that has not."""
    wrong = list(_wrong_files(stage))
    if wrong:
        pipeline = stage.folder.relative_to(stage.root)
        message = f"{pipeline} is not as it was compiled: {'; '.join(wrong)}"
        raise RecipeError([Diagnostic("R0501", message, help=f"run `recipe compile {stage.recipe_file}`")])


def check_code(stage: Stage) -> None:
    """Our own runners are those that the launch was compiled with. Errors: RecipeError that names each that is not."""
    wrong = [module for module, sha256 in stage.identity.get("code", {}).items() if _code_digest(module) != sha256]
    if wrong:
        message = f"{stage.title} was compiled when {', '.join(wrong)} had other code"
        raise RecipeError([Diagnostic("R0501", message, help=f"run `recipe compile {stage.recipe_file}`")])


def _code_digest(module: str) -> str | None:
    """The sha256 of a module's source, with line ends as in the repository; nothing is imported."""
    path = CODE.joinpath(*module.split("."))
    try:
        source = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_bytes()
    except OSError:
        return None
    return hashlib.sha256(source.replace(b"\r\n", b"\n")).hexdigest()


def _wrong_files(stage: Stage) -> Iterator[str]:
    for name, sha256 in stage.files.items():
        path = stage.folder / name
        if not path.is_file():
            yield f"{name} is missing"
        elif digests.of_file(path) != sha256:
            yield f"{name} was changed"
    for name in (f"{stage.name}.sh", f"{stage.name}.json"):
        if name not in stage.files:
            yield f"{name} is not in the manifest"


@dataclass(frozen=True, slots=True)
class OtherVersion:
    """A package that is not installed as the stage was compiled for; `installed` is None when it is missing."""

    package: str
    wanted: str
    installed: str | None

    def __str__(self) -> str:
        return f"{self.package}: wanted {self.wanted}, installed {self.installed or 'not at all'}"


def other_versions(toolchain: Mapping[str, str], environment: Path | None = None) -> tuple[OtherVersion, ...]:
    """Packages whose installed version differs; local parts, such as the `+cu128` of torch, do not count."""
    pairs = ((name, wanted, installed(name, environment)) for name, wanted in toolchain.items())
    return tuple(OtherVersion(*p) for p in pairs if p[2] is None or not _same(p[0], p[1], p[2]))


def _same(package: str, wanted: str, found: str) -> bool:
    if package == "python":  # 3.11 stands for every 3.11.x
        return f"{found}.".startswith(f"{wanted}.")
    return wanted.partition("+")[0] == found.partition("+")[0]


def packages_of(environment: Path) -> Path:
    """Where the packages of a toolchain's environment lie."""
    return environment / "lib" / f"python{PYTHON}" / "site-packages"


def installed(package: str, environment: Path | None = None) -> str | None:
    """The installed version of a distribution, or of Python; None when it is not installed.

    `environment` is the folder of another one than this program runs in.
    """
    if package == "python":
        return platform.python_version()
    if environment is not None:
        found = importlib.metadata.distributions(name=package, path=[str(packages_of(environment))])
        return next((distribution.version for distribution in found), None)
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def remedy(others: Sequence[OtherVersion]) -> str:
    """The commands that install what was wanted; a package of another licence is installed by hand.

    >>> remedy([OtherVersion("torch", "2.15.0", None)])
    '`make setup`'
    """
    by_hand = [f"`pip install {o.package}=={o.wanted}`, {BY_HAND[o.package]}" for o in others if o.package in BY_HAND]
    made = ["`make setup`"] if len(by_hand) < len(others) else []
    return "; ".join((*made, *by_hand))


def check_toolchain(stage: Stage, allow_other_versions: bool) -> tuple[OtherVersion, ...]:
    """The differences, when the machine file allows them. Errors: RecipeError that names each."""
    others = other_versions(stage.identity.get("toolchain", {}), stage.environment)
    if others and not allow_other_versions:
        listed = "; ".join(map(str, others))
        help = f"install what this project locks ({remedy(others)}), or compile again for the versions installed here, "
        help += "or set `allow_other_versions: true` in machine.yaml and accept other results"
        raise RecipeError([Diagnostic("R0503", f"{stage.title} was compiled for other versions. {listed}", help=help)])
    return others
