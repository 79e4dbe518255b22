"""Knows how the votes file is changed on disk: appended to, healed, migrated. Holds no lock: its caller does.

CR LF ends every row and stands nowhere else (see `cells`), so a file of today's schema is torn if and only if its last
two bytes are not CR LF, and what is torn is all that follows the last CR LF.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from playground.votes import cells, reading
from playground.votes.schema import COLUMNS, SCHEMA_VERSION

_END = cells.ROW_END.encode()
_BLOCK = 1 << 16


def append(path: Path, line: bytes) -> list[str]:
    """Write header (if new) and line and sync them to disk; returns what had to be mended first. On OSError (a full
    disk) what was written of the line is taken back. Costs the same however long the file is."""
    notices = mend(path)
    new = not path.exists()
    with path.open("ab", buffering=0) as file:  # a buffer would write again, when closed, what was taken back
        size = file.seek(0, os.SEEK_END)
        line = line if size else header() + line
        try:
            while line:
                line = line[file.write(line) :]
            os.fsync(file.fileno())
        except OSError:
            os.ftruncate(file.fileno(), size)
            raise
    if new:
        _sync_folder(path)
    return notices


def header(columns: tuple[str, ...] = COLUMNS) -> bytes:
    """The first row of a file."""
    return cells.line(columns)


def mend(path: Path) -> list[str]:
    """Heal and migrate if need be; returns what was done. Raises VoteError for another program's file."""
    if not path.exists() or not path.stat().st_size:
        return []
    first = reading.first_row(path)
    if not first.ends and header().startswith(first.bytes):
        return [_move_tail(path, 0)]
    number = reading.known(path, first)
    if number < SCHEMA_VERSION or not first.ends_as_ours:
        return _rewrite(path, number)
    end = _last_end(path)
    return [] if end is None else [_move_tail(path, end)]


def _last_end(path: Path) -> int | None:
    """Where the last whole row ends, or None when it is the end of the file. The header is whole."""
    with path.open("rb") as file:
        size = start = file.seek(0, os.SEEK_END)
        file.seek(size - len(_END))
        if file.read() == _END:
            return None
        after = b""  # the first byte of the block after: CR LF may stand across two
        while start:
            stop, start = start, max(0, start - _BLOCK)
            file.seek(start)
            block = file.read(stop - start) + after
            found = block.rfind(_END)
            if found >= 0:
                return start + found + len(_END)
            after = block[:1]
    return 0


def _move_tail(path: Path, end: int) -> str:
    """Move what follows byte `end` into a file beside, which is on disk before the votes file is cut."""
    aside = _free(path, "torn-")
    with path.open("r+b") as file:
        file.seek(end)
        with aside.open("xb") as kept:
            shutil.copyfileobj(file, kept)
            _sync(kept.fileno())
        _sync_folder(path)
        file.truncate(end)
        _sync(file.fileno())
    return f"{path} ended in the middle of a row, which was never acknowledged. It was moved to {aside.name}."


def _rewrite(path: Path, number: int) -> list[str]:
    """Write a file of an older schema, or one that another program saved with its own line ends, as one of today's;
    the old one stays beside it. At every instant the name holds one of the two, whole."""
    torn: list[str] = []
    draft = path.with_name(f"{path.name}.new")
    try:
        with draft.open("wb") as file:
            file.write(header())
            for row in reading.read(path, torn):
                file.write(cells.line(row.values()))
            file.flush()
            _sync(file.fileno())
        shutil.copymode(path, draft)
        old = _free(path, "bak-")
        _keep(path, old)
        draft.replace(path)
        _sync_folder(path)
    finally:
        draft.unlink(missing_ok=True)
    left = [f"Its last row was torn ({place}), was never acknowledged, and stays in the old file." for place in torn]
    was = f"of schema {number}" if number < SCHEMA_VERSION else "saved by another program"
    return [f"{path} was {was} and is now of schema {SCHEMA_VERSION}. The old file is {old.name}.", *left]


def _keep(path: Path, old: Path) -> None:
    try:
        os.link(path, old)
    except OSError:  # a file system without hard links
        shutil.copy2(path, old)
        with old.open("rb+") as file:
            _sync(file.fileno())


def _free(path: Path, kind: str) -> Path:
    """The first name of that kind that is free: votes.csv.bak-1."""
    number = 1
    while (name := path.with_name(f"{path.name}.{kind}{number}")).exists():
        number += 1
    return name


def _sync(descriptor: int) -> None:
    os.fsync(descriptor)


def _sync_folder(path: Path) -> None:
    """So that a new name is on disk, too. Windows cannot open folders, and keeps names without being asked."""
    if os.name == "nt":
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
