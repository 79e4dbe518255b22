"""How much of a preference is for style is found where it was put in, and nothing is said of it from a few votes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from playground import standings
from playground.standings import style, table
from tests.test_standings import EMPTY, Row, row

Numbers = Any


def logistic(odds: Numbers) -> Numbers:
    return 1 / (1 + np.exp(-odds))


def simulated(
    ability: list[float], effect: tuple[float, float], votes: int, seed: int, *, talk: list[float], voters: int = 0
) -> tuple[style.Votes, Numbers]:
    """Votes of people who like length and Markdown that much; `talk` is how long the answers of each model are (log).
    And the chance of a vote between each two, were style equal."""
    rng, models = np.random.default_rng(seed), len(ability)
    left = rng.integers(models, size=votes).astype(np.int32)
    right = ((left + rng.integers(1, models, size=votes)) % models).astype(np.int32)
    chars = [np.exp(6 + np.array(talk)[side] + 0.6 * rng.standard_normal(votes)) for side in (left, right)]
    marks = [rng.poisson(1 + 2 * np.array(talk)[side].clip(0)) for side in (left, right)]
    terms = np.stack([style.contrast(*chars), style.contrast(*marks)], axis=1)
    odds = np.array(ability)[left] - np.array(ability)[right] + terms @ np.array(effect)
    who = None
    if voters:
        who = rng.integers(voters, size=votes).astype(np.int32)
        taste = 0.8 * rng.standard_normal((voters, models))
        odds = odds + taste[who, left] - taste[who, right]
    won = rng.random(votes) < logistic(odds)
    met = np.bincount(left * models + right, minlength=models * models).reshape(models, models)
    met = met + met.T
    chance = logistic(np.subtract.outer(np.array(ability), np.array(ability)))
    return style.Votes(left, right, won, terms, who), (met * chance).sum(axis=1) / met.sum(axis=1)


def raw(votes: style.Votes, model: int) -> standings.Share:
    ours = (votes.left == model) | (votes.right == model)
    won = np.where(votes.left == model, votes.left_won, ~votes.left_won)
    found = style_free(int(won[ours].sum()), int(ours.sum()))
    assert found
    return found


def style_free(wins: int, total: int) -> standings.Share | None:
    from playground.standings.shares import wilson

    return wilson(wins, total)


def test_a_model_that_wins_by_length_alone_is_level_at_equal_length():
    votes, _ = simulated([0, 0], (2.5, 0.5), 1_000, seed=1, talk=[0.7, 0])
    shares, effect = style.level(votes, 2)
    assert raw(votes, 0).low > 0.6
    assert shares[0]
    assert shares[0].low < 0.5 < shares[0].high
    assert effect
    assert effect.longer.low > 0.5
    assert effect.longer.low <= logistic(2.5 / 3) <= effect.longer.high
    assert effect.marked.low <= logistic(0.5) <= effect.marked.high


def test_where_style_does_not_matter_shares_stay_as_they_are():
    votes, _ = simulated([0.8, 0, -0.3], (0, 0), 20_000, seed=2, talk=[0, 0, 0])
    shares, effect = style.level(votes, 3)
    for model, found in enumerate(shares):
        assert found
        assert found.value == pytest.approx(raw(votes, model).value, abs=0.005)
    assert effect
    assert effect.longer.low < 0.5 < effect.longer.high


@pytest.mark.parametrize(
    ("ability", "talk", "voters"),
    [([0.4, 0], [0.6, 0], 0), ([0.8, 0, -0.5], [0.8, 0, 0.3], 0), ([0.3, 0, 0], [0.5, 0, 0], 60)],
)
def test_intervals_hold_the_truth_about_as_often_as_they_say(ability: list[float], talk: list[float], voters: int):
    """95 % of 200, give or take three standard deviations; with tastes of voters the truth is a little nearer to half
    than the formula says, and intervals are a little narrow with so few voters."""
    held = 0
    for seed in range(200):
        votes, truth = simulated(ability, (1.5, 0.4), 400, seed, talk=talk, voters=voters)
        found = style.level(votes, len(ability))[0][0]
        assert found
        held += found.low <= truth[0] <= found.high
    assert 0.90 - 0.03 * bool(voters) <= held / 200 <= 0.995


def test_votes_of_one_voter_that_are_alike_widen_the_interval():
    votes, _ = simulated([0, 0], (0, 0), 2_000, seed=4, talk=[0, 0], voters=20)
    alone = style.Votes(votes.left, votes.right, votes.left_won, votes.terms, None)
    wide, narrow = (style.level(each, 2)[0][0] for each in (votes, alone))
    assert wide
    assert narrow
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_the_estimate_is_the_most_likely_one():
    """By another way to it: scipy's minimizer on the same likelihood with the same virtual draws."""
    votes, _ = simulated([0.5, 0, -0.5], (1, 1), 500, seed=5, talk=[0.3, 0, 0])

    def loss(values: Numbers) -> float:
        odds = values[votes.left] - values[votes.right] + votes.terms @ values[3:]
        draws = [values[0] - values[1], values[0] - values[2], values[1] - values[2], values[3], values[4]]
        unlikely = np.log1p(np.exp(np.where(votes.left_won, -odds, odds))).sum()
        return float(unlikely + 0.5 * sum(np.log1p(np.exp(one)) + np.log1p(np.exp(-one)) for one in draws))

    theirs = minimize(loss, np.zeros(5), tol=1e-10).x
    ours = style._fit(votes, 3).values
    assert ours[3:] == pytest.approx(theirs[3:], abs=1e-3)
    assert ours[:3] - ours[0] == pytest.approx(theirs[:3] - theirs[0], abs=1e-3)


def test_an_undefeated_model_has_a_finite_share_with_an_interval():
    votes, _ = simulated([40, 0], (0, 0), 150, seed=6, talk=[0, 0])
    found = style.level(votes, 2)[0][0]
    assert found
    assert 0.9 < found.low < 0.985 < found.value < found.high < 1


def test_contrasts():
    left, right = np.array([2.0, 0, 0, 5, np.nan]), np.array([1.0, 0, 4, 5, 1])
    assert style.contrast(left, right)[:4].tolist() == [pytest.approx(style.TWICE), 0, -1, 0]
    assert np.isnan(style.contrast(left, right)[4])


# -- through all of it --


def vote(n: int, won: str, chars: tuple[str, str], marks: tuple[str, str] = ("0", "0")) -> Row:
    cells = {"answer_chars_a": chars[0], "answer_chars_b": chars[1], "markdown_a": marks[0], "markdown_b": marks[1]}
    return row("talker", "terse", won, f"v{n % 40}", **cells)


def test_nothing_is_said_of_style_under_a_hundred_votes_or_where_texts_are_unknown():
    few = [vote(n, "model_a" if n % 3 else "model_b", ("200", "100")) for n in range(99)]
    assert standings.of(few).style is None
    unknown = [vote(n, "model_a", ("200", "100"), ("", "")) for n in range(200)]
    assert standings.of(unknown).style is None
    assert all(one.level_share is None for one in standings.of(unknown).models)
    assert "equal style" not in table.text(standings.of(few))


def test_with_a_hundred_both_shares_are_told():
    rng = np.random.default_rng(7)
    rows = []
    for n in range(300):
        long = rng.random() < 0.8
        liked = rng.random() < (0.8 if long else 0.2)  # whoever is longer is liked
        chars = ("400", "100") if long else ("100", "400")
        rows.append(vote(n, "model_a" if liked else "model_b", chars, ("3", "1")))
    found = standings.of(rows)
    talker = next(one for one in found.models if one.model == "talker")
    assert talker.share
    assert talker.share.low > 0.55
    assert talker.level_share
    assert talker.level_share.low < 0.5 < talker.level_share.high
    assert found.style
    assert found.style.votes == 300
    said = table.text(found)
    assert "at equal style (95 %)" in said.splitlines()[0]
    assert "an answer twice as long won" in said
    assert "(over 300 decisive votes)" in said
    assert EMPTY["markdown_a"] == ""


@pytest.mark.parametrize(("left", "right"), [("talker", "terse"), ("terse", "talker")])
def test_sides_do_not_matter(left: str, right: str):
    rng = np.random.default_rng(8)
    rows: list[Row] = []
    for _ in range(200):
        won, long = rng.random() < 0.6, rng.random() < 0.5
        names = {"talker": "300" if long else "100", "terse": "150"}
        winner = "model_a" if won == (left == "talker") else "model_b"
        cells = {"answer_chars_a": names[left], "answer_chars_b": names[right], "markdown_a": "0", "markdown_b": "0"}
        rows.append(row(left, right, winner, **cells))
    found = {one.model: one.level_share for one in standings.of(rows).models}
    assert found["talker"]
    assert found["talker"].value == pytest.approx(0.598, abs=0.03)
    assert found["terse"]
    assert found["talker"].value + found["terse"].value == pytest.approx(1)
