"""Knows one side of a race: who answers what, and how far that has come. Runs nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from playground.engines.base import Engine, MemoryWatch, Stream
from playground.line import Line
from playground.types import Loading, Message, Sampling


def _nothing() -> Generator[Loading, None, None]:
    """Where nothing is to be fetched."""
    yield from ()


@dataclass(frozen=True, slots=True)
class Entrant:
    """One side of a race: who answers what, and how. `notice` is kept with the answer; `refusal` is why this side
    cannot be asked at all, if it cannot: it then fails with that sentence, and its model is not even loaded. `line` is
    where it waits, if its server answers only so many at once. `fetch` brings the weights here, while others may have
    the machine; while inside `using` its model is kept."""

    engine: Engine
    messages: tuple[Message, ...]
    sampling: Sampling
    notice: str = ""
    refusal: str = ""
    line: Line | None = None
    using: Callable[[], AbstractContextManager[None]] = nullcontext
    fetch: Callable[[], Generator[Loading, None, None]] = _nothing

    def images(self) -> int:
        """Images that this model gets."""
        return sum(len(message.images) for message in self.messages)


class Lane:
    """What a race holds of one side: its entrant, its wish to stop, its open stream, its memory watch, its failure."""

    def __init__(self, entrant: Entrant) -> None:
        self.entrant = entrant
        self.stopping = threading.Event()
        self.stream: Stream | None = None
        self.watch: MemoryWatch | None = None
        self.failed = False
