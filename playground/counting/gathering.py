"""Knows how large votes files are read by several processes at once. Knows no row."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from playground import votes
from playground.errors import VoteError
from playground.settings import ROOT
from playground.standings import COLUMNS, ballots
from playground.standings.ballots import Ballots, Part

SMALL_BYTES = 100_000_000
"""Up to here one process is as fast: another one takes 0.3 s to start."""
MOST_PROCESSES = 4
CHILD = "playground.counting.piece_child"
REFUSED = 3
"""How a child ends that met a VoteError, whose words are then its standard error."""


def gather(paths: Iterable[Path], nice: int = 0, small_bytes: int = SMALL_BYTES) -> Ballots:
    """All votes at these paths. Raises VoteError as `votes.read` does.

    Long files are read in pieces, by processes of their own: counting takes the interpreter's lock, and in the app it
    would hold up the threads that stamp the times of answers. `nice` lets models on this machine come first.
    """
    found = list(paths)
    size = sum(path.stat().st_size for path in votes.files(found)) if found else 0
    if size <= small_bytes:
        return ballots.gather(votes.batches(found, COLUMNS) if found else [])
    at_once = max(1, min(MOST_PROCESSES, os.cpu_count() or 1))
    pieces = votes.pieces(found, size // at_once + 1)
    with ThreadPoolExecutor(at_once) as pool:
        return ballots.join(list(pool.map(lambda piece: _read(piece, nice), pieces)))


def _read(piece: votes.Piece, nice: int) -> Part:
    told = [str(piece.path.resolve()), str(piece.start), str(piece.stop), str(int(piece.quick)), str(nice)]
    command = [sys.executable, "-m", CHILD, *told]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode == REFUSED:
        raise VoteError(done.stderr.decode("utf-8", "replace").strip())
    if done.returncode:
        raise VoteError(
            f"{piece.path} could not be read: its reader ended with {done.returncode}. "
            f"{done.stderr.decode('utf-8', 'replace')[-300:].strip()}"
        )
    part: Part = pickle.loads(done.stdout)
    return part
