"""The page, driven in a real browser as a person would. Models are recordings, so what must be seen is known."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from playground import votes
from tests import site
from tests.browser import LONG_S, MARKS, REACTION_MS, answer, ask, browser, finished, playwright, setting, visit
from tests.patience import LIMIT_S

__all__ = ["browser", "visit"]
pytestmark = MARKS

CODE = "Here is code:\n\n```python\ndef double(x):\n    return 2 * x\n```\n\nIt doubles \\(x\\)."
USAGE = {"prompt_tokens": 12, "answer_tokens": 20, "source": "server"}


def _rows(folder: Path) -> str:
    story = site.words("Once upon a time there was a small quick model that answered first")
    endless = site.words(" ".join(f"word{n}" for n in range(2000)), every_s=0.25)
    quick = [
        {"match": "code", "events": [[0.1, "text", CODE]], "usage": USAGE},
        {"match": "think", "events": [*site.words("let me see", kind="reasoning"), [0.6, "text", "The answer is 4."]]},
        {"match": "both run on", "events": endless},
        {"match": "", "events": story, "usage": USAGE},
    ]
    slow = [
        {"match": "both run on", "events": endless},
        {"match": "", "events": site.words("The larger one took its time and said more", every_s=0.15), "usage": USAGE},
    ]
    broken = [{"match": "", "events": [[0.2, "text", "I begin"]], "error": "The server ran out of memory."}]
    return (
        site.model(folder, "quick", quick, "Quick 1B", extra="reads_images = true\nparameters_b = 1")
        + site.model(folder, "slow", slow, "Slow 13B", extra="parameters_b = 13")
        + site.model(folder, "broken", broken, "Broken 2B")
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("site")


@pytest.fixture(scope="module")
def url(home: Path) -> Iterator[str]:
    with site.app(home, _rows(home), "--left", "quick", "--right", "slow") as address:
        yield address


def vote_button(tab: object, name: str) -> object:
    return tab.get_by_role("button", name=name)


def stored(home: Path, prompt: str) -> list[dict[str, str]]:
    return [row for row in votes.read(home / "votes" / "votes.csv") if row["prompt"] == prompt]


def test_both_answers_stream_and_the_vote_is_in_the_file_when_the_page_says_thank_you(
    visit: Callable[..., object], url: str, home: Path
) -> None:
    tab = visit(url)
    ask(tab, "Tell me a story.")
    playwright.expect(answer(tab, "left")).to_contain_text("Once upon", timeout=LONG_S)
    playwright.expect(vote_button(tab, "Left is better")).to_be_disabled()
    playwright.expect(tab.get_by_text("Vote when both answers are finished.")).to_be_visible()
    finished(tab)
    playwright.expect(answer(tab, "left")).to_contain_text("answered first")
    playwright.expect(answer(tab, "right")).to_contain_text("said more")
    figures = tab.get_by_label("Figures")
    playwright.expect(figures).to_contain_text("first token")
    assert len(re.findall(r"\d\.\d\d s", figures.inner_text())) >= 4
    tab.wait_for_timeout(REACTION_MS)
    vote_button(tab, "Right is better").click()
    playwright.expect(tab.get_by_text("Thank you.")).to_be_visible(timeout=LONG_S)
    (row,) = stored(home, "Tell me a story.")
    assert (row["model_a"], row["model_b"], row["winner"], row["counted"]) == ("quick", "slow", "model_b", "true")
    assert row["answer_b"].strip() == "The larger one took its time and said more"
    assert float(row["total_s_b"]) > float(row["total_s_a"]) > float(row["ttft_s_a"]) > 0
    playwright.expect(vote_button(tab, "Tie")).to_be_disabled()


def test_a_setting_of_one_side_is_that_sides_only(visit: Callable[..., object], url: str, home: Path) -> None:
    tab = visit(url)
    setting(tab, "Max tokens", "40")
    setting(tab, "Left max tokens", "6000", of="Only left")
    ask(tab, "Tell me of the settings.")
    finished(tab)
    tab.wait_for_timeout(REACTION_MS)
    vote_button(tab, "Tie").click()
    playwright.expect(tab.get_by_text("Thank you.")).to_be_visible(timeout=LONG_S)
    (row,) = stored(home, "Tell me of the settings.")
    assert (row["model_a"], row["max_tokens_a"], row["max_tokens_b"]) == ("quick", "6000", "40")


def test_code_keeps_its_indent_and_formulas_are_set(visit: Callable[..., object], url: str) -> None:
    tab = visit(url)
    ask(tab, "Show me code.")
    finished(tab)
    assert "    return 2 * x" in answer(tab, "left").locator("pre").inner_text()
    playwright.expect(answer(tab, "left").locator("math").first).to_be_visible()


def test_thinking_is_folded_apart_from_the_answer(visit: Callable[..., object], url: str) -> None:
    tab = visit(url)
    ask(tab, "think about 2 + 2")
    finished(tab)
    playwright.expect(answer(tab, "left")).to_contain_text("The answer is 4.")
    playwright.expect(answer(tab, "left").get_by_text("Thought for")).to_be_visible()
    playwright.expect(answer(tab, "left").get_by_text("let me see")).to_be_hidden()


def test_a_model_that_cannot_see_gets_the_text_only_and_says_so(
    visit: Callable[..., object], url: str, home: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "red.png"
    Image.new("RGB", (64, 48), "red").save(picture)
    tab = visit(url)
    tab.locator(".prompt input[type=file]").set_input_files(picture)
    tab.get_by_role("button", name="Remove file").wait_for(timeout=LONG_S)
    ask(tab, "What is in the picture?")
    finished(tab)
    playwright.expect(answer(tab, "right")).to_contain_text("Cannot see images, got the text only.")
    playwright.expect(answer(tab, "left")).not_to_contain_text("Cannot see images")
    playwright.expect(tab.get_by_role("img", name="picture 1")).to_be_visible()
    vote_button(tab, "Left is better").click()
    playwright.expect(tab.get_by_text("Thank you.")).to_be_visible(timeout=LONG_S)
    (row,) = stored(home, "What is in the picture?")
    assert (row["images_sent_a"], row["images_sent_b"]) == ("1", "0")
    assert "cannot see images" in row["notice_b"]
    assert len(row["image_sha256"]) == 64


def test_stopping_one_side_leaves_the_other_running_and_a_retry_asks_it_again(
    visit: Callable[..., object], url: str, home: Path
) -> None:
    tab = visit(url)
    ask(tab, "both run on")
    playwright.expect(answer(tab, "left")).to_contain_text("word5", timeout=LONG_S)
    tab.get_by_role("button", name="Stop left").click()
    playwright.expect(answer(tab, "left")).to_contain_text("stopped", timeout=LONG_S)
    before = answer(tab, "right").inner_text()
    playwright.expect(answer(tab, "right")).not_to_have_text(before, timeout=LONG_S)
    tab.get_by_role("button", name="Stop", exact=True).click()
    finished(tab)
    playwright.expect(tab.get_by_text("It is kept, but not counted")).to_be_visible()
    kept = answer(tab, "right").locator(".prose").last.inner_text()
    tab.get_by_role("button", name="Retry left").click()
    tab.get_by_role("button", name="Stop left").wait_for(timeout=LONG_S)
    tab.get_by_role("button", name="Stop left").click()
    finished(tab)
    assert answer(tab, "right").locator(".prose").last.inner_text() == kept
    vote_button(tab, "Tie").click()
    playwright.expect(tab.get_by_text("Thank you.")).to_be_visible(timeout=LONG_S)
    (row,) = stored(home, "both run on")
    assert (row["counted"], row["finish_reason_a"]) == ("false", "stopped")
    assert "left stopped" in row["not_counted_reason"]


def test_a_failing_side_shows_its_error_in_its_own_pane_and_the_other_goes_on(
    visit: Callable[..., object], url: str
) -> None:
    tab = visit(url)
    tab.get_by_label("Left model", exact=True).click()
    tab.get_by_role("option", name="Broken 2B").click()
    ask(tab, "Will both answer?")
    finished(tab)
    playwright.expect(answer(tab, "left").get_by_role("alert")).to_contain_text("ran out of memory")
    playwright.expect(answer(tab, "left")).to_contain_text("I begin")
    playwright.expect(answer(tab, "right")).to_contain_text("said more")
    assert "ran out of memory" not in answer(tab, "right").inner_text()


def test_an_empty_prompt_and_a_bad_setting_are_refused_in_words_and_nothing_is_lost(
    visit: Callable[..., object], url: str
) -> None:
    tab = visit(url)
    tab.get_by_role("button", name="Send", exact=True).click()
    playwright.expect(tab.get_by_role("alert").first).to_contain_text("The prompt is empty.", timeout=LONG_S)
    tab.get_by_role("button", name="Settings", exact=True).click()
    tab.get_by_label("Temperature", exact=True).fill("hot")
    ask(tab, "Is it hot?")
    playwright.expect(tab.get_by_role("alert").first).to_contain_text("Temperature must be a number", timeout=LONG_S)
    assert tab.get_by_label("Prompt", exact=True).input_value() == "Is it hot?"


def test_a_file_that_is_no_image_is_refused_in_words(visit: Callable[..., object], url: str, tmp_path: Path) -> None:
    fake = tmp_path / "holiday.png"
    fake.write_bytes(b"this is no picture")
    tab = visit(url)
    tab.locator(".prompt input[type=file]").set_input_files(fake)
    tab.get_by_role("button", name="Remove file").wait_for(timeout=LONG_S)
    ask(tab, "What is this?")
    playwright.expect(tab.get_by_role("alert").first).to_contain_text("holiday.png", timeout=LONG_S)
    assert tab.get_by_label("Prompt", exact=True).input_value() == "What is this?"


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("photo.heic", b"\0\0\0\x18ftypheic" + bytes(100), "photo.heic is a HEIC picture, which is not read here"),
        ("noending", b"\x89PNG\r\n\x1a\n" + bytes(20), "noending is damaged or was cut short"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_by_a_sentence_of_ours(
    visit: Callable[..., object], url: str, tmp_path: Path, name: str, data: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(data)
    tab = visit(url)
    tab.locator(".prompt input[type=file]").set_input_files(tmp_path / name)
    tab.get_by_role("button", name="Remove file").wait_for(timeout=LONG_S)
    assert tab.get_by_test_id("toast-body").count() == 0
    ask(tab, "What is this?")
    playwright.expect(tab.get_by_role("alert").first).to_contain_text(said, timeout=LONG_S)
    assert tab.locator(".prompt input[type=file]").get_attribute("accept") == "image/*"  # what a phone goes by


def test_a_picture_without_an_ending_is_read(visit: Callable[..., object], url: str, tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), "red").save(tmp_path / "red", format="PNG")
    tab = visit(url)
    tab.locator(".prompt input[type=file]").set_input_files(tmp_path / "red")
    tab.get_by_role("button", name="Remove file").wait_for(timeout=LONG_S)
    ask(tab, "What is in the picture?")
    finished(tab)
    playwright.expect(tab.get_by_role("img", name="picture 1")).to_be_visible()


def test_when_neither_side_sees_the_page_names_models_that_do(
    visit: Callable[..., object], url: str, tmp_path: Path
) -> None:
    picture = tmp_path / "red.png"
    Image.new("RGB", (64, 48), "red").save(picture)
    tab = visit(url)
    tab.get_by_label("Left model", exact=True).click()
    tab.get_by_role("option", name="Broken 2B").click()
    tab.locator(".prompt input[type=file]").set_input_files(picture)
    tab.get_by_role("button", name="Remove file").wait_for(timeout=LONG_S)
    ask(tab, "What is in the picture?")
    alert = tab.get_by_role("alert").first
    playwright.expect(alert).to_contain_text("cannot see images, so nothing was sent", timeout=LONG_S)
    playwright.expect(alert).to_contain_text("Quick 1B")
    tab.get_by_role("button", name="Use Quick 1B and Shapes small").click()
    playwright.expect(tab.get_by_label("Left model", exact=True)).to_have_value("Quick 1B", timeout=LONG_S)
    playwright.expect(tab.get_by_label("Right model", exact=True)).to_have_value(re.compile("Shapes"), timeout=LONG_S)
    tab.get_by_role("button", name="Send", exact=True).click()
    finished(tab)
    playwright.expect(tab.get_by_role("img", name="picture 1")).to_be_visible()


def test_the_keyboard_alone_is_enough(visit: Callable[..., object], url: str, home: Path) -> None:
    tab = visit(url)
    tab.keyboard.press("Tab")
    for _ in range(40):
        if tab.evaluate("document.activeElement.getAttribute('aria-label')") == "Prompt":
            break
        tab.keyboard.press("Tab")
    tab.keyboard.type("By keyboard 1234")
    tab.keyboard.press("Enter")
    finished(tab)
    playwright.expect(vote_button(tab, "Tie")).to_be_enabled(timeout=LONG_S)  # a moment after the last text
    tab.keyboard.press("Alt+3")  # from within the box, which keeps the focus
    playwright.expect(tab.get_by_text("Thank you.")).to_be_visible(timeout=LONG_S)
    (row,) = stored(home, "By keyboard 1234")
    assert row["winner"] == "tie"
    for name, opacity in (("Tie", "1"), ("Left is better", "0.45")):  # the vote that was cast stands out
        playwright.expect(vote_button(tab, name)).to_have_css("opacity", opacity)
    tab.keyboard.type("Then 2 more")
    playwright.expect(tab.get_by_label("Prompt", exact=True)).to_have_value("Then 2 more")


def test_what_is_being_written_is_never_taken_for_a_vote(visit: Callable[..., object], url: str, home: Path) -> None:
    tab = visit(url)
    ask(tab, "Written meanwhile?")
    box = tab.get_by_label("Prompt", exact=True)
    playwright.expect(box).to_have_value("", timeout=LONG_S)  # the question has left it
    finished(tab)
    playwright.expect(vote_button(tab, "Tie")).to_be_enabled(timeout=LONG_S)
    tab.keyboard.type("2+2?")  # at once, into the empty box
    playwright.expect(box).to_have_value("2+2?")
    box.fill("")
    tab.locator("body").click(position={"x": 2, "y": 300})  # beside everything
    tab.keyboard.type("4 or 2?")
    playwright.expect(box).to_have_value("4 or 2?")
    assert stored(home, "Written meanwhile?") == []


@pytest.mark.parametrize("way", ["escape", "focus"])
def test_a_digit_votes_after_escape_or_on_the_vote_buttons_which_show_it(
    visit: Callable[..., object], url: str, home: Path, way: str
) -> None:
    tab = visit(url)
    ask(tab, f"By {way}?")
    finished(tab)
    playwright.expect(vote_button(tab, "Tie")).to_be_enabled(timeout=LONG_S)
    shown = "getComputedStyle(document.querySelector('.vote-right'), '::after').content"
    assert tab.evaluate(shown) == '"Alt 2"'
    if way == "escape":
        tab.keyboard.press("Escape")
    else:
        vote_button(tab, "Left is better").focus()
    assert tab.evaluate(shown) == '"2"'
    tab.keyboard.press("2")
    playwright.expect(tab.get_by_text("Thank you.")).to_be_visible(timeout=LONG_S)
    assert [row["winner"] for row in stored(home, f"By {way}?")] == ["model_b"]


def test_a_model_is_found_by_what_is_typed_into_a_picker(visit: Callable[..., object], url: str) -> None:
    tab = visit(url)
    picker = tab.get_by_label("Right model", exact=True)
    picker.click()
    tab.keyboard.type("broken")
    tab.locator(".pick.right").get_by_role("option", name="Slow 13B").wait_for(state="detached")
    tab.keyboard.press("Enter")
    playwright.expect(picker).to_have_value("Broken 2B")


def test_a_second_turn_folds_the_first_away_and_each_side_remembers_its_own(
    visit: Callable[..., object], url: str, home: Path
) -> None:
    tab = visit(url)
    ask(tab, "First question")
    finished(tab)
    ask(tab, "Second question")
    tab.get_by_text("Earlier turns (1)").wait_for(timeout=LONG_S)
    finished(tab)
    tab.get_by_text("Earlier turns (1)").click()
    playwright.expect(tab.locator(".earlier")).to_contain_text("First question")
    playwright.expect(tab.get_by_label("Asked")).to_contain_text("turn 2")
    vote_button(tab, "Both are bad").click()
    playwright.expect(tab.get_by_text("Thank you.")).to_be_visible(timeout=LONG_S)
    (row,) = stored(home, "Second question")
    assert (row["turn"], row["winner"]) == ("2", "both_bad")


def test_two_tabs_of_one_person_do_not_disturb_each_other(visit: Callable[..., object], url: str) -> None:
    one, two = visit(url), visit(url)
    ask(one, "both run on")
    ask(two, "Tell me a story, second tab.")
    finished(two)
    playwright.expect(answer(two, "left")).to_contain_text("Once upon")
    playwright.expect(answer(one, "left")).to_contain_text("word", timeout=LONG_S)
    playwright.expect(answer(one, "left")).not_to_contain_text("Once upon")
    one.get_by_role("button", name="Stop", exact=True).click()
    finished(one)


def test_a_prompt_of_the_library_is_one_click_away_and_keeps_its_id(
    visit: Callable[..., object], url: str, home: Path
) -> None:
    tab = visit(url)
    tab.get_by_role("tab", name="Prompts").click()
    card = tab.locator(".library .prompt-card:not(:has(img))").first
    key, text = card.get_attribute("data-prompt"), card.locator(".text").inner_text()
    card.click()
    playwright.expect(tab.get_by_label("Prompt", exact=True)).to_have_value(
        re.compile(re.escape(text[:30])), timeout=LONG_S
    )
    tab.get_by_role("button", name="Send", exact=True).click()
    finished(tab)
    playwright.expect(tab.get_by_label("Asked")).to_contain_text(str(key))


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1280, "dark")])
def test_no_width_or_scheme_makes_the_page_scroll_sideways(
    visit: Callable[..., object], url: str, width: int, scheme: str
) -> None:
    tab = visit(url, width, 844, scheme)
    ask(tab, "Show me code.")
    finished(tab)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    for name in ("Left is better", "Right is better", "Tie", "Both are bad"):
        box = vote_button(tab, name).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


def test_a_vote_that_cannot_be_written_keeps_the_buttons_and_says_so(
    visit: Callable[..., object], tmp_path: Path
) -> None:
    (tmp_path / "occupied").write_text("a file where the folder should be")
    rows = _rows(tmp_path)
    flags = ("--left", "quick", "--right", "slow", "--votes", str(tmp_path / "occupied" / "votes.csv"))
    with site.app(tmp_path, rows, *flags) as address:
        tab = visit(address)
        ask(tab, "Tell me a story.")
        finished(tab)
        vote_button(tab, "Left is better").click()
        playwright.expect(tab.get_by_text("NOT stored")).to_be_visible(timeout=LONG_S)
        playwright.expect(vote_button(tab, "Left is better")).to_be_enabled()
        (tmp_path / "occupied").unlink()
        vote_button(tab, "Left is better").click()
        playwright.expect(tab.get_by_text("Thank you.")).to_be_visible(timeout=LONG_S)
        tab.close()
    assert len(list(votes.read(tmp_path / "occupied" / "votes.csv"))) == 1


def test_compare_is_the_one_public_endpoint(url: str) -> None:
    info = httpx.get(f"{url}gradio_api/info", timeout=LIMIT_S, trust_env=False).json()
    assert list(info["named_endpoints"]) == ["/compare"]
    assert info["unnamed_endpoints"] == {}


def test_compare_returns_what_the_command_line_prints(url: str) -> None:
    from gradio_client import Client

    client = Client(url, verbose=False)
    done = client.predict(prompt="Tell me a story.", left="quick", right="slow", api_name="/compare")
    client.close()
    assert done["schema"] == 1
    assert (done["left"]["status"], done["right"]["status"]) == ("done", "done")
    assert done["right"]["text"].strip() == "The larger one took its time and said more"


def test_compare_takes_pictures_too(url: str, tmp_path: Path) -> None:
    from gradio_client import Client, handle_file

    Image.new("RGB", (64, 48), "red").save(tmp_path / "red.png")
    client = Client(url, verbose=False)
    pictures = [handle_file(tmp_path / "red.png")]
    done = client.predict(prompt="What?", left="quick", right="slow", images=pictures, api_name="/compare")
    client.close()
    assert (done["left"]["images_sent"], done["right"]["images_sent"]) == (1, 0)


def test_compare_reads_no_file_of_the_server(url: str, tmp_path: Path) -> None:
    from gradio_client import Client
    from gradio_client.exceptions import AppError

    Image.new("RGB", (64, 48), "red").save(tmp_path / "private.png")
    client = Client(url, verbose=False)
    pictures = [{"path": str(tmp_path / "private.png")}]
    with pytest.raises(AppError, match="must be uploaded first"):
        client.predict(prompt="What?", left="quick", right="slow", images=pictures, api_name="/compare")
    client.close()


def test_the_app_holds_no_torch_and_no_transformers(url: str, home: Path) -> None:
    libraries = " ".join(region.path for region in site.process_at(url).memory_maps())
    assert "libtorch" not in libraries
