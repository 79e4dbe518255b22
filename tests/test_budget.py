"""What visitors may spend in a day: reserved before, counted after, of each and of all, refused in words."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground import budget, parts
from playground.budget import DAY_S, SHORTEST_ANSWER, USUAL_ANSWER, Budget, Limits, Want
from playground.errors import EngineError, ForbiddenError, UsageError
from playground.parts import Parts, Question
from playground.policy import OWNER, Person
from playground.settings import Settings
from playground.types import SIDES, Answer, Comparison, Message, Prompt, Sampling, Stamps, Usage
from playground.ui.casting import Ask
from playground.ui.visit import Visit
from tests.fakes import ScriptedEngine, stand_in
from tests.following import ended

ADA, BOB = Person(name="ada"), Person(name="bob")
TWO = [Want(100, 500), Want(100, 500)]


def test_a_limit_is_read_from_words_and_what_is_none_is_told():
    assert budget.parse("requests=10, all-tokens=5000") == Limits(requests=10, all_tokens=5000)
    assert budget.parse("none") == budget.parse("") == Limits()
    assert budget.parse(budget.DEFAULT) == Limits(100, 200_000, 2_000, 2_000_000)
    for wrong in ("requests", "requests=-1", "requests=many", "answers=3", "none,requests=1"):
        with pytest.raises(UsageError, match=r"is not a limit\. Write requests=100"):
            budget.parse(wrong)


def test_what_was_reserved_gives_way_to_what_was_used():
    found = Budget(Limits(requests=10, tokens=2000))
    kept = found.reserve("ada", TWO)
    assert (found.left("ada").requests, found.left("ada").tokens) == (8, 800)
    kept.settle(2, 350)
    assert (found.left("ada").requests, found.left("ada").tokens) == (8, 1650)
    kept.settle(0, 0)  # once
    assert found.left("ada").tokens == 1650
    assert (found.left("bob").requests, found.left("bob").tokens) == (10, 2000)


def test_requests_that_are_used_up_are_refused_with_the_time_at_which_they_begin_anew():
    now = [1.5 * DAY_S]
    found = Budget(Limits(requests=3), lambda: now[0])
    found.reserve("ada", TWO).settle(2, 10)
    with pytest.raises(
        ForbiddenError, match=r"for you has 1 answers left, and this needs 2.*00:00 UTC, in 12 h;.*--budget"
    ):
        found.reserve("ada", TWO)
    found.reserve("ada", TWO[:1])
    found.reserve("bob", TWO)
    now[0] += DAY_S / 2
    assert found.left("ada").requests == 3


def test_what_all_have_spent_together_is_refused_to_each():
    found = Budget(Limits(requests=4, all_requests=4))
    found.reserve("ada", TWO)
    found.reserve("bob", TWO)
    assert found.left("eve").by_all
    with pytest.raises(ForbiddenError, match="for all visitors has 0 answers left"):
        found.reserve("eve", TWO)


def test_answers_share_what_tokens_are_left_alike_and_nothing_is_asked_for_a_few():
    found = Budget(Limits(tokens=1000))
    kept = found.reserve("ada", TWO)
    assert (kept.answers, kept.shortened) == ((400, 400), True)
    assert found.left("ada").tokens == 0
    kept.settle(2, 750)
    with pytest.raises(ForbiddenError, match="for you has about 0 tokens left, and this needs more"):
        found.reserve("ada", TWO)
    short = found.reserve("ada", [Want(100, 20)])  # somebody who asks for little gets it
    assert (short.answers, short.shortened) == ((20,), False)


def test_an_answer_without_a_limit_gets_the_usual_one_within_its_context():
    found = Budget(Limits(tokens=100_000))
    kept = found.reserve("ada", [Want(100, None), Want(100, None, 1100), Want(100, None, 100), Want(100, 9000)])
    assert kept.answers == (USUAL_ANSWER, 1000, SHORTEST_ANSWER, 9000)
    assert Budget(Limits(requests=9)).reserve("ada", [Want(100, None)]).answers == (None,)


def test_what_ends_on_the_next_day_takes_nothing_of_it():
    now = [DAY_S - 1.0]
    found = Budget(Limits(requests=5, tokens=5000), lambda: now[0])
    kept = found.reserve("ada", TWO)
    now[0] += 2
    kept.settle(2, 300)
    assert (found.left("ada").requests, found.left("ada").tokens) == (5, 5000)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 300), st.integers(1, 400), st.floats(0, 1)), max_size=40)
)
def test_no_order_of_questions_spends_more_than_was_set(questions: list[tuple[str, int, int, float]]):
    limits = Limits(requests=7, tokens=1500, all_requests=11, all_tokens=2500)
    found, spent = Budget(limits, lambda: 0.0), {"a": [0, 0], "b": [0, 0]}
    for name, prompt, answer, share in questions:
        try:
            kept = found.reserve(name, [Want(prompt, answer)])
        except ForbiddenError:
            continue
        used = prompt + int(share * (kept.answers[0] or 0))
        kept.settle(1, used)
        spent[name] = [spent[name][0] + 1, spent[name][1] + used]
    assert all(requests <= 7 and tokens <= 1500 for requests, tokens in spent.values())
    assert sum(requests for requests, _ in spent.values()) <= 11
    assert sum(tokens for _, tokens in spent.values()) <= 2500


def test_many_at_once_do_not_spend_the_same_request():
    found, got, start = Budget(Limits(requests=10)), [], threading.Barrier(8)

    def ask() -> None:
        start.wait()
        for _ in range(5):
            try:
                got.append(found.reserve("ada", [Want(1, 1)]))
            except ForbiddenError:
                return

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 10


SENT = Stamps(sent_s=1.0)


@pytest.mark.parametrize(
    ("answer", "cost"),
    [
        (Answer("m", "done", "x" * 30, stamps=SENT, usage=Usage(70, 5, 6, source="server")), (1, 81)),
        (Answer("m", "done", "x" * 30, stamps=SENT), (1, 50)),
        (Answer("m", "stopped", "x" * 30, stamps=SENT, usage=Usage(undivided_tokens=9)), (1, 49)),
        (Answer("m", "stopped"), (1, 40)),
        (Answer("m", "failed", stamps=SENT), (1, 40)),
        (Answer("m", "failed"), (0, 0)),
    ],
)
def test_an_answer_costs_what_was_counted_and_else_what_it_looks_like(answer: Answer, cost: tuple[int, int]):
    assert budget.cost(answer, 40) == cost


def test_what_is_left_is_said_in_steps_that_tell_no_models_tokenizer():
    found = Budget(Limits(requests=100, tokens=20_000), lambda: DAY_S - 7200.0)
    found.reserve("ada", TWO).settle(2, 1_001)
    said = budget.words(found.left("ada"), found.limits, found.reset_s())
    assert said == (
        "Left for you today: 98 of 100 answers and 18,000 of 20,000 tokens; it begins anew at 00:00 UTC, in 2 h."
    )
    assert budget.words(Budget().left("ada"), Limits(), 1.0) == ""


# --- in the app -------------------------------------------------------------------------------------------------------

ROWS = "".join(
    f'[[model]]\nkey = "{key}"\ntitle = "{key.title()}"\nengine = "openai"\nbase_url = "http://example.invalid"\n'
    for key in ("quick", "slow")
)
COUNTED = Usage(prompt_tokens=10, answer_tokens=20, source="server")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Parts]:
    (tmp_path / "models.toml").write_text(ROWS, encoding="utf-8")
    made = parts.assemble(
        Settings(
            left="quick",
            right="slow",
            models=tmp_path / "models.toml",
            cache=tmp_path / "cache",
            votes=tmp_path / "votes.csv",
            prompts=tmp_path / "none",
            budget=Limits(requests=5, tokens=2000),
        )
    )
    yield made
    made.pool.close()


def scripted(house: Parts, **about: object) -> dict[str, ScriptedEngine]:
    """Both models, with the specs of their rows, since what is free goes by these."""
    engines = {key: ScriptedEngine(key, usage=COUNTED, **about) for key in ("quick", "slow")}
    for key, engine in engines.items():
        engine.spec = house.catalog.row(key)
    stand_in(house.pool, engines)
    return engines


def asking(**changes: object) -> Ask:
    nothing = dict.fromkeys(SIDES, Sampling())
    ask = Ask(Prompt("Hello?"), {"left": "quick", "right": "slow"}, "together", dict.fromkeys(SIDES, ""), nothing)
    return replace(ask, **changes)


def test_a_visitors_answers_are_limited_counted_and_voted_on_as_they_were_sent(house: Parts):
    engines, visit = scripted(house), Visit(house)
    visit.start(asking(), by=ADA)
    ended(visit)
    sent = {engine.asked[0][1].max_tokens for engine in engines.values()}
    assert len(sent) == 1
    (most,) = sent
    assert most is not None
    assert most < 1000
    assert visit.ask is not None
    assert {visit.ask.sampling[side].max_tokens for side in SIDES} == sent
    assert visit.comparison is not None
    assert "Its length is what today's budget leaves" in visit.comparison.left.notice
    assert (house.budget.left("ada").requests, house.budget.left("ada").tokens) == (3, 2000 - 60)
    assert house.budget.left("bob").requests == 5


def test_a_retry_is_one_request_and_when_none_is_left_nothing_is_sent(house: Parts):
    engines, visit = scripted(house), Visit(house)
    for _ in range(2):
        visit.start(asking(), by=ADA)
        ended(visit)
    visit.retry("left", by=ADA)
    ended(visit)
    assert house.budget.left("ada").requests == 0
    asked = {key: len(engine.asked) for key, engine in engines.items()}
    with pytest.raises(ForbiddenError, match="for you has 0 answers left"):
        visit.retry("left", by=ADA)
    with pytest.raises(ForbiddenError, match="for you has 0 answers left"):
        visit.start(asking(), by=ADA)
    assert {key: len(engine.asked) for key, engine in engines.items()} == asked
    visit.start(asking(), by=BOB)
    ended(visit)


def test_the_owner_has_no_budget_and_what_was_asked_is_sent_unchanged(house: Parts):
    engines, visit = scripted(house), Visit(house)
    for _ in range(4):
        visit.start(asking(), by=OWNER)
        ended(visit)
    assert {sampling.max_tokens for engine in engines.values() for _, sampling in engine.asked} == {None}
    assert visit.ask is not None
    assert visit.ask.sampling == asking().sampling


def test_a_side_that_fails_before_it_is_sent_is_given_back(house: Parts):
    engines, visit = scripted(house), Visit(house)
    engines["quick"].ready, engines["quick"]._loading = False, (EngineError("It does not start."),)
    visit.start(asking(), by=ADA)
    ended(visit)
    assert visit.comparison is not None
    assert visit.comparison.left.status == "failed"
    assert (house.budget.left("ada").requests, house.budget.left("ada").tokens) == (4, 2000 - 30)


def test_what_one_stops_is_counted(house: Parts):
    gate = threading.Event()
    scripted(house, script=((0.0, "x" * 300), gate))
    visit = Visit(house)
    visit.start(asking(), by=ADA)
    visit.stop()
    ended(visit)
    left = house.budget.left("ada")
    assert left.requests == 3
    assert left.tokens is not None
    assert 1000 < left.tokens < 2000


def test_a_race_tells_the_budget_its_end_once(house: Parts):
    scripted(house)
    ends: list[Comparison] = []
    race = house.race(Message("user", "?"), {side: Question("quick", by=ADA) for side in SIDES}, "together")
    kept, race._account = race._account, lambda done: ends.append(done)
    for _ in race.snapshots():
        pass
    assert [each.final for each in ends] == [True]
    kept(ends[0])
    kept(ends[0])
    assert house.budget.left("ada").tokens == 2000 - 60


def test_a_recording_is_free_unless_it_is_hidden(house: Parts):
    engines = scripted(house)
    for engine in engines.values():
        engine.spec = replace(engine.spec, engine="replay")
    for hidden, left in ((False, 5), (True, 3)):
        questions = {side: Question("quick", by=ADA, hidden=hidden) for side in SIDES}
        for _ in house.race(Message("user", "?"), questions, "together").snapshots():
            pass
        assert house.budget.left("ada").requests == left
