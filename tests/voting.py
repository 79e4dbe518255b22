"""Programs that vote and are killed: the harness of tests and benchmarks. Run by them as `python -m tests.voting`."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from playground import votes
from playground.standings import rating
from playground.types import ModelSpec, Vote
from playground.votes import VoteBook
from tests.fakes import answer, comparison

ROOT = Path(__file__).resolve().parent.parent
SPECS = {"left": ModelSpec("small", "Small", "llama.cpp"), "right": ModelSpec("large", "Large", "openai")}


def cast(battle_id: str, text: str = "four", winner: str = "model_a", **about: object) -> Vote:
    """A vote on a finished comparison whose answers are that text."""
    both = comparison(answer("small", text), answer("large", text), battle_id)
    return votes.new(winner, both, **{"prompt": "2 + 2?", **about})


def vote_on(path: Path, name: str, threads: int, count: int, longest: int) -> None:
    """Cast `count` votes in each thread and print the id of each one after it was acknowledged."""
    book = VoteBook(path)
    book.mend()

    def work(number: int) -> None:
        rng = random.Random(f"{name}-{number}")
        for n in range(count):
            vote = cast(f"{name}-{number}-{n}", 'a,"b"\r\n' * rng.randrange(1, longest))
            book.append(vote, SPECS)
            os.write(1, f"{vote.vote_id}\n".encode())  # one system call: it is in the pipe, or it is not

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def start(path: Path, name: str, threads: int, count: int, longest: int = 200) -> subprocess.Popen[str]:
    """`vote_on` in a process of its own."""
    command = [sys.executable, "-m", "tests.voting", str(path.resolve()), name, str(threads), str(count), str(longest)]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE)


@dataclass(frozen=True, slots=True)
class Found:
    """What is in the file, against what was acknowledged."""

    acknowledged: int
    rows: int
    lost: int
    twice: int
    mended: int
    elapsed_s: float


FOUND = ("acknowledged", "rows", "lost", "twice", "mended")


def compare(path: Path, acknowledged: list[str], started_s: float) -> Found:
    """Read all of the file, which raises VoteError at a row that is not whole."""
    rows = Counter(row["vote_id"] for row in votes.read(path))
    return Found(
        acknowledged=len(acknowledged),
        rows=rows.total(),
        lost=sum(rows[vote_id] == 0 for vote_id in acknowledged),
        twice=sum(count > 1 for count in rows.values()),
        mended=0,
        elapsed_s=time.monotonic() - started_s,
    )


def crowd(path: Path, processes: int, threads: int, count: int) -> Found:
    """That many processes with that many threads, each of which casts `count` votes on one file."""
    started_s = time.monotonic()
    voters = [start(path, f"p{number}", threads, count) for number in range(processes)]
    said = [voter.communicate()[0].split() for voter in voters]
    assert [voter.returncode for voter in voters] == [0] * processes
    return compare(path, [vote_id for ids in said for vote_id in ids], started_s)


def killed(path: Path, rounds: int, threads: int = 4, longest: int = 2_000, rounds_a_file: int = 10) -> Found:
    """Each round starts a program that votes without end, and kills it at a random instant after its first vote. The
    file is then read whole. A new file is begun every few rounds, or reading would take the most of the time."""
    started_s, rng, total = time.monotonic(), random.Random(0), Counter[str]()
    for first in range(0, rounds, rounds_a_file):
        acknowledged: list[str] = []
        book = VoteBook(path.with_name(f"{path.stem}-{first}.csv"))
        for number in range(first, min(rounds, first + rounds_a_file)):
            acknowledged += _until_killed(book.path, f"r{number}", threads, longest, rng.uniform(0, 0.1))
            total["mended"] += len(VoteBook(book.path).mend())
            found = compare(book.path, acknowledged, started_s)
            total.update(lost=found.lost, twice=found.twice)
        total.update(acknowledged=found.acknowledged, rows=found.rows)
    return Found(**{name: total[name] for name in FOUND}, elapsed_s=time.monotonic() - started_s)


def _until_killed(path: Path, name: str, threads: int, longest: int, after_s: float) -> list[str]:
    """What a program acknowledged before it was killed."""
    voter = start(path, name, threads, 1_000_000, longest)
    assert voter.stdout
    first = voter.stdout.readline()
    time.sleep(after_s)
    voter.kill()
    return [first.strip(), *voter.communicate()[0].split()]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often intervals held the truth, over all models and by model; how often some model never lost or won; and
    the median width of an interval in points."""

    covered: float
    by_model: list[float]
    undefeated: float
    width: float


def coverage(
    gaps: Sequence[float],
    per_pair: int,
    voters: int,
    simulations: int,
    rounds: int,
    *,
    ties: float = 0.0,
    tastes: float = 0.0,
    known: bool = True,
    seed: int = 0,
) -> Coverage:
    """Simulate votes between models of these strengths and see whether the 95 % intervals hold the strengths.

    `ties` of the votes are ties, whoever meets; the truth is then what endless such votes would show, ties as half.
    `tastes` is the standard deviation, in points, by which each voter sees each model differently.
    """
    rng, models = np.random.default_rng(seed), len(gaps)
    strength = 1000 + np.array(gaps) - np.mean(gaps)
    share = 1 / (1 + 10 ** ((strength[None, :] - strength[:, None]) / 400))
    truth = rating.strengths((ties / 2 + (1 - ties) * share) * (1 - np.eye(models)))
    first, second = (np.repeat(side, per_pair).astype(np.int32) for side in np.triu_indices(models, 1))
    held, extreme = np.zeros(models), 0
    widths: list[float] = []
    for _ in range(simulations):
        voter = np.unique(rng.integers(voters, size=len(first)), return_inverse=True)[1].astype(np.int32)
        seen = strength + tastes * rng.standard_normal((voters, models))
        gap = seen[voter, second] - seen[voter, first]
        won = rng.random(len(first)) < 1 / (1 + 10 ** (gap / 400))
        tied = rng.random(len(first)) < ties
        winner, loser = np.where(won, first, second), np.where(won, second, first)
        outcome = rating.outcomes(winner, loser, tied, models)
        found = rating.ratings(outcome, voter if known else None, models, rounds)
        held += [one.low <= true <= one.high for one, true in zip(found, truth, strict=True)]
        widths += [one.high - one.low for one in found]
        total = np.bincount(first, minlength=models) + np.bincount(second, minlength=models)
        wins = (
            np.bincount(winner[~tied], minlength=models)
            + np.bincount(np.r_[first[tied], second[tied]], minlength=models) / 2
        )
        extreme += bool(((wins == 0) | (wins == total)).any())
    by_model = held / simulations
    return Coverage(float(by_model.mean()), by_model.tolist(), extreme / simulations, float(np.median(widths)))


if __name__ == "__main__":
    vote_on(Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
