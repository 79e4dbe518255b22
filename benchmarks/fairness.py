"""Do two models distort each other, and does our stack cost anything? Run with `python -m benchmarks.fairness`.

All in one run on one machine, order alternated, medians of at least five rounds:
1. together: two transformers workers, one thread each, through `Race`: each side's decode rate over its own rate alone;
   beside it what the machine itself allows, two bare `model.generate` in two processes without any of ours, and
   two models in two threads of one process, one torch thread each (what nearly every demo does);
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
from playground.compare import Entrant, Race
from playground.engines import guard, open_engine
from playground.engines.base import Engine
from playground.engines.local import LocalEngine
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
    """Share of its own rate that each side keeps: two workers in a race, two bare processes, two threads."""
    kept = []
    with engines(replace(spec, key="one"), replace(spec, key="two"), threads=1) as pair:
        for n in range(rounds):
            own = {side: rate(alone(engine, f"{n} {side}")) for side, engine in zip(SIDES, pair, strict=True)}
            done = both(pair, "together", SIDES[n % 2], f"{n}")
            kept += [rate(done.side(side)) / own[side] for side in SIDES]
    folder = str(weights.locate(spec, Settings().cache))
    one = [rates[0] for rates in bare(folder, 1, rounds, "alone")]
    own_rate = common.spread(one)["median"]
    two = [share / own_rate for rates in bare(folder, 1, rounds, "threads") for share in rates]
    three = [share / own_rate for share in bare_together(folder, rounds)]
    return {"two processes": kept, "two threads": two, "two bare processes": three}


def bare_together(folder: str, rounds: int) -> list[float]:
    """Rates of two bare processes that generate at the same time; the first and last round of each may have been
    partly alone, so they are left out."""
    command = [sys.executable, "-m", "benchmarks.bare_child", folder, "1", str(rounds + 2), "alone"]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in SIDES]
    rates = [json.loads(process.communicate()[0].splitlines()[-1]) for process in running]
    return [rate for each in rates for (rate,) in each[1:-1]]


def bare(folder: str, threads: int, rounds: int, mode: str) -> list[list[float]]:
    """Rates of `benchmarks.bare_child`."""
    command = [sys.executable, "-m", "benchmarks.bare_child", folder, str(threads), str(rounds), mode]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    rates: list[list[float]] = json.loads(done.stdout.splitlines()[-1])
    return rates


def stack(spec: ModelSpec, rounds: int, threads: int) -> dict[str, list[float]]:
    """Our client's rate over the bare one's, and the time to first token that we add, in ms."""
    folder = str(weights.locate(spec, Settings().cache))
    shares, added = [], []
    for n in range(rounds):
        with engines(spec, threads=threads) as (engine,):
            assert isinstance(engine, LocalEngine)
            ours = alone(engine, f"a{n}")
            added += [
                1000 * ((alone(engine, f"b{n}{k}").timing.ttft_s or 0) - direct_ttft_s(engine, f"c{n}{k}"))
                for k in range(3)
            ]
        shares.append(rate(ours) / bare(folder, threads, 1, "alone")[0][0])
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
        "together, two processes: share of own rate": kept["two processes"],
        "together, two bare processes without our app": kept["two bare processes"],
        "together, two threads of one process": kept["two threads"],
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
