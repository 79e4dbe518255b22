"""Pictures, for real: the two small vision models that come with the package, asked on the page in a real browser.

Content is asserted, not shape: what the picture shows must be in the answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from playground import catalog, library, votes, weights
from tests import site
from tests.browser import LONG_S, MARKS, answer, browser, finished, playwright, visit

PROMPTS = {prompt.id: prompt for prompt in library.load(site.ROOT / "prompts")}
__all__ = ["browser", "visit"]
pytestmark = MARKS


@pytest.fixture(scope="module")
def shapes_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("shapes")
    flags = ("--left", "shapes-small", "--right", "shapes-large", "--votes", str(home / "votes.csv"))
    with site.app(home, "", *flags) as url:
        yield url


def send(tab: object, prompt_id: str) -> None:
    """Choose a prompt of the library and send it."""
    tab.get_by_role("tab", name="Prompts").click()
    tab.locator(f".library [data-prompt={prompt_id}]").click()
    box = tab.get_by_label("Prompt", exact=True)
    playwright.expect(box).to_have_value(PROMPTS[prompt_id].text, timeout=LONG_S)
    tab.get_by_role("button", name="Send", exact=True).click()


def test_both_rows_say_honestly_what_they_are() -> None:
    rows = catalog.load()
    for key in ("shapes-small", "shapes-large"):
        assert rows.row(key).reads_images
        assert "demo" in rows.row(key).title.lower()
        assert weights.locate(rows.row(key), Path("unused"))


def test_both_models_say_what_is_in_the_picture(visit: Callable[..., object], shapes_url: str) -> None:
    tab = visit(shapes_url)
    send(tab, "shapes-01")
    finished(tab)
    for side in ("left", "right"):
        playwright.expect(answer(tab, side)).to_contain_text(re.compile(r"\bred\b", re.IGNORECASE))
        playwright.expect(answer(tab, side)).not_to_contain_text("Cannot see images")
    tab.get_by_role("button", name="Tie").click()
    playwright.expect(tab.get_by_text("Thank you.")).to_be_visible(timeout=LONG_S)


def test_another_picture_gives_another_answer_to_the_same_question(
    visit: Callable[..., object], shapes_url: str
) -> None:
    tab = visit(shapes_url)
    tab.locator(".prompt input[type=file]").set_input_files(PROMPTS["shapes-08"].images[1])
    tab.get_by_role("button", name="Remove file").wait_for(timeout=LONG_S)
    tab.get_by_label("Prompt", exact=True).fill(PROMPTS["shapes-01"].text)
    tab.get_by_role("button", name="Send", exact=True).click()
    finished(tab)
    shown = answer(tab, "right")
    playwright.expect(shown).to_contain_text(re.compile(r"\bgreen\b", re.IGNORECASE))
    playwright.expect(shown).not_to_contain_text(re.compile(r"\bred\b", re.IGNORECASE))


def test_the_larger_one_says_in_which_of_two_pictures_a_thing_is(visit: Callable[..., object], shapes_url: str) -> None:
    tab = visit(shapes_url)
    send(tab, "shapes-10")
    finished(tab)
    playwright.expect(answer(tab, "right")).to_contain_text("The second picture.")


def test_the_pictures_hash_is_in_the_vote(visit: Callable[..., object], shapes_url: str, tmp_path: Path) -> None:
    tab = visit(shapes_url)
    send(tab, "shapes-05")
    finished(tab)
    tab.get_by_role("button", name="Right is better").click()
    note = tab.get_by_text("Thank you.")
    playwright.expect(note).to_be_visible(timeout=LONG_S)
    (path,) = re.findall(r"\S+\.csv", note.inner_text())
    (row,) = [row for row in votes.read(Path(path)) if row["prompt_id"] == "shapes-05"]
    assert (row["images_sent_a"], row["images_sent_b"]) == ("1", "1")
    assert len(row["image_sha256"]) == 64
