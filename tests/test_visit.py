"""What one browser tab does, without a browser: conversations, retries, votes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from playground import parts
from playground.errors import PromptError, VoteError
from playground.parts import Parts
from playground.settings import Settings
from playground.types import SIDES, Prompt, Sampling, Side
from playground.ui.visit import Ask, Visit, Visitors
from tests.fakes import ScriptedEngine

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
    house.pool._engines.update(engines)  # the pool opens engines by row; these stand in for two servers
    return Visit(house)


def asking(text: str, **changes: object) -> Ask:
    models: dict[Side, str] = {"left": "quick", "right": "slow"}
    ask = Ask(Prompt(text), models, "together", dict.fromkeys(SIDES, ""), dict.fromkeys(SIDES, NOTHING))
    return replace(ask, **changes)


def run(visit: Visit) -> None:
    for _ in visit.follow(lambda: 0.01):
        pass


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
    visit = with_engines(house, quick=ScriptedEngine("quick"), slow=ScriptedEngine("slow"))
    visit.start(asking("First?"))
    with pytest.raises(PromptError, match="press Stop"):
        visit.start(asking("Second?"))
    with pytest.raises(PromptError, match="press Stop"):
        visit.retry("left")
    with pytest.raises(VoteError, match="must be finished"):
        visit.vote("tie")
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


def test_a_race_is_run_once_even_when_two_handlers_ask_for_it(house: Parts) -> None:
    quick = ScriptedEngine("quick")
    visit = with_engines(house, quick=quick, slow=ScriptedEngine("slow"))
    visit.start(asking("First?"))
    run(visit)
    run(visit)
    assert len(quick.asked) == 1


def test_leaving_in_mid_answer_stops_the_work_and_lets_the_tab_ask_again(house: Parts) -> None:
    endless = [(0.01, f"word{n} ") for n in range(2000)]
    quick, slow = ScriptedEngine("quick", endless), ScriptedEngine("slow", endless)
    visit = with_engines(house, quick=quick, slow=slow)
    visit.start(asking("First?"))
    followed = visit.follow(lambda: 0.01)
    for now in followed:
        if now.left.text and now.right.text:
            break
    followed.close()
    assert quick.aborted.wait(20)
    assert slow.aborted.wait(20)
    assert visit.comparison
    assert visit.comparison.left.status == "stopped"
    visit.start(asking("Second?"))


def test_after_the_vote_a_comparison_stays_as_it_is(house: Parts) -> None:
    visit = with_engines(house, quick=ScriptedEngine("quick"), slow=ScriptedEngine("slow"))
    visit.start(asking("First?"))
    run(visit)
    visit.vote("model_a")
    with pytest.raises(VoteError, match="has its vote already"):
        visit.vote("model_b")
    with pytest.raises(PromptError, match="You have voted"):
        visit.retry("left")


def test_two_tabs_are_two_visits_and_a_closed_one_is_forgotten(house: Parts) -> None:
    visitors = Visitors(house)
    one = visitors.of("one")
    assert visitors.of("one") is one
    assert visitors.of("two") is not one
    visitors.leave("one")
    assert visitors.of("one") is not one
