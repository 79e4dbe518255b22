"""A blind comparison from Send to vote and undo, without a browser: what is shown, stored and counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from playground import parts, votes
from playground.blind import FAILED
from playground.errors import EngineError, PromptError, VoteError
from playground.parts import Parts
from playground.settings import Settings
from playground.types import SIDES, Comparison, Loading, Prompt, Sampling, Side, other
from playground.ui import saving
from playground.ui.casting import Ask
from playground.ui.visit import UNDO_S, Visit
from tests.fakes import ScriptedEngine, stand_in
from tests.following import follow

KEYS = ("kestrel", "marlin", "osprey")
ENDLESS = [(0.01, f"word{n} ") for n in range(3000)]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Parts]:
    rows = "".join(
        f'[[model]]\nkey = "{key}"\ntitle = "{key.title()}9 2B"\nengine = "openai"\nsource = "acme/{key}"\n'
        f'base_url = "http://example.invalid"\nreads_images = {str(key != "osprey").lower()}\n'
        "sampling = { top_k = 20, min_p = 0.05, presence_penalty = 1.5 }\n"
        for key in KEYS
    )
    (tmp_path / "models.toml").write_text(rows, encoding="utf-8")
    settings = Settings(left="kestrel", right="marlin", models=tmp_path / "models.toml", cache=tmp_path / "cache",
                        votes=tmp_path / "votes.csv", prompts=tmp_path / "none", blind=True,
                        blind_models=KEYS)  # fmt: skip
    made = parts.assemble(settings)
    yield made
    made.pool.close()


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def visit_with(house: Parts, said: str = "Four.", **engines: ScriptedEngine) -> Visit:
    """A visit whose hidden models are scripted; those that are not given say `said`."""
    stand_in(house.pool, {key: ScriptedEngine(key, [(0.0, said)]) for key in KEYS} | engines)
    return Visit(house, "voter", Clock())


def asking(text: str = "What is 2 + 2?", **changes: object) -> Ask:
    nobody: dict[Side, str] = {"left": "", "right": ""}
    ask = Ask(Prompt(text), nobody, "together", dict.fromkeys(SIDES, ""), dict.fromkeys(SIDES, Sampling()), blind=True)
    return replace(ask, **changes)


def run(visit: Visit) -> list[Comparison]:
    return list(follow(visit))


def asked(visit: Visit, text: str = "What is 2 + 2?", **changes: object) -> list[Comparison]:
    visit.start(asking(text, **changes))
    return run(visit)


def seated(visit: Visit) -> dict[Side, str]:
    assert visit.comparison
    return {side: visit.comparison.side(side).model for side in SIDES}


def rows(house: Parts) -> list[dict[str, str]]:
    return list(votes.read(house.book.path))


def vote(visit: Visit, winner: str = "model_a", after_s: float = 5.0) -> None:
    visit.clock.now_s += after_s  # type: ignore[attr-defined]  # a Clock
    visit.vote(winner)  # type: ignore[arg-type]


def test_no_snapshot_before_the_vote_names_a_model_and_the_first_after_it_does(house: Parts) -> None:
    thinker = ScriptedEngine("kestrel", [(0.0, "?let me think"), (0.0, "Four.")], loading=[Loading("reading 13 GB")])
    visit = visit_with(house, kestrel=thinker)
    seen = asked(visit)
    assert not any(key in repr(seen).lower() for key in (*KEYS, "acme", "13 GB", "let me think"))
    assert visit.sealed
    vote(visit)
    (row,) = rows(house)
    assert visit.shown == visit.comparison
    assert (row["model_a"], row["model_b"], row["blind"], row["counted"]) == (
        *seated(visit).values(),
        "true",
        "true",
    )


def test_a_vote_keeps_the_sampling_that_came_from_the_rows_of_its_models(house: Parts) -> None:
    visit = visit_with(house)
    asked(visit, sampling=dict.fromkeys(SIDES, Sampling(temperature=0.3)))
    vote(visit)
    (row,) = rows(house)
    names = ("temperature", "top_k", "min_p", "presence_penalty")
    assert [[row[f"{name}_{letter}"] for name in names] for letter in "ab"] == [["0.3", "20", "0.05", "1.5"]] * 2


def test_a_vote_that_cannot_be_written_reveals_nothing(house: Parts) -> None:
    visit = visit_with(house)
    asked(visit)
    house.book.path.mkdir()
    with pytest.raises(VoteError):
        vote(visit)
    assert visit.sealed
    assert not any(key in repr(visit.shown) for key in KEYS)
    house.book.path.rmdir()
    vote(visit)
    assert not visit.sealed


def test_the_hidden_pair_stays_from_turn_to_turn_and_a_new_one_is_drawn_after_the_vote(house: Parts) -> None:
    visit = visit_with(house)
    asked(visit)
    pair = seated(visit)
    for turn in (2, 3, 4):
        asked(visit, f"Turn {turn}?")
        assert (seated(visit), visit.turn) == (pair, turn)
    vote(visit)
    drawn = []
    for n in range(20):
        asked(visit, f"Anew {n}?")
        assert visit.turn == 1, "even when the same pair comes again"
        assert visit.histories == {"left": (), "right": ()}
        drawn.append(tuple(seated(visit).values()))
        vote(visit)
    assert len(set(drawn)) > 1


def test_what_the_visitor_chose_in_the_pickers_does_not_matter(house: Parts) -> None:
    visit = visit_with(house)
    drawn = set()
    for _ in range(30):
        asked(visit, models={"left": "kestrel", "right": "marlin"})
        drawn.add(tuple(seated(visit).values()))
        visit.forget()
    assert len(drawn) > 3


def test_an_open_question_does_not_go_on_with_a_hidden_conversation(house: Parts) -> None:
    visit = visit_with(house)
    asked(visit)
    asked(visit, "And now?", blind=False, models=seated(visit))
    assert visit.turn == 1


def test_a_failed_side_says_why_only_after_the_vote(house: Parts) -> None:
    broken = {key: ScriptedEngine(key, [EngineError(f"{key} at acme ran out of memory")]) for key in KEYS[:2]}
    visit = visit_with(house, **broken)
    while True:
        seen = asked(visit)
        if {a.status for a in (visit.comparison.left, visit.comparison.right)} == {"failed", "done"}:
            break
        visit.forget()
    assert visit.comparison
    failed: Side = "left" if visit.comparison.left.status == "failed" else "right"
    assert seen[-1].side(failed).error == FAILED
    assert "ran out" not in repr(seen)
    vote(visit, "model_b" if failed == "left" else "model_a")
    assert visit.shown
    assert "ran out of memory" in visit.shown.side(failed).error
    (row,) = rows(house)
    assert (row["counted"], row["not_counted_reason"]) == ("false", f"{failed} failed")


def test_a_retry_keeps_the_pair_and_the_seal(house: Parts) -> None:
    visit = visit_with(house)
    asked(visit)
    pair = seated(visit)
    visit.retry("left")
    seen = run(visit)
    assert (seated(visit), visit.sealed) == (pair, True)
    assert not any(key in repr(seen) for key in KEYS)


def picture(folder: Path) -> Prompt:
    Image.new("RGB", (40, 30), "red").save(folder / "red.png")
    return Prompt("What is this?", (folder / "red.png",))


def test_pictures_go_to_pairs_that_both_see_so_no_notice_gives_one_away(house: Parts, tmp_path: Path) -> None:
    visit = visit_with(house)
    for _ in range(20):
        asked(visit, prompt=picture(tmp_path))
        assert "osprey" not in seated(visit).values()
        asked(visit, prompt=picture(tmp_path))  # and again in the next turn
        visit.forget()


def test_a_picture_in_a_later_turn_is_refused_whatever_the_pair_is(house: Parts, tmp_path: Path) -> None:
    visit = visit_with(house)
    pairs = set()
    for _ in range(30):
        asked(visit)
        pairs.add("osprey" in seated(visit).values())
        with pytest.raises(PromptError, match="A picture begins a new conversation") as caught:
            visit.start(asking(prompt=picture(tmp_path)))
        assert not any(key in str(caught.value) for key in KEYS)
        visit.forget()
    assert pairs == {True, False}


def test_a_side_that_names_itself_is_stored_and_not_counted(house: Parts) -> None:
    visit = visit_with(house, said="I am Kestrel9. I am Marlin9. I am Osprey9, of ACME.")
    asked(visit)
    vote(visit)
    (row,) = rows(house)
    assert row["counted"] == "false"
    assert "identity_leak: left said" in row["not_counted_reason"]
    assert "identity_leak: right said" in row["not_counted_reason"]


def test_a_name_said_in_an_earlier_turn_or_before_a_retry_is_remembered(house: Parts) -> None:
    engines = {key: ScriptedEngine(key, [(0.0, "Four.")]) for key in KEYS}
    visit = visit_with(house, **engines)
    asked(visit)
    left = engines[seated(visit)["left"]]
    for said in ("I was made by ACME.", "Four."):
        left.script = [(0.0, said)]
        visit.retry("left")
        run(visit)
    asked(visit, "And 3 + 3?")
    vote(visit)
    assert "identity_leak: left said ACME" in rows(house)[0]["not_counted_reason"]
    asked(visit, "A new pair is not to blame.")
    vote(visit)
    assert rows(house)[1]["counted"] == "true"


def test_a_name_in_an_open_comparison_is_no_leak(house: Parts) -> None:
    visit = visit_with(house, said="I am Kestrel9 of ACME.")
    asked(visit, blind=False, models={"left": "kestrel", "right": "marlin"})
    vote(visit)
    assert (rows(house)[0]["counted"], rows(house)[0]["blind"]) == ("true", "false")


def test_answers_are_held_back_until_both_have_ended(house: Parts) -> None:
    visit = visit_with(house, kestrel=ScriptedEngine("kestrel", [(0.0, "Early."), (0.8, " Late.")]))
    seen = asked(visit, hold=True)
    unfinished = [now for now in seen if not now.final]
    assert unfinished
    for now in unfinished:
        assert now.left == now.right, "whoever is quicker looks like the other"
        assert (now.left.text, now.left.status) == ("", "reading")
    assert all(seen[-1].side(side).text for side in SIDES)


def early_visit(house: Parts, **changes: object) -> tuple[Visit, Iterator[Comparison]]:
    visit = visit_with(house, **{key: ScriptedEngine(key, ENDLESS) for key in KEYS})
    visit.start(asking(early=True, **changes))
    followed = follow(visit)
    for now in followed:
        if now.left.text and now.right.text:
            break
    return visit, followed


def test_an_early_vote_stops_the_loser_and_the_winner_goes_on(house: Parts) -> None:
    visit, followed = early_visit(house)
    visit.vote("model_b")
    for now in followed:
        if now.left.final:
            break
    assert (now.left.status, now.right.status) == ("stopped", "writing")
    assert now.left.model in KEYS, "the vote is on disk, so names are known"
    (row,) = rows(house)
    assert (row["winner"], row["counted"]) == ("model_b", "false")
    assert row["not_counted_reason"] == "left stopped, right stopped; voted early"
    assert (row["decision_s"], "haste:unchecked" in row["checks"]) == ("", True)
    visit.stop()


def test_an_early_tie_stops_both(house: Parts) -> None:
    visit, followed = early_visit(house)
    visit.vote("tie")
    assert [now.final for now in followed][-1]
    assert visit.comparison
    assert {visit.comparison.left.status, visit.comparison.right.status} == {"stopped"}


def test_an_early_vote_that_is_not_stored_stops_nobody(house: Parts) -> None:
    visit, followed = early_visit(house)
    house.book.path.mkdir()
    with pytest.raises(VoteError):
        visit.vote("model_a")
    assert visit.sealed
    assert not next(followed).final
    visit.stop()


def test_without_the_option_nobody_votes_early_and_with_it_not_before_both_have_spoken(house: Parts) -> None:
    visit = visit_with(house, **{key: ScriptedEngine(key, ENDLESS) for key in KEYS})
    visit.start(asking())
    with pytest.raises(VoteError, match="must be finished"):
        visit.vote("tie")
    visit.stop()
    run(visit)
    visit.start(asking(early=True))
    with pytest.raises(VoteError, match="both sides have said something"):
        visit.vote("tie")
    visit.stop()
    run(visit)


def test_an_undone_open_vote_can_be_cast_again_and_counts(house: Parts) -> None:
    visit = visit_with(house)
    asked(visit, blind=False, models={"left": "kestrel", "right": "marlin"})
    vote(visit, "model_a")
    visit.undo()
    assert visit.cast is None
    vote(visit, "model_b")
    first, back, second = rows(house)
    assert (back["supersedes"], back["counted"]) == (first["vote_id"], "false")
    assert (second["supersedes"], second["counted"], second["winner"]) == (back["vote_id"], "true", "model_b")


def test_a_vote_corrected_after_the_reveal_is_stored_marked_and_not_counted(house: Parts) -> None:
    visit = visit_with(house)
    asked(visit)
    vote(visit, "model_a")
    visit.undo()
    assert not visit.sealed, "what was seen stays seen"
    vote(visit, "model_b")
    corrected = rows(house)[-1]
    assert (corrected["blind"], corrected["counted"]) == ("false", "false")
    assert corrected["not_counted_reason"] == "corrected after the reveal"
    asked(visit, "And now?")
    assert visit.sealed


def test_a_vote_that_was_undone_leaves_the_answers_as_they_are(house: Parts) -> None:
    visit = visit_with(house)
    asked(visit)
    vote(visit)
    visit.undo()
    with pytest.raises(PromptError, match="You have voted"):
        visit.retry("left")


def test_a_vote_can_be_undone_for_ten_minutes_and_once(house: Parts) -> None:
    visit = visit_with(house)
    asked(visit)
    with pytest.raises(VoteError, match="no vote to take back"):
        visit.undo()
    vote(visit)
    visit.clock.now_s += UNDO_S - 1  # type: ignore[attr-defined]
    assert visit.undoable
    visit.undo()
    with pytest.raises(VoteError, match="no vote to take back"):
        visit.undo()
    vote(visit)
    visit.clock.now_s += UNDO_S  # type: ignore[attr-defined]
    assert not visit.undoable
    with pytest.raises(VoteError, match="10 minutes"):
        visit.undo()
    assert len(rows(house)) == 3


def test_the_last_vote_can_be_taken_back_when_something_new_was_asked(house: Parts) -> None:
    visit = visit_with(house)
    asked(visit)
    vote(visit)
    asked(visit, "Something new?")
    visit.undo()
    assert rows(house)[-1]["supersedes"] == rows(house)[0]["vote_id"]
    vote(visit)
    assert (rows(house)[-1]["supersedes"], rows(house)[-1]["counted"]) == ("", "true")


def test_an_undo_that_cannot_be_written_changes_nothing(house: Parts) -> None:
    visit = visit_with(house)
    asked(visit)
    vote(visit)
    aside = house.book.path.rename(house.book.path.with_suffix(".aside"))
    house.book.path.mkdir()
    with pytest.raises(VoteError):
        visit.undo()
    assert visit.winner == "model_a"
    house.book.path.rmdir()
    aside.rename(house.book.path)
    visit.undo()
    assert len(rows(house)) == 2


def test_a_hidden_comparison_is_not_saved_before_its_vote(house: Parts) -> None:
    visit = visit_with(house)
    asked(visit)
    with pytest.raises(PromptError, match="hidden until your vote"):
        saving.saved(visit)
    vote(visit)
    assert saving.saved(visit).comparison.left.model in KEYS


def test_what_cannot_be_sent_is_refused_without_a_name(house: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PromptError("Kestrel9 cannot do that.")

    monkeypatch.setattr(Parts, "race", refuse)
    with pytest.raises(PromptError) as caught:
        visit_with(house).start(asking())
    assert "Kestrel" not in str(caught.value)
    with pytest.raises(PromptError, match="The prompt is empty"):
        visit_with(house).start(asking(" "))


def test_the_names_of_the_sides_are_random(house: Parts) -> None:
    visit = visit_with(house)
    seats: dict[str, set[str]] = {key: set() for key in KEYS}
    for _ in range(60):
        asked(visit)
        for side, key in seated(visit).items():
            seats[key].add(side)
            assert seated(visit)[other(side)] != key
        visit.forget()
    assert all(sides == set(SIDES) for sides in seats.values())


# -- a conversation that has told which model is which --


def test_a_failure_in_an_earlier_try_spoils_the_vote(house: Parts) -> None:
    visit = visit_with(house)
    stand_in(house.pool, {key: ScriptedEngine(key, [(0.0, "Fo"), EngineError("It broke.")]) for key in KEYS})
    asked(visit)
    stand_in(house.pool, {key: ScriptedEngine(key, [(0.0, "Four.")]) for key in KEYS})
    for side in SIDES:
        visit.retry(side)
        run(visit)
    assert visit.comparison
    assert {visit.comparison.side(side).status for side in SIDES} == {"done"}
    vote(visit)
    (row,) = rows(house)
    assert row["counted"] == "false"
    assert "failed or was stopped earlier in this blind conversation" in row["not_counted_reason"]


def test_a_side_that_was_stopped_in_an_earlier_turn_spoils_the_vote_and_not_the_next_conversation(house: Parts) -> None:
    visit = visit_with(house)
    stand_in(house.pool, {key: ScriptedEngine(key, ENDLESS) for key in KEYS})
    visit.start(asking())
    for now in follow(visit):
        if now.left.text:
            visit.stop("left")
        if now.left.final:
            visit.stop()
    stand_in(house.pool, {key: ScriptedEngine(key, [(0.0, "Four.")]) for key in KEYS})
    asked(visit, "And 3 + 3?")
    vote(visit)
    asked(visit, "A new pair?")  # after the vote
    vote(visit)
    assert [row["counted"] for row in rows(house)] == ["false", "true"]


def test_in_a_conversation_with_open_names_a_failure_spoils_nothing(house: Parts) -> None:
    visit = visit_with(house)
    stand_in(house.pool, {key: ScriptedEngine(key, [(0.0, "Fo"), EngineError("It broke.")]) for key in KEYS})
    named: dict[Side, str] = {"left": "kestrel", "right": "marlin"}
    asked(visit, blind=False, models=named)
    stand_in(house.pool, {key: ScriptedEngine(key, [(0.0, "Four.")]) for key in KEYS})
    asked(visit, blind=False, models=named)
    vote(visit)
    assert [row["counted"] for row in rows(house)] == ["true"]


def test_what_one_of_all_the_models_cannot_hold_is_refused_before_a_pair_is_drawn(house: Parts) -> None:
    visit = visit_with(house)
    small = [replace(spec, context_tokens=300 if spec.key == "osprey" else 8192) for spec in house.arena.models]
    house.arena.models = tuple(small)
    with pytest.raises(PromptError, match="at most 300 tokens, which each of them can hold") as refused:
        visit.start(asking("word " * 200))
    assert not any(key in str(refused.value).lower() for key in KEYS)
    assert visit.comparison is None
    for _ in range(6):  # whichever pair is drawn
        asked(visit, "word " * 50)
        vote(visit)
    with pytest.raises(PromptError, match="at most 300 tokens"):
        visit.start(asking("word ", system=dict.fromkeys(SIDES, "rule " * 200)))
    asked(visit, "word " * 60)
    with pytest.raises(PromptError, match="or press New"):  # with what has been said before
        visit.start(asking("word " * 60))
