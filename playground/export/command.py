"""Knows the command `export`: which format, from where, to where. Overwrites nothing and leaves no half of a file."""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from playground import votes
from playground.errors import UsageError, VoteError
from playground.settings import Settings

FORMATS = ("csv", "llm-comparator")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    export = commands.add_parser("export", help="write all votes as one file")
    export.set_defaults(run=run)
    export.add_argument("--format", choices=FORMATS, required=True, help="CSV, or the JSON that LLM Comparator reads")
    export.add_argument(
        "--votes", type=Path, action="append", metavar="PATH", help="a votes file or a folder of them; several times"
    )
    export.add_argument("--out", type=Path, metavar="FILE", help="a new file (default: standard output)")
    export.add_argument("--counted-only", action="store_true", help="only votes that stand and count")
    export.add_argument(
        "--pair", nargs=2, metavar="KEY", help="which two models, A first: LLM Comparator shows one pair"
    )


def run(args: argparse.Namespace, env: Mapping[str, str]) -> int:
    """Write what was asked for. Raises UsageError, and then there is no new file."""
    paths = args.votes or [votes.readable(Path(env.get("PLAYGROUND_VOTES") or Settings().votes))]
    _refuse_among_votes(args.out, paths)
    pieces = _pieces(args, paths)
    try:
        first = next(pieces, b"")
        if not first:
            raise UsageError(f"There is no vote to export in {', '.join(map(str, paths))}.")
        _write(itertools.chain([first], pieces), args.out)
    except VoteError as error:
        raise UsageError(str(error)) from error
    except BrokenPipeError:  # the reader, `head` for one, has enough; what is left must not be tried again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        where = error.filename or args.out or "standard output"
        raise UsageError(f"{where}: {error.strerror or error}. Nothing was exported.") from error
    return 0


def _pieces(args: argparse.Namespace, paths: list[Path]) -> Iterator[bytes]:
    from playground.export import comparator, table  # numpy, which other commands do without

    if args.format == "csv":
        return table.csv(paths, counted_only=args.counted_only)
    return comparator.document(paths, tuple(args.pair) if args.pair else None, counted_only=args.counted_only)


def _write(pieces: Iterator[bytes], out: Path | None) -> None:
    if out is None:
        _pour(pieces, sys.stdout.buffer)
        return
    try:
        file = out.open("xb")
    except FileExistsError:
        raise UsageError(f"{out} exists already and is left as it is. Choose another name with --out.") from None
    try:
        with file:
            _pour(pieces, file)
    except BaseException:  # Ctrl-C as well: half a file would look like all votes
        out.unlink()
        raise


def _pour(pieces: Iterator[bytes], file: BinaryIO) -> None:
    for piece in pieces:
        file.write(piece)
    file.flush()


def _refuse_among_votes(out: Path | None, paths: list[Path]) -> None:
    """A new CSV within a folder of votes would be read as votes."""
    folders = [path.resolve() for path in paths if path.is_dir()]
    if out and out.suffix == ".csv" and out.resolve().parent in folders:
        raise UsageError(f"{out} would be read as votes from now on. Choose another folder with --out.")
