"""Do two models distort each other, and does our stack cost anything? Run with `python -m benchmarks.fairness`.

All in one run on one machine, order alternated, medians of at least five rounds:
1. together: two transformers workers, one thread each, through `Race`: each side's decode rate over its own rate alone;
   beside it, in the same rounds, what the machine itself allows (two bare `model.generate` in two processes without any
   of ours), and two models in two threads of one process, one torch thread each (what nearly every demo does);
2. stack: decode rate at our client over a bare `model.generate` with the same threads; time to first token over that of
   the same server asked directly;
3. in turn: figures of a side in an in-turn race over those of that side asked alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import httpx

from benchmarks import common
from benchmarks.common import PROMPT, TOKENS
from playground import catalog, weights
from playground.compare import Race
from playground.engines import guard, open_engine
from playground.engines.base import Engine
from playground.engines.local import LocalEngine
from playground.entrant import Entrant
from playground.settings import Settings
from playground.types import SIDES, Answer, Comparison, Message, ModelSpec, Pacing, Sampling, Side
from tests.site import ROOT

ROUNDS = 5
SAMPLING = Sampling(temperature=0.0, max_tokens=TOKENS)


@contextmanager
def engines(*specs: ModelSpec, threads: int) -> Iterator[list[Engine]]:
    """Loaded and warmed engines, ended afterwards."""
    opened = [open_engine(spec, Settings(threads=threads)) for spec in specs]
    try:
        for engine in opened:
            for _ in engine.prepare():
                pass
            alone(engine, "warm-up")
        yield opened
    finally:
        for engine in opened:
            engine.close()


def entrant(engine: Engine, salt: str) -> Entrant:
    """The same task with a different beginning each time, so that no prefix cache helps."""
    return Entrant(engine, (Message("user", f"{salt}: {PROMPT}"),), SAMPLING)


def run(race: Race) -> Comparison:
    """The race's end."""
    for _ in race.snapshots():
        pass
    return race.now


def alone(engine: Engine, salt: str) -> Answer:
    """That engine asked alone."""
    nothing = Answer(engine.spec.key, status="stopped")
    kept = Comparison("none", "in_turn", "left", nothing, nothing)
    return run(Race({"left": entrant(engine, salt)}, "in_turn", kept=kept)).left


def both(pair: list[Engine], pacing: Pacing, first: Side, salt: str) -> Comparison:
    """Both engines in one race."""
    return run(Race({side: entrant(e, salt) for side, e in zip(SIDES, pair, strict=True)}, pacing, first))


def rate(answer: Answer) -> float:
    """Tokens/s while decoding."""
    assert answer.timing.decode_tokens_per_s, answer
    return answer.timing.decode_tokens_per_s


def together(spec: ModelSpec, rounds: int) -> dict[str, list[float]]:
    """Share of its own rate, taken in the same round, that each side keeps: of two workers in a race, of two bare
    processes, of two threads; and what the race keeps of what the bare processes keep."""
    folder = str(weights.locate(spec, Settings().cache))
    kept: dict[str, list[float]] = {"race": [], "bare": [], "threads": [], "race / bare": []}
    with (
        engines(replace(spec, key="one"), replace(spec, key="two"), threads=1) as pair,
        bare(folder, 1, "alone") as one,
        bare(folder, 1, "alone") as two,
        bare(folder, 1, "threads") as threads,
    ):
        for n in range(rounds):
            own = {side: rate(alone(engine, f"{n} {side}")) for side, engine in zip(SIDES, pair, strict=True)}
            bare_own = [asked(child) for child in (one, two)]
            done = both(pair, "together", SIDES[n % 2], f"{n}")
            race = [rate(done.side(side)) / own[side] for side in SIDES]
            bare_both = asked(one, two)
            allowed = [now / then for (now,), ((then,),) in zip(bare_both, bare_own, strict=True)]
            kept["race"] += race
            kept["bare"] += allowed
            kept["race / bare"].append(sum(race) / sum(allowed))
            kept["threads"] += [each / bare_own[0][0][0] for each in asked(threads)[0]]
    return kept


@contextmanager
def bare(folder: str, threads: int, mode: str) -> Iterator[subprocess.Popen[str]]:
    """A warm `benchmarks.bare_child`, ended afterwards."""
    command = [sys.executable, "-m", "benchmarks.bare_child", folder, str(threads), mode]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            heard(child)
            yield child
        finally:
            child.communicate()


def asked(*children: subprocess.Popen[str]) -> list[list[float]]:
    """The rates of each of these, generating at the same time."""
    for child in children:
        assert child.stdin
        print("go", file=child.stdin, flush=True)
    return [heard(child) for child in children]


def heard(child: subprocess.Popen[str]) -> list[float]:
    assert child.stdout
    rates: list[float] = json.loads(child.stdout.readline())
    return rates


def stack(spec: ModelSpec, rounds: int, threads: int) -> dict[str, list[float]]:
    """Our client's rate over the bare one's, and the time to first token that we add, in ms."""
    folder = str(weights.locate(spec, Settings().cache))
    shares, added = [], []
    with engines(spec, threads=threads) as (engine,), bare(folder, threads, "alone") as child:
        assert isinstance(engine, LocalEngine)
        for n in range(rounds):
            shares.append(rate(alone(engine, f"a{n}")) / asked(child)[0][0])
            added += [
                1000 * ((alone(engine, f"b{n}{k}").timing.ttft_s or 0) - direct_ttft_s(engine, f"c{n}{k}"))
                for k in range(3)
            ]
    return {"rate": shares, "ttft_ms": added}


def direct_ttft_s(engine: LocalEngine, salt: str) -> float:
    """Time to first text of the same server, asked by the shortest possible client."""
    body = {
        "model": engine._served(engine._place),
        "messages": [{"role": "user", "content": f"{salt}: {PROMPT}"}],
        "stream": True,
        "temperature": 0.0,
        "max_tokens": 8,
    }
    assert engine.worker
    url = f"{engine.worker.url}/v1/chat/completions"
    with httpx.Client(timeout=60, trust_env=False) as http:
        started = time.monotonic()
        with http.stream("POST", url, json=body) as response:
            for line in response.iter_lines():
                if '"content":"' in line.replace(" ", "") and '"content":""' not in line.replace(" ", ""):
                    return time.monotonic() - started
    raise AssertionError("the server said nothing")


def in_turn(pair: list[Engine], rounds: int) -> dict[str, list[float]]:
    """Figures of each side in an in-turn race over those of that side alone."""
    shares: dict[str, list[float]] = {"rate": [], "ttft": []}
    for n in range(rounds):
        own = {side: alone(engine, f"{n}-{side}") for side, engine in zip(SIDES, pair, strict=True)}
        done = both(pair, "in_turn", SIDES[n % 2], f"{n}+")
        for side in SIDES:
            shares["rate"].append(rate(done.side(side)) / rate(own[side]))
            shares["ttft"].append((done.side(side).timing.ttft_s or 0) / (own[side].timing.ttft_s or 1))
    return shares


def main() -> None:
    """Print the table and the JSON line."""
    rows = catalog.load()
    spec, quick = rows.row("smollm2-135m"), rows.row("smollm2-135m-q4")
    for each in (spec, quick):
        for _ in weights.fetch(each, Settings().cache, guard.run):
            pass
    kept = together(spec, ROUNDS)
    cost = stack(spec, ROUNDS, threads=2)
    with engines(quick, spec, threads=2) as pair:
        turns = in_turn(pair, ROUNDS)
    found = {
        "together, a race of two workers: share of own rate": kept["race"],
        "together, two bare processes without our app": kept["bare"],
        "together, what a race keeps / what two bare processes keep": kept["race / bare"],
        "together, two threads of one process": kept["threads"],
        "our client's rate / bare model.generate": cost["rate"],
        "time to first token we add to the bare server (ms)": cost["ttft_ms"],
        "in turn / alone, decode rate": turns["rate"],
        "in turn / alone, time to first token": turns["ttft"],
    }
    spreads = {name: common.spread(values) for name, values in found.items()}
    common.table(("figure", "measured"), [(name, common.shown(values)) for name, values in spreads.items()])
    common.finish("fairness", spreads)


if __name__ == "__main__":
    main()
