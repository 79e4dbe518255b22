"""Knows the socket of one request, and how to end it from another thread. Does not know what is asked."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import httpx

from playground.addresses import on_this_machine

LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=0)
"""No connection is kept for a second request: `trace` tells of a socket only when it is new, and every answer's time to
first token then holds the same things."""


class Wire:
    """The socket of one request, which any thread may shut down, also before the first byte of an answer came.

    httpx gives the socket away only with the response. The `trace` extension of httpcore names it as soon as it is
    connected, so a server that still reads the prompt sees the client go away, too.
    """

    def __init__(self) -> None:
        self.gone = threading.Event()
        self.reached = False
        """Somebody took the connection, whatever became of it."""
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._timer: threading.Timer | None = None

    def trace(self, name: str, info: Mapping[str, Any]) -> None:
        """Hear from httpcore what happens to the connection; each step of TLS makes a new socket of the old one."""
        if name.endswith(("connect_tcp.complete", "start_tls.complete")):
            self.reached = True
            with self._lock:
                self._socket = info["return_value"].get_extra_info("socket")
            if self.gone.is_set():
                self._shut()

    def cut(self) -> None:
        """End the request now; a read that waits wakes up."""
        self.gone.set()
        self._shut()

    def cut_in(self, seconds: float) -> None:
        """End the connection if it is still open by then; a second call changes nothing."""
        if self._timer is None:
            self._timer = threading.Timer(seconds, self._shut)
            self._timer.daemon = True
            self._timer.start()

    def spare(self) -> None:
        """Take back `cut_in`."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def forget(self) -> None:
        """The request is over."""
        self.spare()
        with self._lock:
            self._socket = None

    def _shut(self) -> None:
        with self._lock, suppress(OSError):  # it may have ended by itself
            if self._socket is not None:
                # not SSLSocket.shutdown, which pulls the TLS layer away from under a thread that reads
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class ReadClock:
    """When the last read of a response left the socket.

    One read may hold many chunks of the transfer encoding, which httpx gives out one by one: stamps taken then would
    part what came together. Where there is no socket, each part counts as a read.
    """

    def __init__(self, response: httpx.Response) -> None:
        self._at_s = time.monotonic()  # the read that ended the headers may have held the first part
        self._stream: Any = response.extensions.get("network_stream")
        if self._stream is not None:
            self._read, self._stream.read = self._stream.read, self._stamped

    def _stamped(self, *args: Any, **options: Any) -> Any:
        data = self._read(*args, **options)
        self._at_s = time.monotonic()
        return data

    def at_s(self) -> float:
        """That moment, on the monotonic clock."""
        return time.monotonic() if self._stream is None else self._at_s


class CertificatesError(Exception):
    """The environment names a file of certificates that cannot be used."""


def open_client(url: str, connect_s: float, stall_s: float) -> httpx.Client:
    """A client for that URL. Proxies of the environment are for other machines, never for this one; certificates are
    for all.

    Raises CertificatesError, and ValueError and ImportError where the environment names a proxy that cannot be used.
    """
    return httpx.Client(
        limits=LIMITS,
        timeout=httpx.Timeout(stall_s, connect=connect_s),
        verify=_certificates() if url.lower().startswith("https:") else False,  # plain HTTP has none to verify
        trust_env=not on_this_machine(url),
        follow_redirects=False,
    )


def _certificates() -> ssl.SSLContext:
    """As httpx trusts them: SSL_CERT_FILE or SSL_CERT_DIR where they are set. It does not look there by itself where
    it is told not to use proxies."""
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        raise CertificatesError(str(error)) from error
