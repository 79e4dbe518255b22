"""Knows how votes files are read back, row by row and exactly. Changes no file.

A last row without its end is left out: another process may be writing it just now, or was killed at it.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from playground.errors import VoteError
from playground.votes import cells, schema
from playground.votes.schema import COLUMNS, HEADERS, Row

LONGEST_CELL = 2**31 - 1
"""The csv module reads no cell over 131,072 characters unless told to; a prompt may be a megabyte."""
_LONGEST_HEADER = max(len(",".join(columns)) for columns in HEADERS.values()) + 100
BOM = b"\xef\xbb\xbf"
BLANK = b', "'
"""What a row without a word consists of."""
_END = cells.ROW_END.encode()
_CHUNK = 1 << 23


@dataclass(frozen=True, slots=True)
class First:
    """The first line of a file as bytes, without a byte order mark."""

    bytes: bytes

    @property
    def ends(self) -> bool:
        """The line has its end."""
        return self.bytes.endswith(b"\n")

    @property
    def ends_as_ours(self) -> bool:
        """The line ends as every row that is written here."""
        return self.bytes.endswith(_END)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names in it; some programs put quotes around them."""
        names = self.bytes.decode("utf-8", "replace").strip("\r\n").split(",")
        return tuple(name.strip('"') for name in names)


def first_row(path: Path) -> First:
    """The header of a file, or the beginning of an endless line."""
    with path.open("rb") as file:
        return First(file.readline(2 * _LONGEST_HEADER).removeprefix(BOM))


def known(path: Path, first: First) -> int:
    """The schema of a file with this first row. Raises VoteError that says how it differs from a votes file's."""
    number = schema.version(first.columns)
    if number is not None:
        return number
    problem, remedy = _difference(first)
    other = "choose another file with --votes"
    remedy = f"{remedy}, or {other}." if remedy else f"{other.capitalize()}."
    raise VoteError(f"{path} is not a votes file of this version ({problem}). {remedy}")


def _difference(first: First) -> tuple[str, str]:
    """How a file with this first row differs from a votes file, and what to do about it, if anything."""
    columns, start = first.columns, first.bytes
    again = "Save it again as CSV in UTF-8, separated by commas"
    for number, ours in sorted(HEADERS.items(), reverse=True):
        if not set(ours) <= set(columns):
            continue
        extra = [name for name in columns if name not in ours]
        if not extra and len(columns) == len(ours):
            at = next(index for index, name in enumerate(ours) if columns[index] != name)
            where = f"{columns[at]} stands where {ours[at]} should in schema {number}"
            return f"its columns are in another order: {where}", "Put them back as docs/votes.md lists them"
        if extra in ([""], ["Unnamed: 0"]):
            return "one more column, the index that pandas writes", "Save it again with index=False"
        if extra:
            more = f"{len(extra)} more column{'s' if len(extra) > 1 else ''}: {_listed(extra)}"
            return more, "Take what is not listed in docs/votes.md out, update the app if a later version wrote it"
        return "a column stands in it twice", "Take it out once"
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "it is UTF-16, as spreadsheets save Unicode text", again
    if start.startswith(b"PK"):
        return "it is a workbook or an archive", again
    if COLUMNS[0].encode() in start:
        if b"\r" in start.rstrip(b"\r\n"):
            return "its lines end with CR alone", again
        for mark, word in ((b";", "semicolons"), (b"\t", "tabs")):
            if start.count(mark) > start.count(b","):
                return f"its cells are separated by {word}", again
    missing = [name for name in COLUMNS if name not in columns]
    extra = [name for name in columns if name not in COLUMNS]
    return f"missing: {_listed(missing)}; unknown: {_listed(extra)}", ""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(name[:40] or "a column without a name" for name in names[:5]) or "none"


def files(paths: Iterable[Path]) -> list[Path]:
    """The votes files at these paths: each file itself, of each folder its *.csv by name but for hidden ones (macOS
    puts a `._votes.csv` beside each file that it copies). Raises VoteError where there is none."""
    found: list[Path] = []
    for path in paths:
        inside = [each for each in sorted(path.glob("*.csv")) if each.name[0] != "."] if path.is_dir() else [path]
        if not inside or not inside[0].exists():
            what = "holds no votes file (*.csv)" if path.is_dir() else "does not exist"
            raise VoteError(f"{path} {what}. Name a votes file or a folder of them with --votes.")
        found += inside
    return list(dict.fromkeys(found))


def read_all(paths: Iterable[Path]) -> Iterator[Row]:
    """The rows of several files and folders of files."""
    for path in files(paths):
        yield from read(path)


def read(path: Path, torn: list[str] | None = None) -> Iterator[Row]:
    """The rows of a votes file, or of all in a folder, as text with marks undone and in today's columns.

    Raises VoteError when it is another program's file, cannot be read, or has a row that is not whole before its end.
    What was wrong with a torn last row goes into `torn`.
    """
    for each in files([path]) if path.is_dir() else [path]:
        try:
            yield from _read(each, [] if torn is None else torn)
        except OSError as error:
            raise VoteError(f"{each} cannot be read ({error.strerror or error}). Name another with --votes.") from error


def _read(path: Path, torn: list[str]) -> Iterator[Row]:
    first = first_row(path)
    if not first.bytes or (not first.ends and ",".join(COLUMNS).encode().startswith(first.bytes)):
        return  # empty, or killed while the header was written
    number = known(path, first)
    columns, undo = HEADERS[number], cells.unescape if number > 1 else cells.unformula
    parsed = _ours(path) if number > 1 and first.ends_as_ours else _foreign(path, number, torn)
    for place, row in parsed:
        if row and not any(map(str.strip, row)):  # spreadsheets leave such rows at the end
            continue
        if len(row) != len(columns):
            raise VoteError(f"{path}, {place}: this row is not whole. Mend or remove it.")
        yield schema.upgrade(dict(zip(columns, map(undo, row), strict=True)), number)


def _ours(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Place and cells of each row of a file whose rows end as those that are written here."""
    for number, row in enumerate(_physical(path), start=2):
        if row.strip(BLANK):
            yield f"row {number}", exact(row)


def _physical(path: Path) -> Iterator[bytes]:
    """The bytes of each row with an end, but for the header. CR LF stands at the ends of rows and nowhere else."""
    with path.open("rb") as file:
        rest, rows = b"", 0
        while chunk := file.read(_CHUNK):
            *whole, rest = (rest + chunk).split(_END)
            yield from whole if rows else whole[1:]
            rows += len(whole)


def exact(row: bytes) -> list[str]:
    """The cells of one row; none when it is not a row."""
    csv.field_size_limit(LONGEST_CELL)
    try:
        parsed = list(csv.reader([row.decode("utf-8", "replace")], strict=True))
    except csv.Error:
        return []
    return parsed[0] if len(parsed) == 1 else []


def _foreign(path: Path, number: int, torn: list[str]) -> Iterator[tuple[str, list[str]]]:
    """The same of a file of the first schema, or that another program saved: only reading all of it tells where rows
    end. A last row that is not whole is left out, and named in `torn`."""
    csv.field_size_limit(LONGEST_CELL)
    last: tuple[str, list[str]] | None = None
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = csv.reader(file, strict=True)
        next(rows)
        try:
            for row in filter(None, rows):
                if last:
                    yield last
                last = (f"line {rows.line_num}", row)
        except csv.Error as error:
            if "unexpected end" not in str(error):
                raise VoteError(f"{path}, line {rows.line_num}: {error}. Mend or remove that row.") from error
            torn.append(f"line {rows.line_num}")
    if last and not _ends(path) and (len(last[1]) < len(HEADERS[number]) or (number == 1 and last[1][-1] != "1")):
        torn.append(last[0])
    elif last:
        yield last


def _ends(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"
