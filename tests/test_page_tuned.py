"""The page with models of one's own: without a chat template, with an adapter for another base or a picky template."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests import checkpoints, site, tuned
from tests.browser import LONG_S, MARKS, answer, ask, browser, choose, finished, playwright, setting, visit

__all__ = ["browser", "visit"]
pytestmark = MARKS
pytest.importorskip("peft")
REFUSES = "{% if messages|length > 1 %}{{ raise_exception('Only one turn, please') }}{% endif %}"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("site")
    base = checkpoints.architecture("llama", home / "Plain-1B")
    template = (base / "chat_template.jinja").read_text()
    (base / "chat_template.jinja").unlink()
    picky = checkpoints.architecture("llama", home / "Picky-1B")
    (picky / "chat_template.jinja").write_text(REFUSES + template)
    lora = tuned.untaught(tuned.base(home / "Right-1B", layers=4, hidden_size=128), home / "lora")
    tuned.rewrite(lora / "adapter_config.json", base_model_name_or_path="org/Right-1B")
    rows = "".join(
        f'[[model]]\nkey = "{key}"\ntitle = "{title}"\nengine = "transformers"\nsource = "{source}"\n{more}\n'
        for key, title, source, more in (
            ("plain", "Plain 1B", base, ""),
            ("picky", "Picky 1B", picky, ""),
            ("tuned", "Tuned 1B", picky, f'adapter = "{lora}"'),
        )
    )
    rows += site.model(home, "said", [{"events": site.words("Certainly, it is blue.")}], title="Said 1B")
    flags = ("--left", "plain", "--right", "said", "--threads", "1", "--cache", str(home / "cache"))
    with site.app(home, rows, *flags) as address:
        yield address


def brief(tab: object) -> None:
    setting(tab, "Max tokens", "12")
    setting(tab, "Temperature", "0")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_an_answer_of_a_base_model_says_that_it_is_one(
    visit: Callable[..., object], url: str, width: int, scheme: str
) -> None:
    tab = visit(url, width=width, scheme=scheme)
    brief(tab)
    ask(tab, "The colour of the sky is")
    finished(tab)
    left, right = answer(tab, "left"), answer(tab, "right")
    playwright.expect(left.get_by_role("note")).to_have_text(
        "A base model: it has no chat template, so it continues your text and does not answer it."
    )
    playwright.expect(left.locator(".answer-body > .markdown").last).not_to_be_empty()
    playwright.expect(right).to_contain_text("Certainly, it is blue.")
    playwright.expect(right.get_by_role("note")).to_have_count(0)


def test_an_adapter_for_another_base_is_told_in_its_pane_and_the_other_side_answers(
    visit: Callable[..., object], url: str
) -> None:
    tab = visit(url)
    choose(tab, "left", "Tuned 1B")
    brief(tab)
    ask(tab, "The colour of the sky is")
    finished(tab)
    error = answer(tab, "left").get_by_role("alert")
    playwright.expect(error).to_contain_text("was made for org/Right-1B, and does not fit", timeout=LONG_S)
    playwright.expect(error).to_contain_text("Name the base that it was made for in `source` of the row tuned")
    playwright.expect(answer(tab, "right")).to_contain_text("Certainly, it is blue.")


def test_a_chat_template_that_raises_is_quoted_in_its_pane_and_the_other_side_answers(
    visit: Callable[..., object], url: str
) -> None:
    tab = visit(url)
    choose(tab, "left", "Picky 1B")
    brief(tab)
    for _ in range(2):
        ask(tab, "The colour of the sky is")
        finished(tab)
    error = answer(tab, "left").get_by_role("alert")
    playwright.expect(error).to_contain_text('does not take this conversation: "Only one turn, please"')
    playwright.expect(answer(tab, "right")).to_contain_text("Certainly, it is blue.")
