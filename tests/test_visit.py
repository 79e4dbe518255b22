"""What one browser tab does, without a browser: conversations, retries, votes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from playground import parts, votes
from playground.errors import PromptError, VoteError
from playground.parts import Parts
from playground.settings import Settings
from playground.types import SIDES, Prompt, Sampling, Side
from playground.ui.casting import Ask
from playground.ui.live import Feeds
from playground.ui.pace import Pace
from playground.ui.visit import UNWATCHED_S, Visit, Visitors
from tests.fakes import ScriptedEngine, stand_in
from tests.following import ended, follow
from tests.patience import LIMIT_S

ROWS = "".join(
    f'[[model]]\nkey = "{key}"\ntitle = "{key.title()}"\nengine = "openai"\nbase_url = "http://example.invalid"\n'
    for key in ("quick", "slow")
)
NOTHING = Sampling()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Parts]:
    (tmp_path / "models.toml").write_text(ROWS, encoding="utf-8")
    settings = Settings(left="quick", right="slow", models=tmp_path / "models.toml", cache=tmp_path / "cache",
                        votes=tmp_path / "votes.csv", prompts=tmp_path / "none")  # fmt: skip
    made = parts.assemble(settings)
    yield made
    made.pool.close()


def with_engines(house: Parts, **engines: ScriptedEngine) -> Visit:
    """A visit whose models are these scripted engines."""
    stand_in(house.pool, engines)
    return Visit(house)


def asking(text: str, **changes: object) -> Ask:
    models: dict[Side, str] = {"left": "quick", "right": "slow"}
    ask = Ask(Prompt(text), models, "together", dict.fromkeys(SIDES, ""), dict.fromkeys(SIDES, NOTHING))
    return replace(ask, **changes)


def run(visit: Visit) -> None:
    ended(visit)


def test_each_side_remembers_its_own_words(house: Parts) -> None:
    quick, slow = ScriptedEngine("quick", [(0.0, "From quick.")]), ScriptedEngine("slow", [(0.0, "From slow.")])
    visit = with_engines(house, quick=quick, slow=slow)
    for text in ("First?", "Second?"):
        visit.start(asking(text))
        run(visit)
    said = [[(message.role, message.text) for message in engine.asked[-1][0]] for engine in (quick, slow)]
    assert said[0] == [("user", "First?"), ("assistant", "From quick."), ("user", "Second?")]
    assert said[1] == [("user", "First?"), ("assistant", "From slow."), ("user", "Second?")]
    assert visit.turn == 2


def test_a_side_that_said_nothing_forgets_the_question_so_that_roles_alternate(house: Parts) -> None:
    quick = ScriptedEngine("quick", [PromptError("no")])
    visit = with_engines(house, quick=quick, slow=ScriptedEngine("slow"))
    for text in ("First?", "Second?"):
        visit.start(asking(text))
        run(visit)
    assert [message.text for message in quick.asked[-1][0]] == ["Second?"]


def test_another_model_begins_a_new_conversation(house: Parts) -> None:
    quick = ScriptedEngine("quick")
    visit = with_engines(house, quick=quick, slow=ScriptedEngine("slow"))
    visit.start(asking("First?"))
    run(visit)
    visit.start(asking("Second?", models={"left": "slow", "right": "quick"}))
    run(visit)
    assert [message.text for message in quick.asked[-1][0]] == ["Second?"]
    assert visit.turn == 1


def test_a_system_prompt_and_sampling_of_one_side_reach_that_side_only(house: Parts) -> None:
    quick, slow = ScriptedEngine("quick"), ScriptedEngine("slow")
    visit = with_engines(house, quick=quick, slow=slow)
    sampling = {"left": Sampling(temperature=0.5), "right": NOTHING}
    visit.start(asking("Hi", system={"left": "Be brief.", "right": ""}, sampling=sampling))
    run(visit)
    assert [message.role for message in quick.asked[0][0]] == ["system", "user"]
    assert [message.role for message in slow.asked[0][0]] == ["user"]
    assert (quick.asked[0][1].temperature, slow.asked[0][1].temperature) == (0.5, None)


def test_nothing_new_starts_while_an_answer_is_written(house: Parts) -> None:
    gate = threading.Event()
    visit = with_engines(house, quick=ScriptedEngine("quick", [(0.0, "a"), gate]), slow=ScriptedEngine("slow"))
    visit.start(asking("First?"))
    with pytest.raises(PromptError, match="press Stop"):
        visit.start(asking("Second?"))
    with pytest.raises(PromptError, match="press Stop"):
        visit.retry("left")
    with pytest.raises(VoteError, match="must be finished"):
        visit.vote("tie")
    gate.set()
    run(visit)
    visit.vote("tie")
    assert visit.winner == "tie"


def test_a_prompt_that_is_refused_changes_nothing(house: Parts) -> None:
    visit = with_engines(house, quick=ScriptedEngine("quick"), slow=ScriptedEngine("slow"))
    visit.start(asking("First?"))
    run(visit)
    before = visit.comparison
    with pytest.raises(PromptError, match="empty"):
        visit.start(asking("  "))
    assert visit.comparison is before
    assert visit.turn == 1


ENDLESS = [(0.01, f"word{n} ") for n in range(2000)]


def test_when_no_page_follows_any_more_the_work_stops_and_the_tab_can_ask_again(house: Parts) -> None:
    quick, slow = ScriptedEngine("quick", ENDLESS), ScriptedEngine("slow", ENDLESS)
    visit = with_engines(house, quick=quick, slow=slow)
    now_s = 0.0
    visit.clock = lambda: now_s
    visit.start(asking("First?"))
    for now in follow(visit):
        if now.left.text and now.right.text:
            break
    now_s = UNWATCHED_S + 1
    assert quick.aborted.wait(LIMIT_S)
    assert slow.aborted.wait(LIMIT_S)
    assert ended(visit).left.status == "stopped"
    visit.start(asking("Second?"))
    visit.stop()


def test_a_page_that_is_loaded_again_in_time_takes_its_comparison_up(house: Parts) -> None:
    with_engines(house, quick=ScriptedEngine("quick", ENDLESS), slow=ScriptedEngine("slow", ENDLESS))
    visitors = Visitors(house)
    visit = visitors.of("before")
    visit.start(asking("First?"))
    visit.ticket = "ticket"
    assert visitors.resume("another", "after") is None
    assert visitors.resume("", "after") is None
    with visit.watched():
        assert visitors.resume("ticket", "copy") is None, "the page is open still, in another tab"
    assert visitors.resume("ticket", "after") is visit
    assert visitors.of("after") is visit
    assert visitors.of("before") is not visit
    assert not visit.ended
    visit.stop()
    visitors.of("new").start(asking("Second?"))
    assert visitors.resume("ticket", "new") is None, "what this page has asked already is not thrown away"
    visitors.of("new").stop()


def test_only_so_many_conversations_are_kept_and_none_that_is_running_is_forgotten(
    house: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("playground.ui.visit.MOST_VISITS", 3)
    with_engines(house, quick=ScriptedEngine("quick", ENDLESS), slow=ScriptedEngine("slow", ENDLESS))
    visitors = Visitors(house)
    busy = visitors.of("busy")
    busy.start(asking("First?"))
    others = [visitors.of(name) for name in ("one", "two")]
    visitors.of("one")
    visitors.of("three")
    assert visitors.of("busy") is busy
    assert visitors.of("one") is others[0]
    assert visitors.of("two") is not others[1], "the one not used longest is forgotten"
    busy.stop()


@pytest.mark.parametrize(
    ("changes", "every_s"),
    [({}, None), ({"pacing": "in_turn"}, None), ({"hold": True}, 0.5), ({"pacing": "in_turn", "hold": True}, 0.5)],
)
def test_the_page_is_updated_as_often_as_its_settings_ask(
    house: Parts, changes: dict[str, object], every_s: float | None
) -> None:
    visit = with_engines(house, quick=ScriptedEngine("quick"), slow=ScriptedEngine("slow"))
    visit.start(asking("First?", **changes))
    assert visit.update_every_s == every_s
    ended(visit)


def test_after_the_vote_a_comparison_stays_as_it_is(house: Parts) -> None:
    visit = with_engines(house, quick=ScriptedEngine("quick"), slow=ScriptedEngine("slow"))
    visit.start(asking("First?"))
    run(visit)
    visit.vote("model_a")
    with pytest.raises(VoteError, match="has its vote already"):
        visit.vote("model_b")
    with pytest.raises(PromptError, match="You have voted"):
        visit.retry("left")


def cast(visit: Visit, text: str, winner: str = "tie", after_s: float = 5.0) -> dict[str, str]:
    """Ask, read for that long, vote; the row."""
    now_s = 0.0
    visit.clock = lambda: now_s
    visit.start(asking(text))
    run(visit)
    now_s = after_s
    visit.vote(winner)
    return list(votes.read(visit.parts.book.path))[-1]


def test_a_vote_names_its_tab_by_a_salted_hash_and_says_how_long_it_took(house: Parts) -> None:
    with_engines(house, quick=ScriptedEngine("quick"), slow=ScriptedEngine("slow"))
    visitors = Visitors(house)
    row = cast(visitors.of("tab-1"), "First?")
    again = cast(visitors.of("tab-1"), "Second?")
    other = cast(visitors.of("tab-2"), "Third?")
    assert (row["decision_s"], row["counted"]) == ("5", "true")
    assert row["checks"] == "rate:ok haste:ok repeats:ok"
    assert len(row["voter"]) == 32
    assert row["voter"] == again["voter"] != other["voter"]
    assert "tab-1" not in ",".join(row.values())
    assert Visitors(house).of("tab-1").voter != row["voter"], "the salt is new in every process"


def test_a_vote_within_a_blink_is_kept_not_counted_and_says_why(house: Parts) -> None:
    visit = with_engines(house, quick=ScriptedEngine("quick"), slow=ScriptedEngine("slow"))
    row = cast(visit, "First?", after_s=0.1)
    assert row["counted"] == "false"
    assert "faster than a person reacts" in row["not_counted_reason"]
    assert visit.cast
    assert visit.cast.receipt.not_counted_reason == row["not_counted_reason"]


def test_what_cannot_be_checked_counts_and_is_told_apart(house: Parts) -> None:
    visit = with_engines(house, quick=ScriptedEngine("quick"), slow=ScriptedEngine("slow"))
    row = cast(visit, "First?")
    assert row["counted"] == "true"
    assert row["checks"] == "rate:unchecked haste:ok repeats:unchecked", "a visit without a session has no voter"


def test_a_voter_who_hammers_is_kept_and_not_counted(house: Parts) -> None:
    with_engines(house, quick=ScriptedEngine("quick"), slow=ScriptedEngine("slow"))
    visit = Visitors(house).of("one")
    rows = [cast(visit, f"Question {n}?") for n in range(13)]
    assert [row["counted"] for row in rows] == ["true"] * 12 + ["false"]
    assert "more than 12 votes in a minute" in rows[-1]["not_counted_reason"]


def test_a_hundred_kilobytes_of_reason_are_cut_with_a_mark(house: Parts) -> None:
    visit = with_engines(house, quick=ScriptedEngine("quick"), slow=ScriptedEngine("slow"))
    visit.start(asking("First?"))
    run(visit)
    visit.vote("tie", "x" * 100_000)
    (row,) = votes.read(house.book.path)
    assert row["reason"].endswith("[cut: 100000 characters]")
    assert len(row["reason"]) < 3_000


def test_nobody_votes_on_what_they_did_not_ask(house: Parts) -> None:
    with_engines(house, quick=ScriptedEngine("quick"), slow=ScriptedEngine("slow"))
    visitors = Visitors(house)
    visitors.of("one").start(asking("First?"))
    run(visitors.of("one"))
    with pytest.raises(VoteError, match="nothing to vote on"):
        visitors.of("two").vote("tie")
    with pytest.raises(VoteError, match="is not a vote"):
        visitors.of("one").vote("model_c")  # type: ignore[arg-type]  # as a program might
    assert not house.book.path.exists()


def test_a_vote_is_for_what_the_page_shows_and_for_nothing_that_was_asked_since(house: Parts) -> None:
    visit = with_engines(house, quick=ScriptedEngine("quick"), slow=ScriptedEngine("slow"))
    feeds = Feeds(Pace(), house.catalog.row)
    visit.start(asking("First?"))
    first = feeds.open(visit)
    run(visit)
    visit.start(asking("Second?"))
    run(visit)
    for ticket in (first, "", "guess"):  # the page has not heard of the second question yet
        with pytest.raises(VoteError, match="asked since"):
            visit.vote("model_a", ticket=ticket)
    assert not house.book.path.exists()
    visit.vote("model_b", ticket=feeds.open(visit))
    assert [row["prompt"] for row in votes.read(house.book.path)] == ["Second?"]


def test_a_page_that_is_loaded_again_before_it_heard_of_its_new_ticket_comes_with_the_one_before(house: Parts) -> None:
    with_engines(house, quick=ScriptedEngine("quick"), slow=ScriptedEngine("slow"))
    visitors, feeds = Visitors(house), Feeds(Pace(), house.catalog.row)
    visit = visitors.of("one")
    visit.start(asking("First?"))
    run(visit)
    known = feeds.open(visit)
    assert visitors.resume(known, "two") is visit
    feeds.open(visit)
    assert visitors.resume(known, "three") is visit
    feeds.close(visit)
    assert visitors.resume(known, "four") is None
    assert visitors.resume("", "four") is None


def test_a_page_can_come_and_go_while_a_vote_is_written(house: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    visit = with_engines(house, quick=ScriptedEngine("quick"), slow=ScriptedEngine("slow"))
    visit.start(asking("First?"))
    run(visit)
    writing, gate = threading.Event(), threading.Event()
    append = house.book.append

    def slow_disk(*args: object) -> object:
        writing.set()
        assert gate.wait(60)
        return append(*args)

    monkeypatch.setattr(house.book, "append", slow_disk)
    voting = threading.Thread(target=visit.vote, args=("tie",))
    voting.start()
    assert writing.wait(60)
    with visit.watched():  # as the event loop does, which must never wait for a disk
        assert visit.is_watched
    gate.set()
    voting.join()
    assert visit.winner == "tie"


def test_a_double_click_is_one_vote(house: Parts) -> None:
    visit = with_engines(house, quick=ScriptedEngine("quick"), slow=ScriptedEngine("slow"))
    visit.start(asking("First?"))
    run(visit)
    refused = []

    def click() -> None:
        try:
            visit.vote("model_a")
        except VoteError as error:
            refused.append(str(error))

    clicks = [threading.Thread(target=click) for _ in range(8)]
    for one in clicks:
        one.start()
    for one in clicks:
        one.join()
    assert len(refused) == 7
    assert all("has its vote already" in text for text in refused)
    assert len(list(votes.read(house.book.path))) == 1


def test_two_tabs_are_two_visits(house: Parts) -> None:
    visitors = Visitors(house)
    one = visitors.of("one")
    assert visitors.of("one") is one
    assert visitors.of("two") is not one
