"""Knows how to ask an OpenAI-compatible endpoint. Knows neither bytes of a stream (`sse`) nor chunks (`chunks`)."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import httpx

from playground.addresses import completions_url, plain_url, wants_api_key_header
from playground.engines import body as bodies
from playground.engines import faults, offers
from playground.engines.base import Stream
from playground.engines.chunks import Asked, BadReason, Chunks, ErrorInside, NothingToShow, NotJson
from playground.engines.reading import deltas, error_body
from playground.engines.refusals import (
    Endpoint,
    broken,
    ended_badly,
    failed_inside,
    keyless,
    not_a_stream,
    nothing_to_show,
    refusal,
    wait_s,
)
from playground.engines.sse import OversizeError
from playground.engines.wire import CertificatesError, Wire, open_client
from playground.errors import EngineError, RefusedError, StreamError, TooLongError
from playground.masking import mask
from playground.types import Busy, EngineState, Event, Loading, Memory, Message, ModelSpec, Noticed, Sampling, Sent

HEADERS = {
    "Accept": "text/event-stream, application/json",
    "Accept-Encoding": "identity",  # a compressor holds text back, and the stamps would be its own
    "Content-Type": "application/json",
    "x-use-cache": "false",  # a router's cache makes a retry look fast
}


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for a connection, and for the next bytes of an answer (comments of the server count)."""

    connect_s: float = 5.0
    stall_s: float = 300.0


class ChatClient:
    """One endpoint; many streams at a time, from any thread. `name` and `key_env` appear in sentences for a person.

    `thinking` says that the model can think: asked to, its text may then begin inside a thought (see `thinking.py`).
    `plain` says that it has no chat template: it is asked for a completion of the text. `family` is what else tells
    whose marks its text may hold (see `markers.py`). `extra` are fields of each request that this server knows and
    others need not.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        timeouts: Timeouts = Timeouts(),
        name: str = "",
        key_env: str = "",
        thinking: bool = False,
        plain: bool = False,
        family: str = "",
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        key = (api_key or "").strip() or None
        url = completions_url(base_url)
        url = plain_url(url) if plain else url
        self._body, self._extra = bodies.plain if plain else bodies.build, extra or {}
        self._to = Endpoint(url, name or mask(base_url), timeouts.stall_s, key_env, key)
        self._timeouts, self._thinking, self._family = timeouts, thinking, family
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        self._wires: set[Wire] = set()
        self._wishes = bodies.Wishes()

    def stream(self, model: str, messages: Sequence[Message], sampling: Sampling) -> Stream:
        """Ask; the request is sent at the first `next()`. Raises EngineError."""
        wire = Wire()
        asked = Asked(f"{self._family} {model}", sampling.thinking, self._thinking, self._to.secret)
        events = self._events({**self._body(model, messages, sampling), **self._extra}, asked, wire)

        def abort() -> None:
            wire.cut()
            with suppress(ValueError):  # a thread is inside; it wakes up and ends the generator itself
                events.close()

        return Stream(events, abort)

    def close(self) -> None:
        """End every stream and let go of the connections. The client may be used again."""
        with self._lock:
            client, self._client = self._client, None
            wires = tuple(self._wires)
        for wire in wires:
            wire.cut()
        if client is not None:
            client.close()

    def _events(self, body: bodies.Body, asked: Asked, wire: Wire) -> Generator[Event, None, None]:
        """Everything, at the border where other people's errors become ours."""
        try:
            with self._held(wire):
                response, sent = yield from self._ask(body, wire)
                opened = asked.opened and asked.thinking is True and "chat_template_kwargs" in sent
                try:
                    yield from self._read(response, Chunks(replace(asked, opened=opened)), wire)
                finally:
                    response.close()
        except EngineError:
            raise
        except ErrorInside as error:
            raise failed_inside(self._to, str(error)) from None  # its own text may hold the key
        except BadReason as error:
            raise ended_badly(self._to, str(error)) from None  # likewise
        except NothingToShow as error:
            raise nothing_to_show(self._to, str(error)) from error
        except NotJson as error:
            raise not_a_stream(self._to, str(error)) from None  # likewise
        except OversizeError as error:
            raise StreamError(f"{self._to.name} sent something endless: {error}. Choose another model.") from error
        except (
            httpx.HTTPError,
            httpx.InvalidURL,
            RuntimeError,
            ValueError,
            OSError,
            ImportError,
            CertificatesError,
        ) as error:
            if wire.gone.is_set():
                raise StreamError(f"{self._to.name} was closed while it answered; ask again.") from error
            raise broken(self._to, error, wire.reached) from error

    @contextmanager
    def _held(self, wire: Wire) -> Iterator[None]:
        with self._lock:
            self._wires.add(wire)
        try:
            yield
        finally:
            wire.forget()
            with self._lock:
                self._wires.discard(wire)

    def _http(self) -> httpx.Client:
        with self._lock:
            if self._client is None:
                self._client = open_client(self._to.url, self._timeouts.connect_s, self._timeouts.stall_s)
            return self._client

    # --- asking -----------------------------------------------------------------------------------------------------

    def _ask(self, body: bodies.Body, wire: Wire) -> Generator[Event, None, tuple[httpx.Response, bodies.Body]]:
        """The response that begins an answer, and what was sent for it. Each attempt has its own `Sent`; the last one
        is the one that counts.

        A busy server is asked twice, and the wait is told. A server that refuses fields is asked again as it wishes; if
        it names none, once without all that are optional. What worked is remembered, and said with each answer.
        """
        wishes, waited = self._wishes, False
        while True:
            sent = wishes.fulfil(body)
            http, request = self._request(sent, wire)  # encoding and TLS set-up are no part of a latency
            yield Sent(time.monotonic())
            response = http.send(request, stream=True)
            if response.is_success:
                self._remember(wishes)
                yield from map(Noticed, wishes.notices(body))
                return response, sent
            error = error_body(response)
            status = response.status_code
            if more := wishes.after(status, faults.of_body(error), sent, unnamed=wishes == self._wishes):
                wishes = more
            elif status in (429, 503) and not waited:
                waited, seconds = True, wait_s(response.headers.get("Retry-After", ""))
                yield Busy(status, seconds)
                if wire.gone.wait(seconds):
                    raise StreamError(f"{self._to.name} was closed before it answered; ask again.")
            else:
                raise refusal(self._to, str(body["model"]), status, error, response.headers.get("Location", ""))

    def _request(self, body: bodies.Body, wire: Wire) -> tuple[httpx.Client, httpx.Request]:
        if wire.gone.is_set():
            raise StreamError(f"{self._to.name} was closed before it was asked; ask again.")
        http, headers = self._http(), HEADERS | self._authorization()
        request = http.build_request("POST", self._to.url, content=bodies.encode(body), headers=headers)
        request.extensions["trace"] = wire.trace
        return http, request

    def _authorization(self) -> dict[str, str]:
        key = self._to.secret
        if key is None:
            return {}
        if not (key.isascii() and key.isprintable()):
            place = self._to.key_env or "the API key"
            raise RefusedError(
                f"{place} holds characters that no key has; copy the key again, or choose another model."
            )
        azure = {"api-key": key} if wants_api_key_header(self._to.url) else {}
        return {"Authorization": f"Bearer {key}"} | azure

    def _remember(self, wishes: bodies.Wishes) -> None:
        with self._lock:
            self._wishes = wishes

    def _read(self, response: httpx.Response, chunks: Chunks, wire: Wire) -> Iterator[Event]:
        try:
            yield from deltas(response, chunks, wire)
        except Exception:
            if not wire.gone.is_set():
                yield from chunks.rest()
            raise
        yield from chunks.rest()
        if not chunks.reason:
            raise StreamError(
                f"{self._to.name} ended the answer without a finish reason, so it may not be whole; "
                f"ask again, or look in the log of the server at {self._to.address}."
            )
        yield from chunks.finish()


class Elsewhere:
    """Memory of a model that somebody else runs, on another machine or on this one."""

    def __init__(self, local: bool) -> None:
        self._reason = (
            "this app did not start that server, so it does not read its memory" if local else "runs elsewhere"
        )

    def read(self) -> Memory:
        """Nothing is known, and nothing is guessed."""
        return Memory(reason=self._reason)


CHARS_A_TOKEN = 8
"""More than any tokenizer packs into a token of real text on average: by it, a prompt is counted short, never long."""


class OpenAIEngine:
    """A model behind an endpoint that somebody else runs; at a loopback address it competes for this machine."""

    def __init__(self, spec: ModelSpec, api_key: str | None = None, timeouts: Timeouts = Timeouts()) -> None:
        self.spec, self.local = spec, spec.local
        self._key, self._model = (api_key or "").strip() or None, spec.source
        self._keyless = bool(spec.api_key_env) and not self._key
        self._url = completions_url(spec.base_url)
        self._client = ChatClient(
            spec.base_url,
            api_key=api_key,
            timeouts=timeouts,
            name=spec.title or spec.key,
            key_env=spec.api_key_env,
            thinking=spec.thinking,
            family=f"{spec.family} {spec.repository}",
        )

    def prepare(self) -> Iterator[Loading]:
        """Nothing to load here; a row that names no model means the one that its server offers. Raises EngineError."""
        if self.spec.template:
            yield Loading("asking which model it offers")
            self._model = offers.meant(self.spec, offers.offered(self.spec, self._url, self._key))

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Stream:
        """Ask; the request is sent at the first `next()`. Raises EngineError, PromptError."""
        if self._keyless:
            return Stream(_failing(RefusedError(keyless(self.spec))), lambda: None)
        if too_long := self._too_long(messages):
            return Stream(_failing(too_long), lambda: None)
        return self._client.stream(self._model, messages, sampling)

    def _too_long(self, messages: Sequence[Message]) -> TooLongError | None:
        """The error for a prompt that is certainly longer than the model's context: some servers answer nonsense."""
        limit = self.spec.context_tokens or self.spec.trained_context_tokens
        least = sum(len(message.text) for message in messages) // CHARS_A_TOKEN
        if limit is None or least <= limit:
            return None
        return TooLongError(
            f"The prompt has about {least:,} tokens by its length, if not more; {self.spec.title or self.spec.key} "
            f"reads {limit:,}. Shorten it or choose a model with a larger context."
        )

    def state(self) -> EngineState:
        """Elsewhere, always; whether it answers shows when it is asked."""
        return EngineState("elsewhere")

    def cold(self) -> bool | None:
        """Nobody here can know."""
        return None

    def count_tokens(self, messages: Sequence[Message]) -> int | None:
        """Unknown: the tokenizer is elsewhere, too."""
        return None

    def watch_memory(self) -> Elsewhere:
        """No figure, with the reason."""
        return Elsewhere(self.local)

    def close(self) -> None:
        """End every stream and let go of the connections."""
        self._client.close()


def _failing(error: Exception) -> Iterator[Event]:
    """A stream that fails at its first `next()`, as every engine's does."""
    yield from ()
    raise error
