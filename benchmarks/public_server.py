"""Holds somebody else's server to what our client expects of one: `python -m benchmarks.public_server URL MODEL`.

Knows the promise of `engines/base.py` as it looks from outside. Not how the server is started: `docs/scaling.md` says.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable

from benchmarks import common
from playground.engines.client import OpenAIEngine
from playground.errors import EngineError
from playground.types import Delta, Event, Finished, Image, Message, ModelSpec, Sampling, Sent

SHORT = (Message("user", "What is the capital of France?"),)
LONG = (Message("user", "List the first 1000 prime numbers."),)
BRIEF, ENDLESS = Sampling(temperature=0.0, max_tokens=16), Sampling(temperature=0.0, max_tokens=1500)
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f64540"
    "0000000049454e44ae426082"
)


def main() -> int:
    """Ask everything, print a table and one JSON line; 1 when the promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("model")
    parser.add_argument(
        "--context-tokens", type=int, default=2048, help="what the server was told, for a longer prompt"
    )
    args = parser.parse_args()
    engine = OpenAIEngine(ModelSpec("there", "There", "openai", args.model, args.url))
    wrong = OpenAIEngine(ModelSpec("none", "None", "openai", "no-such-model", args.url))
    checks: dict[str, Callable[[], str]] = {
        "an answer": lambda: answer(engine),
        "the same answer again": lambda: again(engine),
        "two at once": lambda: at_once(engine, 2),
        "eight at once": lambda: at_once(engine, 8),
        "closed in the middle": lambda: closed(engine),
        "a longer prompt than it reads": lambda: refused(engine, "word " * (2 * args.context_tokens)),
        "a picture": lambda: pictured(engine),
        "a model that it does not have": lambda: refused(wrong, "Hello"),
        "every sampling field": lambda: sampled(engine),
    }
    rows = [row(name, check) for name, check in checks.items()]
    engine.close()
    lines = [[name, "yes" if ok else "NO", seen] for name, ok, seen in rows]
    common.table(["what is asked", "kept", "what was seen"], lines)
    common.finish("public_server", {"model": args.model, "seen": {name: seen for name, _, seen in rows}})
    return 0 if all(ok for _, ok, _ in rows) else 1


def row(name: str, check: Callable[[], str]) -> tuple[str, bool, str]:
    """One line of the table."""
    try:
        return name, True, check()
    except (AssertionError, EngineError) as error:
        return name, False, str(error) or "the promise was broken"


def events(engine: OpenAIEngine, sampling: Sampling = BRIEF, ask: tuple[Message, ...] = SHORT) -> list[Event]:
    """One answer, whole, after the rules of every stream."""
    found = list(engine.stream(ask, sampling))
    stamps = [event.at_s for event in found]
    assert isinstance(found[0], Sent), "the first event is not Sent"
    assert isinstance(found[-1], Finished), "the last event is not Finished"
    assert all(isinstance(event, Delta) and event.text for event in found[1:-1]), "an empty text came"
    assert stamps == sorted(stamps), "stamps go back"
    return found


def text(found: list[Event]) -> str:
    """What was said."""
    return "".join(event.text for event in found if isinstance(event, Delta))


def answer(engine: OpenAIEngine) -> str:
    """An answer with its usage, and what else the server tells."""
    found = events(engine)
    last = found[-1]
    assert isinstance(last, Finished)
    told = f", server tells {', '.join(last.server)}" if last.server else ""
    usage = f"{last.usage.prompt_tokens} + {last.usage.output_tokens} tokens by {last.usage.source}"
    return f"{len(found) - 2} texts, {usage}, ended with {last.reason}{told}: {text(found)!r}"


def again(engine: OpenAIEngine) -> str:
    """The same question twice: greedy answers agree, and a cache shows."""
    one, two = events(engine), events(engine)
    last = two[-1]
    assert isinstance(last, Finished)
    agree = "the same words" if text(one) == text(two) else "other words"
    return f"{agree}, {last.usage.cached_tokens} prompt tokens from a cache"


def at_once(engine: OpenAIEngine, number: int) -> str:
    """Several whole answers at the same time."""
    found: list[list[Event]] = []
    threads = [threading.Thread(target=lambda: found.append(events(engine))) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(found) == number, f"{len(found)} of {number} were whole"
    return f"{number} whole answers, {len({text(each) for each in found})} different"


def closed(engine: OpenAIEngine) -> str:
    """Closing from another thread ends the iteration, and the next answer is as quick as one alone."""
    stream = engine.stream(LONG, ENDLESS)
    for event in stream:
        if isinstance(event, Delta):
            break
    begun_s = time.monotonic()
    threading.Timer(0.3, stream.close).start()
    more = sum(1 for _ in stream)
    ended_s = time.monotonic() - begun_s
    assert ended_s < 3, f"it took {ended_s:.1f} s to end"
    return f"ended {ended_s - 0.3:.2f} s after the close ({more} more texts)"


def refused(engine: OpenAIEngine, ask: str) -> str:
    """A refusal in words."""
    try:
        found = events(engine, BRIEF, (Message("user", ask),))
    except EngineError as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError(f"it answered: {text(found)!r}")


def pictured(engine: OpenAIEngine) -> str:
    """A picture is read, or refused; what must not be is an invented one, which only a person can see."""
    picture = Image(PIXEL, "image/png", 1, 1, "")
    try:
        return f"it answered: {text(events(engine, BRIEF, (Message('user', 'What is this?', (picture,)),)))!r}"
    except EngineError as error:
        return f"{type(error).__name__}: {error}"


def sampled(engine: OpenAIEngine) -> str:
    """Every field that a row may set."""
    found = events(engine, Sampling(0.7, 0.9, 16, 7, False))
    return f"taken: {text(found)!r}"


if __name__ == "__main__":
    sys.exit(main())
