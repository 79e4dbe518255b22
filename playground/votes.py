"""Knows how a vote is kept: one CSV row, appended durably, once per comparison. Does not know what votes add up to.

UTF-8, one header, one row per vote, never rewritten. A is left, B is right, as shown. `arena-rank` and pandas read the
file as it is; `read` here also takes back the mark that keeps spreadsheets from running a cell as a formula.
"""

from __future__ import annotations

import csv
import io
import os
import threading
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from playground import __version__
from playground.errors import VoteError
from playground.types import SIDES, WINNERS, Answer, Comparison, ModelSpec, Sampling, Side, Vote

SCHEMA_VERSION = 1
LOCK_WAIT_S = 10.0
LONGEST_CELL = 2**31 - 1
"""The csv module reads no cell over 131,072 characters unless told to; a prompt may be a megabyte."""
_LINE_END = "\r\n"  # RFC 4180; with it the csv module quotes cells that hold either character

_HEAD = tuple(
    "vote_id battle_id voted_at model_a model_b winner pacing first_side turn "  # noqa: SIM905 - a list as people read it
    "prompt_id prompt system image_sha256 answer_a answer_b reasoning_a reasoning_b".split()
)
_PER_SIDE = tuple(
    "status finish_reason images_sent notice load_s ttft_s ttfa_s total_s decode_tokens_per_s chars_per_s "  # noqa: SIM905
    "chunk_gap_p50_s chunk_gap_p95_s prompt_tokens reasoning_tokens answer_tokens cached_tokens tokens_source "
    "weights_bytes peak_bytes process_bytes memory_method cold contended elsewhere "
    "engine revision quantization temperature top_p max_tokens seed thinking".split()
)
_TAIL = ("counted", "not_counted_reason", "app_version", "schema_version")
COLUMNS: tuple[str, ...] = (*_HEAD, *(f"{name}_{letter}" for name in _PER_SIDE for letter in "ab"), *_TAIL)

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
"""A cell that starts with one of these gets a leading apostrophe; an apostrophe does too, so that it can be undone."""


def new(winner: str, comparison: Comparison, **about: object) -> Vote:
    """A vote that is cast now. `about` are the other fields of `Vote`. Raises VoteError for an unknown winner or an
    unfinished comparison."""
    if winner not in WINNERS:
        raise VoteError(f"{winner!r} is not a vote. Choose one of {', '.join(WINNERS)}.")
    if not comparison.final:
        raise VoteError("Both answers must be finished before the vote. Wait for them, or stop one.")
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Vote(str(uuid.uuid4()), now, winner, comparison, **about)  # type: ignore[arg-type]


class VoteBook:
    """One votes file. Any number of threads and processes may append to the same one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._voted: set[str] = set()

    def append(self, vote: Vote, specs: Mapping[Side, ModelSpec]) -> None:
        """Store the vote; when this returns, it is on disk. Raises VoteError, and then nothing was stored.

        A comparison lives in one process, so that process alone decides that it is voted on once.
        """
        line = _line(row(vote, specs))
        with self._lock:
            if vote.comparison.battle_id in self._voted:
                raise VoteError("This comparison has its vote already. Ask something new to vote again.")
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with FileLock(f"{self.path}.lock", timeout=LOCK_WAIT_S):
                    _append(self.path, line)
            except Timeout as error:
                raise VoteError(
                    f"Another program has held {self.path} for {LOCK_WAIT_S:.0f} s. Vote again in a moment."
                ) from error
            except OSError as error:
                raise VoteError(
                    f"Your vote was NOT stored: {self.path} cannot be written ({error.strerror or error}). "
                    "Make room or choose another file with --votes, then vote again."
                ) from error
            self._voted.add(vote.comparison.battle_id)

    def voted(self, battle_id: str) -> bool:
        """This comparison has its vote."""
        return battle_id in self._voted


def row(vote: Vote, specs: Mapping[Side, ModelSpec]) -> dict[str, object]:
    """All cells of one vote by column, None where unknown."""
    comparison = vote.comparison
    letters: dict[str, Side] = dict(zip("ab", SIDES, strict=True))
    cells: dict[str, object] = {
        "vote_id": vote.vote_id,
        "battle_id": comparison.battle_id,
        "voted_at": vote.voted_at,
        "winner": vote.winner,
        "pacing": comparison.pacing,
        "first_side": comparison.first_side,
        "turn": vote.turn,
        "prompt_id": vote.prompt_id,
        "prompt": vote.prompt,
        "system": vote.system,
        "image_sha256": " ".join(vote.image_sha256),
        "app_version": __version__,
        "schema_version": SCHEMA_VERSION,
    }
    for letter, side in letters.items():
        answer = comparison.side(side)
        cells |= {f"model_{letter}": answer.model, f"answer_{letter}": answer.text}
        cells[f"reasoning_{letter}"] = answer.reasoning
        figures = _figures(answer, specs[side], vote.sampling.get(side, Sampling()))
        cells |= {f"{name}_{letter}": value for name, value in figures.items()}
    reason = not_counted_reason(comparison)
    return cells | {"counted": not reason, "not_counted_reason": reason}


def not_counted_reason(comparison: Comparison) -> str:
    """Why a vote on this comparison is kept but not counted, or nothing."""
    ends = [f"{side} {comparison.side(side).status}" for side in SIDES if comparison.side(side).status != "done"]
    return ", ".join(ends)


def _figures(answer: Answer, spec: ModelSpec, sampling: Sampling) -> dict[str, object]:
    objects = (answer, answer.timing, answer.usage, answer.memory, spec, sampling)
    renamed = {"tokens_source": answer.usage.source, "memory_method": answer.memory.method}
    values: dict[str, object] = {}
    for name in _PER_SIDE:
        owner = next((o for o in objects if hasattr(o, name)), None)
        values[name] = renamed[name] if name in renamed else getattr(owner, name)
    asked = {name: getattr(sampling, name) for name in Sampling.__dataclass_fields__}
    return values | asked  # `thinking` of the row says what the model can do; the vote keeps what was asked


def read(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a votes file as text, formula marks undone. Raises VoteError when it is another program's file, and
    at a row that is not whole."""
    csv.field_size_limit(LONGEST_CELL)
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = csv.reader(file)
        _refuse_stranger(path, tuple(next(rows, ())))
        for cells in filter(None, rows):
            if len(cells) != len(COLUMNS):
                raise VoteError(f"{path}, line {rows.line_num}: this row is not whole. Mend or remove it.")
            yield dict(zip(COLUMNS, map(unescape, cells), strict=True))


def escape(cell: str) -> str:
    """The cell as it is written: text that a spreadsheet would run as a formula gets a leading apostrophe."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def unescape(cell: str) -> str:
    """The cell as it was before `escape`."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell


def _line(cells: Mapping[str, object]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator=_LINE_END).writerow([_cell(cells.get(name)) for name in COLUMNS])
    return out.getvalue().encode("utf-8", "replace")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    return escape(value) if isinstance(value, str) else str(value)


def _append(path: Path, line: bytes) -> None:
    """Write header (if new) and line, flush to disk; on a full disk take back what was written of it."""
    with path.open("ab", buffering=0) as file:  # a buffer would write again, when closed, what was taken back
        size = file.seek(0, os.SEEK_END)
        if size:
            _check_ends(path)
        else:
            line = _header() + line
        try:
            while line:
                line = line[file.write(line) :]
            os.fsync(file.fileno())
        except OSError:
            os.ftruncate(file.fileno(), size)
            raise


def _check_ends(path: Path) -> None:
    """Refuse to append to a file of another shape, or to one whose last row was torn."""
    with path.open("rb") as file:
        header = file.readline(len(_header()) + 100).decode("utf-8-sig", "replace").strip()
        file.seek(-1, os.SEEK_END)
        last = file.read()
    _refuse_stranger(path, tuple(header.split(",")))
    if last != b"\n":
        raise VoteError(
            f"Your vote was NOT stored: {path} ends in the middle of a row. "
            "Mend or move that file, or choose another with --votes, then vote again."
        )


def _refuse_stranger(path: Path, columns: tuple[str, ...]) -> None:
    if columns == COLUMNS:
        return
    missing = [name for name in COLUMNS if name not in columns]
    extra = [name[:40] for name in columns if name not in COLUMNS]
    difference = f"missing: {', '.join(missing[:5]) or 'none'}; unknown: {', '.join(extra[:5]) or 'none'}"
    raise VoteError(f"{path} is not a votes file of this version ({difference}). Choose another file with --votes.")


def _header() -> bytes:
    return (",".join(COLUMNS) + _LINE_END).encode()
