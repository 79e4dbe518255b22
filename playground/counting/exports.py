"""Knows which files standings can be taken away as: tables as CSV, charts as PNG. Counts and draws nothing itself."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from playground.errors import UsageError
from playground.standings import Standings, table
from playground.votes import escape


def tables(found: Standings) -> dict[str, str]:
    """The text of each CSV by its file's name."""
    return {"standings.csv": table.models_csv(found, escape), "pairs.csv": table.pairs_csv(found, escape)}


def caption(found: Standings, filters: str = "") -> str:
    """What stands below a chart that leaves the page: how many votes, chosen how, on which day."""
    voters = f" of {found.voters} {'voter' if found.voters == 1 else 'voters'}" if found.voters else ""
    said = f"{found.votes} {'vote' if found.votes == 1 else 'votes'}{voters}"
    return " · ".join(filter(None, [said, filters, date.today().isoformat(), "Side by Side"]))


def picture(found: Standings, name: str, filters: str = "") -> bytes:
    """The PNG of the chart with that name. Raises KeyError when these standings have none."""
    from playground.standings import charts, drawing  # matplotlib: only who draws pays for it

    chart = {chart.name: chart for chart in charts.of(found)}[name]
    return drawing.png(chart.draw, chart.height(drawing.PNG_WIDTH), chart.title, caption(found, filters))


def one(found: Standings, name: str, filters: str = "") -> bytes:
    """The file with that name. Raises UsageError when these standings have no such file."""
    known = tables(found)
    if name in known:
        return known[name].encode()
    try:
        return picture(found, name.removesuffix(".png"), filters)
    except KeyError as error:
        raise UsageError(f"These standings have no {name}. Choose another.") from error


def write(found: Standings, folder: Path, filters: str = "") -> list[Path]:
    """Write all of them into that folder. Raises UsageError when it cannot be written."""
    from playground.standings import charts

    files = {name: text.encode() for name, text in tables(found).items()}
    files |= {f"{chart.name}.png": picture(found, chart.name, filters) for chart in charts.of(found)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written ({error.strerror or error}). Choose another with --export."
        ) from error
    return [folder / name for name in files]
