"""All votes as one CSV, as the JSON of LLM Comparator, as they are for `arena-rank`; and the command `export`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground import cli, standings, votes
from playground.export import comparator, table
from playground.types import Sampling, Timing, Vote
from playground.votes import VoteBook
from tests.fakes import answer, comparison
from tests.voting import ROOT, SPECS, cast

FILE = Path("votes/votes.csv")
OTHER = Path("other/votes.csv")
ARENA = {"model_a": 1.0, "model_b": 0.0, "tie": 0.5, "both_bad": 0.5}
"""The outcomes that `arena-rank` 0.1.1 knows (`arena_rank.utils.data_utils.default_outcome_map`)."""
FIELD_TYPES = ("number", "string", "category", "text", "per_model_number", "per_model_category")
"""Those we use of `FieldType` in LLM Comparator's client/lib/types.ts."""


@pytest.fixture(autouse=True)
def sigterm() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


Run = Callable[..., tuple[int, bytes, str]]


@pytest.fixture
def run(capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    """`python -m playground export`; returns exit code, standard output and standard error."""

    def run(*argv: str) -> tuple[int, bytes, str]:
        try:
            code = cli.main(["export", *argv])
        except SystemExit as exit:  # argparse leaves this way
            code = int(exit.code or 0)
        out, err = capsysbinary.readouterr()
        return code, out, err.decode()

    return run


def store(*cast_votes: Vote, path: Path = FILE) -> list[Vote]:
    book = VoteBook(path)
    for vote in cast_votes:
        book.append(vote, SPECS)
    return list(cast_votes)


def battle(name: str, a: str, b: str, winner: str = "model_a", **about: Any) -> Vote:
    """A vote on those two models; the first to answer is the left one."""
    both = comparison(answer(a, f"I am {a}", timing=Timing(ttft_s=0.1)), answer(b, f"I am {b}"), name)
    return votes.new(winner, both, **{"prompt": "Who are you?", **about})


# -- CSV --


def test_votes_of_several_files_are_one_votes_file_with_one_header(run: Run):
    store(cast("b-1"), cast("b-2"))
    store(cast("b-3"), path=OTHER)
    assert run("--format", "csv", "--votes", "votes", "--votes", str(OTHER), "--out", "all.csv") == (0, b"", "")
    rows = list(votes.read(Path("all.csv")))
    assert rows == list(votes.read_all([FILE, OTHER]))
    assert Path("all.csv").read_bytes().count(b"vote_id") == 1


def test_one_file_comes_out_byte_for_byte(run: Run):
    store(cast("b-1", '=a,"b"\r\n␍'), cast("b-2"))
    assert run("--format", "csv") == (0, FILE.read_bytes(), "")


@given(st.text(), st.text())
def test_any_text_is_exported_as_it_was_cast(prompt: str, text: str):
    Path("votes/votes.csv").unlink(missing_ok=True)
    store(cast("b-1", text, prompt=prompt))
    assert b"".join(table.csv([FILE])) == FILE.read_bytes()


def test_superseded_rows_stay_as_they_are_unless_only_counted_ones_are_wanted(run: Run):
    book, first = VoteBook(FILE), cast("b-1")
    book.append(first, SPECS)
    undo = book.take_back(first, SPECS)
    book.append(cast("b-1", winner="tie", supersedes=undo.vote_id), SPECS)
    book.append(cast("b-2"), SPECS)
    book.append(cast("b-3"), SPECS, doubt="a doubt")
    code, out, _ = run("--format", "csv")
    assert (code, out) == (0, FILE.read_bytes())
    assert run("--format", "csv", "--counted-only", "--out", "counted.csv")[0] == 0
    rows = list(votes.read(Path("counted.csv")))
    assert [(row["battle_id"], row["winner"]) for row in rows] == [("b-1", "tie"), ("b-2", "model_a")]
    assert rows == [row for row in standings.effective(votes.read(FILE)) if row["counted"] == "true"]


def test_a_row_that_is_in_two_files_comes_once(run: Run):
    store(cast("b-1"), cast("b-2"))
    OTHER.parent.mkdir()
    OTHER.write_bytes(FILE.read_bytes())
    assert run("--format", "csv", "--votes", str(FILE), "--votes", str(OTHER)) == (0, FILE.read_bytes(), "")


def test_without_a_path_the_folder_is_read_where_runs_have_their_own_files(run: Run):
    store(cast("b-1"))
    store(cast("b-2"), path=votes.place(FILE, own=True))
    code, out, _ = run("--format", "csv")
    assert (code, out.count(b"\r\n")) == (0, 3)


# -- arena-rank --


def test_arena_rank_reads_the_votes_file_as_it_is():
    """Its README hands `PairDataset.from_pandas` the columns model_a, model_b and winner of a pandas table."""
    winners = ["model_a", "model_a", "model_b", "tie", "both_bad"]
    store(*(battle(f"b-{n}", "small", "large", winner) for n, winner in enumerate(winners)))
    store(battle("b-9", "large", "middle", "model_b"))
    frame = pd.read_csv(FILE)[["model_a", "model_b", "winner"]]
    assert frame.isna().sum().sum() == 0
    assert frame["winner"].map(ARENA).tolist() == [1.0, 1.0, 0.0, 0.5, 0.5, 0.0]
    assert Counter(zip(frame["model_a"], frame["model_b"], strict=True)) == {
        ("small", "large"): 5,
        ("large", "middle"): 1,
    }


# -- LLM Comparator --


def compared(run: Run, *argv: str) -> dict[str, Any]:
    code, out, err = run("--format", "llm-comparator", *argv)
    assert (code, err) == (0, ""), err
    return json.loads(out)


def test_llm_comparator_finds_every_field_that_it_requires(run: Run):
    store(battle("b-1", "small", "large", prompt_id="code-07", image_sha256=("ab",), reason="clearer"))
    found = compared(run)
    assert list(found) == ["metadata", "models", "examples"]
    assert set(found["metadata"]) == {"source_path", "custom_fields_schema"}
    assert found["models"] == [{"name": "large"}, {"name": "small"}]
    (example,) = found["examples"]
    assert example["input_text"] == "Who are you?"
    assert example["tags"] == ["code", "with image"]
    assert (example["output_text_a"], example["output_text_b"]) == ("I am large", "I am small")
    assert example["score"] == -1.0
    assert example["individual_rater_scores"] == [{"is_flipped": True, "score": -1.0, "rationale": "clearer"}]


def test_every_custom_field_has_a_type_that_the_tool_knows_and_a_value_of_that_type(run: Run):
    sampling = {"left": Sampling(0.5), "right": Sampling()}
    store(battle("b-1", "small", "large", decision_s=2.5, sampling=sampling), battle("b-2", "large", "small"))
    found = compared(run)
    fields = {field["name"]: field["type"] for field in found["metadata"]["custom_fields_schema"]}
    assert set(fields.values()) <= set(FIELD_TYPES)
    assert {"ttft_s", "decision_s", "winner", "vote_id"} <= set(fields)
    assert "peak_bytes" not in fields, "a figure that no answer has would be a histogram without a range"
    for example in found["examples"]:
        for name, kind in fields.items():
            value = example["custom_fields"][name]
            kinds = (float, int, type(None)) if "number" in kind else (str,)
            values = value if kind.startswith("per_model") else [value]
            assert len(values) == (2 if kind.startswith("per_model") else 1), name
            assert all(isinstance(each, kinds) for each in values), name


@pytest.mark.parametrize(
    ("winner", "score", "turned"), [("model_a", 1, -1), ("model_b", -1, 1), ("tie", 0, 0), ("both_bad", 0, 0)]
)
def test_sides_are_turned_so_that_a_is_always_the_same_model(run: Run, winner: str, score: int, turned: int):
    store(battle("b-1", "small", "large", winner), battle("b-2", "large", "small", winner))
    found = compared(run, "--pair", "small", "large")
    first, second = found["examples"]
    assert found["models"] == [{"name": "small"}, {"name": "large"}]
    assert (first["score"], second["score"]) == (score, turned)
    assert first["output_text_a"] == second["output_text_a"] == "I am small"
    assert (first["custom_fields"]["on_the_left"], second["custom_fields"]["on_the_left"]) == ("A", "B")
    assert [example["custom_fields"]["ttft_s"] for example in found["examples"]] == [[0.1, None], [None, 0.1]]
    won = {1: "A", -1: "B"}
    expected = [won.get(score, winner), won.get(turned, winner)]
    assert [example["custom_fields"]["winner"] for example in found["examples"]] == expected


def test_of_a_vote_and_its_corrections_the_one_that_stands_is_an_example(run: Run):
    book, first = VoteBook(FILE), battle("b-1", "small", "large")
    book.append(first, SPECS)
    book.append(battle("b-1", "small", "large", "tie", supersedes=first.vote_id), SPECS)
    book.append(battle("b-2", "small", "large"), SPECS, doubt="a doubt")
    found = compared(run)
    assert [(example["score"], example["custom_fields"]["counted"]) for example in found["examples"]] == [
        (0.0, "true"),
        (-1.0, "false"),
    ]
    assert [example["score"] for example in compared(run, "--counted-only")["examples"]] == [0.0]


def test_of_several_pairs_one_is_chosen(run: Run):
    store(battle("b-1", "small", "large"), battle("b-2", "small", "middle"), battle("b-3", "middle", "small"))
    code, out, err = run("--format", "llm-comparator")
    assert (code, out) == (2, b"")
    assert "--pair from: middle small (2 votes), large small (1 votes)" in err
    found = compared(run, "--pair", "small", "middle")
    assert [example["input_text"] for example in found["examples"]] == ["Who are you?"] * 2
    assert "no vote on small and other" in run("--format", "llm-comparator", "--pair", "small", "other")[2]


def test_texts_that_were_not_logged_are_said_to_be(run: Run):
    VoteBook(FILE, log_texts=False).append(battle("b-1", "small", "large"), SPECS)
    (example,) = compared(run)["examples"]
    assert "prompt not logged; its SHA-256 is" in example["input_text"]
    assert "answer not logged; its SHA-256 is" in example["output_text_a"]


@given(st.text(), st.text())
def test_llm_comparator_gets_any_text_as_it_was_cast(prompt: str, text: str):
    Path("votes/votes.csv").unlink(missing_ok=True)
    store(cast("b-1", f"I{text}", prompt=f"Q{prompt}"))
    (example,) = json.loads(b"".join(comparator.document([FILE])))["examples"]
    read = next(votes.read(FILE))
    assert (example["input_text"], example["output_text_a"]) == (read["prompt"], read["answer_b"])


def test_every_column_that_is_exported_is_one_of_the_votes_file():
    single = (*comparator.NUMBERS, "pacing", "blind", "counted", *comparator.STRINGS, *comparator.TEXTS)
    double = (*comparator.PER_MODEL_NUMBERS, *comparator.PER_MODEL_CATEGORIES)
    assert {*single, *(f"{name}_{side}" for name in double for side in "ab")} <= set(votes.COLUMNS)


# -- bad input --


@pytest.mark.parametrize("kind", ["csv", "llm-comparator"])
def test_a_file_that_is_missing_foreign_or_empty_is_a_sentence_and_nothing_is_written(run: Run, kind: str):
    FILE.parent.mkdir()
    Path("empty.csv").touch()
    Path("foreign.csv").write_text("a,b\n1,2\n")
    store(cast("b-1"))
    for path, words in (
        ("missing.csv", "does not exist"),
        ("foreign.csv", "not a votes file"),
        ("empty.csv", "no vote to export"),
    ):
        code, out, err = run("--format", kind, "--votes", path, "--out", "new.file")
        assert (code, out, err.count("\n"), words in err) == (2, b"", 1, True), err
        code, out, err = run("--format", kind, "--votes", str(FILE), "--votes", path, "--out", "new.file")
        assert code == (0 if path == "empty.csv" else 2)
        Path("new.file").unlink(missing_ok=path == "empty.csv") if path == "empty.csv" else None
        assert not Path("new.file").exists()
    assert Path("foreign.csv").read_text() == "a,b\n1,2\n"


def test_no_file_is_ever_overwritten(run: Run):
    store(cast("b-1"))
    before = FILE.read_bytes()
    Path("mine.txt").write_text("mine")
    for out in (str(FILE), "mine.txt"):
        code, _, err = run("--format", "csv", "--out", out)
        assert (code, "exists already" in err or "read as votes" in err) == (2, True)
    assert (FILE.read_bytes(), Path("mine.txt").read_text()) == (before, "mine")


def test_a_csv_among_the_votes_that_are_read_is_refused(run: Run):
    store(cast("b-1"))
    code, _, err = run("--format", "csv", "--votes", "votes", "--out", "votes/all.csv")
    assert (code, "read as votes from now on" in err) == (2, True)
    assert not Path("votes/all.csv").exists()
    assert run("--format", "llm-comparator", "--votes", "votes", "--out", "votes/all.json")[0] == 0


@pytest.mark.parametrize("out", ["nowhere/all.csv", "votes", "/dev/null/all.csv"])
def test_a_place_that_cannot_be_written_is_a_sentence(run: Run, out: str):
    store(cast("b-1"))
    code, _, err = run("--format", "csv", "--out", out)
    assert (code, err.count("\n"), out in err) == (2, 1, True), err


def test_a_full_disk_leaves_no_half_of_a_file(run: Run, monkeypatch: pytest.MonkeyPatch):
    store(cast("b-1"), cast("b-2"))

    def csv(*_: object, **__: object) -> Iterator[bytes]:
        yield b"half"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(table, "csv", csv)
    code, _, err = run("--format", "csv", "--out", "all.csv")
    assert (code, "all.csv: No space left on device. Nothing was exported." in err) == (2, True)
    assert not Path("all.csv").exists()


def test_a_reader_that_has_enough_is_no_error():
    store(*(cast(f"b-{n}", "word " * 5_000) for n in range(20)))
    command = f"{sys.executable} -m playground export --format csv | head -c 100"
    ended = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert (ended.returncode, len(ended.stdout), ended.stderr) == (0, 100, b"")
