"""What is seen of a comparison before a blind vote: what both say, and nothing that tells who says it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground import blind
from playground.types import SIDES, Answer, Comparison, Loading, Memory, Stamps, Status, Timing, Usage

texts = st.text(max_size=20)
numbers = st.none() | st.floats(0, 1e6)
counts = st.none() | st.integers(0, 10_000)


def answers(model: str) -> st.SearchStrategy[Answer]:
    """Any answer, all of it filled."""
    return st.builds(
        Answer,
        model=st.just(model),
        status=st.sampled_from(get_args(Status)),
        text=texts,
        reasoning=texts,
        error=texts,
        notice=texts,
        finish_reason=texts,
        loading=st.none() | st.builds(Loading, texts, counts, counts),
        cold=st.booleans(),
        contended=st.booleans(),
        elsewhere=st.booleans(),
        images_sent=st.integers(0, 3),
        load_s=numbers,
        stamps=st.builds(Stamps, numbers, numbers, numbers, numbers, st.integers(0, 9)),
        timing=st.builds(Timing, numbers, numbers),
        usage=st.builds(Usage, counts, counts, counts),
        memory=st.builds(Memory, counts, counts),
        server=st.dictionaries(texts, st.floats(0, 9), max_size=2),
    )


@given(answers("small"), answers("large"))
def test_only_what_is_said_and_whether_it_has_ended_passes_the_seal(left: Answer, right: Answer) -> None:
    seen = blind.sealed(Comparison("b", "in_turn", "left", left, right))
    for side, answer in zip(SIDES, (left, right), strict=True):
        shown = seen.side(side)
        assert (shown.text, shown.final) == (answer.text, answer.final)
        blank = Answer("", status=shown.status, text=shown.text, error=shown.error, loading=shown.loading)
        assert shown == blank, [f.name for f in fields(Answer) if getattr(shown, f.name) != getattr(blank, f.name)]
        assert shown.error in ("", blind.FAILED)
        assert shown.loading in (None, blind.AT_WORK)


@given(answers("small"), answers("large"))
def test_two_models_that_say_the_same_cannot_be_told_apart(left: Answer, right: Answer) -> None:
    right = replace(right, text=left.text, status=left.status)
    seen = blind.sealed(Comparison("b", "in_turn", "left", left, right))
    assert seen.left == seen.right


@pytest.mark.parametrize("status", ["waiting", "loading", "reading", "thinking"])
def test_waiting_loading_and_thinking_look_alike(status: Status) -> None:
    reading = blind.sealed(Comparison("b", "together", "left", Answer("m", status="reading"), Answer("n")))
    seen = blind.sealed(Comparison("b", "together", "left", Answer("m", status=status), Answer("n")))
    assert seen == reading


@given(answers("small"), answers("large"))
def test_answers_are_withheld_until_both_have_ended(left: Answer, right: Answer) -> None:
    now = Comparison("b", "in_turn", "left", left, right)
    seen = blind.withheld(now)
    if now.final:
        assert seen is now
        return
    assert not seen.final
    for side in SIDES:
        shown = seen.side(side)
        assert shown == Answer(now.side(side).model, status="reading", loading=blind.AT_WORK)
