"""Knows how standings are written: a table for people, a plain object and CSV for programs. Counts nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, fields
from typing import Any

from playground.standings.shares import needed
from playground.standings.values import PRELIMINARY, Figures, Rating, Share, Standing, Standings

SCHEMA = 1
_HEADER = ("", "model", "votes", "won", "lost", "tied", "both bad", "win share (95 %)")
_LEVEL, _RATING = "at equal style (95 %)", "rating (95 %)"
_FIGURES = ("first token", "tokens/s", "peak memory", "answer")


def plain(found: Standings) -> dict[str, Any]:
    """All of it as JSON has it; what is unknown is null."""
    return {"schema": SCHEMA, **asdict(found)}


def models_csv(found: Standings, escape: Callable[[str], str]) -> str:
    """One row a model. `escape` keeps a name from being a formula in a spreadsheet."""
    return _csv((dict(_flat(one)) for one in found.models), escape)


def pairs_csv(found: Standings, escape: Callable[[str], str]) -> str:
    """One row for each two models that met."""
    return _csv((asdict(pair) for pair in found.pairs), escape)


_PARTS: Mapping[str, type] = {"share": Share, "level_share": Share, "rating": Rating, "figures": Figures}


def _flat(one: Standing) -> Iterator[tuple[str, object]]:
    """Cells by column. What stands within another is named after both: `share`, `share_low`, `share_high`."""
    for name, value in ((field.name, getattr(one, field.name)) for field in fields(one)):
        if name not in _PARTS:
            yield name, value
            continue
        for part in fields(_PARTS[name]):
            column = {"figures": part.name}.get(name, f"{name}_{part.name}").removesuffix("_value")
            yield column, None if value is None else getattr(value, part.name)


def _csv(rows: Iterable[Mapping[str, object]], escape: Callable[[str], str]) -> str:
    """Unknown is empty; six digits of a fraction."""
    out = io.StringIO()
    for number, row in enumerate(rows):
        if not number:
            csv.writer(out).writerow(row)
        csv.writer(out).writerow(_written(value, escape) for value in row.values())
    return out.getvalue()


def _written(value: object, escape: Callable[[str], str]) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else escape(str(value))


def text(found: Standings) -> str:
    """For a terminal."""
    if not found.models:
        return "\n".join(["No votes that count yet.", *left_out(found)])
    rated, style = len(found.models) > 2, found.style is not None
    header = (*_HEADER, *([_LEVEL] if style else []), *([_RATING] if rated else []), *_FIGURES)
    lines = [header, *(_row(one, rated=rated, style=style) for one in found.models)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([*table, "", *notes(found), *left_out(found)])


def share(found: Share | None) -> str:
    """`62 % (54 to 69)`."""
    if not found:
        return "–"
    return f"{100 * found.value:.0f} % ({100 * found.low:.0f} to {100 * found.high:.0f})"


def rating(found: Rating | None) -> str:
    """`1042 (1010 to 1075)`."""
    return f"{found.value:.0f} ({found.low:.0f} to {found.high:.0f})" if found else "–"


def _row(one: Standing, *, rated: bool, style: bool) -> tuple[str, ...]:
    counts = (one.votes, one.wins, one.losses, one.ties, one.both_bad)
    name = f"{one.model} *" if one.preliminary else one.model
    cells = (f"{one.rank}", name, *map(str, counts), share(one.share))
    level = [share(one.level_share)] if style else []
    return (*cells, *level, *([rating(one.rating)] if rated else []), *_figures(one))


def _figures(one: Standing) -> tuple[str, ...]:
    figures = one.figures
    peak = figures.peak_bytes
    return (
        _number(figures.ttft_s, "s", 2),
        _number(figures.decode_tokens_per_s, "", 1),
        _number(peak / 1e6 if peak is not None else None, "MB"),
        _number(figures.answer_chars, "chars"),
    )


def _number(value: float | None, unit: str, digits: int = 0) -> str:
    return "–" if value is None else f"{value:.{digits}f} {unit}".rstrip()


def notes(found: Standings) -> list[str]:
    """What must be known beside the table, a sentence each."""
    voters = f" of {found.voters} {'voter' if found.voters == 1 else 'voters'}" if found.voters else ""
    told = [
        f"{found.votes} {'vote' if found.votes == 1 else 'votes'}{voters}. Beside them: medians of their answers; "
        "times of cold, contended or disturbed answers are left out."
    ]
    if any(one.preliminary for one in found.models):
        told.append(f"Preliminary: fewer than {PRELIMINARY} decisive votes.")
    if found.left:
        told.append(f"The left side won {share(found.left)} of {_decisive(found.left.total)}.")
    told += _needed(found)
    if found.style:
        told.append(
            f"Of equal models, an answer twice as long won {share(found.style.longer)}, one with Markdown against one "
            f"without {share(found.style.marked)} (over {_decisive(found.style.votes)})."
        )
    if found.resampled == "votes":
        told.append("Few or unknown voters: the intervals are over votes, and speak of these voters only.")
    return told


def _decisive(count: int) -> str:
    return f"{count} decisive {'vote' if count == 1 else 'votes'}"


def _needed(found: Standings) -> list[str]:
    """How many votes more, where there are enough to say."""
    if len(found.models) != 2:
        return []
    if found.models[0].preliminary:
        in_all = ", ".join(f"{needed(share)} at a true {100 * share:.0f} %" for share in (0.65, 0.6, 0.55))
        return [f"Too few to say how many more it takes. As a rule, decisive votes in all: {in_all} (80 % power)."]
    if found.needed:
        return [f"About {found.needed} decisive votes more would show a difference like this one (80 % power)."]
    return ["There are enough decisive votes to show a difference like this one (80 % power)."] * (found.needed == 0)


def left_out(found: Standings) -> list[str]:
    """Which votes were not looked at, in a sentence; or nothing."""
    counts = {
        "kept and not counted": found.not_counted,
        "taken back or corrected": found.superseded,
        "with a winner that is none": found.unknown,
    }
    told = [f"{number} {what}" for what, number in counts.items() if number]
    return [f"Left out: {', '.join(told)}."] if told else []
