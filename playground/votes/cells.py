"""Knows how a value becomes a cell of the votes file, and back. Knows no column.

Two marks are made on writing and undone by `read`: a cell that a spreadsheet would run as a formula begins with an
apostrophe, and a carriage return is written as "␍". So the bytes CR LF stand at the ends of rows and nowhere else,
which is how a torn row is told from a whole one by looking at two bytes.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

ROW_END = "\r\n"
FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
"""A cell that starts with one of these gets a leading apostrophe; an apostrophe does too, so that it can be undone."""

_SPECIAL = re.compile("[\r␍␛]")
_MARKED = re.compile("␛([␍␛])|␍")


def escape(cell: str) -> str:
    """The cell as it is written."""
    marked = f"'{cell}" if cell.startswith(FORMULA) else cell
    return _SPECIAL.sub(lambda found: "␍" if found[0] == "\r" else f"␛{found[0]}", marked)


def unescape(cell: str) -> str:
    """The cell as it was before `escape`."""
    plain = _MARKED.sub(lambda found: found[1] or "\r", cell) if "␍" in cell or "␛" in cell else cell
    return unformula(plain)


def unformula(cell: str) -> str:
    """The cell without the apostrophe that keeps it from being a formula: all that schema 1 escaped."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA) else cell


def written(value: object) -> str:
    """A value as text: empty for what is unknown, six digits of a float."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


def line(values: Iterable[object]) -> bytes:
    """One row of the file with its end."""
    out = io.StringIO()
    texts = (escape(value) if isinstance(value, str) else written(value) for value in values)
    csv.writer(out, lineterminator=ROW_END).writerow(texts)
    return out.getvalue().encode("utf-8", "replace")
