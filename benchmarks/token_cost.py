"""What a token costs in a long answer over a short one: run with `python -m benchmarks.token_cost`.

Once from the socket on: a server in another process streams one token an event, as fast as it is read, and a race of
one side reads it. Once without waiting for anything: the same events are parsed and taken in, with a snapshot after
every second token, as for a model of 30 tokens/s on a page of 15 updates/s. CPU time is this process's own.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection

from benchmarks import common
from playground.answer import AnswerState, Stopped
from playground.compare import Race
from playground.engines.chunks import Chunks
from playground.engines.client import OpenAIEngine
from playground.engines.sse import Events
from playground.entrant import Entrant
from playground.types import Answer, Comparison, Message, ModelSpec, Sampling, Sent

SHORT, LONG, ROUNDS = 1_000, 40_000, 5
EVENT = b'data: {"choices": [{"index": 0, "delta": {"content": " word"}, "finish_reason": null}]}\n\n'
KEPT = Comparison("b", "together", "left", Answer("m"), Answer("n", status="done"))


class Server(BaseHTTPRequestHandler):
    """Streams as many tokens as it is asked for, and their count."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        tokens = body["max_tokens"]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for _ in range(tokens):
            self.wfile.write(EVENT)
        usage = {"prompt_tokens": 9, "completion_tokens": tokens}
        end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage}
        self.wfile.write(f"data: {json.dumps(end)}\n\ndata: [DONE]\n\n".encode())
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def serve(ready: Connection) -> None:
    """Serve until the process is ended, on a port that `ready` is told."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    ready.send(server.server_port)
    server.serve_forever()


def from_socket(engine: OpenAIEngine, tokens: int) -> None:
    """Ask for an answer of so many tokens and follow it to its end."""
    one = Entrant(engine, (Message("user", "Write."),), Sampling(max_tokens=tokens))
    for now in Race({"left": one}, "together", kept=KEPT).snapshots():
        last = now.left
    assert (last.usage.output_tokens, last.stamps.chunks) == (tokens, tokens), last.error


def in_memory(tokens: int) -> None:
    """Take the events of an answer of so many tokens in, and look every second time."""
    events, chunks, state = Events(), Chunks(), AnswerState(Answer("m"))
    state.apply(Sent(0.0))
    for number in range(tokens):
        for data in events.feed(EVENT):
            for delta in chunks.read(data, number / 30):
                state.apply(delta)
        if number % 2:
            state.snapshot()
    state.apply(Stopped())
    assert state.snapshot().stamps.chunks == tokens


def per_token_us(ask: Callable[[int], None], tokens: int) -> float:
    """CPU microseconds for each token: one long answer, or as many short ones."""
    began_s = time.process_time()
    for _ in range(LONG // tokens):
        ask(tokens)
    return 1e6 * (time.process_time() - began_s) / LONG


def compared(ask: Callable[[int], None]) -> dict[str, dict[str, float]]:
    """Short and long answers in turns."""
    short, long = [], []
    per_token_us(ask, SHORT)
    for number in range(ROUNDS):
        for tokens, found in ((SHORT, short), (LONG, long))[:: 1 if number % 2 else -1]:
            found.append(per_token_us(ask, tokens))
    ratio = [one / other for one, other in zip(long, short, strict=True)]
    return {"short_us": common.spread(short), "long_us": common.spread(long), "ratio": common.spread(ratio)}


def main() -> None:
    """Print the table and the JSON line."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    engine = OpenAIEngine(ModelSpec("m", "M", "openai", source="m", base_url=f"http://127.0.0.1:{here.recv()}/v1"))
    results = {
        "from the socket on": compared(lambda tokens: from_socket(engine, tokens)),
        "in memory, a snapshot every second token": compared(in_memory),
    }
    engine.close()
    server.terminate()
    server.join()
    common.table(
        ("CPU per token", f"in answers of {SHORT:,}", f"in one of {LONG:,}", "ratio"),
        [
            (
                name,
                *(common.shown(found[key], "us", 0) for key in ("short_us", "long_us")),
                common.shown(found["ratio"]),
            )
            for name, found in results.items()
        ],
    )
    common.finish("token_cost", results)


if __name__ == "__main__":
    main()
