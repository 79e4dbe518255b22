"""Knows how votes files are read back: row by row exactly, or a few columns of very many rows quickly. Changes no file.

A last row without its end is left out: another process may be writing it just now, or was killed at it.
"""

from __future__ import annotations

import csv
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from playground.errors import VoteError
from playground.votes import cells, schema
from playground.votes.schema import COLUMNS, HEADERS, Row

LONGEST_CELL = 2**31 - 1
"""The csv module reads no cell over 131,072 characters unless told to; a prompt may be a megabyte."""
_LONGEST_HEADER = max(len(",".join(columns)) for columns in HEADERS.values()) + 100
_BOM = b"\xef\xbb\xbf"
_END = cells.ROW_END.encode()
_CHUNK = 1 << 23
_BLOCK = 1 << 20
_BATCH = 20_000
Batch = dict[str, list[str]]


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
        return First(file.readline(2 * _LONGEST_HEADER).removeprefix(_BOM))


def known(path: Path, columns: tuple[str, ...]) -> int:
    """The schema of a file with these columns. Raises VoteError that says how they differ from a votes file's."""
    number = schema.version(columns)
    if number is not None:
        return number
    missing = [name for name in COLUMNS if name not in columns]
    extra = [name[:40] for name in columns if name not in COLUMNS]
    difference = f"missing: {', '.join(missing[:5]) or 'none'}; unknown: {', '.join(extra[:5]) or 'none'}"
    raise VoteError(f"{path} is not a votes file of this version ({difference}). Choose another file with --votes.")


def files(paths: Iterable[Path]) -> list[Path]:
    """The votes files at these paths: each file itself, of each folder its *.csv by name. Raises VoteError where there
    is none."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("*.csv")) if path.is_dir() else [path]
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
    number = known(path, first.columns)
    columns, undo = HEADERS[number], cells.unescape if number > 1 else cells.unformula
    parsed = _ours(path) if number > 1 and first.ends_as_ours else _foreign(path, number, torn)
    for place, row in parsed:
        if len(row) != len(columns):
            raise VoteError(f"{path}, {place}: this row is not whole. Mend or remove it.")
        yield schema.upgrade(dict(zip(columns, map(undo, row), strict=True)), number)


def _ours(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Place and cells of each row of a file whose rows end as those that are written here."""
    for number, row in enumerate(_physical(path), start=2):
        if row:
            yield f"row {number}", _exact(row)


def _physical(path: Path) -> Iterator[bytes]:
    """The bytes of each row with an end, but for the header. CR LF stands at the ends of rows and nowhere else."""
    with path.open("rb") as file:
        rest, rows = b"", 0
        while chunk := file.read(_CHUNK):
            *whole, rest = (rest + chunk).split(_END)
            yield from whole if rows else whole[1:]
            rows += len(whole)


def _exact(row: bytes) -> list[str]:
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


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole rows of a votes file, from byte `start` to `stop`; with `quick`, of a file as it is written today."""

    path: Path
    start: int
    stop: int
    quick: bool


def pieces(paths: Iterable[Path], most_bytes: int | None = None) -> list[Piece]:
    """All rows of the files at these paths, in order. Long files are cut where a row ends, after `most_bytes` or a
    little more, if they are such that one sees where rows end. Raises VoteError where there is no file."""
    found = []
    for path in files(paths):
        first, size = first_row(path), path.stat().st_size
        quick = first.columns == COLUMNS and first.ends_as_ours
        start = len(first.bytes) + (len(_BOM) if _begins_with_bom(path) else 0)
        while quick and most_bytes and size - start > most_bytes:
            stop = _row_end(path, start + most_bytes, size)
            found.append(Piece(path, start, stop, quick))
            start = stop
        if start < size or not quick:
            found.append(Piece(path, start, size, quick))
    return found


def _begins_with_bom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_BOM)) == _BOM


def _row_end(path: Path, after: int, size: int) -> int:
    """Where the first row that ends at byte `after` or later does."""
    with path.open("rb") as file:
        file.seek(max(0, after - len(_END)))
        seen = b""
        while block := file.read(_BLOCK):
            found = (seen[-1:] + block).find(_END)
            if found >= 0:
                return file.tell() - len(block) - len(seen[-1:]) + found + len(_END)
            seen = block
    return size


def batches(paths: Iterable[Path], names: Sequence[str]) -> Iterator[Batch]:
    """The cells of these columns in batches of rows, by column: what `read_all` gives, and with short columns many
    times as fast, since it looks for the end of a row without looking at its texts. Raises VoteError as `read` does."""
    for piece in pieces(paths):
        yield from batches_of(piece, names)


def batches_of(piece: Piece, names: Sequence[str]) -> Iterator[Batch]:
    """The same of one piece."""
    return _quickly(piece, names) if piece.quick else _slowly(piece.path, names)


def _slowly(path: Path, names: Sequence[str]) -> Iterator[Batch]:
    rows = read(path)
    while batch := list(itertools.islice(rows, _BATCH)):
        yield {name: [row[name] for row in batch] for name in names}


def _quickly(piece: Piece, names: Sequence[str]) -> Iterator[Batch]:
    """All cells of a batch are split at once: of a million rows, every step made once a row costs half a second."""
    places = {name: COLUMNS.index(name) for name in names}
    width = max(places.values()) + 1
    nothing = b"," * width
    heads: list[bytes] = []
    marked: dict[int, bytes] = {}
    where = f"{piece.path}, between bytes {piece.start} and {piece.stop}"
    for head, row in _heads(piece, width):
        if not head:
            marked[len(heads)] = row
        heads.append(head or nothing)
        if len(heads) == _BATCH:
            yield _split(heads, marked, places, width, where)
            heads.clear()
            marked.clear()
    if heads:
        yield _split(heads, marked, places, width, where)


def _heads(piece: Piece, width: int) -> Iterator[tuple[bytes, bytes]]:
    """Of each row the bytes of its first `width` cells, where they are plain text and need no undoing; else the row."""
    plain = re.compile(rb"(?:[ !#-&(-+\--~]*+,){%d}" % width)  # no quote, no apostrophe, nothing beyond ASCII
    with piece.path.open("rb", buffering=0) as file:
        left = piece.stop - file.seek(piece.start)
        block, used = bytearray(_BLOCK), 0  # one for all: a million fresh pages would cost more than reading them
        while got := file.readinto(memoryview(block)[used : used + left]):
            used, start, left = used + got, 0, left - got
            while (end := block.find(b"\r", start, used)) >= 0 and end + 1 < used:
                found = plain.match(block, start, end)
                yield (found[0], b"") if found else (b"", bytes(block[start:end]))
                start = end + len(_END)
            used -= start
            block[:used] = block[start : start + used]
            if used == len(block):  # a row that is longer than the block
                block += bytes(len(block))


def _split(heads: list[bytes], marked: dict[int, bytes], places: dict[str, int], width: int, where: str) -> Batch:
    cells_of_all = b"".join(heads).decode("ascii").split(",")
    batch = {name: cells_of_all[place : len(heads) * width : width] for name, place in places.items()}
    for number, row in marked.items():
        whole = _exact(row)
        if len(whole) != len(COLUMNS):
            raise VoteError(f"{where}: a row is not whole. Mend or remove it.")
        for name, place in places.items():
            batch[name][number] = cells.unescape(whole[place])
    return batch
