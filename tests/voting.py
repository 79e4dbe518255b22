"""Programs that vote and are killed: the harness of tests and benchmarks. Run by them as `python -m tests.voting`."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from playground import votes
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


def compare(path: Path, acknowledged: list[str], started_s: float, mended: int = 0) -> Found:
    """Read all of the file, which raises VoteError at a row that is not whole."""
    rows = Counter(row["vote_id"] for row in votes.read(path))
    return Found(
        acknowledged=len(acknowledged),
        rows=rows.total(),
        lost=sum(rows[vote_id] == 0 for vote_id in acknowledged),
        twice=sum(count > 1 for count in rows.values()),
        mended=mended,
        elapsed_s=time.monotonic() - started_s,
    )


def crowd(path: Path, processes: int, threads: int, count: int) -> Found:
    """That many processes with that many threads, each of which casts `count` votes on one file."""
    started_s = time.monotonic()
    voters = [start(path, f"p{number}", threads, count) for number in range(processes)]
    said = [voter.communicate()[0].split() for voter in voters]
    assert [voter.returncode for voter in voters] == [0] * processes
    return compare(path, [vote_id for ids in said for vote_id in ids], started_s)


def killed(path: Path, rounds: int, threads: int = 4, longest: int = 30_000) -> Found:
    """Each round starts a program that votes without end, and kills it at a random instant after its first vote."""
    started_s, rng, acknowledged, mended = time.monotonic(), random.Random(0), [], 0
    for number in range(rounds):
        voter = start(path, f"r{number}", threads, 1_000_000, longest)
        assert voter.stdout
        first = voter.stdout.readline()
        time.sleep(rng.uniform(0, 0.1))
        voter.kill()
        acknowledged += [first.strip(), *voter.communicate()[0].split()]
        mended += len(VoteBook(path).mend())
        found = compare(path, acknowledged, started_s, mended)
        assert not found.lost
        assert not found.twice
    return found


if __name__ == "__main__":
    vote_on(Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
