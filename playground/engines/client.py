"""Knows how to ask an OpenAI-compatible endpoint. Knows neither bytes of a stream (`sse`) nor chunks (`chunks`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from playground.engines.base import Stream
from playground.types import Message, Sampling


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for a connection, and for the next bytes of an answer."""

    connect_s: float = 5.0
    stall_s: float = 300.0


class ChatClient:
    """One endpoint; many streams at a time, from any thread. `name` and `key_env` appear in sentences for a person."""

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen, so one for all is right
        name: str = "",
        key_env: str = "",
        thinking: bool = False,
    ) -> None:
        raise NotImplementedError

    def stream(self, model: str, messages: Sequence[Message], sampling: Sampling) -> Stream:
        """Ask; the request is sent at the first `next()`. Raises EngineError."""
        raise NotImplementedError

    def close(self) -> None:
        """End every stream and let go of the connections. The client may be used again."""
        raise NotImplementedError
