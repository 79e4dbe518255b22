"""Knows the command `fetch`: weights of one model come here before anybody asks it. Loads nothing."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from typing import TextIO

from playground import catalog, figures, fit, machine, progress, settings, weights
from playground.engines import guard
from playground.errors import UsageError
from playground.progress import Progress
from playground.types import Loading, ModelSpec

DONE, STOPPED = 0, 130
LINE_EVERY_S = 10.0
"""Where nobody watches a terminal, a line of progress so often."""
WIDTH = 24
KEPT = "Stopped. What is here is kept: run the same command again, and it goes on from there."


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], env: Mapping[str, str]) -> None:
    """Add the command to the command line."""
    command = commands.add_parser("fetch", help="bring a model's weights here; what was cut off goes on")
    command.set_defaults(run=run)
    command.add_argument("key", metavar="KEY", help="key of the model")
    settings.add_shared_flags(command, env)


def run(args: argparse.Namespace, env: Mapping[str, str]) -> int:
    """Fetch; Ctrl-C keeps what is here. Raises UsageError and WeightsError."""
    rows = catalog.load(args.models)
    spec = rows.row(args.key)
    if spec.engine not in ("transformers", "llama.cpp"):
        raise UsageError(f"{spec.title} runs elsewhere: there is nothing to fetch.")
    if place := weights.locate(spec, args.cache):
        print(f"{spec.title} is here already: {place}")
        return DONE
    found = fit.judge(spec, machine.look(), rows=rows)
    if found.verdict in ("tight", "does not fit"):
        print(f"Note: {spec.title} {_verb(found)}. {found.why} {found.next_step}", file=sys.stderr)
    try:
        _fetch(spec, args)
    except KeyboardInterrupt:
        print(f"\n{KEPT}", file=sys.stderr)
        return STOPPED
    stored = fit.look(weights.locate(spec, args.cache))
    size = f" ({' '.join(figures.size(stored.weights_bytes))} of weights)" if stored.weights_bytes else ""
    print(f"{spec.title} is here{size}: {weights.locate(spec, args.cache)}")
    return DONE


def _verb(found: fit.Fit) -> str:
    return "is a tight fit here now" if found.verdict == "tight" else "does not fit in this machine's memory now"


def _fetch(spec: ModelSpec, args: argparse.Namespace) -> None:
    shown = Shown(sys.stderr)
    with closing(weights.fetch(spec, args.cache, guard.run)) as fetching:
        for loading in fetching:
            shown.tell(loading, time.monotonic())
    shown.end()


class Shown:
    """Progress as a line that is written over on a terminal, else as a line now and then."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._live = out, out.isatty()
        self._progress = Progress()
        self._last: tuple[str, float] = ("", -LINE_EVERY_S)
        self._noted = ""

    def tell(self, loading: Loading, now_s: float) -> None:
        """It is so far now."""
        if loading.note and not self._noted:  # once: what will be left changes by a few bytes when others write
            self._noted = loading.note
            self.end()
            print(f"Note: {loading.note}", file=self._out, flush=True)
        self._progress.tell(loading.stage, loading.done, loading.total, now_s)
        line = bar(loading, self._progress.left_s(now_s))
        if self._live:
            print(f"\r\033[K{line}", end="", file=self._out, flush=True)
        elif loading.stage != self._last[0] or now_s - self._last[1] >= LINE_EVERY_S:
            print(line, file=self._out, flush=True)
            self._last = (loading.stage, now_s)

    def end(self) -> None:
        """Nothing more comes on this line."""
        if self._live:
            print("\r\033[K", end="", file=self._out, flush=True)


def bar(loading: Loading, left_s: float | None) -> str:
    """As in "fetching [######------] 51 % · 2.90 GB of 5.68 GB · about 2 min left"."""
    if loading.done is None or not loading.total:
        return loading.stage
    share = min(1.0, loading.done / loading.total)
    marks = "#" * round(WIDTH * share)
    counts = [loading.done, loading.total]
    much = " of ".join(" ".join(figures.size(n)) if loading.unit == "bytes" else str(n) for n in counts)
    said = [f"{share:.0%}".replace("%", " %"), much, progress.words(left_s)]
    return f"{loading.stage} [{marks:-<{WIDTH}}] {' · '.join(filter(None, said))}"
