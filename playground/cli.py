"""Knows the command line: the same parts as the page, a table for people and JSON for programs."""

from __future__ import annotations

import argparse
import io
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from playground import fetching, figures, images, inventory, parts, passwords, report, settings
from playground.compare import Race
from playground.counting import command as counting
from playground.errors import ImageError, PlaygroundError, PromptError, UsageError
from playground.export import command
from playground.figures import FIGURES
from playground.types import SIDES, Answer, Comparison, Message, Sampling

DONE, FAILED, WRONG_USAGE = 0, 1, 2
COLUMNS = ("key", "title", "engine", "reads_images", "context_tokens", "needs", "fit", "state")
"""Of the table that `models` prints."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns 0 both done, 1 a side failed, 2 wrong usage."""
    env = settings.environment()
    args = parser(env).parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(
            stream, io.TextIOWrapper
        ):  # an answer may hold what this terminal cannot write: lose a sign, not all
            stream.reconfigure(errors="replace")
    signal.signal(signal.SIGTERM, _leave)  # so that `finally` ends the workers
    try:
        return int(args.run(args, env))
    except (UsageError, PromptError, ImageError) as error:
        print(f"playground: {error}", file=sys.stderr)
        return WRONG_USAGE
    except PlaygroundError as error:
        print(f"playground: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("playground: stopped", file=sys.stderr)
        return 130


def _leave(*_: object) -> NoReturn:
    raise SystemExit(143)


def parser(env: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="playground", description="Compare two language models side by side.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    ask = commands.add_parser("ask", help="send one prompt to two models")
    ask.set_defaults(run=_ask)
    ask.add_argument("prompt", metavar="PROMPT")
    ask.add_argument("--left", required=True, metavar="KEY", help="model on the left")
    ask.add_argument("--right", required=True, metavar="KEY", help="model on the right")
    ask.add_argument(
        "--image", type=Path, action="append", default=[], metavar="FILE", help="may be given several times"
    )
    ask.add_argument("--system", default="", help="system prompt for both")
    ask.add_argument("--pacing", choices=["in-turn", "together"], help="default: in turn when both run here")
    ask.add_argument("--max-tokens", type=_whole(1), metavar="N")
    ask.add_argument("--temperature", type=_number(0.0, 2.0), metavar="T")
    ask.add_argument("--top-p", type=_number(0.0, 1.0), metavar="P")
    ask.add_argument("--seed", type=_whole(0), metavar="N")
    ask.add_argument("--thinking", action=argparse.BooleanOptionalAction, help="ask the models to think, or not to")
    models = commands.add_parser("models", help="list the models")
    models.set_defaults(run=_models)
    for each in (ask, models):
        settings.add_shared_flags(each, env)
    space_command = commands.add_parser("space", help="check that this repository can be a Hugging Face Space")
    space_command.set_defaults(run=_space)
    space_command.add_argument("--check", action="store_true", required=True, help="all that shows without the Hub")
    space_command.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    command.add(commands)
    fetching.add(commands, env)
    passwords.add(commands)
    for each in (ask, models, counting.add(commands, env)):
        each.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    return parser


def _whole(least: int) -> type:
    def whole(text: str) -> int:
        if (value := int(text)) < least:
            raise argparse.ArgumentTypeError(f"must be {least} or more")
        return value

    return whole  # type: ignore[return-value]  # argparse takes any callable


def _number(least: float, most: float) -> type:
    def number(text: str) -> float:
        if not least <= (value := float(text)) <= most:
            raise argparse.ArgumentTypeError(f"must be from {least:g} to {most:g}")
        return value

    return number  # type: ignore[return-value]  # argparse takes any callable


def _assemble(args: argparse.Namespace, env: Mapping[str, str]) -> parts.Parts:
    told = settings.Settings(
        left=getattr(args, "left", ""),
        right=getattr(args, "right", ""),
        models=args.models,
        threads=args.threads,
        cache=args.cache,
        stall_s=args.stall_s,
        load_anyway=args.load_anyway,
        page=False,
        environ=env,
    )
    return parts.assemble(told)


def _space(args: argparse.Namespace, env: Mapping[str, str]) -> int:
    from playground import space  # a reader of YAML, which the other commands do without

    checks = space.check(settings.ROOT)
    if args.json:
        print(json.dumps({"schema": report.SCHEMA, "checks": [asdict(each) for each in checks]}))
    else:
        print("\n".join(f"{each.state:15}  {each.name}: {each.said}" for each in checks))
    return space.code(checks)


def _models(args: argparse.Namespace, env: Mapping[str, str]) -> int:
    house = _assemble(args, env)
    rows = inventory.describe(inventory.take(house.catalog, house.pool, house.fits, house.settings))
    if args.json:
        print(json.dumps({"schema": report.SCHEMA, "models": rows}, ensure_ascii=False))
        return DONE
    table = [COLUMNS, *(tuple(_plain(name, row) for name in COLUMNS) for row in rows)]
    widths = [max(len(line[i]) for line in table) for i in range(len(COLUMNS))]
    for line in table:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    return DONE


def _plain(name: str, row: Mapping[str, Any]) -> str:
    """One cell of the table; unknown is a dash."""
    match name:
        case "needs":
            return " ".join(figures.size(row["need_bytes"])) if row["need_bytes"] is not None else "–"
        case "fit":
            return str(row["fit"]["where"] if row["fit"]["where"] == "elsewhere" else row["fit"]["verdict"])
        case "state" if row["key_missing"]:
            return f"needs {row['key_missing']}"
        case "state" if row["present"] is not None and row["state"] == "not_loaded":
            return "here, not loaded" if row["present"] else "to be fetched"
    value = row[name]
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None else str(value)


def _ask(args: argparse.Namespace, env: Mapping[str, str]) -> int:
    house = _assemble(args, env)
    message = Message("user", args.prompt, tuple(images.prepare(path) for path in args.image))
    sampling = Sampling(args.temperature, args.top_p, args.max_tokens, args.seed, args.thinking)
    questions = {side: parts.Question(getattr(args, side), (), args.system, sampling) for side in SIDES}
    pacing = house.pacing(args.pacing or "", args.left, args.right)
    try:
        done = _watch(house.race(message, questions, pacing, first_side="left"), quiet=args.json)
    finally:
        house.pool.close()
    print(json.dumps(report.comparison(done), ensure_ascii=False) if args.json else _table(done))
    return DONE if all(done.side(side).status == "done" for side in SIDES) else FAILED


def _watch(race: Race, *, quiet: bool) -> Comparison:
    """Run the race to its end, with a line of progress on the terminal's standard error."""
    show = sys.stderr.isatty() and not quiet
    for now in race.snapshots():
        if show:
            line = "   ".join(f"{side}: {_progress(now.side(side))}" for side in SIDES)
            print(f"\r\033[K{line[:150]}", end="", file=sys.stderr, flush=True)
    if show:
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    return race.now


def _progress(answer: Answer) -> str:
    if answer.loading:
        done, total = answer.loading.done, answer.loading.total
        return f"{answer.loading.stage} {done / total:.0%}" if done is not None and total else answer.loading.stage
    tokens, chars = answer.usage.output_tokens, answer.stamps.chars
    return (
        f"{answer.status} {tokens} tokens" if tokens else f"{answer.status} {chars} chars" if chars else answer.status
    )


def _table(done: Comparison) -> str:
    """Both answers, then the figures of both, for a terminal."""
    lines = []
    for side in SIDES:
        answer = done.side(side)
        marks = "".join(f" [{name}]" for name, _ in figures.badges(answer))
        lines += [f"── {side}: {answer.model} ({answer.status}){marks}"]
        lines += [f"   {answer.notice}"] if answer.notice else []
        lines += [f"   thinking: {answer.reasoning.strip()}"] if answer.reasoning else []
        lines += [answer.text.strip() or "(no answer)"]
        lines += [f"   {answer.error}"] if answer.error else []
        lines += [""]
    turns = "one after the other" if done.pacing == "in_turn" else "at the same time"
    lines += [f"{'':14}{'left':>14}{'right':>14}   asked {turns}, {done.first_side} first"]
    for figure in FIGURES:
        cells = [figures.cell(figure, done.side(side)) for side in SIDES]
        lines += [f"{figure.name:14}" + "".join(f"{f'{cell.text} {cell.unit}'.strip():>14}" for cell in cells)]
    return "\n".join(lines)
