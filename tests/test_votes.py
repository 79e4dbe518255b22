"""A vote is on disk when the page says thank you, whole, once, and as it was cast."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from playground import __version__, votes
from playground.errors import VoteError
from playground.types import (
    WINNERS,
    Answer,
    Interference,
    Memory,
    ModelSpec,
    Sampling,
    Stamps,
    Status,
    Timing,
    Usage,
    Vote,
)
from playground.votes import VoteBook, book
from tests.fakes import answer, comparison
from tests.patience import LIMIT_S

SPECS = {
    "left": ModelSpec("small", "Small", "llama.cpp", revision="r1", quantization="Q4_1", thinking=True),
    "right": ModelSpec("large", "Large", "openai"),
}
ROOT = Path(votes.__file__).parent.parent.parent
FILE = Path("votes/votes.csv")


def cast(battle_id: str = "b-1", winner: str = "model_a", left: Answer | None = None, **about: object) -> Vote:
    return votes.new(winner, comparison(left, battle_id=battle_id), **{"prompt": "2 + 2?", **about})


def store(vote: Vote, path: Path = FILE) -> dict[str, str]:
    """Append that vote; returns the last row of the file."""
    VoteBook(path).append(vote, SPECS)
    return list(votes.read(path))[-1]


# -- the row --


def test_who_played_and_who_won_comes_first_and_texts_come_last():
    short = ("vote_id", "battle_id", "supersedes", "voted_at", "voter", "model_a", "model_b", "winner", "counted")
    assert votes.COLUMNS[:9] == short
    assert len(set(votes.COLUMNS)) == len(votes.COLUMNS)


def test_a_is_left_and_b_is_right():
    row = store(votes.new("model_b", comparison(answer("small", "5"), answer("large", "4")), prompt="2 + 2?"))
    assert (row["model_a"], row["answer_a"], row["model_b"], row["answer_b"]) == ("small", "5", "large", "4")
    assert row["winner"] == "model_b"


def test_a_vote_keeps_all_that_was_asked_and_answered():
    left = answer(
        "small",
        reasoning="hm",
        cold=True,
        images_sent=2,
        notice="a fact",
        load_s=60.0,
        stamps=Stamps(0.0),
        timing=Timing(60.0, 0.25, 0.5, 2.0, 12.3456789, 40.0, 0.1, 0.2),
        usage=Usage(9, 10, 11, 12, "server"),
        memory=Memory(90_000_000, 150_000_000, 140_000_000, method="PSS", device_peak_bytes=60_000_000),
        interference=Interference(0.25, 0.125, 0.1, 0.0),
        threads=1,
    )
    asked = Sampling(0.7, 0.9, 256, 42, thinking=False, top_k=40, min_p=0.05, presence_penalty=1.5)
    sampling = {"left": asked, "right": Sampling()}
    vote = cast(
        left=left,
        prompt_id="maths-1",
        system="Be brief.",
        image_sha256=("aa", "bb"),
        turn=3,
        sampling=sampling,
        voter="v-1",
        blind=True,
        decision_s=4.5,
        reason="clearer",
    )
    row = store(vote)
    expected = {
        "vote_id": vote.vote_id,
        "voted_at": vote.voted_at,
        "pacing": "in_turn",
        "first_side": "left",
        "turn": "3",
        "prompt_id": "maths-1",
        "prompt": "2 + 2?",
        "system": "Be brief.",
        "image_sha256": "aa bb",
        "reasoning_a": "hm",
        "status_a": "done",
        "finish_reason_a": "stop",
        "images_sent_a": "2",
        "notice_a": "a fact",
        "cold_a": "true",
        "contended_a": "false",
        "load_s_a": "60",
        "ttft_s_a": "0.25",
        "ttfa_s_a": "0.5",
        "total_s_a": "2",
        "decode_tokens_per_s_a": "12.3457",
        "chunk_gap_p95_s_a": "0.2",
        "prompt_tokens_a": "9",
        "reasoning_tokens_a": "10",
        "answer_tokens_a": "11",
        "output_tokens_a": "21",
        "tokens_source_b": "",
        "cold_b": "",
        "cached_tokens_a": "12",
        "tokens_source_a": "server",
        "weights_bytes_a": "90000000",
        "peak_bytes_a": "150000000",
        "process_bytes_a": "140000000",
        "device_peak_bytes_a": "60000000",
        "device_peak_bytes_b": "",
        "wait_share_a": "0.25",
        "wait_share_b": "",
        "other_share_a": "0.125",
        "other_share_b": "",
        "threads_a": "1",
        "threads_b": "",
        "memory_method_a": "PSS",
        "engine_a": "llama.cpp",
        "engine_b": "openai",
        "revision_a": "r1",
        "quantization_a": "Q4_1",
        "temperature_a": "0.7",
        "top_p_a": "0.9",
        "top_k_a": "40",
        "min_p_a": "0.05",
        "presence_penalty_a": "1.5",
        "presence_penalty_b": "",
        "max_tokens_a": "256",
        "seed_a": "42",
        "thinking_a": "false",
        "thinking_b": "",
        "counted": "true",
        "not_counted_reason": "",
        "app_version": __version__,
        "schema_version": "5",
        "script": "",
        "markdown_a": "0",
        "voter": "v-1",
        "blind": "true",
        "decision_s": "4.5",
        "reason": "clearer",
        "supersedes": "",
        "prompt_chars": "6",
        "answer_chars_a": "4",
        "reasoning_chars_a": "2",
        "checks": "rate:ok haste:unchecked repeats:ok",
    }
    assert {name: row[name] for name in expected} == expected


def test_what_is_unknown_is_empty_and_never_zero():
    row = store(cast())
    assert [row[name] for name in ("ttft_s_a", "total_s_b", "peak_bytes_a", "answer_tokens_b", "seed_a")] == [""] * 5


def test_votes_are_stamped_with_utc_to_the_millisecond_and_have_ids_of_their_own():
    one, two = cast(), cast()
    assert one.vote_id != two.vote_id
    parsed = pd.Timestamp(one.voted_at)
    assert str(parsed.tz) == "UTC"
    assert one.voted_at[-5] == "."
    assert one.voted_at.endswith("Z")


@pytest.mark.parametrize("winner", ["left", "MODEL_A", "", None])
def test_an_unknown_winner_is_refused_with_those_there_are(winner: Any):
    with pytest.raises(VoteError, match="model_a, model_b, tie, both_bad"):
        votes.new(winner, comparison())


@pytest.mark.parametrize("winner", WINNERS)
def test_every_winner_is_written_as_it_is(winner: str):
    assert store(cast(winner=winner))["winner"] == winner


@pytest.mark.parametrize("status", ["waiting", "loading", "reading", "thinking", "writing"])
def test_an_unfinished_comparison_cannot_be_voted_on(status: Status):
    with pytest.raises(VoteError, match="Both answers must be finished"):
        votes.new("tie", comparison(left=Answer("small", status=status)))


@pytest.mark.parametrize(
    ("left", "right", "reason"),
    [
        ("done", "done", ""),
        ("failed", "done", "left failed"),
        ("done", "stopped", "right stopped"),
        ("stopped", "failed", "left stopped, right failed"),
    ],
)
def test_a_vote_on_a_side_that_did_not_finish_is_kept_and_not_counted(left: Status, right: Status, reason: str):
    both = comparison(Answer("small", left), Answer("large", right))
    row = store(votes.new("tie", both, prompt="2 + 2?"))
    assert row["not_counted_reason"] == reason
    assert row["counted"] == ("false" if reason else "true")


# -- what was written is what is read --

TEXTS = st.text(max_size=60) | st.lists(st.sampled_from("=+-@'\t\r\n\",; a\0é漢\u2028␍␛"), max_size=12).map("".join)


@given(TEXTS, TEXTS, TEXTS)
def test_any_text_is_read_as_it_was_written(prompt: str, system: str, text: str):
    path = Path("any.csv")
    path.unlink(missing_ok=True)
    row = store(cast(prompt=prompt, system=system, left=answer(text, text)), path)
    assert (row["prompt"], row["system"], row["answer_a"], row["model_a"]) == (prompt, system, text, text)


@given(st.text(st.characters(exclude_categories=["C"], exclude_characters="␍␛"), max_size=60))
def test_pandas_reads_ordinary_text_as_it_was_written(text: str):
    path = Path("pandas.csv")
    path.unlink(missing_ok=True)
    lines = f"He said:\n{text}\nand more"
    VoteBook(path).append(cast(prompt=f"Say {text}", left=answer("small", lines)), SPECS)
    frame = pd.read_csv(path, keep_default_na=False)
    assert list(frame.columns) == list(votes.COLUMNS)
    assert (frame["prompt"][0], frame["answer_a"][0]) == (f"Say {text}", lines)
    assert frame["counted"].dtype == bool


@given(st.text(max_size=20))
def test_no_cell_begins_like_a_formula(text: str):
    assert not votes.escape(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert votes.unescape(votes.escape(text)) == text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''"])
def test_formulas_are_written_with_an_apostrophe_and_read_without(text: str):
    assert store(cast(prompt=text))["prompt"] == text
    with FILE.open(encoding="utf-8", newline="") as file:
        assert next(csv.DictReader(file))["prompt"] == f"'{text}".replace("\r", "␍")


def test_a_megabyte_is_read_as_it_was_written():
    assert store(cast(prompt="four " * 200_000))["prompt"] == "four " * 200_000


def test_half_of_a_surrogate_pair_costs_that_character_and_not_the_vote():
    assert store(cast(prompt="a\ud83db"))["prompt"] == "a?b"


def test_a_file_that_a_spreadsheet_has_marked_as_utf8_is_still_ours():
    store(cast("one"))
    FILE.write_bytes(b"\xef\xbb\xbf" + FILE.read_bytes())
    store(cast("two"))
    assert [row["battle_id"] for row in votes.read(FILE)] == ["one", "two"]


# -- once --


def test_one_comparison_has_one_vote_however_many_threads_cast_it():
    book, start, refused = VoteBook(FILE), threading.Barrier(16), []

    def vote() -> None:
        start.wait()
        try:
            book.append(cast("b-1"), SPECS)
        except VoteError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=vote) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(votes.read(FILE))) == 1
    assert len(refused) == 15
    assert set(refused) == {"This comparison has its vote already. Ask something new to vote again."}
    assert book.voted("b-1")
    assert not book.voted("b-2")


def test_votes_on_many_comparisons_from_many_threads_are_all_kept():
    book = VoteBook(FILE)
    threads = [threading.Thread(target=book.append, args=(cast(f"b-{n}"), SPECS)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {row["battle_id"] for row in votes.read(FILE)} == {f"b-{n}" for n in range(20)}


def child(code: str, *args: object, **about: Any) -> subprocess.Popen[str]:
    """A Python of its own that runs `code` with this module's helpers at hand."""
    setup = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom tests.test_votes import *\n"
    command = [sys.executable, "-c", setup + code, *map(str, args)]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **about)


def said_by(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, err
    return out.strip()


def test_two_processes_append_to_one_file_without_a_torn_row():
    text = 'a,"b"\r\n\'c' * 2_000
    code = f"""
book = VoteBook(FILE)
for n in range(25):
    book.append(cast(f"{{sys.argv[1]}}-{{n}}", prompt={text!r}), SPECS)
"""
    for process in [child(code, name) for name in ("one", "two")]:
        said_by(process)
    rows = list(votes.read(FILE))
    assert {row["battle_id"] for row in rows} == {f"{name}-{n}" for name in ("one", "two") for n in range(25)}
    assert {row["prompt"] for row in rows} == {text}
    assert len(rows) == 50


# -- on disk --


def test_a_vote_is_whole_in_the_file_when_it_is_synced_and_synced_before_append_returns(
    monkeypatch: pytest.MonkeyPatch,
):
    synced: list[tuple[str, int]] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        which = "file" if os.fstat(descriptor).st_ino == FILE.stat().st_ino else "folder"
        synced.append((which, len(list(votes.read(FILE)))))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    book = VoteBook(FILE)
    book.append(cast("b-1"), SPECS)
    assert synced == [("file", 1), ("folder", 1)]
    book.append(cast("b-2"), SPECS)
    assert synced[2:] == [("file", 2)]


def refused(book: VoteBook, vote: Vote) -> str:
    with pytest.raises(VoteError) as caught:
        book.append(vote, SPECS)
    assert not book.voted(vote.comparison.battle_id)
    return str(caught.value)


def test_a_vote_that_could_not_be_synced_is_taken_back_and_can_be_cast_again(monkeypatch: pytest.MonkeyPatch):
    book, vote = VoteBook(FILE), cast("b-2")
    book.append(cast("b-1"), SPECS)
    before = FILE.read_bytes()

    def fsync(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fsync)
        assert "NOT stored" in refused(book, vote)
    assert FILE.read_bytes() == before
    book.append(vote, SPECS)
    assert [row["battle_id"] for row in votes.read(FILE)] == ["b-1", "b-2"]


def test_a_folder_in_the_files_place_is_named_and_the_vote_can_be_cast_again():
    FILE.mkdir(parents=True)
    book, vote = VoteBook(FILE), cast()
    assert "votes.csv cannot be written" in refused(book, vote)
    FILE.rmdir()
    book.append(vote, SPECS)
    assert book.voted("b-1")


def test_a_file_in_the_folders_place_is_named_and_the_vote_can_be_cast_again():
    Path("votes").write_text("mine")
    book, vote = VoteBook(FILE), cast()
    assert "another file with --votes, then vote again" in refused(book, vote)
    assert Path("votes").read_text() == "mine"
    Path("votes").unlink()
    book.append(vote, SPECS)


FULL_DISK = """
import resource
book = VoteBook(FILE)
book.append(cast("b-1"), SPECS)
before = FILE.read_bytes()
for prompt in ("short", "long " * 20_000):
    for room in (0, 1, 100, 5_000):
        if prompt == "short" and room == 5_000:
            continue
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + room, resource.RLIM_INFINITY))
        print(refused(book, cast("b-2", prompt=prompt)))
        assert FILE.read_bytes() == before, f"something half written was left with room for {room} bytes"
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
book.append(cast("b-2"), SPECS)
assert [row["battle_id"] for row in votes.read(FILE)] == ["b-1", "b-2"]
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes: run on Linux or macOS")
def test_on_a_full_disk_nothing_half_written_is_left_and_the_vote_can_be_cast_again():
    said = said_by(child(FULL_DISK))
    assert said.count("Your vote was NOT stored") == 7
    assert "Make room or choose another file with --votes, then vote again." in said


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes: run on Linux or macOS")
def test_a_disk_that_was_full_at_the_first_vote_leaves_an_empty_file_that_gets_its_header_later():
    said_by(
        child(
            "import resource\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))\n"
            "refused(VoteBook(FILE), cast())"
        )
    )
    assert FILE.read_bytes() == b""
    assert store(cast("b-1"))["battle_id"] == "b-1"


@contextmanager
def somebody_else() -> Iterator[None]:
    """As a person who may not write everywhere, if this one may."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.skipif(sys.platform == "win32", reason="needs folder permissions: run on Linux or macOS")
def test_a_read_only_folder_is_named_and_the_vote_can_be_cast_again(tmp_path: Path):
    tmp_path.chmod(0o755)
    Path("votes").mkdir()
    book, vote = VoteBook(FILE), cast()
    Path("votes").chmod(0o555)
    with somebody_else():
        said = refused(book, vote)
    assert "votes.csv cannot be written (Permission denied)" in said
    assert not list(Path("votes").iterdir())
    Path("votes").chmod(0o755)
    book.append(vote, SPECS)
    assert len(list(votes.read(FILE))) == 1


def test_a_program_that_holds_the_file_for_long_is_waited_for_and_then_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(book, "LOCK_WAIT_S", 0.1)
    Path("votes").mkdir()
    mine, vote = VoteBook(FILE), cast()
    with FileLock(f"{FILE}.lock"):
        other = threading.Thread(target=lambda: said.append(refused(mine, vote)))
        said: list[str] = []
        other.start()
        other.join()
    assert "Vote again in a moment" in said[0]
    mine.append(vote, SPECS)


# -- other people's files --

STRANGERS = {
    "another table": b"date,amount\r\n2026-01-01,5\r\n",
    "part of the columns": ",".join(votes.COLUMNS[:-3]).encode() + b"\r\n",
    "columns in another order": ",".join(reversed(votes.COLUMNS)).encode() + b"\r\n",
    "semicolons": ";".join(votes.COLUMNS).encode() + b"\r\n",
    "no table": b"Dear diary",
    "not text": bytes(range(256)) * 9,
    "old line ends": b"date,amount\r2026-01-01,5\r",
    "one endless line": b"x" * 300_000,
    "an endless cell": b'"' + b"x" * 300_000,
}


@pytest.mark.parametrize("name", STRANGERS)
def test_another_programs_file_is_refused_and_left_as_it_is(name: str):
    Path("votes").mkdir()
    FILE.write_bytes(STRANGERS[name])
    said = refused(VoteBook(FILE), cast())
    assert "votes.csv is not a votes file of this version" in said
    assert "hoose another file with --votes" in said
    assert len(said) < 2_000
    assert FILE.read_bytes() == STRANGERS[name]
    with pytest.raises(VoteError, match="not a votes file"):
        list(votes.read(FILE))


def test_a_missing_column_is_named():
    Path("votes").mkdir()
    FILE.write_text(",".join(votes.COLUMNS[1:]) + "\r\n")
    assert "missing: vote_id; unknown: none" in refused(VoteBook(FILE), cast())


def test_an_empty_file_is_given_its_header():
    Path("votes").mkdir()
    FILE.touch()
    assert store(cast("b-1"))["battle_id"] == "b-1"


def test_the_header_is_written_once():
    store(cast("b-1"))
    store(cast("b-2"))
    assert FILE.read_text(encoding="utf-8").count("vote_id,battle_id") == 1
