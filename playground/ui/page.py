"""Knows the page as a whole: its head, its tabs, its one public endpoint, how it is served. Knows no tab's inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import gradio.events
from gradio.utils import get_upload_folder

from playground import report
from playground.errors import ImageError, PlaygroundError
from playground.images import prepare
from playground.parts import Parts, Question
from playground.types import SIDES, Message, Sampling
from playground.ui import compare_tab, copies, models_tab, prompts_tab, saving, show, standings_tab
from playground.ui.pace import Pace
from playground.ui.visit import Visitors

HERE = Path(__file__).parent
MOST_WATCHERS = 200
"""Threads for streaming handlers: one a watcher."""
MOST_WAITING = 500
LARGEST_UPLOAD = "25mb"
DAY_S = 86_400

THEME = gr.themes.Base(
    primary_hue="stone",
    neutral_hue="stone",
    radius_size="lg",
    font=["Inter", "system-ui", "sans-serif"],
    font_mono=["ui-monospace", "SFMono-Regular", "monospace"],
)


def build(parts: Parts) -> gr.Blocks:
    """The page, ready to be launched."""
    visitors, pace = Visitors(parts), Pace()

    def leave(request: gr.Request) -> None:
        """A closed tab stops its work."""
        visitors.leave(request.session_hash)

    page: gr.Blocks
    with gr.Blocks(title="Side by Side", fill_width=True, analytics_enabled=False, delete_cache=(3600, DAY_S)) as page:
        gr.HTML(show.HEADER, elem_classes="head")
        if parts.settings.sign_in:  # elsewhere Gradio would only play at signing in
            gr.LoginButton("Sign in", "Sign out {}", size="sm", min_width=0, elem_classes=["quiet", "sign-in"])
        with gr.Tabs(elem_classes="tabs") as tabs:
            with gr.Tab("Compare", id="compare"):
                tab = compare_tab.build(parts, visitors, pace, page)
                saving.build(visitors, tab.problem)
            with gr.Tab("Standings", id="standings") as standings:
                standings_tab.build(parts, standings)
            if not parts.settings.blind:  # what is loaded would tell who answers
                with gr.Tab("Models", id="models") as models:
                    models_tab.build(parts, visitors, models)
            with gr.Tab("Prompts", id="prompts"):
                chooser = prompts_tab.build(parts)
        copies.build(parts.sync, page)
        prompts_tab.wire(parts, (tab.welcome, chooser), tab, tabs)
        if not parts.settings.blind:  # asked by name, a model shows how it answers
            gradio.events.api(
                _compare_api(parts), api_name="compare", api_description=COMPARE_HELP, concurrency_limit=4
            )

    page.unload(leave)
    page.queue(max_size=MOST_WAITING, default_concurrency_limit=MOST_WATCHERS)
    return page


SAFE_HEAD = """<meta http-equiv="Content-Security-Policy" content="img-src 'self' data: blob:; form-action 'none'">"""
"""No answer can make a visitor's browser call another site for a picture."""

COMPARE_HELP = (
    "Send one prompt to two models and wait for both. Returns the object that `python -m playground ask --json` prints."
)


def _compare_api(parts: Parts) -> Any:
    def compare(
        prompt: str,
        left: str,
        right: str,
        images: list[gr.FileData] | None = None,
        system: str = "",
        pacing: str = "",
        max_tokens: int | None = None,
        temperature: float | None = None,
        seed: int | None = None,
    ) -> dict[str, Any]:
        try:
            pictures = tuple(prepare(_uploaded(file)) for file in images or ())
            sampling = Sampling(temperature=temperature, max_tokens=max_tokens, seed=seed)
            keys = dict(zip(SIDES, (left, right), strict=True))
            questions = {side: Question(key, (), system, sampling) for side, key in keys.items()}
            chosen = parts.pacing(pacing, left, right)
            race = parts.race(Message("user", prompt, pictures), questions, chosen)
        except PlaygroundError as error:
            raise gr.Error(str(error)) from error
        for _ in race.snapshots(lambda: 0.2):
            pass
        return report.comparison(race.now)

    return compare


def _uploaded(file: Any) -> Path:
    """Where an uploaded picture is. Raises ImageError for any other file of this machine: Gradio itself checks only
    those that say they are uploads."""
    path = Path(gr.FileData.model_validate(file).path).resolve()
    if not path.is_relative_to(Path(get_upload_folder()).resolve()):
        raise ImageError("A picture must be uploaded first; in Python, pass gradio_client.handle_file(PATH).")
    return path


def serve(page: gr.Blocks, parts: Parts) -> None:
    """Launch the page and block until the app is ended."""
    settings = parts.settings
    page.launch(
        server_name=settings.host,
        server_port=settings.port,
        share=settings.share,
        theme=THEME,
        css_paths=[HERE / "style.css", HERE / "standings.css", HERE / "models.css"],
        head=f"{SAFE_HEAD}<script>{(HERE / 'keys.js').read_text(encoding='utf-8')}</script>",
        max_threads=MOST_WATCHERS + 40,
        max_file_size=LARGEST_UPLOAD,
        run_history=False,
        ssr_mode=False,
        allowed_paths=[str(settings.prompts)],
        footer_links=[],
        show_error=True,
    )
