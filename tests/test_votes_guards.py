"""Whose vote counts, how one is taken back, and what is kept when texts are not."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from playground import votes
from playground.errors import VoteError
from playground.types import Comparison, Timing
from playground.votes import Limits, VoteBook, guards, rows
from playground.votes.guards import Past
from tests.fakes import answer, comparison
from tests.voting import SPECS, cast

FILE = Path("votes.csv")
LIMITS = Limits(votes_per_minute=2, same_prompt_per_hour=3)


class Clock:
    """Goes on when told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def last() -> dict[str, str]:
    return list(votes.read(FILE))[-1]


def both(chars: int, total_s: float | None, pacing: str = "together") -> Comparison:
    side = answer("small", "x" * chars, timing=Timing(total_s=total_s))
    return replace(comparison(side, side), pacing=pacing)


# -- guards --


def test_more_votes_a_minute_than_a_person_casts_are_kept_and_not_counted():
    clock = Clock()
    book = VoteBook(FILE, limits=LIMITS, clock=clock)
    for number in range(3):
        book.append(cast(f"b-{number}", voter="v", prompt=f"{number}"), SPECS)
    assert last()["counted"] == "false"
    assert last()["not_counted_reason"] == "more than 2 votes in a minute"
    assert last()["checks"] == "rate:rejected haste:unchecked repeats:ok"
    book.append(cast("b-other", voter="w"), SPECS)
    assert last()["counted"] == "true"
    clock.now_s = 61
    book.append(cast("b-later", voter="v"), SPECS)
    assert last()["counted"] == "true"


def test_one_prompt_over_and_over_by_one_voter_is_kept_and_not_counted():
    clock = Clock()
    book = VoteBook(FILE, limits=LIMITS, clock=clock)
    for number in range(4):
        clock.now_s = 100.0 * number
        book.append(cast(f"b-{number}", voter="v"), SPECS)
    assert last()["not_counted_reason"] == "the same prompt more than 3 times in an hour"
    clock.now_s = 5_000
    book.append(cast("b-later", voter="v"), SPECS)
    assert last()["counted"] == "true"


def test_what_cannot_be_checked_counts_and_says_so():
    book = VoteBook(FILE, limits=LIMITS)
    for number in range(9):
        book.append(cast(f"b-{number}"), SPECS)
    assert last()["counted"] == "true"
    assert last()["checks"] == "rate:unchecked haste:unchecked repeats:unchecked"


@pytest.mark.parametrize(
    ("told", "decision_s", "state"),
    [
        (both(4, 1.0), None, "unchecked"),
        (both(4, 1.0), 0.1, "rejected"),  # nobody reacts within a tenth of a second
        (both(4, 1.0), 0.5, "ok"),
        (both(4, None), 0.5, "unchecked"),
        (both(4_000, 0.5), 1.0, "rejected"),
        (both(4_000, 0.5), 2.5, "ok"),  # after three seconds one can tell, however long the answers are
        (both(4_000, 5.0), 0.5, "ok"),  # they were read while they grew
        (both(4_000, 1.0, "in_turn"), 0.9, "rejected"),
        (both(4_000, 1.3, "in_turn"), 0.5, "ok"),  # in turn there is time for both
        (both(150, 0.5), 1.0, "ok"),
    ],
)
def test_a_vote_faster_than_a_person_reads_is_told(told: Comparison, decision_s: float | None, state: str):
    assert guards.haste(told, decision_s, Limits()).state == state


def test_a_hasty_vote_says_how_hasty():
    book = VoteBook(FILE)
    book.append(cast("b-1", decision_s=0.05), SPECS)
    assert last()["not_counted_reason"] == "voted 0.05 s after the answers, faster than a person reacts"


def test_a_doubt_of_the_caller_and_a_failed_side_are_both_told():
    failed = comparison(replace(answer("small"), status="failed"))
    VoteBook(FILE).append(votes.new("tie", failed, prompt=""), SPECS, "a model named itself")
    assert last()["not_counted_reason"] == "left failed; a model named itself"


def test_voters_of_the_last_hour_only_are_remembered():
    memory = guards.Memory()
    memory.add("v", Past(0.0, "p"))
    memory.add("", Past(0.0, "p"))
    assert len(memory.of("v", 3_599)) == 1
    assert len(memory.of("v", 3_600)) == 0
    assert memory._past == {}


def test_voters_who_never_come_back_are_forgotten():
    memory = guards.Memory()
    for number in range(5_000):
        memory.add(f"v{number}", Past(10.0 * number, "p"))
    assert len(memory._past) <= 1_001
    assert len(memory.of("v4999", 50_000)) == 1


# -- taking back --


def test_a_vote_taken_back_is_a_row_that_supersedes_it_and_the_comparison_can_be_voted_on_again():
    book, vote = VoteBook(FILE), cast("b-1")
    book.append(vote, SPECS)
    undo = book.take_back(vote, SPECS)
    assert not book.voted("b-1")
    row = last()
    assert (row["supersedes"], row["winner"], row["counted"]) == (vote.vote_id, "model_a", "false")
    assert row["not_counted_reason"] == "taken back"
    with pytest.raises(VoteError, match="taken back already"):
        book.take_back(undo, SPECS)
    book.append(cast("b-1", winner="tie"), SPECS)
    assert book.voted("b-1")
    assert len(list(votes.read(FILE))) == 3


def test_a_correction_names_the_last_vote_of_its_comparison():
    book, vote = VoteBook(FILE), cast("b-1")
    book.append(vote, SPECS)
    correction = cast("b-1", winner="model_b", supersedes=vote.vote_id)
    book.append(correction, SPECS)
    assert last()["supersedes"] == vote.vote_id
    assert book.voted("b-1")
    for stale in (vote.vote_id, "made up"):
        with pytest.raises(VoteError, match="not this comparison's last one"):
            book.append(cast("b-1", supersedes=stale), SPECS)
    with pytest.raises(VoteError, match="not this comparison's last one"):
        book.append(cast("b-2", supersedes=vote.vote_id), SPECS)
    with pytest.raises(VoteError, match="its vote already"):
        book.append(cast("b-1"), SPECS)


def test_a_correction_is_not_one_vote_more_of_the_minute():
    book = VoteBook(FILE, limits=LIMITS)
    first, second = cast("b-1", voter="v"), cast("b-2", voter="v", prompt="else")
    book.append(first, SPECS)
    book.append(second, SPECS)
    book.append(cast("b-2", voter="v", supersedes=second.vote_id), SPECS)
    assert last()["counted"] == "true"


def test_a_vote_that_could_not_be_taken_back_still_stands(monkeypatch: pytest.MonkeyPatch):
    book, vote = VoteBook(FILE), cast("b-1")
    book.append(vote, SPECS)
    kept = FILE.read_bytes()
    FILE.unlink()
    FILE.mkdir()
    with pytest.raises(VoteError, match="NOT stored"):
        book.take_back(vote, SPECS)
    assert book.voted("b-1")
    FILE.rmdir()
    FILE.write_bytes(kept)
    book.take_back(vote, SPECS)
    assert not book.voted("b-1")


# -- texts --


def test_without_texts_their_hashes_and_lengths_stay():
    book = VoteBook(FILE, log_texts=False)
    both = comparison(answer("small", "secret answer", reasoning="secret thought"))
    vote = votes.new("tie", both, prompt="secret prompt", system="secret system", reason="secret reason")
    book.append(vote, SPECS)
    assert b"secret" not in FILE.read_bytes()
    row = last()
    assert {row[name] for name in rows.TEXTS} == {""}
    assert row["prompt_sha256"] == hashlib.sha256(b"secret prompt").hexdigest()
    assert row["answer_sha256_a"] == hashlib.sha256(b"secret answer").hexdigest()
    assert [row[f"{name}_chars"] for name in ("prompt", "system")] == ["13", "13"]
    assert (row["answer_chars_a"], row["reasoning_chars_a"], row["reasoning_chars_b"]) == ("13", "14", "0")


def test_a_hundred_kilobytes_of_reason_are_cut_with_a_mark_and_the_vote_is_stored():
    VoteBook(FILE).append(cast("b-1", reason="why " * 25_600), SPECS)
    reason = last()["reason"]
    assert reason.startswith("why why")
    assert reason.endswith("… [cut: 102400 characters]")
    assert len(reason) < 2_100


def test_a_clock_that_is_set_back_changes_no_vote_and_no_order(monkeypatch: pytest.MonkeyPatch):
    book = VoteBook(FILE)
    for number, day in enumerate(("2026-11-23", "2026-11-01")):
        monkeypatch.setattr(rows, "_now", lambda day=day: f"{day}T00:00:00.000Z")
        book.append(cast(f"b-{number}", voter="v"), SPECS)
    assert [row["voted_at"][:10] for row in votes.read(FILE)] == ["2026-11-23", "2026-11-01"]
    assert last()["checks"] == "rate:ok haste:unchecked repeats:ok"
