"""The line about copies to the Hub: three states, two times, and nothing that could do harm."""

from __future__ import annotations

from playground.ui import copies
from playground.votes.sync import Status

MOMENT_S = 1_795_440_000.0


def test_before_the_first_copy_it_says_so():
    assert "none copied yet" in copies.line(Status("team/votes"))


def test_the_last_copy_is_a_time():
    said = copies.line(Status("team/votes", "ok", pushed_at=MOMENT_S))
    assert "last copied at 13:20:00 UTC" in said
    assert "<b" not in said


def test_a_rejection_and_what_could_not_be_checked_are_told_apart_and_keep_the_last_copys_time():
    for state, words in (("rejected", "rejected at"), ("unchecked", "could not check at")):
        said = copies.line(Status("team/votes", state, MOMENT_S, MOMENT_S + 60, "the Hub refused (403)."))
        assert f'class="{state}">{words} 13:21:00 UTC:</b> the Hub refused (403).' in said
        assert "last copied at 13:20:00 UTC" in said


def test_an_error_of_the_past_is_forgotten_when_a_copy_works():
    assert "refused" not in copies.line(Status("team/votes", "ok", MOMENT_S, MOMENT_S - 60, "the Hub refused (403)."))


def test_what_others_wrote_is_only_text():
    assert "<script>" not in copies.line(Status("team/votes", "unchecked", None, MOMENT_S, "<script>"))
