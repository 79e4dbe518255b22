"""Works out which address to ask from the one a person wrote, and whether it is this machine's. Asks nobody."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import SplitResult, urlsplit, urlunsplit

CHAT = "/chat/completions"
_OTHERS = ("/completions", "/chat", "/models", "/responses", "/embeddings")
"""Addresses of the same API, which somebody may have copied instead."""
_VERSION = re.compile(r"/v\d\w*(/|$)")
_DEPLOYMENT = "/openai/deployments/"
_EVERY = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""A server listens at these on every address of its machine; here they stand for this one."""


def completions_url(base_url: str) -> str:
    """Where to ask, from an address with or without /v1 (other versions, such as /v4, are left as they are). A query
    stays at the end, and a full path as it is."""
    url = _split(base_url)
    if url is None:
        return base_url.strip()
    path = url.path.rstrip("/")
    if not path.endswith(CHAT):
        path = next((path.removesuffix(end) for end in _OTHERS if path.endswith(end)), path)
        path += CHAT if _VERSION.search(path) or _DEPLOYMENT in path else f"/v1{CHAT}"
    return urlunsplit(url._replace(netloc=_netloc(url), path=path, fragment=""))


def plain_url(completions: str) -> str:
    """Where to ask for a text to be continued, from the address of chat completions."""
    return _with_path(completions, lambda path: path.removesuffix(CHAT) + "/completions")


def models_url(completions: str) -> str:
    """Where to ask which models there are, from the address of chat completions."""
    return _with_path(completions, lambda path: path.removesuffix(CHAT).partition("/deployments/")[0] + "/models")


def wants_api_key_header(url: str) -> bool:
    """The server takes its key in a header of Azure's, too."""
    parts = _split(url)
    return parts is not None and (_host(parts).endswith(".azure.com") or _DEPLOYMENT in parts.path)


def on_this_machine(url: str) -> bool:
    """Whoever answers at that address computes on this machine."""
    parts = _split(url)
    return parts is not None and is_this_machine(_host(parts))


def is_this_machine(host: str) -> bool:
    """The name stands for this machine."""
    host = host.lower().rstrip(".")
    return (
        host in ("localhost", "::1", "::ffff:127.0.0.1", *_EVERY)
        or host.endswith(".localhost")
        or bool(re.fullmatch(r"127(\.\d+){1,3}", host))
    )


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url.strip())
        _ = (parts.hostname, parts.port)  # which are looked at only now
    except ValueError:
        return None
    return parts


def _host(parts: SplitResult) -> str:
    return parts.hostname or ""


def _netloc(parts: SplitResult) -> str:
    """The name and the port, with an address that can be asked."""
    host = _EVERY.get(_host(parts))
    if host is None:
        return parts.netloc
    user = parts.netloc.rpartition("@")[0]
    shown = f"[{host}]" if ":" in host else host
    return f"{user}@" * bool(user) + shown + (f":{parts.port}" if parts.port is not None else "")


def _with_path(url: str, change: Callable[[str], str]) -> str:
    parts = _split(url)
    return url if parts is None else urlunsplit(parts._replace(path=change(parts.path)))
