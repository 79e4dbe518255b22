"""What may be saved from a tab, and when: nothing unfinished, and nothing that names a hidden model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from playground import parts
from playground.errors import PromptError
from playground.export import markdown, one
from playground.settings import Settings
from playground.types import SIDES, Prompt, Sampling
from playground.ui.casting import Ask
from playground.ui.saving import FORMATS, saved
from playground.ui.visit import Visit
from tests.fakes import ScriptedEngine, stand_in
from tests.following import ended

KEYS = ("kestrel", "marlin")
ROWS = "".join(
    f'[[model]]\nkey = "{key}"\ntitle = "{key.title()}"\nengine = "openai"\nbase_url = "http://example.invalid"\n'
    "reads_images = true\n[model.sampling]\ntemperature = 0.6\n"
    for key in KEYS
)


@pytest.fixture
def visit(tmp_path: Path) -> Iterator[Visit]:
    """A visit whose two models answer at once."""
    (tmp_path / "models.toml").write_text(ROWS, encoding="utf-8")
    settings = Settings(left=KEYS[0], right=KEYS[1], models=tmp_path / "models.toml", cache=tmp_path / "cache",
                        votes=tmp_path / "votes.csv", prompts=tmp_path / "none", blind_models=KEYS)  # fmt: skip
    house = parts.assemble(settings)
    stand_in(house.pool, {key: ScriptedEngine(key, [(0.0, f"{n} said.")]) for n, key in enumerate(KEYS)})
    yield Visit(house)
    house.close()


def asking(**changes: object) -> Ask:
    seats = dict(zip(SIDES, KEYS, strict=True))
    ask = Ask(Prompt("Who?"), seats, "together", dict.fromkeys(SIDES, ""), dict.fromkeys(SIDES, Sampling(top_p=0.9)))
    return replace(ask, **changes)


def run(visit: Visit, ask: Ask) -> None:
    visit.start(ask)
    ended(visit)


def test_what_is_saved_is_what_was_asked_sent_answered_and_voted(visit: Visit):
    Image.new("RGB", (4, 3), "red").save("cat.png")
    run(visit, asking(prompt=Prompt("Who?", (Path("cat.png"),))))
    assert visit.message
    found = saved(visit)
    assert (found.comparison, found.prompt, found.turn, found.vote) == (visit.comparison, "Who?", 1, None)
    assert [(each.name, each.sha256) for each in found.pictures] == [("cat.png", visit.message.images[0].sha256)]
    assert found.sampling["left"] == Sampling(temperature=0.6, top_p=0.9)
    visit.vote("model_b", "shorter")
    about = json.loads(one.as_json(saved(visit)))["vote"]
    assert (about["winner"], about["reason"], about["blind"]) == ("model_b", "shorter", False)


def test_earlier_turns_belong_to_it(visit: Visit):
    run(visit, asking())
    run(visit, asking(prompt=Prompt("And now?")))
    assert [each.text for each in saved(visit).earlier["left"]] == ["Who?", "0 said."]
    assert saved(visit).turn == 2


def test_nothing_unfinished_is_saved(visit: Visit):
    with pytest.raises(PromptError, match="nothing to save yet"):
        saved(visit)
    visit.start(asking())
    with pytest.raises(PromptError, match="not finished yet"):
        saved(visit)


def test_a_hidden_pair_is_saved_only_after_its_vote(visit: Visit):
    run(visit, asking(blind=True))
    assert visit.comparison
    assert visit.comparison.final
    with pytest.raises(PromptError, match="hidden until your vote") as refused:
        saved(visit)
    assert [key for key in KEYS if key in str(refused.value)] == []
    visit.vote("tie")
    found = saved(visit)
    assert {found.models[side].key for side in SIDES} == set(KEYS)
    assert "A tie. Cast at 20" in markdown.comparison(found)
    assert "names hidden" in markdown.comparison(found)


def test_after_an_undo_it_is_saved_without_a_vote(visit: Visit):
    run(visit, asking(blind=True))
    visit.vote("tie")
    visit.undo()
    assert saved(visit).vote is None
    run(visit, asking(blind=True))
    with pytest.raises(PromptError, match="hidden until your vote"):
        saved(visit)


def test_each_button_has_a_name_and_an_ending_of_its_own():
    assert len({each.label for each in FORMATS}) == len({each.ending for each in FORMATS}) == len(FORMATS)
