"""Which hidden models meet: every pair as often as it should, at either side, with those that can be asked."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from playground.arena import Arena, width
from playground.errors import PromptError, VoteError
from playground.standings import Pair
from playground.types import ModelSpec

MODELS = [ModelSpec(key, key.title(), "replay", reads_images=key != "text") for key in ("text", "one", "two", "three")]


def pair(model: str, other: str, wins: int, losses: int) -> Pair:
    return Pair(model, other, wins, losses, 0, 0)


def test_every_pair_and_both_sides_are_drawn_alike() -> None:
    arena = Arena(MODELS, chance=random.Random(1))
    drawn = Counter(tuple(arena.draw(False).models.values()) for _ in range(12_000))
    assert len(drawn) == 12
    assert all(900 < number < 1100 for number in drawn.values()), drawn  # 1,000 each, and three sigma are 91
    assert set(arena.rates().values()) == {1 / 6}


def test_pictures_go_to_pairs_that_both_see() -> None:
    arena = Arena(MODELS)
    assert all("text" not in arena.draw(True).models.values() for _ in range(50))
    assert all("text" not in drawn for drawn in arena.rates(images=True))


def test_when_no_two_see_that_is_said_of_all_and_of_no_pair() -> None:
    with pytest.raises(PromptError, match="No two of the hidden models read images") as caught:
        Arena(MODELS[:2]).draw(True)
    assert not any(spec.title in str(caught.value) or spec.key in str(caught.value).split() for spec in MODELS[:2])
    with pytest.raises(PromptError, match="needs two models"):
        Arena(MODELS[:1]).draw(False)


def test_the_pair_that_is_least_sure_is_drawn_most() -> None:
    votes = [pair("one", "text", 50, 50), pair("two", "text", 5, 5), pair("one", "two", 500, 500)]
    arena = Arena(MODELS, lambda: votes, random.Random(1))
    arena.refresh()
    rates = arena.rates()
    assert sum(rates.values()) == pytest.approx(1)
    unknown = rates["one", "three"]
    assert unknown == rates["two", "three"] == rates["text", "three"], "nothing is known of these"
    assert unknown > rates["text", "two"] > rates["text", "one"] > rates["one", "two"] > 0
    assert rates["text", "one"] / unknown == pytest.approx(width(votes[0]))
    arena = Arena(MODELS[:3], lambda: votes, random.Random(1))
    arena.refresh()
    drawn = Counter(frozenset(arena.draw(False).models.values()) for _ in range(10_000))
    for (first, second), rate in arena.rates().items():
        assert drawn[frozenset((first, second))] / 10_000 == pytest.approx(rate, abs=0.02)


def test_a_tie_is_not_a_decisive_vote_and_narrows_nothing() -> None:
    assert width(Pair("one", "two", 0, 0, 500, 3)) == 1.0


def test_votes_that_cannot_be_read_leave_the_rates_as_they_were(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> list[Pair]:
        raise VoteError("The file is another program's.")

    arena = Arena(MODELS, broken)
    arena.refresh()
    assert set(arena.rates().values()) == {1 / 6}
    assert "another program's" in caplog.text
