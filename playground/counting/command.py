"""Knows the command `standings`: which votes, through which filter, printed or written where. Counts nothing."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from playground import catalog, library, votes
from playground.counting import choices, sizes
from playground.errors import UsageError, VoteError
from playground.settings import Settings

if TYPE_CHECKING:
    from playground.standings import Filter


def add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], env: Mapping[str, str]
) -> argparse.ArgumentParser:
    """Add the command to the command line; `--json` is the caller's."""
    command = commands.add_parser("standings", help="say what the votes add up to")
    command.set_defaults(run=run)
    add_flag = command.add_argument
    add_flag("--votes", type=Path, action="append", metavar="PATH", help="a votes file or a folder; several times")
    add_flag("--prompts", default="", metavar="START", help="only prompts whose id starts like this")
    add_flag("--subject", metavar="NAME", help="only prompts of this subject of the library")
    add_flag("--language", metavar="SCRIPT", help="only prompts in this script: latin, cyrillic, unknown...")
    add_flag("--images", action=argparse.BooleanOptionalAction, help="only with images, or without")
    add_flag("--blind", action="store_true", help="only votes whose names were hidden")
    add_flag("--pacing", choices=["in-turn", "together"], help="only votes on answers that came so")
    add_flag("--size", choices=sizes.CLASSES, help="only votes between two models of this size")
    own = env.get("PLAYGROUND_MODELS")
    add_flag("--models", type=Path, default=Path(own) if own else None, metavar="FILE", help="more models, as TOML")
    add_flag("--since", type=_date, metavar="DATE", help="only votes since then (2026-11-01)")
    add_flag("--export", type=Path, metavar="FOLDER", help="write tables as CSV and charts as PNG there, too")
    return command


def _date(text: str) -> str:
    try:
        return datetime.fromisoformat(text).date().isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date, as in 2026-11-01") from None


def run(args: argparse.Namespace, env: Mapping[str, str]) -> int:
    """Print the standings. Raises UsageError for what the person must mend."""
    from playground import standings  # numpy, which other commands do without
    from playground.counting import gathering
    from playground.standings import table, tally

    only = _filter(args)
    try:
        paths = args.votes or [votes.readable(Path(env.get("PLAYGROUND_VOTES") or Settings().votes))]
        found = tally.tally(gathering.gather(paths), only, standings.ROUNDS)
    except VoteError as error:
        raise UsageError(str(error)) from error
    if args.export:
        from playground.counting import exports

        exports.write(found, args.export)
    print(json.dumps(table.plain(found), ensure_ascii=False) if args.json else table.text(found))
    return 0


def _filter(args: argparse.Namespace) -> Filter:
    from playground.standings import Filter

    subjects = choices.subjects(library.load(Settings().prompts)) if args.subject else {}
    return Filter(
        prompts=args.prompts,
        subject=choices.subject(args.subject, subjects.values()) if args.subject else "",
        subjects=subjects,
        images=args.images,
        blind_only=args.blind,
        pacing=(args.pacing or "").replace("-", "_"),
        script=(args.language or "").strip().lower(),
        size=args.size or "",
        sizes=choices.classes(catalog.load(args.models)) if args.size else {},
        since=args.since or "",
    )
