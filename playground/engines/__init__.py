"""Knows which class answers for which `engine` of a row. The only place where a row becomes an object."""

from __future__ import annotations

from urllib.parse import urlsplit

from playground import machine
from playground.engines.base import Engine
from playground.settings import Settings
from playground.types import ModelSpec

ROUTER = "router.huggingface.co"


def routed(spec: ModelSpec) -> bool:
    """The row is of the Hub's router, which a visitor of a Space can be asked to sign in for."""
    return spec.engine == "openai" and urlsplit(spec.base_url).hostname == ROUTER


def for_visitor(spec: ModelSpec, settings: Settings, token: str) -> Engine:
    """An engine of a router row that asks in the name of one visitor. Kept by nobody: it ends with its race."""
    from playground.engines.client import OpenAIEngine, Timeouts

    if not routed(spec):
        raise ValueError(f"{spec.key} is not a row of the router, which alone gets a visitor's token")
    return OpenAIEngine(spec, token, Timeouts(stall_s=settings.stall_s))


def open_engine(spec: ModelSpec, settings: Settings) -> Engine:
    """An engine for that row; nothing is started or fetched yet."""
    # each engine is imported when a row needs it: opening the page must not wait for engines nobody chose
    from playground.engines.client import Timeouts

    timeouts = Timeouts(stall_s=settings.stall_s)
    room = None if settings.load_anyway else machine.look
    threads = settings.threads or machine.threads(page=settings.page)
    match spec.engine:
        case "openai":
            from playground.engines.client import OpenAIEngine

            key = settings.secret(spec.api_key_env) if spec.api_key_env else None
            return OpenAIEngine(spec, key, timeouts)
        case "replay":
            from playground.engines.replay import ReplayEngine

            return ReplayEngine(spec)
        case "llama.cpp":
            from playground.engines.llama import LlamaEngine

            return LlamaEngine(spec, settings.cache, threads=threads, timeouts=timeouts, machine=room)
        case "transformers" if settings.zerogpu:
            from playground.engines.zerogpu import ZeroGPUEngine

            return ZeroGPUEngine(spec, settings.cache)
        case "transformers":
            from playground.engines.serve import TransformersEngine

            return TransformersEngine(spec, settings.cache, threads=threads, timeouts=timeouts, machine=room)
