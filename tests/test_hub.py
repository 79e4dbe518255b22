"""Files of the Hub: found in its cache, fetched from a stand-in by the Hub's own client, and what its refusals mean."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from playground import disk, hub, weights
from playground.engines import guard
from playground.errors import WeightsError, WorkerError
from playground.types import Loading, ModelSpec
from tests.hubserver import COMMIT, Hub, serving
from tests.listening import starter

LARGE = os.urandom(40_000_000)
SMALL = b"a projector"
FILES = {"m-Q4_K_M.gguf": LARGE, "mmproj-F16.gguf": SMALL}
ROW = ModelSpec(
    "m", "M", "llama.cpp", source="org/name/m-Q4_K_M.gguf", mmproj="org/name/mmproj-F16.gguf", reads_images=True
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the Hub of one's own: its client reads the variable when it is imported, so also where it kept it."""
    from huggingface_hub import constants, file_download

    folder = tmp_path / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(folder))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(file_download.constants, "HF_HUB_CACHE", str(folder))
    return folder


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Hub], Hub]]:
    """Serves a stand-in, and names it to the Hub's client."""
    with starter(serving, lambda url: monkeypatch.setenv("HF_ENDPOINT", url)) as start:
        yield start


def bring(row: ModelSpec, folder: Path) -> list[Loading]:
    return list(weights.fetch(row, folder, guard.run))


def failing(line: str) -> Callable[[Sequence[str], Mapping[str, str]], Iterator[None]]:
    """A program that ends with that last line."""

    def run(command: Sequence[str], settings: Mapping[str, str]) -> Iterator[None]:
        yield
        raise WorkerError(line)

    return run


# --- fetching -------------------------------------------------------------------------------------------------------


def test_a_gguf_and_its_projector_come_with_progress_and_are_found_afterwards(tmp_path: Path, served):
    stand_in = served(Hub(FILES))
    assert weights.locate(ROW, tmp_path) is None
    steps = bring(ROW, tmp_path)
    found, seeing = weights.locate(ROW, tmp_path), weights.projector(ROW, tmp_path)
    assert found
    assert seeing
    assert (found.read_bytes(), seeing.read_bytes()) == (LARGE, SMALL)
    assert Loading("fetching", len(LARGE), len(LARGE), "bytes") in steps
    before = len(stand_in.asked)
    assert bring(ROW, tmp_path) == []
    assert len(stand_in.asked) == before  # nothing is asked for what is here


def test_a_connection_that_breaks_is_taken_up_where_it_broke(tmp_path: Path, served):
    stand_in = served(Hub(FILES, cut_after=15_000_000, cuts=2))
    bring(ROW, tmp_path)
    found = weights.locate(ROW, tmp_path)
    assert found
    assert found.read_bytes() == LARGE
    assert stand_in.sent < len(LARGE) + 3_000_000


def test_a_fetch_that_was_ended_goes_on_where_it_was(tmp_path: Path, cache: Path, served):
    stand_in = served(Hub(FILES, cut_after=25_000_000, cuts=1, stall=threading.Event()))
    part = cache / "models--org--name" / "blobs"
    fetching = weights.fetch(ROW, tmp_path, guard.run)
    for step in fetching:
        if step.done and step.done >= 20_000_000:
            break
    fetching.close()  # the person pressed Cancel, or the app ended
    kept = sum(path.stat().st_size for path in part.glob("*.part"))
    assert kept >= 20_000_000
    assert weights.locate(ROW, tmp_path) is None
    stand_in.stall.set()
    stand_in.sent = 0
    bring(ROW, tmp_path)
    found = weights.locate(ROW, tmp_path)
    assert found
    assert found.read_bytes() == LARGE
    assert stand_in.sent <= len(LARGE) - kept + 1_000_000


def test_all_pieces_of_a_cut_gguf_are_fetched(tmp_path: Path, served):
    names = [f"Q4/m-0000{n}-of-00003.gguf" for n in (1, 2, 3)]
    served(Hub({name: name.encode() for name in names}))
    row = ModelSpec("m", "M", "llama.cpp", source=f"org/name/{names[0]}")
    bring(row, tmp_path)
    found = weights.locate(row, tmp_path)
    assert found
    assert [path.name for path in sorted(found.parent.iterdir())] == [Path(name).name for name in names]
    sorted(found.parent.iterdir())[2].unlink()
    assert weights.locate(row, tmp_path) is None


def test_a_repository_comes_without_other_forms_of_its_weights(tmp_path: Path, served):
    served(Hub({"config.json": b"{}", "model.safetensors": b"1", "model.bin": b"2", "original/x.pth": b"3"}))
    row = ModelSpec("m", "M", "transformers", source="org/name")
    bring(row, tmp_path)
    found = weights.locate(row, tmp_path)
    assert found
    assert found.name == COMMIT
    assert sorted(path.name for path in found.iterdir()) == ["config.json", "model.safetensors"]


def test_a_repository_without_safetensors_comes_with_what_it_has(tmp_path: Path, served):
    served(Hub({"config.json": b"{}", "model.bin": b"2"}))
    row = ModelSpec("m", "M", "transformers", source="org/name")
    bring(row, tmp_path)
    assert weights.locate(row, tmp_path)


def test_a_repository_with_a_missing_piece_is_not_here(tmp_path: Path, served):
    index = json.dumps({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}).encode()
    whole = {"config.json": b"{}", "model.safetensors.index.json": index}
    served(Hub({**whole, "model-1.safetensors": b"1", "model-2.safetensors": b"2"}))
    row = ModelSpec("m", "M", "transformers", source="org/name")
    bring(row, tmp_path)
    found = weights.locate(row, tmp_path)
    assert found
    (found / "model-2.safetensors").unlink()
    assert weights.locate(row, tmp_path) is None


# --- refusals, by the Hub's own client ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stand_in", "row", "said"),
    [
        (Hub(FILES, refuse="GatedRepo"), ROW, r"org/name asks you to accept its licence.*huggingface\.co/org/name"),
        (Hub(FILES, repository="other/one"), ROW, r"There is no model org/name on the Hub, or it is private"),
        (Hub({"a.gguf": b""}), ROW, r"org/name does not have that file.*Files at https://huggingface\.co/org/name"),
    ],
)
def test_a_refusal_of_the_hub_is_a_sentence_with_a_next_step(tmp_path: Path, served, stand_in, row, said: str):
    served(stand_in)
    with pytest.raises(WeightsError, match=said):
        bring(row, tmp_path)


def test_a_wrong_key_is_named_and_never_shown(tmp_path: Path, served, monkeypatch: pytest.MonkeyPatch):
    served(Hub(FILES, key="right"))
    monkeypatch.setenv("HF_TOKEN", "hf_wrongwrongwrong")
    with pytest.raises(WeightsError, match=r"does not accept the key in HF_TOKEN.*settings/tokens") as caught:
        bring(ROW, tmp_path)
    assert "wrongwrong" not in str(caught.value)


def test_a_hub_that_does_not_answer_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(WeightsError, match="The Hub does not answer, so org/name cannot be fetched"):
        bring(ROW, tmp_path)


def test_a_download_that_keeps_breaking_is_given_up_and_kept(tmp_path: Path, served):
    stand_in = served(Hub(FILES, cut_after=0, cuts=100))
    with pytest.raises(WeightsError, match=r"was cut off after 0\.0 of 0\.0 GB.*goes on from there"):
        bring(ROW, tmp_path)
    assert stand_in.cuts > 90


# --- what a last line means -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("hub: disk 5700000000 1000000000 /cache", r"needs 5\.7 GB more on the disk, and 1\.0 GB are free at /cache"),
        ("hub: disk [Errno 28] No space left on device", r"The disk is full.*HF_HOME"),
        ("hub: revision v9", r"no revision v9\. Correct `revision`"),
        ("hub: cut 1000000000 5700000000 peer closed", r"cut off after 1\.0 of 5\.7 GB\. What is here is kept"),
        ("hub: damaged", r"came damaged.*Ask again"),
        ("hub: unreachable x", r"The Hub does not answer"),
        ("hub: other strange", r"could not be fetched: strange\."),
        ("ModuleNotFoundError: nothing", r"could not be fetched: ModuleNotFoundError: nothing"),
    ],
)
def test_what_went_wrong_is_a_sentence(tmp_path: Path, line: str, said: str):
    with pytest.raises(WeightsError, match=said):
        list(weights.fetch(ROW, tmp_path, failing(line)))


def test_a_disk_without_room_is_noticed_before_anything_is_fetched(tmp_path: Path, cache: Path, served):
    """The child program itself, with a disk that has one byte left."""
    stand_in = served(Hub(FILES))

    def run(command: Sequence[str], settings: Mapping[str, str]) -> Iterator[None]:
        program = command[2]
        code = (
            "import runpy, shutil, sys, collections;"
            "shutil.disk_usage = lambda path: collections.namedtuple('U', 'total used free')(9, 8, 1);"
            f"sys.argv = {list(command[2:])!r}; runpy.run_path({program!r}, run_name='__main__')"
        )
        return guard.run([command[0], "-P", "-c", code], settings)

    with pytest.raises(
        WeightsError, match=r"needs 40\.0 MB more on the disk, and 0\.0 MB are free at .*Nothing was fetched.*HF_HOME"
    ):
        list(weights.fetch(ROW, tmp_path, run))
    assert stand_in.sent < 10_000
    assert not list((cache / "models--org--name" / "blobs").glob("*.part"))


def test_a_disk_that_will_be_nearly_full_is_said_while_the_file_comes(tmp_path: Path, served):
    """The child program itself, with a disk that has room for the file and 4.9 GB more, of 10 TB."""
    served(Hub(FILES))

    def run(command: Sequence[str], settings: Mapping[str, str]) -> Iterator[None]:
        code = (
            "import runpy, shutil, sys, collections;"
            "shutil.disk_usage = lambda path: collections.namedtuple('U', 'total used free')(10**13, 0, 4_940_000_000);"
            f"sys.argv = {list(command[2:])!r}; runpy.run_path({command[2]!r}, run_name='__main__')"
        )
        return guard.run([command[0], "-P", "-c", code], settings)

    steps = list(weights.fetch(ROW, tmp_path, run))
    assert any(re.match(r"The disk will be nearly full: 4\.9 GB of 10000\.0 GB .* left at /", s.note) for s in steps)
    assert weights.locate(ROW, tmp_path)


@pytest.mark.parametrize(
    ("left", "whole", "expected"),
    [
        (6 * 10**9, 40 * 10**9, ""),
        (5 * 10**9, 50 * 10**9, ""),
        (4_900_000_000, 20 * 10**9, "The disk will be nearly full: 4.9 GB of 20.0 GB will be left at /d."),
        (90 * 10**9, 10**12, "The disk will be nearly full: 90.0 GB of 1000.0 GB will be left at /d."),
    ],
)
def test_little_is_under_5_gb_or_a_tenth_of_the_disk(left: int, whole: int, expected: str):
    assert disk.note(left, whole, "/d") == expected


def test_a_name_of_a_file_is_taken_apart():
    assert (
        hub.file_of("org/name/sub/file.gguf") == hub.file_of("org/name:sub/file.gguf") == ("org/name", "sub/file.gguf")
    )
    assert hub.file_of("org/name") is None
    assert hub.pieces("m.gguf") == ("m.gguf",)
    assert hub.is_repository("org/name")
    assert not hub.is_repository("org/name/more")


# --- does it answer at all ------------------------------------------------------------------------------------------


def test_a_hub_that_answers_is_noticed_and_asked_once(served):
    stand_in = served(Hub(FILES))
    question = hub.Question(stand_in.url)
    assert not question.answer()  # nobody has asked yet
    assert question.wait()
    assert question.wait()
    assert question.answer()
    assert [path for _, path in stand_in.asked] == ["/api/models"]


def test_no_answer_and_an_endless_one_are_a_no(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hub.Question, "LIMIT_S", 0.2)
    assert not hub.Question("http://127.0.0.1:9").wait()
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes connections and says nothing
        question = hub.Question(f"http://127.0.0.1:{silent.getsockname()[1]}")
        question.start()
        assert not question.answer()
        assert not question.wait()


def test_offline_means_that_nothing_is_asked(served):
    stand_in = served(Hub(FILES))
    assert not hub.Question(stand_in.url, offline=True).wait()
    assert stand_in.asked == []
