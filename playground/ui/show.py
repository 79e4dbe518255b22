"""Knows how values look on the page: HTML and chat messages. Knows no Gradio, no clock and no visitor.

Everything that a person or a model wrote is escaped here; nothing of theirs reaches the page as markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from playground import asking, figures
from playground.figures import AT_A_GLANCE, FIGURES, Cell, Figure
from playground.pairs import Pair
from playground.types import DISTURBED_OVER, SIDES, Answer, Comparison, EngineState, Loading, ModelSpec, Prompt, Side
from playground.ui.inert import inert

LONGEST_ASKED = 2_000
"""Characters of a prompt that the page repeats; the whole of it goes to the models and into the vote."""

TAKE_OFFER_JS = """
element.addEventListener("click", (event) => {
  const offer = event.target.closest("[data-left]");
  if (offer) trigger("click", { left: offer.dataset.left, right: offer.dataset.right });
});
"""
HEADER = "<h1>Side by Side</h1>"

_STATES = {"not_loaded": "not loaded", "ready": "ready", "elsewhere": "elsewhere", "failed": "failed"}
_TONES = {"ready": "ok", "loading": "warn", "failed": "bad"}
_STATUS = {
    "waiting": "waits for its turn",
    "loading": "loading",
    "reading": "reading the prompt",
    "thinking": "thinking",
    "writing": "writing",
    "done": "done",
    "failed": "failed",
    "stopped": "stopped",
}


def chip(text: str, tone: str = "", title: str = "") -> str:
    """A small rounded label."""
    hint = f' title="{escape(title)}" tabindex="0"' if title else ""
    return f'<span class="chip {tone}"{hint}>{escape(text)}</span>'


def card(spec: ModelSpec, state: EngineState) -> str:
    """What one gets from a model, before asking: state, engine, what it reads, size."""
    return about(spec, chip(_state(spec, state), _TONES.get(state.name, ""), state.error))


def about(spec: ModelSpec, *before: str) -> str:
    """What a model is: engine, what it reads, size; after these chips."""
    chips = [*before, chip(spec.engine), chip("text and images" if spec.reads_images else "text only")]
    if spec.parameters_b:
        chips.append(chip(parameters(spec.parameters_b), "extra"))
    if spec.quantization:
        chips.append(chip(spec.quantization))  # on a phone two titles may be cut just before this
    return f'<div class="chips">{"".join(chips)}</div>'


def parameters(billions: float) -> str:
    """Parameters as people say them: 135M, 9B."""
    return f"{billions:g}B parameters" if billions >= 1 else f"{billions * 1000:g}M parameters"


def _state(spec: ModelSpec, state: EngineState) -> str:
    if state.name == "elsewhere" and spec.local:
        return "a server of this machine"  # not started by this app, so what it does is not known
    if state.name != "loading":
        return _STATES[state.name]
    return f"{state.stage or 'loading'}{_share(state.done, state.total)}"


def _share(done: int | None, total: int | None) -> str:
    return f" {100 * done // total} %" if done is not None and total else ""


def why(pair: Pair) -> str:
    """Why the page opened with these two models."""
    return f'<p class="note">These two: {escape(pair.why)}. Choose others above.</p>'


def asked(prompt: Prompt, pictures: Sequence[str], turn: int) -> str:
    """The one prompt above both answers; `pictures` are data URIs."""
    text = prompt.text
    shown = text if len(text) <= LONGEST_ASKED else f"{text[:LONGEST_ASKED]}… ({len(text):,} characters in all)"
    look = f'<div class="look">Look for: {escape(prompt.look_for)}</div>' if prompt.look_for else ""
    images = "".join(f'<img src="{src}" alt="picture {n}">' for n, src in enumerate(pictures, start=1))
    about = ["Asked both"] + ([] if prompt.id == "typed" else [prompt.id]) + ([f"turn {turn}"] if turn > 1 else [])
    return (
        f'<section class="ask" aria-label="Asked">{images}<div><div class="who">{escape(" · ".join(about))}</div>'
        f'<div class="asked-text">{escape(shown)}</div>{look}</div></section>'
    )


def messages(answer: Answer) -> list[dict[str, Any]]:
    """The answer as chat messages: thinking folded apart, then the text. Never a plain string: Gradio dedents those."""
    shown: list[dict[str, Any]] = []
    if answer.reasoning:
        thinking = answer.status == "thinking"
        meta: dict[str, Any] = {"title": "Thinking", "status": "pending" if thinking else "done"}
        if (duration := thought_s(answer)) is not None:
            meta["duration"] = round(duration, 1)
        shown.append({"role": "assistant", "content": _text(answer.reasoning), "metadata": meta})
    if answer.text:
        shown.append({"role": "assistant", "content": _text(answer.text)})
    return shown


def thought_s(answer: Answer) -> float | None:
    """Seconds from the first thought to the first word of the answer (or the last thought), None without either."""
    stamps = answer.stamps
    if not answer.reasoning or stamps.first_s is None or stamps.last_s is None or answer.status == "thinking":
        return None
    return (stamps.last_s if stamps.first_answer_s is None else stamps.first_answer_s) - stamps.first_s


def said(role: str, text: str) -> dict[str, Any]:
    """One message of an earlier turn."""
    return {"role": role, "content": _text(text)}


def _text(text: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": inert(asking.clean(text))}]


def pane(answer: Answer) -> str:
    """What stands above the answer's text: that it waits or loads, a notice, an error with its next step."""
    parts = []
    if answer.notice:
        parts.append(f'<div class="notice" role="note">{escape(answer.notice[:1].upper() + answer.notice[1:])}.</div>')
    if answer.error:
        parts.append(f'<div class="error" role="alert"><b>No answer.</b> {escape(answer.error)}</div>')
    if answer.loading:
        parts.append(_loading(answer.loading))
    elif answer.status in ("waiting", "reading"):
        parts.append(f'<div class="pending">{escape(_STATUS[answer.status])}</div>')
    return "".join(parts)


def _loading(loading: Loading) -> str:
    bar = ""
    if loading.done is not None and loading.total:
        done = min(100 * loading.done // loading.total, 100)
        unit = " of ".join(" ".join(figures.size(n)) for n in (loading.done, loading.total))
        detail = f" · {unit}" if loading.unit == "bytes" else ""
        bar = f'<progress max="100" value="{done}"></progress><span class="num">{done} %{detail}</span>'
    note = f'<span class="beware">{escape(loading.note)}</span>' if loading.note else ""
    return f'<div class="pending">{escape(loading.stage)}{bar}{note}</div>'


def foot(answer: Answer, comparison: Comparison) -> str:
    """The line under an answer: badges, tokens, how it ended. Its classes tell the style sheet which buttons fit."""
    marks = "".join(chip(name, "mark", title) for name, title in figures.badges(answer))
    words = []
    if tokens := answer.usage.output_tokens:
        about = "" if answer.usage.source == "server" else "about "
        words.append(f"{about}{tokens} token{'s' if tokens > 1 else ''}")
    if answer.status not in ("waiting", "loading", "reading"):  # those stand in the pane already
        words.append(
            answer.finish_reason or _STATUS[answer.status] if answer.status == "done" else _STATUS[answer.status]
        )
    if answer.finish_reason == "length":
        words[-1] = "cut off at max tokens"
    state = "both-ended" if comparison.final else "ended" if answer.final else "running"
    return f'<div class="foot-line {state}">{marks}<span>{escape(" · ".join(words))}</span></div>'


def tape(comparison: Comparison) -> str:
    """The tale of the tape: one line a figure, left and right facing each other across its name."""
    lines = [_line(figure, comparison) for figure in FIGURES if figure.name in AT_A_GLANCE]
    state = "" if comparison.final else "racing"
    return f'<section class="tape {state}" aria-label="Figures">{_pacing(comparison)}{"".join(lines)}</section>'


def no_tape(comparison: Comparison) -> str:
    """What stands in the place of the tape until a blind vote: speed gives a model away."""
    state = "" if comparison.final else "racing"
    return (
        f'<section class="tape sealed {state}" aria-label="Figures"><p class="pacing">Names and figures come with your '
        "vote.</p></section>"
    )


def all_figures(comparison: Comparison) -> str:
    """The figures that are not in `tape`, the token counts and their source, and what the server itself says."""
    lines = [_line(figure, comparison) for figure in FIGURES if figure.name not in AT_A_GLANCE]
    lines += [_tokens(name, comparison) for name in ("prompt", "thinking", "answer")]
    return f'<section class="tape" aria-label="More figures">{"".join(lines)}{_server_lines(comparison)}</section>'


def _pacing(comparison: Comparison) -> str:
    if comparison.pacing == "together":
        return '<p class="pacing">asked at the same time</p>'
    shares = [comparison.side(side).interference for side in SIDES]
    alone = comparison.final and all(each.measured and not each.disturbed for each in shares)
    claim = f"; everything else took at most {100 * DISTURBED_OVER:.0f} % of the CPUs" if alone else ""
    return f'<p class="pacing">one after the other, {comparison.first_side} first{claim}</p>'


def _line(figure: Figure, comparison: Comparison) -> str:
    cells = {side: figures.cell(figure, comparison.side(side)) for side in SIDES}
    most = max((cell.value or 0 for cell in cells.values()), default=0)
    sides = "".join(
        f'<div class="{side[0]}" title="{escape(cell.why)}">{_cell(side, cell, most)}</div>'
        for side, cell in cells.items()
    )
    left, right = sides.split('<div class="r"', 1)
    name = f'<div class="name" title="{escape(figure.definition)}" tabindex="0">{escape(figure.name)}</div>'
    return f'<div class="line">{left}{name}<div class="r"{right}</div>'


def _cell(side: Side, cell: Cell, most: float) -> str:
    width = 100 * (cell.value or 0) / most if most else 0
    bar = f'<span class="bar"><i style="width:{width:.0f}%"></i></span>'
    value = f'<span class="val">{escape(cell.text)} <small>{escape(cell.unit)}</small></span>'
    return f'<div class="cell">{value + bar if side == "left" else bar + value}</div>'


def _tokens(name: str, comparison: Comparison) -> str:
    values = []
    for side in SIDES:
        usage = comparison.side(side).usage
        count = {"prompt": usage.prompt_tokens, "thinking": usage.reasoning_tokens, "answer": usage.answer_tokens}[name]
        values.append("–" if count is None else f"{count:,} <small>tok ({usage.source})</small>")
    return _plain_row(f"{name} tokens", values)


_SERVER_RATES = (
    ("server's own speed", "predicted_per_second"),
    ("server's reading speed", "prompt_per_second"),
)
"""Names of llama.cpp's `timings`; other servers send none."""


def _server_lines(comparison: Comparison) -> str:
    """What the servers themselves say, where one of them says it, beside ours."""
    answers = [comparison.side(side) for side in SIDES]
    said = [(name, "tok/s", [a.server.get(key) for a in answers]) for name, key in _SERVER_RATES]
    said.append(("prompt tokens from a cache", "tok", [a.usage.cached_tokens for a in answers]))
    return "".join(
        _plain_row(name, ["–" if n is None else f"{n:,.0f} <small>{unit}</small>" for n in values])
        for name, unit, values in said
        if values != [None, None]
    )


def _plain_row(name: str, values: Sequence[str]) -> str:
    left, right = (f'<div class="cell"><span class="val">{value}</span></div>' for value in values)
    return (
        f'<div class="line plain"><div class="l">{left}</div><div class="name">{escape(name)}</div>'
        f'<div class="r">{right}</div></div>'
    )


def problem(text: str, offer: Sequence[ModelSpec] = ()) -> str:
    """Why nothing was sent; with a button that puts the offered models on both sides, where some would do."""
    button = ""
    if offer:
        left, right = offer[0], offer[-1]
        names = " and ".join(dict.fromkeys((left.title, right.title)))
        button = (
            f'<button type="button" class="offer" data-left="{escape(left.key)}" data-right="{escape(right.key)}">'
            f"Use {escape(names)}</button>"
        )
    return f'<div class="error" role="alert">{escape(text)}{button}</div>'
