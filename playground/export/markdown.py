"""Knows how one comparison is written as Markdown. Every text stands in a fence, as it is, whatever it holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from playground import __version__, figures
from playground.export.one import Saved
from playground.figures import FIGURES
from playground.types import SIDES, Answer, Sampling, Side

_TICKS = re.compile("`+")
_MARKUP = re.compile(r"[\\`*_\[\]<>|~&$#]")
_VOTES = {
    "model_a": "Left is better.",
    "model_b": "Right is better.",
    "tie": "A tie.",
    "both_bad": "Both are bad.",
}


def comparison(saved: Saved) -> str:
    """The whole comparison."""
    return "\n".join(_lines(saved))


def fenced(text: str) -> str:
    """The text as a code block whose fence is longer than any run of backticks in it, so that none in it can end it."""
    longest = max((len(run) for run in _TICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}\n"


def inline(text: str) -> str:
    """A name as one line of plain words."""
    return _MARKUP.sub(lambda found: f"\\{found[0]}", " ".join(text.split()))


def _lines(saved: Saved) -> Iterator[str]:
    left, right = (inline(saved.models[side].title) for side in SIDES)
    yield f"# {left} and {right}, side by side\n"
    yield f"{_pacing(saved)} Turn {saved.turn}. Saved by Side by Side {__version__}.\n"
    yield from _earlier(saved)
    yield f"## Prompt\n\n{fenced(saved.prompt)}"
    yield from (f"- Image {inline(each.name)}, SHA-256 {each.sha256}\n" for each in saved.pictures)
    for side in SIDES:
        yield from _side(saved, side)
    yield "## Figures\n"
    yield from _table((f.name, *_figure(saved, f)) for f in FIGURES)
    yield "## Settings\n"
    yield from _table((name, *_setting(saved, name)) for name in Sampling.__dataclass_fields__)
    yield from _vote(saved)


def _pacing(saved: Saved) -> str:
    if saved.comparison.pacing == "together":
        return "Asked at the same time."
    return f"Asked one after the other, {saved.comparison.first_side} first."


def _earlier(saved: Saved) -> Iterator[str]:
    for side in SIDES:
        messages = saved.earlier.get(side, ())
        if messages:
            yield f"## Earlier, {side}\n"
        yield from (f"{each.role.capitalize()}:\n\n{fenced(each.text)}" for each in messages)


def _side(saved: Saved, side: Side) -> Iterator[str]:
    spec, answer = saved.models[side], saved.comparison.side(side)
    yield f"## {side.capitalize()}: {inline(spec.title)}\n"
    threads = f"{answer.threads} CPU thread{'s' if answer.threads > 1 else ''}" if answer.threads else ""
    weights = ", ".join(filter(None, (spec.key, spec.engine, spec.quantization, spec.revision, threads)))
    yield f"{inline(weights)}. {_ended(answer)}\n"
    if system := saved.system.get(side, ""):
        yield f"### System prompt, {side}\n\n{fenced(system)}"
    if answer.reasoning:
        yield f"### Thinking, {side}\n\n{fenced(answer.reasoning)}"
    if answer.text or answer.status == "done":
        yield f"### Answer, {side}\n\n{fenced(answer.text)}"


def _ended(answer: Answer) -> str:
    words = [f"{answer.status.capitalize()}{f' ({answer.finish_reason})' if answer.finish_reason else ''}."]
    words += [f"{name.capitalize()}." for name, _ in figures.badges(answer)]
    return inline(" ".join([*words, *filter(None, (answer.notice, answer.error))]))


def _figure(saved: Saved, figure: figures.Figure) -> list[str]:
    cells = (figures.cell(figure, saved.comparison.side(side)) for side in SIDES)
    return [f"{cell.text} {cell.unit}".strip() for cell in cells]


def _setting(saved: Saved, name: str) -> list[str]:
    values = (getattr(saved.sampling.get(side, Sampling()), name) for side in SIDES)
    return ["the server's own" if value is None else str(value) for value in values]


def _vote(saved: Saved) -> Iterator[str]:
    if saved.vote is None:
        yield "## Vote\n\nNo vote.\n"
        return
    how = ", names hidden" if saved.vote.blind else ""
    counted = f" Not counted: {inline(saved.not_counted_reason)}." if saved.not_counted_reason else ""
    yield f"## Vote\n\n{_VOTES[saved.vote.winner]} Cast at {saved.vote.voted_at}{how}.{counted}\n"
    if saved.vote.reason:
        yield f"### Reason\n\n{fenced(saved.vote.reason)}"


def _table(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| | left | right |\n| --- | ---: | ---: |"
    yield from (f"| {' | '.join(inline(cell) for cell in row)} |" for row in rows)
    yield ""
