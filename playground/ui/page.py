"""Knows the page as a whole: its head, its tabs, its one public endpoint, how it is served. Knows no tab's inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import gradio.events
from gradio.utils import get_upload_folder
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playground import passwords, report
from playground.errors import ImageError, PlaygroundError
from playground.images import prepare
from playground.parts import Parts, Question
from playground.types import SIDES, Sampling
from playground.types import Message as Said
from playground.ui import compare_tab, copies, gate, models_tab, prompts_tab, saving, show, standings_tab
from playground.ui.live import Feeds
from playground.ui.pace import Pace
from playground.ui.visit import Visitors

HERE = Path(__file__).parent
MOST_AT_ONCE = 80
"""Threads for handlers. None of them waits for an answer."""
QUEUE_POLL_S = 0.08
"""Between two looks of Gradio's queue for work. At Gradio's own millisecond an idle app takes a tenth of a core."""
PROGRESS_POLL_S = 1.0
"""Between two looks for bars of `gr.Progress`, of which there are none; Gradio looks a hundred times a second."""
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


@dataclass(frozen=True, slots=True)
class Page:
    """The page, ready to be launched: what Gradio serves, and the routes that stand beside its own."""

    blocks: gr.Blocks
    routes: Sequence[Route]


def build(parts: Parts) -> Page:
    """Lay out and wire the whole page."""
    visitors, feeds = Visitors(parts), Feeds(Pace(), parts.catalog.row)
    who = gate.teller(parts.policy, parts.settings.port)
    blocks: gr.Blocks
    with gr.Blocks(
        title="Side by Side", fill_width=True, analytics_enabled=False, delete_cache=(3600, DAY_S)
    ) as blocks:
        gr.HTML(show.HEADER, elem_classes="head")
        if parts.settings.sign_in:  # elsewhere Gradio would only play at signing in
            gr.LoginButton("Sign in", "Sign out {}", size="sm", min_width=0, elem_classes=["quiet", "sign-in"])
        with gr.Tabs(elem_classes="tabs") as tabs:
            with gr.Tab("Compare", id="compare"):
                tab = compare_tab.build(parts, visitors, feeds, blocks, who)
                saving.build(visitors, tab.problem)
            with gr.Tab("Standings", id="standings") as standings:
                standings_tab.build(parts, standings)
            if not parts.settings.blind:  # what is loaded would tell who answers
                with gr.Tab("Models", id="models") as models:
                    models_tab.build(parts, visitors, models, who)
            with gr.Tab("Prompts", id="prompts"):
                chooser = prompts_tab.build(parts)
        copies.build(parts.sync, blocks)
        prompts_tab.wire(parts, (tab.welcome, chooser), tab, tabs)
        if not parts.settings.blind:  # asked by name, a model shows how it answers
            gradio.events.api(
                _compare_api(parts, who), api_name="compare", api_description=COMPARE_HELP, concurrency_limit=4
            )

        _quiet(blocks, gr.Timer(active=False))
    blocks.queue(max_size=MOST_WAITING, default_concurrency_limit=MOST_AT_ONCE)
    blocks._queue.sleep_when_free = QUEUE_POLL_S  # there is no public setting
    blocks._queue.progress_update_sleep_when_free = PROGRESS_POLL_S
    return Page(blocks, [feeds.route()])


def _quiet(blocks: gr.Blocks, nowhere: gr.Timer) -> None:
    """Show the progress of events on a component that has no picture, but for those that say where.

    Gradio keeps a status for every component that an event writes to, hidden or not: each message takes a copy of them
    all, and a tracker that leaves the page while its event runs asks for a frame 60 times a second for ever.
    """
    for function in blocks.fns.values():
        function.show_progress_on = function.show_progress_on or [nowhere]


SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",  # Gradio's own page needs all three
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "font-src 'self' data:",
        "connect-src 'self' blob: data:",
        "worker-src 'self' blob:",
        "frame-src 'self'",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'none'",
    )
)
"""The second wall behind the sanitizer: whatever an answer holds, no visitor's browser calls another host for it."""


class PageMiddleware:
    """Adds the security policy to every response, and `first` to the head of every page of HTML.

    Gradio's own `head` is put into the page after its modules have been loaded, which is too late for a script that
    must come first.
    """

    def __init__(self, app: ASGIApp, first: str) -> None:
        self._app, self._first = app, first.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as ASGI asks for it."""
        start: Message = {}
        html = b""

        async def sent(message: Message) -> None:
            nonlocal start, html
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = SECURITY_POLICY
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "same-origin"
                if headers.get("content-type", "").startswith("text/html") and scope["method"] == "GET":
                    start = message
                    return
            elif start:
                html += message.get("body", b"")
                if message.get("more_body"):
                    return
                html = html.replace(b"<head>", b"<head>" + self._first, 1)
                MutableHeaders(scope=start)["content-length"] = str(len(html))
                await send(start)
                message = {"type": "http.response.body", "body": html}
            await send(message)

        await self._app(scope, receive, sent if scope["type"] == "http" else send)


COMPARE_HELP = (
    "Send one prompt to two models and wait for both. Returns the object that `python -m playground ask --json` prints."
)


def _compare_api(parts: Parts, who: gate.Who) -> Any:
    def compare(
        request: gr.Request,
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
            by = who(request)
            questions = {side: Question(key, (), system, sampling, by=by) for side, key in keys.items()}
            chosen = parts.pacing(pacing, left, right)
            race = parts.race(Said("user", prompt, pictures), questions, chosen)
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


def serve(page: Page, parts: Parts) -> None:
    """Launch the page and block until the app is ended."""
    settings = parts.settings
    if said := gate.invitation(parts.policy, settings.port, given=bool(settings.owner_token)):
        print(said, flush=True)
    page.blocks.launch(
        server_name=settings.host,
        server_port=settings.port,
        share=settings.share,
        auth=passwords.checker(settings.auth_file) if settings.auth_file else None,  # type: ignore[arg-type]  # Gradio awaits it
        theme=THEME,
        css_paths=[HERE / f"{name}.css" for name in ("style", "markdown", "standings", "models")],
        head=_script("live.js") + _script("keys.js"),
        app_kwargs={
            "routes": [*page.routes],
            "middleware": [
                Middleware(PageMiddleware, first=_script("quiet.js")),
                Middleware(gate.OwnerMiddleware, policy=parts.policy, port=settings.port),
            ],
        },
        max_threads=MOST_AT_ONCE,
        max_file_size=LARGEST_UPLOAD,
        run_history=False,
        ssr_mode=False,
        allowed_paths=sorted(
            {str(path) for prompt in parts.prompts for path in prompt.images}
        ),  # and nothing beside them
        footer_links=[],
        show_error=True,
    )


def _script(name: str) -> str:
    return f"<script>{(HERE / name).read_text(encoding='utf-8')}</script>"
