"""Files of ModelScope: fetched from a stand-in on the same road as files of the Hub, found afterwards, and refusals.

ModelScope itself was not reached. The stand-in answers what its own client asks; that client downloaded from it, once,
by hand (see docs/decisions.md).
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from playground import modelscope, weights
from playground.engines import guard
from playground.errors import WeightsError, WorkerError
from playground.fit import known
from playground.types import Loading, ModelSpec
from tests.listening import starter
from tests.scope import Scope, serving

LARGE = os.urandom(12_000_000)
FILES = {
    "config.json": b'{"model_type": "llama"}',
    "model.safetensors": LARGE,
    "tokenizer/vocab.json": b"{}",
    "empty.txt": b"",
    "README.md": b"about",
    "original/model.pth": b"another form",
}
FOLDER = ModelSpec("m", "M", "transformers", source="modelscope:org/name")
GGUF = ModelSpec("g", "G", "llama.cpp", source="modelscope:org/name/m-Q4.gguf", mmproj="modelscope:org/name/eye.gguf")


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Scope], Scope]]:
    """Serves a stand-in, and names it to the program that fetches."""
    monkeypatch.delenv("MODELSCOPE_API_TOKEN", raising=False)
    with starter(serving, lambda url: monkeypatch.setenv("MODELSCOPE_ENDPOINT", url)) as start:
        yield start


def bring(row: ModelSpec, cache: Path) -> list[Loading]:
    return list(weights.fetch(row, cache, guard.run))


def found(row: ModelSpec, cache: Path) -> Path:
    place = weights.locate(row, cache)
    assert place
    return place


# --- fetching -------------------------------------------------------------------------------------------------------


def test_a_repository_comes_with_progress_and_without_other_forms_of_its_weights(tmp_path: Path, served):
    scope = served(Scope(FILES))
    assert weights.locate(FOLDER, tmp_path) is None
    steps = bring(FOLDER, tmp_path)
    place = found(FOLDER, tmp_path)
    here = {path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*") if path.is_file()}
    wanted = {name: data for name, data in FILES.items() if name not in ("README.md", "original/model.pth")}
    assert {name: data for name, data in here.items() if not name.startswith(".")} == wanted
    total = sum(len(data) for data in wanted.values())
    assert steps[-1] == Loading("fetching", total, total, "bytes")
    before = len(scope.asked)
    assert bring(FOLDER, tmp_path) == []
    assert len(scope.asked) == before  # nothing is asked for what is here


def test_a_gguf_of_several_pieces_and_what_lets_it_see_come_alone(tmp_path: Path, served):
    pieces = {f"Q4/m-0000{n}-of-00002.gguf": str(n).encode() for n in (1, 2)}
    served(Scope({**FILES, **pieces, "eye.gguf": b"eye"}))
    row = ModelSpec("g", "G", "llama.cpp", source="modelscope:org/name:Q4/m-00001-of-00002.gguf", mmproj=GGUF.mmproj)
    bring(row, tmp_path)
    assert found(row, tmp_path).read_bytes() == b"1"
    seeing = weights.projector(row, tmp_path)
    assert seeing
    assert seeing.read_bytes() == b"eye"
    assert not list(tmp_path.rglob("model.safetensors"))
    next(tmp_path.rglob("*00002-of*")).unlink()
    assert weights.locate(row, tmp_path) is None


def test_a_revision_has_a_folder_of_its_own(tmp_path: Path, served):
    served(Scope(FILES, revision="v1.0"))
    row = ModelSpec("m", "M", "transformers", source="modelscope:org/name", revision="v1.0")
    bring(row, tmp_path)
    assert found(row, tmp_path).name == "v1.0"
    assert weights.locate(FOLDER, tmp_path) is None


def test_a_connection_that_breaks_is_taken_up_where_it_broke(tmp_path: Path, served):
    scope = served(Scope(FILES, cut_after=5_000_000, cuts=2))
    bring(FOLDER, tmp_path)
    assert (found(FOLDER, tmp_path) / "model.safetensors").read_bytes() == LARGE
    assert scope.sent < len(LARGE) + 2_000_000


def test_a_fetch_that_was_ended_goes_on_where_it_was(tmp_path: Path, served):
    scope = served(Scope(FILES, cut_after=8_000_000, cuts=1, stall=threading.Event()))
    fetching = weights.fetch(FOLDER, tmp_path, guard.run)
    for step in fetching:
        if step.done and step.done >= 6_000_000:
            break
    fetching.close()  # the person pressed Cancel, or the app ended
    kept = sum(path.stat().st_size for path in tmp_path.rglob("*.part"))
    assert kept >= 6_000_000
    assert weights.locate(FOLDER, tmp_path) is None
    scope.stall.set()
    scope.sent = 0
    bring(FOLDER, tmp_path)
    assert (found(FOLDER, tmp_path) / "model.safetensors").read_bytes() == LARGE
    assert scope.sent <= len(LARGE) - kept + 1_000_000


def test_a_repository_with_a_missing_piece_is_not_here(tmp_path: Path, served):
    index = json.dumps({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}).encode()
    pieces = {"model-1.safetensors": b"1", "model-2.safetensors": b"2"}
    served(Scope({"config.json": b"{}", "model.safetensors.index.json": index, **pieces}))
    bring(FOLDER, tmp_path)
    (found(FOLDER, tmp_path) / "model-2.safetensors").unlink()
    assert weights.locate(FOLDER, tmp_path) is None
    bring(FOLDER, tmp_path)
    assert weights.locate(FOLDER, tmp_path)


def test_the_key_is_sent_to_modelscope_and_stands_in_no_command_line(
    tmp_path: Path, served, monkeypatch: pytest.MonkeyPatch
):
    served(Scope(FILES, key="ms-secret"))
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", "ms-secret")
    commands: list[str] = []

    def run(command: Sequence[str], settings: Mapping[str, str]) -> Iterator[None]:
        commands.extend([*command, *settings.values()])
        return guard.run(command, settings)

    list(weights.fetch(FOLDER, tmp_path, run))
    assert found(FOLDER, tmp_path)
    assert "ms-secret" not in " ".join(commands)


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "row", "said"),
    [
        (
            Scope(FILES, status=403),
            FOLDER,
            r"does not give org/name to everybody \(403 Forbidden\).*MODELSCOPE_API_TOK",
        ),
        (Scope(FILES, key="right"), FOLDER, r"to everybody \(401 Unauthorized\).*modelscope\.cn/models/org/name"),
        (Scope(FILES, revision="v2"), FOLDER, r"There is no model org/name at ModelScope, or not that revision"),
        (
            Scope(FILES),
            GGUF,
            r"org/name does not have that file \(m-Q4\.gguf\).*Files at https://modelscope\.cn/models/",
        ),
        (Scope(FILES, status=500), FOLDER, r"could not be fetched: 500 Internal Server Error\. Ask again"),
        (Scope(FILES, spoil=True), FOLDER, r"came damaged .* thrown away\. Ask again"),
        (Scope({"../out.json": b"{}"}), FOLDER, r"its list names a file outside of it, \.\./out\.json"),
    ],
)
def test_a_refusal_is_a_sentence_with_a_next_step(tmp_path: Path, served, scope: Scope, row: ModelSpec, said: str):
    served(scope)
    with pytest.raises(WeightsError, match=said):
        bring(row, tmp_path / "cache")
    assert weights.locate(row, tmp_path / "cache") is None
    assert not (tmp_path / "out.json").exists()
    assert not list(tmp_path.rglob("model.safetensors"))


def test_a_site_that_does_not_answer_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(WeightsError, match="ModelScope does not answer, so org/name cannot be fetched"):
        bring(FOLDER, tmp_path)


def test_a_download_that_keeps_breaking_is_given_up_and_kept(tmp_path: Path, served):
    served(Scope(FILES, cut_after=0, cuts=100))
    with pytest.raises(WeightsError, match=r"was cut off after 0\.0 of 0\.0 GB.*goes on from there"):
        bring(FOLDER, tmp_path)


def test_a_disk_without_room_is_noticed_before_anything_is_fetched(tmp_path: Path, served):
    """The child program itself, with a disk that has one byte left."""
    scope = served(Scope(FILES))

    def run(command: Sequence[str], settings: Mapping[str, str]) -> Iterator[None]:
        code = (
            "import runpy, shutil, sys, collections;"
            "shutil.disk_usage = lambda path: collections.namedtuple('U', 'total used free')(9, 8, 1);"
            f"sys.argv = {list(command[2:])!r}; runpy.run_path({command[2]!r}, run_name='__main__')"
        )
        return guard.run([command[0], "-P", "-c", code], settings)

    with pytest.raises(WeightsError, match=r"needs 12\.0 MB more on the disk, and 0\.0 MB are free at .*--cache"):
        list(weights.fetch(FOLDER, tmp_path, run))
    assert scope.sent == 0
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("source", ["modelscope:", "modelscope:name", "modelscope:org/name/more", "modelscope:../x"])
def test_a_name_that_is_none_is_refused_before_anybody_is_asked(tmp_path: Path, source: str):
    row = ModelSpec("m", "M", "transformers", source=source)
    assert weights.locate(row, tmp_path) is None
    with pytest.raises(WeightsError, match=r"is no name of a model: write modelscope:ORG/NAME"):
        bring(row, tmp_path)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("hub: disk [Errno 28] No space left on device", r"The disk is full.*--cache"),
        ("hub: cut 1000000000 5700000000 peer closed", r"cut off after 1\.0 of 5\.7 GB\. What is here is kept"),
        ("ModuleNotFoundError: nothing", r"could not be fetched: ModuleNotFoundError: nothing"),
    ],
)
def test_what_went_wrong_is_a_sentence(tmp_path: Path, line: str, said: str):
    def run(command: Sequence[str], settings: Mapping[str, str]) -> Iterator[None]:
        yield
        raise WorkerError(line)

    with pytest.raises(WeightsError, match=said):
        list(weights.fetch(FOLDER, tmp_path, run))


def test_whether_it_fits_is_known_before_it_is_here():
    row = ModelSpec("m", "M", "transformers", source="modelscope:Qwen/Qwen3.5-9B")
    shape = known.shape_of(row)
    assert shape
    assert shape is known.by_name("Qwen/Qwen3.5-9B")


def test_the_folder_is_the_projects_own(tmp_path: Path):
    assert modelscope.folder("org/name", "", tmp_path) == tmp_path / "modelscope" / "org--name" / "master"
