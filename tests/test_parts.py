"""Settings become the parts that a front end is handed: here, what they make of a question."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from playground import hub, machine, parts
from playground.asking import BLIND_NOTICE
from playground.errors import UsageError
from playground.parts import Parts, Question
from playground.settings import Settings
from playground.types import SIDES, Comparison, Image, Message, Pacing
from tests.hubserver import Hub, serving
from tests.patience import LIMIT_S

PICTURE = Image(b"png", "image/png", 1, 1, "ab" * 32)
BOTH = {"left": Question("blind"), "right": Question("seeing")}


@pytest.fixture
def house(tmp_path: Path) -> Parts:
    recording = tmp_path / "said.json"
    recording.write_text(json.dumps({"schema": 1, "answers": [{"events": [[0, "text", "A red square."]]}]}))
    rows = [
        f'[[model]]\nkey = "{key}"\ntitle = "{key.title()} 1B"\nengine = "replay"\nsource = "{recording}"\n{more}'
        for key, more in (("blind", ""), ("seeing", "reads_images = true\n"))
    ]
    models = tmp_path / "models.toml"
    models.write_text("".join(rows))
    return parts.assemble(Settings(models=models))


def ended(house: Parts, message: Message, pacing: Pacing = "together") -> Comparison:
    race = house.race(message, BOTH, pacing)
    for _ in race.snapshots():
        pass
    return race.now


@pytest.mark.parametrize("pacing", ["in_turn", "together"])
def test_a_picture_without_words_is_answered_by_the_side_that_sees_and_the_other_says_why_not(
    house: Parts, pacing: Pacing
):
    last = ended(house, Message("user", " ", (PICTURE,)), pacing)
    assert (last.left.status, last.left.text, last.left.notice, last.left.images_sent) == ("failed", "", "", 0)
    assert last.left.error.startswith("Blind 1B cannot see images, and the prompt has no text.")
    assert (last.right.status, last.right.text, last.right.images_sent) == ("done", "A red square.", 1)


def test_a_picture_with_words_is_answered_by_both_and_the_blind_side_says_what_it_got(house: Parts):
    last = ended(house, Message("user", "What is this?", (PICTURE,)))
    assert [last.side(side).status for side in SIDES] == ["done", "done"]
    assert (last.left.notice, last.right.notice) == (BLIND_NOTICE, "")


def test_a_pair_that_must_be_fetched_is_not_fetched_before_anybody_asks(tmp_path: Path):
    offline = {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path)}
    large = Settings(left="qwen3.5-27b-bf16", right="gpt-oss-120b-q4", cache=tmp_path, environ=offline)
    assert parts.assemble(large).to_warm() == ()
    assert parts.assemble(Settings(cache=tmp_path, environ=offline)).to_warm() == ("smollm2-135m-q4", "smollm2-135m")


def test_a_hub_that_answers_late_gives_the_next_page_its_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machine, "look", lambda: machine.Machine(16 * 2**30, 12 * 2**30))
    monkeypatch.setattr(hub.Question, "LIMIT_S", 2 * LIMIT_S)
    with serving(Hub({}, awake=threading.Event())) as stand_in:
        environ = {"HF_ENDPOINT": stand_in.url, "HF_HUB_CACHE": str(tmp_path)}
        house = parts.assemble(Settings(cache=tmp_path, environ=environ))
        first = house.pair
        assert (first.left, first.right) == ("smollm2-135m-q4", "smollm2-135m")
        assert house.pair is first
        stand_in.awake.set()
        house.hub_known()
        late = house.pair
        assert (late.left, late.right) == ("qwen3.5-0.8b-q4", "qwen3.5-4b-q4")
        assert house.pair is late
        assert [path for _, path in stand_in.asked] == ["/api/models"]
        assert house.to_warm() == ()


def test_nothing_is_warmed_before_it_is_known_which_pair_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hub.Question, "LIMIT_S", 2 * LIMIT_S)
    with serving(Hub({}, awake=threading.Event())) as stand_in:
        house = parts.assemble(Settings(cache=tmp_path, environ={"HF_ENDPOINT": stand_in.url}))
        warmed: list[tuple[str, ...]] = []

        def warm(*keys: str) -> threading.Thread:
            warmed.append(keys)
            done = threading.Thread(target=int)
            done.start()
            return done

        monkeypatch.setattr(house.pool, "warm", warm)
        warming = house.warm()
        warming.join(0.3)
        assert warmed == []
        stand_in.awake.set()
        warming.join(LIMIT_S)
        assert warmed == [house.to_warm()]


def test_a_named_pair_opens_the_page_and_an_unknown_one_is_refused(tmp_path: Path):
    offline = {"HF_HUB_OFFLINE": "1"}
    pair = parts.assemble(Settings(pair="small-large", cache=tmp_path, environ=offline)).pair
    assert (pair.left, pair.right) == ("shapes-small", "shapes-large")
    with pytest.raises(UsageError, match="Did you mean thinking"):
        parts.assemble(Settings(pair="thinkin", environ=offline))
