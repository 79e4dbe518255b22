"""What is true of a recording that is said again."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from playground.engines.replay import ReplayEngine
from playground.errors import EngineError, RefusedError, StreamError
from playground.types import Delta, Finished, Loading, Message, ModelSpec, Sampling, Sent, Usage
from tests.patience import LIMIT_S

HELLO = {"match": "", "events": [[0.0, "reasoning", "Hm"], [0.02, "text", "Hello"]], "usage": {"answer_tokens": 1}}


def engine(tmp_path: Path, *answers: object, **more: object) -> ReplayEngine:
    path = tmp_path / "recording.json"
    path.write_text(json.dumps({"schema": 1, "model": "m", "answers": list(answers), **more}))
    return ReplayEngine(ModelSpec("m", "M (recorded)", "replay", str(path)))


def ask(replay: ReplayEngine, text: str = "Hi?") -> list[object]:
    return list(replay.stream([Message("user", text)], Sampling()))


def test_it_says_what_it_was_given_in_order_not_before_the_given_times(tmp_path: Path) -> None:
    sent, thought, said, finished = ask(engine(tmp_path, HELLO))
    assert isinstance(sent, Sent)
    assert isinstance(thought, Delta)
    assert isinstance(said, Delta)
    assert isinstance(finished, Finished)
    assert (thought.text, thought.reasoning, said.text, said.reasoning) == ("Hm", True, "Hello", False)
    assert said.at_s - sent.at_s >= 0.02
    assert sent.at_s <= thought.at_s <= said.at_s <= finished.at_s
    assert (finished.reason, finished.usage) == ("stop", Usage(answer_tokens=1, source="server"))


def test_the_first_answer_that_matches_the_last_question_is_played(tmp_path: Path) -> None:
    replay = engine(tmp_path, {"match": "cat", "events": [[0, "text", "meow"]]}, HELLO)
    assert ask(replay, "a cat?")[1].text == "meow"  # type: ignore[attr-defined]
    assert ask(replay, "a dog?")[2].text == "Hello"  # type: ignore[attr-defined]


def test_a_question_that_was_not_recorded_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StreamError, match="no answer to this prompt"):
        ask(engine(tmp_path, {"match": "cat"}), "a dog?")


def test_a_recorded_error_ends_the_answer(tmp_path: Path) -> None:
    stream = engine(tmp_path, HELLO | {"error": "out of memory"}).stream([Message("user", "Hi?")], Sampling())
    assert [type(next(stream)) for _ in range(3)] == [Sent, Delta, Delta]
    with pytest.raises(RefusedError, match="out of memory"):
        next(stream)


def test_closing_wakes_a_stream_that_waits(tmp_path: Path) -> None:
    stream = engine(tmp_path, {"events": [[600, "text", "late"]]}).stream([Message("user", "Hi?")], Sampling())
    next(stream)
    reader = threading.Thread(target=lambda: list(stream))
    reader.start()
    stream.close()
    reader.join(LIMIT_S)
    assert not reader.is_alive()


def test_a_recorded_load_is_played_once_and_calls_itself_recorded(tmp_path: Path) -> None:
    replay = engine(tmp_path, HELLO, load=[["weights", 0.01], ["warm-up", 0]])
    assert list(replay.prepare()) == [Loading("weights (recorded)", 0, 2), Loading("warm-up (recorded)", 1, 2)]
    assert list(replay.prepare()) == []
    replay.close()
    assert len(list(replay.prepare())) == 2


def test_it_is_honest_about_what_it_is(tmp_path: Path) -> None:
    replay = engine(tmp_path, HELLO)
    assert (replay.local, replay.cold(), replay.count_tokens([]), replay.state().name) == (False, False, None, "ready")
    assert replay.watch_memory().read().reason == "a recording holds no memory"


def test_two_hundred_play_at_once(tmp_path: Path) -> None:
    replay = engine(tmp_path, {"events": [[n / 30, "text", "x"] for n in range(15)]})
    found: list[int] = []
    readers = [threading.Thread(target=lambda: found.append(len(ask(replay)))) for _ in range(200)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(LIMIT_S)
    assert found == [17] * 200


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        ("", "is not JSON"),
        ("[]", "the file must be an object"),
        ('{"schema": 2, "answers": []}', '"schema" must be 1, not 2'),
        ('{"schema": 1}', "answers must be a list"),
        ('{"schema": 1, "answers": [], "speed": 2}', '"speed" in the file is not a field'),
        ('{"schema": 1, "answers": [{"events": [[1, "text"]]}]}', "answers[0].events[0] must be"),
        ('{"schema": 1, "answers": [{"events": [[-1, "text", "a"]]}]}', "answers[0].events[0]: seconds"),
        ('{"schema": 1, "answers": [{"events": [[NaN, "text", "a"]]}]}', "answers[0].events[0]: seconds"),
        ('{"schema": 1, "answers": [{"usage": {"answer_tokens": 1.5}}]}', "answer_tokens must be a whole number"),
        ('{"schema": 1, "answers": [{"match": 3}]}', "answers[0].match must be text"),
        ('{"schema": 1, "answers": [], "load": [["weights"]]}', "load[0] must be [stage, seconds]"),
    ],
)
def test_a_wrong_file_is_an_error_that_names_file_and_place(tmp_path: Path, content: str, wrong: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(content)
    replay = ReplayEngine(ModelSpec("m", "M", "replay", str(path)))
    with pytest.raises(EngineError) as caught:
        list(replay.prepare())
    assert str(path) in str(caught.value)
    assert wrong in str(caught.value)


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    replay = ReplayEngine(ModelSpec("m", "M", "replay", str(tmp_path / "none.json")))
    with pytest.raises(EngineError, match=r"none\.json cannot be read"):
        ask(replay)
