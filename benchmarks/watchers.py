"""Measures what watching costs: server CPU from 1 to 500 visitors, and how far a display falls behind.

Run with `python -m benchmarks.watchers`. Each visitor asks once and watches two recorded models of 30 words a second.
The visitors speak the page's own protocol from another process. `begin_s` is the time from the click to the start of
the answer, by the visitor's luckiest update, for the unluckiest visitor. A word's lag is the time from the moment it
was said to the moment an update with it, or a later one, came.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import re
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks import common
from playground.meter import quantile
from tests import site

WORDS_PER_S = 30.0
SECONDS = 20
FIRST_S = 0.5
_WORD = re.compile(r"w(\d+)q")


def recording() -> list[list[object]]:
    """One word every 1/30 s; each carries its number."""
    return [[FIRST_S + n / WORDS_PER_S, "text", f"w{n}q "] for n in range(int(SECONDS * WORDS_PER_S))]


def find_ask(config: dict[str, Any]) -> tuple[int, list[Any], int]:
    """Index and default inputs of the handler behind Send, and which of its outputs is the ticket."""
    components = {part["id"]: part for part in config["components"]}
    (ticket,) = [
        part["id"] for part in config["components"] if "live-ticket" in (part["props"].get("elem_classes") or [])
    ]
    for call in config["dependencies"]:
        events = [(components.get(target, {}).get("type"), event) for target, event in call["targets"]]
        if ("multimodaltextbox", "submit") in events:
            inputs = [components[part]["props"].get("value") for part in call["inputs"]]
            return call["id"], inputs, call["outputs"].index(ticket)
    raise LookupError("the page has no Send")


async def watch(http: httpx.AsyncClient, url: str, ask: tuple[int, list[Any], int]) -> tuple[list[float], int]:
    """One visitor: how late each update came, counted from the click, in seconds; and how many came."""
    call, data, place = ask
    session, clicked = uuid.uuid4().hex[:12], time.monotonic()
    lags, updates = [], 0
    output = await result(http, url, session, call, [{"text": "Go on.", "files": []}, *data[1:]])
    async with http.stream("GET", f"{url}live/{output[place]}", params={"page": session}) as stream:
        async for line in stream.aiter_lines():
            if line.startswith("event: patch"):
                updates += 1
            elif found := _WORD.findall(line):
                due = FIRST_S + max(map(int, found)) / WORDS_PER_S
                lags.append(time.monotonic() - clicked - due)
    return lags, updates


async def result(http: httpx.AsyncClient, url: str, session: str, call: int, data: list[Any]) -> list[Any]:
    """What one handler returns, asked as the page asks it."""
    body = {"data": data, "fn_index": call, "session_hash": session}
    (await http.post(f"{url}gradio_api/queue/join", json=body)).raise_for_status()
    async with http.stream("GET", f"{url}gradio_api/queue/data", params={"session_hash": session}) as stream:
        async for line in stream.aiter_lines():
            if "process_completed" in line:
                said = json.loads(line.removeprefix("data: "))
                assert said["success"], line[:500]
                return said["output"]["data"]
    raise ConnectionError("the handler did not answer")


async def crowd(url: str, visitors: int) -> list[tuple[list[float], int]]:
    """All visitors at once, begun within a second."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=120, limits=limits, trust_env=False) as http:
        found = find_ask((await http.get(f"{url}config")).json())

        async def one(number: int) -> tuple[list[float], int]:
            await asyncio.sleep(number / visitors)
            return await watch(http, url, found)

        return await asyncio.gather(*(one(number) for number in range(visitors)))


def _in_process(url: str, visitors: int, out: Any) -> None:
    out.put(asyncio.run(crowd(url, visitors)))


def measure(url: str, visitors: int) -> dict[str, float]:
    """Cores that the app used while they watched, updates a second a visitor, and lags in seconds."""
    port = int(url.rsplit(":", 1)[1].strip("/"))
    (pid,) = {c.pid for c in psutil.net_connections("tcp") if c.status == "LISTEN" and c.laddr.port == port}
    app, out = psutil.Process(pid), multiprocessing.Queue()
    client = multiprocessing.Process(target=_in_process, args=(url, visitors, out))
    before, started = app.cpu_times(), time.monotonic()
    client.start()
    seen = out.get()
    took, after = time.monotonic() - started, app.cpu_times()
    client.join()
    lags = [lag - min(visitor) for visitor, _ in seen for lag in visitor]
    return {
        "visitors": visitors,
        "cores": (after.user + after.system - before.user - before.system) / took,
        "updates_per_s": sum(count for _, count in seen) / visitors / SECONDS,
        "begin_s": max(min(visitor) for visitor, _ in seen),
        "lag_p50_s": quantile(lags, 0.5) or 0.0,
        "lag_p95_s": quantile(lags, 0.95) or 0.0,
        "lag_max_s": max(lags),
    }


def main() -> None:
    """Print the table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visitors", type=int, nargs="+", default=[1, 10, 25, 50, 100, 500])
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        answers: list[dict[str, Any]] = [{"match": "", "events": recording()}]
        rows = site.model(folder, "one", answers) + site.model(folder, "two", answers)
        with site.app(folder, rows, "--left", "one", "--right", "two") as url:
            measure(url, 1)  # the first visitor pays for imports
            results = [measure(url, count) for _ in range(args.rounds) for count in args.visitors]
    names = list(results[0])
    common.table(
        names, [[f"{row[name]:.2f}" if name != "visitors" else f"{row[name]:.0f}" for name in names] for row in results]
    )
    common.finish("watchers", json.loads(json.dumps({"rows": results})))


if __name__ == "__main__":
    main()
