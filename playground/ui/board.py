"""Knows how standings look on the page: the verdict, the table, the charts. Knows no Gradio, and reads no file.

Names come from a votes file that anyone may have written: all of them are escaped here.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from playground import figures
from playground.counting.ledger import Count
from playground.standings import Standing, Standings, table, words

WIDE, NARROW = 560, 330
"""Charts are drawn twice, in px; the style sheet shows the one that fits, so that their words stay readable."""
CLEAN = "answers that were cold, contended or disturbed are left out"
WAITING = '<p class="note">Counting the votes…</p>'
TAKE_JS = """
element.addEventListener("click", (event) => {
  const taken = event.target.closest("[data-take]");
  if (taken) trigger("click", { take: taken.dataset.take });
});
const tell = () => element.querySelectorAll("[data-at]").forEach((age) => {
  const seconds = Math.max(0, Math.round(Date.now() / 1000 - age.dataset.at));
  const said = seconds < 5 ? "just now" : seconds < 90 ? `${seconds} s ago` : `${Math.round(seconds / 60)} min ago`;
  if (age.textContent !== said) age.textContent = said;
});
new MutationObserver(tell).observe(element, { childList: true, subtree: true });
setInterval(tell, 1000);
"""
"""A click on a download; and how old the figures are, told anew each second."""


def board(count: Count, where: str, pictures: str, *, filtered: bool) -> str:
    """All of the tab below its filters."""
    found = count.found
    if not found.models:
        return f"{_empty(where, filtered=filtered)}{_status(count, where)}{_paragraphs(table.left_out(found))}"
    return (
        f'<h2 class="verdict">{escape(words.verdict(found))}</h2>{_status(count, where)}{_table(found)}'
        f"{_paragraphs([*table.notes(found)[1:], *table.left_out(found)])}"
        f'<div class="take">{_take("standings.csv", "Table as CSV")}{_take("pairs.csv", "Pairs as CSV")}</div>'
        f'<div class="charts">{pictures}</div>'
    )


def _empty(where: str, *, filtered: bool) -> str:
    if filtered:
        return '<div class="hello"><h2>No counted vote fits these filters.</h2><p>Loosen one of them.</p></div>'
    return (
        '<div class="hello"><h2>No votes yet.</h2><p>Ask two models something on the Compare tab and say which answer '
        f"is better. Votes in {escape(where)} are added up here.</p></div>"
    )


def _status(count: Count, where: str) -> str:
    voters = count.found.voters
    of = f" of {voters:,} {'voter' if voters == 1 else 'voters'}" if voters else ""
    votes = f"{count.found.votes:,} {'vote' if count.found.votes == 1 else 'votes'}{of}"
    age = f'<span data-at="{count.read_at_s:.0f}" class="age">just now</span>'
    return f'<p class="status" role="status">{votes} · read from {escape(where)} {age}</p>'


def _paragraphs(lines: list[str]) -> str:
    return f'<div class="notes">{"".join(f"<p>{escape(line)}</p>" for line in lines)}</div>' if lines else ""


def _take(name: str, label: str) -> str:
    return f'<button type="button" class="take-button" data-take="{escape(name)}">{escape(label)}</button>'


# --- the table ----------------------------------------------------------------------------------------------------


def _table(found: Standings) -> str:
    rated, style = len(found.models) > 2, found.style is not None
    rows = [list(_cells(one, rated=rated, style=style)) for one in found.models]
    head = "".join(
        f'<th role="columnheader" scope="col" title="{escape(why)}">{escape(name)}</th>' for name, _, why in rows[0]
    )
    body = "".join(
        '<tr role="row">'
        + "".join(f'<td role="cell" data-label="{escape(name)}">{cell}</td>' for name, cell, _ in row)
        + "</tr>"
        for row in rows
    )
    return (
        '<table class="standings" role="table" aria-label="Standings"><thead role="rowgroup">'
        f'<tr role="row">{head}</tr></thead><tbody role="rowgroup">{body}</tbody></table>'
    )


def _cells(one: Standing, *, rated: bool, style: bool) -> Iterator[tuple[str, str, str]]:
    """Column, cell and what the column means."""
    mark = ' <span class="chip mark" title="fewer than 30 decisive votes">preliminary</span>' if one.preliminary else ""
    yield "Rank", str(one.rank), "by the lower bound of the interval"
    yield "Model", f"<b>{escape(one.model)}</b>{mark}", "key of the model"
    if rated:
        yield (
            "Rating",
            _interval(table.rating(one.rating)),
            "Bradley-Terry strength on the Elo scale, with its 95 % interval",
        )
    yield "Win share", _interval(table.share(one.share)), "of decisive votes, with its 95 % interval"
    if style:
        yield (
            "At equal style",
            _interval(table.share(one.level_share)),
            "the same, had answers been equally long and marked up",
        )
    yield "Won", f"{one.wins:,}", "votes that found it better"
    yield "Lost", f"{one.losses:,}", "votes that found the other better"
    yield "Tied", f"{one.ties:,}", "votes that found both equal"
    yield "Both bad", f"{one.both_bad:,}", "votes that found both bad"
    f = one.figures
    yield "First token", _figure(f.ttft_s, "s"), f"median time to the first token; {CLEAN}"
    yield "Tokens/s", _figure(f.decode_tokens_per_s, ""), f"median of tokens a second after the first; {CLEAN}"
    yield "Peak memory", _figure(f.peak_bytes, "B"), "median of the most memory held during an answer"
    yield "Answer", _figure(f.answer_chars, "chars"), "median length"


def _interval(said: str) -> str:
    value, _, bounds = said.partition(" (")
    return f"{escape(value)}{f' <small>{escape(bounds.rstrip(chr(41)))}</small>' if bounds else ''}"


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return '<span title="not measured">–</span>'
    text, unit = (f"{value:,.0f}", "chars") if unit == "chars" else figures.written(value, unit)
    return f"{text}{f' <small>{unit}</small>' if unit else ''}"


# --- the charts ---------------------------------------------------------------------------------------------------


def pictures(found: Standings) -> str:
    """Every chart as a card, for wide pages and for narrow ones."""
    from playground.standings import charts, drawing  # matplotlib: only who looks at charts pays for it

    cards = []
    for chart in charts.of(found):
        drawn = "".join(
            f'<div class="{name}">{drawing.svg(chart.draw, width, chart.height(width), chart.words)}</div>'
            for name, width in (("wide", WIDE), ("narrow", NARROW))
        )
        take = _take(f"{chart.name}.png", f"{chart.name.capitalize()} as PNG")
        cards.append(
            f'<figure class="chart" aria-label="{escape(chart.title)}"><figcaption>{escape(chart.title)}</figcaption>'
            f'{drawn}<p class="reading">{escape(chart.note)}</p>{take}</figure>'
        )
    return "".join(cards)
