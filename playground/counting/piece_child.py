"""A program: reads one piece of a votes file, and writes it to its standard output as `gathering` takes it."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path

from playground import votes
from playground.counting.gathering import REFUSED
from playground.errors import VoteError
from playground.standings import COLUMNS, ballots


def main(path: str, start: str, stop: str, quick: str, nice: str) -> int:
    """Read that piece. Ends with `REFUSED` and the reason when a row is not whole."""
    if hasattr(os, "nice"):  # not on Windows
        os.nice(int(nice))
    piece = votes.Piece(Path(path), int(start), int(stop), quick == "1")
    try:
        part = ballots.part(votes.batches_of(piece, COLUMNS))
    except VoteError as error:
        print(error, file=sys.stderr)
        return REFUSED
    pickle.dump(part, sys.stdout.buffer, pickle.HIGHEST_PROTOCOL)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
