"""Knows how the prompts of the library look on the page. Knows no Gradio and sends nothing."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from io import BytesIO

from PIL import Image as Picture

from playground import images
from playground.types import Image, Prompt

THUMBNAIL_PX = 240  # twice the size on the page, for sharp screens
NO_PROMPTS = '<p class="note">There is no prompts folder beside the app.</p>'
PICK_PROMPT_JS = """
element.addEventListener("click", (event) => {
  const card = event.target.closest("[data-prompt]");
  if (card) trigger("click", { prompt: card.dataset.prompt });
});
"""
FOCUS_PROMPT_JS = "() => setTimeout(() => document.querySelector('.prompt textarea')?.focus(), 300)"


def welcome(prompts: Sequence[Prompt]) -> str:
    """What an empty page says: what to do, and a few prompts to begin with."""
    # without pictures: the pair that a page without anything else opens with reads text only
    easy = [prompt for prompt in prompts if not prompt.images][:4]
    cards = "".join(_prompt_card(prompt) for prompt in easy)
    return (
        '<div class="hello"><h2>Same question, two models.</h2><p>Both answers stream side by side, with their time '
        f'and memory. Then you say which is better.</p></div><div class="prompt-cards">{cards}</div>'
    )


def subject(name: str, prompts: Sequence[Prompt]) -> str:
    """One subject of the library, with all its prompts as cards."""
    cards = "".join(_prompt_card(prompt) for prompt in prompts)
    return f'<section><h3>{escape(name)}</h3><div class="prompt-cards">{cards}</div></section>'


def _prompt_card(prompt: Prompt) -> str:
    image = f'<img src="{thumbnail(images.prepare(prompt.images[0]))}" alt="">' if prompt.images else ""
    hint = f'<span class="look">{escape(prompt.look_for)}</span>' if prompt.look_for else ""
    # the name is short, so that a prompt with the words of a control is not mistaken for it
    return (
        f'<button class="prompt-card" type="button" data-prompt="{escape(prompt.id)}" '
        f'aria-label="Example {escape(prompt.id)}">{image}<span class="what">'
        f'<span class="who">{escape(prompt.id)}</span><span class="text">{escape(prompt.text)}</span>{hint}</span>'
        "</button>"
    )


def thumbnail(image: Image) -> str:
    """A small copy as a data URI: the page then needs no address of a file."""
    with Picture.open(BytesIO(image.data)) as picture:
        picture.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
        out = BytesIO()
        picture.convert("RGB").save(out, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{b64encode(out.getvalue()).decode()}"
