"""Knows how a few columns of very many rows are read quickly, in pieces if need be. Knows what no column means.

The end of a row is found without looking at its texts, which come last; pandas takes its short cells apart.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from playground.errors import VoteError
from playground.votes import cells
from playground.votes.reading import BLANK, BOM, exact, files, first_row, read
from playground.votes.schema import COLUMNS

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["text", "number"]
_DTYPES: Mapping[Kind, str] = {"text": "object", "number": "float32"}  # a category of "007" would be the number 7
_END = cells.ROW_END.encode()
BLANK_STARTS = BLANK + b"\r"
_BLOCK = 1 << 20
_BATCH = 20_000
"""Rows that are taken apart at once: with more, what is made of them does not stay in the processor's cache."""


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
        start = len(first.bytes) + (len(BOM) if _begins_with_bom(path) else 0)
        while quick and most_bytes and size - start > most_bytes:
            stop = _row_end(path, start + most_bytes, size)
            found.append(Piece(path, start, stop, quick))
            start = stop
        if start < size or not quick:
            found.append(Piece(path, start, size, quick))
    return found


def _begins_with_bom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(BOM)) == BOM


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


def batches(paths: Iterable[Path], kinds: Mapping[str, Kind]) -> Iterator[pd.DataFrame]:
    """These columns in batches of rows: what `read_all` gives, and many times as fast. Numbers are 32-bit floats, NaN
    where a cell is none. Raises VoteError as `read` does."""
    for piece in pieces(paths):
        yield from batches_of(piece, kinds)


def batches_of(piece: Piece, kinds: Mapping[str, Kind]) -> Iterator[pd.DataFrame]:
    """The same of one piece."""
    places = {name: COLUMNS.index(name) for name in kinds}
    heads = _quickly(piece, max(places.values()) + 1) if piece.quick else _slowly(piece.path, list(kinds))
    names = list(COLUMNS if piece.quick else kinds)
    while batch := list(itertools.islice(heads, _BATCH)):
        yield _frame(batch, names, kinds)


def _slowly(path: Path, names: Sequence[str]) -> Iterator[bytes]:
    for row in read(path):
        yield _line([row[name] for name in names])


def _quickly(piece: Piece, width: int) -> Iterator[bytes]:
    """The first `width` cells of each row as CSV without marks. Nearly all rows need no step but a regular expression:
    of a million rows, every step made once a row costs half a second."""
    for head, row in _heads(piece, width):
        yield head or _line(_whole(row, piece)[:width])


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
                # only a row that begins with an empty cell can be blank
                if block[start] not in BLANK_STARTS or block[start:end].strip(BLANK):
                    yield (found[0], b"") if found else (b"", bytes(block[start:end]))
                start = end + len(_END)
            used -= start
            block[:used] = block[start : start + used]
            if used == len(block):  # a row that is longer than the block
                block += bytes(len(block))


def _whole(row: bytes, piece: Piece) -> list[str]:
    found = exact(row)
    if len(found) != len(COLUMNS):
        where = f"{piece.path}, between bytes {piece.start} and {piece.stop}"
        raise VoteError(f"{where}: a row is not whole. Mend or remove it.")
    return [cells.unescape(cell) for cell in found]


def _line(row: Sequence[str]) -> bytes:
    """Cells as pandas reads them, with a comma at the end as `_heads` has it."""
    out = io.StringIO()
    csv.writer(out, lineterminator="", quoting=csv.QUOTE_ALL).writerow([*row, ""])
    return out.getvalue().encode("utf-8")


def _frame(heads: Sequence[bytes], names: Sequence[str], kinds: Mapping[str, Kind]) -> pd.DataFrame:
    try:
        return _parsed(heads, names, kinds)
    except ValueError:  # a number that is none: a person edited the file
        import pandas as pd

        frame = _parsed(heads, names, dict.fromkeys(kinds, "text"))
        numbers = [name for name, kind in kinds.items() if kind == "number"]
        frame[numbers] = frame[numbers].apply(pd.to_numeric, errors="coerce").astype("float32")
        return frame


def _parsed(heads: Sequence[bytes], names: Sequence[str], kinds: Mapping[str, Kind]) -> pd.DataFrame:
    import pandas as pd  # 0.4 s: only who counts votes pays for it

    width = max(names.index(name) for name in kinds) + 1
    header = f"{','.join(names[:width])},".encode()
    return pd.read_csv(
        io.BytesIO(b"\n".join([header, *heads])),
        usecols=list(kinds),
        dtype={name: _DTYPES[kind] for name, kind in kinds.items()},
        keep_default_na=False,
        na_values={name: [""] for name, kind in kinds.items() if kind == "number"},
        skip_blank_lines=False,
        low_memory=False,
    )
