"""Are votes safe, and what do they cost? Run with `python -m benchmarks.votes [part]...`; the parts are below.

1. `size`: a file of 1,000,000 votes of realistic length is read and counted with 1,000 rounds of resampling, in a
   process of its own, five times; then one vote is appended to it, over and over, and beside it to a file of one row;
2. `crowd`: 16 threads in each of 4 processes cast 10,000 votes on one file;
3. `kill`: 200 times, a program that votes without end is killed at a random instant;
4. `coverage`: 1,000 simulations of each of several fields of models: how often 95 % intervals hold the truth.

Results: benchmarks/votes.md.
"""

from __future__ import annotations

import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import common
from playground import votes
from playground.types import Answer, Memory, Timing, Usage
from playground.votes import VoteBook, cells, rows
from tests import voting
from tests.fakes import answer, comparison

ROWS = 1_000_000
WORDS = ("the", "model", "answers", "a", "question", "about", "light", "and", "the", "sea,", "with", "care", "length.")
MODELS = [f"model-{name}" for name in ("amber", "birch", "cedar", "dune", "elder", "fern")]
VOTERS = 50_000


def vote_line(rng: random.Random, number: int) -> bytes:
    """One row as it is written: a short prompt and two answers of about 150 words, 2.8 kB in all."""
    left, right = rng.sample(MODELS, 2)
    both = comparison(said(rng, left), said(rng, right), str(uuid.UUID(int=rng.getrandbits(128))))
    winner = rng.choices(("model_a", "model_b", "tie", "both_bad"), (40, 40, 12, 8))[0]
    vote = votes.new(winner, both, prompt=text(rng, 25), voter=f"{number % VOTERS:032x}", prompt_id="typed")
    row = rows.row(vote, voting.SPECS)
    return cells.line(row.get(name) for name in votes.COLUMNS)


def said(rng: random.Random, model: str) -> Answer:
    """An answer with all its figures."""
    timing = Timing(None, rng.uniform(0.1, 2), None, rng.uniform(2, 9), rng.uniform(10, 60), 80.0, 0.02, 0.05)
    memory = Memory(300_000_000, rng.randrange(10**8, 10**9), 500_000_000, method="PSS of its processes")
    words = max(5, round(rng.lognormvariate(5, 0.6)))
    return answer(model, text(rng, words), timing=timing, memory=memory, usage=Usage(30, None, words, None, "server"))


def text(rng: random.Random, words: int) -> str:
    """That many words in lines, with a quote now and then."""
    chosen = rng.choices(WORDS, k=words)
    return "".join(f'"{word}"\n' if n % 40 == 39 else f"{word} " for n, word in enumerate(chosen))


def write(path: Path, count: int) -> None:
    """A votes file of `count` rows. Every block of 20,000 rows repeats the first but for its ids and voters."""
    rng = random.Random(0)
    block = [vote_line(rng, n).split(b",", 5) for n in range(min(count, 20_000))]
    with path.open("wb") as file:
        file.write(cells.line(votes.COLUMNS))
        for n in range(count):
            _, _, none, when, _, rest = block[n % len(block)]
            ids = str(uuid.UUID(int=rng.getrandbits(128))).encode(), str(uuid.UUID(int=n)).encode()
            file.write(b",".join([*ids, none, when, f"{rng.randrange(VOTERS):032x}".encode(), rest]))


COUNT = """
import json, resource, sys, time
from pathlib import Path
started_s = time.monotonic()
from playground import standings
from playground.counting import gathering
ballots = gathering.gather([Path(sys.argv[1])])
read_s = time.monotonic() - started_s
found = standings.tally.tally(ballots, standings.Filter(), standings.ROUNDS)
unit = 1 if sys.platform == "darwin" else 1024
own, readers = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
cpu_s = sum(each.ru_utime + each.ru_stime for each in (own, readers))
took = {"read_s": read_s, "whole_s": time.monotonic() - started_s, "cpu_s": cpu_s}
took |= {"peak_bytes": own.ru_maxrss * unit, "largest_reader_bytes": readers.ru_maxrss * unit}
print(json.dumps({"votes": found.votes, "voters": found.voters, **took}))
"""


def size(folder: Path) -> dict[str, Any]:
    """Read and count a large file; append to it and to a small one in turn."""
    large, small = folder / "large.csv", folder / "small.csv"
    write(large, ROWS)
    write(small, 1)
    runs = []
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-c", COUNT, str(large)], cwd=voting.ROOT, capture_output=True, text=True, check=True
        )
        runs.append(json.loads(done.stdout))
    typical = sorted(runs, key=lambda run: run["whole_s"])[len(runs) // 2]
    took = {"runs_s": [run["whole_s"] for run in runs], "runs_cpu_s": [run["cpu_s"] for run in runs]}
    return {"bytes": large.stat().st_size, **typical, **took, **append(small, large)}


def append(small: Path, large: Path, rounds: int = 300) -> dict[str, float]:
    """Medians in ms of appending one vote to either, in turn, so that both see the same load; and their ratio."""
    books = {path: VoteBook(path) for path in (small, large)}
    took: dict[Path, list[float]] = {small: [], large: []}
    for number in range(rounds):
        for path in (small, large) if number % 2 else (large, small):
            vote = voting.cast(f"{path.name}-{number}", "four " * 150)
            started_s = time.perf_counter()
            books[path].append(vote, voting.SPECS)
            took[path].append(1000 * (time.perf_counter() - started_s))
    first, last = (statistics.median(took[path]) for path in (small, large))
    return {"append_first_ms": first, "append_last_ms": last, "append_ratio": last / first}


def crowd(folder: Path) -> dict[str, Any]:
    """10,048 votes: 157 by each of 64 threads."""
    found = voting.crowd(folder / "crowd.csv", processes=4, threads=16, count=157)
    return {**asdict(found), "votes_per_s": found.acknowledged / found.elapsed_s}


def kill(folder: Path) -> dict[str, Any]:
    """200 rounds; after each the file is mended and read whole."""
    return asdict(voting.killed(folder / "kill.csv", rounds=200))


FIELDS: dict[str, dict[str, Any]] = {
    "one strong, one weak, few votes": {"gaps": [400, 0, -50, -350], "per_pair": 10, "voters": 60},
    "the same, voters unknown": {"gaps": [400, 0, -50, -350], "per_pair": 10, "voters": 60, "known": False},
    "the same, more votes": {"gaps": [400, 0, -50, -350], "per_pair": 30, "voters": 60},
    "five close ones, a fifth of ties": {"gaps": [100, 50, 0, -50, -100], "per_pair": 20, "voters": 60, "ties": 0.2},
    "three, one often undefeated": {"gaps": [450, 0, -100], "per_pair": 12, "voters": 30},
    "40 voters with tastes of their own": {"gaps": [0, 0, 0], "per_pair": 150, "voters": 40, "tastes": 200},
    "100 voters with tastes of their own": {"gaps": [0, 0, 0], "per_pair": 150, "voters": 100, "tastes": 200},
    "20 voters with tastes of their own": {"gaps": [0, 0, 0], "per_pair": 150, "voters": 20, "tastes": 200},
    "20 voters without, many votes": {"gaps": [150, 0, -100], "per_pair": 100, "voters": 20},
    "40 such voters, taken as unknown": {
        "gaps": [0, 0, 0],
        "per_pair": 150,
        "voters": 40,
        "tastes": 200,
        "known": False,
    },
}


def coverage(_: Path) -> dict[str, Any]:
    """Each field 1,000 times, and all together."""
    found = {}
    for name, field in FIELDS.items():
        found[name] = asdict(voting.coverage(**field, simulations=1_000, rounds=200))
        print(name, found[name], file=sys.stderr, flush=True)  # it takes minutes
    return {**found, "all": statistics.mean(each["covered"] for each in found.values())}


PARTS = {"size": size, "crowd": crowd, "kill": kill, "coverage": coverage}


def lines(found: dict[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Names and figures for the table."""
    for name, value in found.items():
        if isinstance(value, dict):
            yield from lines(value, f"{before}{name}: ")
        else:
            yield f"{before}{name}", f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Run the parts that are named, or all; print a table and the JSON line."""
    results = {}
    for name in sys.argv[1:] or PARTS:
        folder = Path(tempfile.mkdtemp())
        try:
            results[name] = PARTS[name](folder)
        finally:
            shutil.rmtree(folder)
    common.table(("figure", "measured"), lines(results))
    common.finish("votes", results)


if __name__ == "__main__":
    main()
