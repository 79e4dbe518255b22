"""Recordings that come with the package say what they are, answer what a page offers, and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from playground import catalog, library, parts
from playground.engines.replay import PACKAGE, ReplayEngine, read
from playground.errors import StreamError
from playground.machine import Gpu, Machine
from playground.pairs import RECORDED
from playground.parts import Question
from playground.settings import ROOT, Settings
from playground.types import SIDES, Delta, Finished, Message, Sampling

ROWS = [catalog.load().row(key) for key in RECORDED]
OFFERED = [prompt for prompt in library.load(ROOT / "prompts") if not prompt.images][:4]
SPACE = {"SPACE_ID": "me/it", "HF_HUB_OFFLINE": "1"}
CPU = Machine(16 * 10**9, 12 * 10**9)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr("playground.machine.look", lambda: CPU)
    return CPU


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_a_recording_says_that_it_is_one_in_its_title_and_when_and_on_what_it_was_made(row) -> None:
    assert row.title.endswith("a recording")
    made = ReplayEngine(row).made()
    assert re.fullmatch(r"made on \d{4}-\d\d-\d\d by \w+ [\d.]+ on .* without a GPU; its times are of that run", made)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_it_answers_every_prompt_that_an_empty_page_offers_with_the_counts_of_a_real_run(row) -> None:
    recording = read(PACKAGE / row.source.removeprefix("package:"))
    assert [take.match for take in recording.answers] == [prompt.text for prompt in OFFERED]
    for take in recording.answers:
        times = [spoken.after_s for spoken in take.events]
        assert times == sorted(times)
        assert 0 < times[0] < times[-1] < 60
        assert take.finish_reason in ("stop", "length")
        assert 0 < (take.usage.answer_tokens or 0) <= 200
        assert 0 < (take.usage.prompt_tokens or 0) < 200
        assert take.error == ""


def test_it_plays_and_what_was_not_recorded_is_refused_with_what_was() -> None:
    engine = ReplayEngine(ROWS[0])
    shortest = min(engine._read().answers, key=lambda take: take.events[-1].after_s)
    *_, last = events = list(engine.stream([Message("user", shortest.match)], Sampling()))
    assert isinstance(last, Finished)
    assert "".join(e.text for e in events if isinstance(e, Delta)) == "".join(e.text for e in shortest.events)
    with pytest.raises(StreamError, match=r"ask what was recorded \(Hello! Introduce yourself"):
        list(engine.stream([Message("user", "What is 2 + 2?")], Sampling()))


def test_a_space_without_a_gpu_opens_with_recordings_and_says_why(machine: Machine, tmp_path: Path) -> None:
    house = parts.assemble(Settings(environ=SPACE, cache=tmp_path, votes=tmp_path / "votes.csv"))
    assert (house.pair.left, house.pair.right) == RECORDED
    assert "no GPU" in house.pair.why
    questions = {side: Question(key) for side, key in zip(SIDES, RECORDED, strict=True)}
    race = house.race(Message("user", OFFERED[0].text), questions, "together")
    assert all(race.now.side(side).notice.startswith("A recording, made on") for side in SIDES)
    house.close()


@pytest.mark.parametrize("told", ["own choice", "gpu", "elsewhere", "lent gpu"])
def test_anywhere_else_and_where_somebody_chose_nothing_is_recorded(
    told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = replace(CPU, gpus=(Gpu(0, "card", 24 * 10**9, 24 * 10**9, (8, 9)),))
    monkeypatch.setattr("playground.machine.look", lambda: card if told == "gpu" else CPU)
    env = {"HF_HUB_OFFLINE": "1"} if told == "elsewhere" else SPACE
    env = env | {"SPACES_ZERO_GPU": "true"} if told == "lent gpu" else env
    pair = ("shapes-small", "shapes-large") if told == "own choice" else ("", "")
    house = parts.assemble(Settings(*pair, environ=env, cache=tmp_path, votes=tmp_path / "votes.csv"))
    assert not {house.pair.left, house.pair.right} & set(RECORDED)
    house.close()
