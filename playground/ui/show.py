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
from playground.types import (
    DISTURBED_OVER,
    SIDES,
    Answer,
    Comparison,
    EngineState,
    Loading,
    Message,
    ModelSpec,
    Prompt,
    Side,
)
from playground.ui import markdown

LONGEST_ASKED = 2_000
"""Characters of a prompt that the page repeats; the whole of it goes to the models and into the vote."""

TAKE_OFFER_JS = """
element.addEventListener("click", (event) => {
  const offer = event.target.closest("[data-left]");
  if (offer) trigger("click", { left: offer.dataset.left, right: offer.dataset.right });
});
"""
HEADER = "<h1>Side by Side</h1>"
GLANCE = tuple(figure for figure in FIGURES if figure.name in AT_A_GLANCE)
"""The figures with bars."""

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


OWNER = '<p class="note">You are the owner of this page.</p>'


def visitor(left: str) -> str:
    """That one is a visitor, and what is left of the day's budget."""
    return f'<p class="note">You are a visitor of this page and can ask the models that it offers. {escape(left)}</p>'


def answer_shell(side: Side) -> str:
    """An empty answer, which `live.js` fills by the values of `side_values` and by blocks of Markdown."""
    return (
        f'<section class="answer-body" aria-label="{side.capitalize()} answer">'
        f'<h3 class="by" data-live="{side}.by"></h3><div class="pane" data-live="{side}.pane"></div>'
        f'<details class="thought" data-thought="{side}.thought" hidden>'
        f'<summary data-live="{side}.thought-label"></summary>'
        f'<div class="markdown" data-blocks="{side}.thought-text"></div></details>'
        f'<div class="markdown" data-blocks="{side}.text"></div></section>'
    )


def foot_shell(side: Side) -> str:
    """The empty line under an answer, with the button that copies the answer's source."""
    return (
        f'<div class="foot-line"><span data-live="{side}.foot"></span><button type="button" class="copy-answer" '
        f'data-copies="{side}.source" aria-label="Copy {side} answer" hidden>Copy</button></div>'
    )


def side_values(side: Side, answer: Answer, spec: ModelSpec | None) -> dict[str, str]:
    """What the page shows of one side but for its text, by the names that `answer_shell` and `foot_shell` give to
    places. `spec` is the model's row, None while it is hidden. `source` is what a person copies."""
    return {
        "by": by(side, spec),
        "pane": pane(answer),
        "thought": "" if not answer.reasoning else "open" if answer.status == "thinking" else "folded",
        "thought-label": thought_label(answer),
        "foot": foot(answer),
        "status": answer.status if answer.final else "running",
        "source": asking.clean(answer.text) if answer.final else "",
    }


def by(side: Side, spec: ModelSpec | None) -> str:
    """Who wrote an answer: the model's name, how it ran, its precision."""
    if spec is None:
        return f"{side.capitalize()}: a hidden model"
    how = " · ".join(filter(None, (spec.engine, spec.quantization)))
    return f"{escape(spec.title)} <small>{escape(how)}</small>"


def thought_label(answer: Answer) -> str:
    """The line that opens what a model thought before it answered; empty without a thought."""
    if not answer.reasoning:
        return ""
    duration = thought_s(answer)
    return "Thinking…" if duration is None else f"Thought for {duration:.1f} s"


def thought_s(answer: Answer) -> float | None:
    """Seconds from the first thought to the first word of the answer (or the last thought), None without either."""
    stamps = answer.stamps
    if not answer.reasoning or stamps.first_s is None or stamps.last_s is None or answer.status == "thinking":
        return None
    return (stamps.last_s if stamps.first_answer_s is None else stamps.first_answer_s) - stamps.first_s


def earlier(messages: Sequence[Message], side: Side) -> str:
    """The earlier turns of one side's conversation."""
    turns = "".join(
        f'<div class="turn {message.role}"><div class="who">{"You" if message.role == "user" else "Answer"}</div>'
        f"{_said(message)}</div>"
        for message in messages
    )
    return f'<section aria-label="Earlier {side} turns">{turns}</section>'


def _said(message: Message) -> str:
    text = asking.clean(message.text)
    if message.role == "user":
        return f'<div class="asked-text">{escape(text)}</div>'
    return f'<div class="markdown"><div class="block">{markdown.render(text)}</div></div>'


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


def foot(answer: Answer) -> str:
    """The line under an answer: badges, tokens, how it ended."""
    marks = "".join(chip(name, "mark", title) for name, title in figures.badges(answer))
    words = []
    if tokens := answer.usage.output_tokens:
        words.append(f"{tokens:,} token{'s' if tokens > 1 else ''}")
    if answer.status not in ("waiting", "loading", "reading"):  # those stand in the pane already
        words.append(
            answer.finish_reason or _STATUS[answer.status] if answer.status == "done" else _STATUS[answer.status]
        )
    if answer.finish_reason == "length":
        words[-1] = "cut off at max tokens"
    return f"{marks}{escape(' · '.join(words))}"


def tape_shell() -> str:
    """The empty tale of the tape, which `live.js` fills by `glance_values`: one line a figure, left and right facing
    each other across its name. Its live region says when an answer has ended, and nothing more often."""
    lines = "".join(_empty_line(index, figure) for index, figure in enumerate(GLANCE))
    return (
        f'<section class="tape" aria-label="Figures"><p class="pacing" data-live="pacing"></p>{lines}</section>'
        '<div class="sr-only" role="status" aria-live="polite" data-live="said"></div>'
    )


def _empty_line(index: int, figure: Figure) -> str:
    left, right = (
        f'<div class="{side[0]}" data-cell="cell.{index}.{side}"><div class="cell">{_empty_cell(side)}</div></div>'
        for side in SIDES
    )
    name = f'<div class="name" title="{escape(figure.definition)}" tabindex="0">{escape(figure.name)}</div>'
    return f'<div class="line">{left}{name}{right}</div>'


def _empty_cell(side: Side) -> str:
    bar, value = '<span class="bar"><i></i></span>', '<span class="val"><b></b> <small></small></span>'
    return value + bar if side == "left" else bar + value


def race_values(comparison: Comparison, *, sealed: bool = False) -> dict[str, Any]:
    """What the page shows of both sides together but for figures: how they ran, who has ended."""
    return {
        "race": "ended" if comparison.final else "running",
        "sealed": "sealed" if sealed else "",
        "said": said(comparison),
        "pacing": "Names and figures come with your vote." if sealed else escape(pacing(comparison)),
    }


def glance_values(comparison: Comparison) -> dict[str, Any]:
    """The figures with bars, each as [text, unit, width in percent, what it means]."""
    values = {}
    for index, figure in enumerate(GLANCE):
        cells = {side: figures.cell(figure, comparison.side(side)) for side in SIDES}
        most = max((cell.value or 0 for cell in cells.values()), default=0)
        for side, cell in cells.items():
            width = round(100 * (cell.value or 0) / most) if most else 0
            values[f"cell.{index}.{side}"] = [cell.text, cell.unit, width, cell.why]
    return values


_ENDED = {"done": "answered", "failed": "failed", "stopped": "was stopped"}


def said(comparison: Comparison) -> str:
    """What a screen reader says: which sides have ended."""
    ends = [
        f"{side.capitalize()} {_ENDED[comparison.side(side).status]}." for side in SIDES if comparison.side(side).final
    ]
    both = all(comparison.side(side).status == "done" for side in SIDES)
    return " ".join([*ends, "Both answered: which is better?"] if both else ends)


def all_figures(comparison: Comparison) -> str:
    """The figures that are not in `tape`, the token counts and their source, and what the server itself says."""
    lines = [_line(figure, comparison) for figure in FIGURES if figure.name not in AT_A_GLANCE]
    lines += [_tokens(name, comparison) for name in figures.COUNTS]
    return f'<section class="tape" aria-label="More figures">{"".join(lines)}{_server_lines(comparison)}</section>'


def pacing(comparison: Comparison) -> str:
    """How the two ran."""
    if comparison.pacing == "together":
        return "asked at the same time"
    shares = [comparison.side(side).interference for side in SIDES]
    alone = comparison.final and all(each.measured and not each.disturbed for each in shares)
    claim = f"; everything else took at most {100 * DISTURBED_OVER:.0f} % of the CPUs" if alone else ""
    return f"one after the other, {comparison.first_side} first{claim}"


def _line(figure: Figure, comparison: Comparison) -> str:
    cells = {side: figures.cell(figure, comparison.side(side)) for side in SIDES}
    most = max((cell.value or 0 for cell in cells.values()), default=0)
    left, right = (
        f'<div class="{side[0]}" title="{escape(cell.why)}">{_cell(side, cell, most)}</div>'
        for side, cell in cells.items()
    )
    name = f'<div class="name" title="{escape(figure.definition)}" tabindex="0">{escape(figure.name)}</div>'
    return f'<div class="line">{left}{name}{right}</div>'


def _cell(side: Side, cell: Cell, most: float) -> str:
    width = 100 * (cell.value or 0) / most if most else 0
    bar = f'<span class="bar"><i style="transform:scaleX({width / 100:.2f})"></i></span>'
    value = f'<span class="val">{escape(cell.text)} <small>{escape(cell.unit)}</small></span>'
    return f'<div class="cell">{value + bar if side == "left" else bar + value}</div>'


def _tokens(name: str, comparison: Comparison) -> str:
    values = []
    for side in SIDES:
        answer = comparison.side(side)
        if (count := figures.COUNTS[name](answer.usage)) is None:
            values.append(f'<span title="{escape(figures.why_uncounted(answer))}">–</span>')
        else:
            values.append(f"{count:,} <small>tok ({answer.usage.source})</small>")
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
