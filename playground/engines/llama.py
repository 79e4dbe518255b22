"""Knows llama.cpp's server, by the `xllamacpp` wheel or as `llama-server` on the PATH. Imports neither."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx

from playground import headers, weights
from playground.engines.local import LocalEngine, Tell
from playground.engines.wire import Wire
from playground.engines.worker import Worker
from playground.errors import WorkerError
from playground.types import Message

CHILD = Path(__file__).with_name("llama_child.py")
COUNT_TIMEOUT_S = 60.0


class LlamaEngine(LocalEngine):
    """One GGUF file in a llama.cpp server of its own."""

    extra: Mapping[str, Any] = {"timings_per_token": True}
    """It counts with every text, so that its speed is known while it writes, however it bundles tokens."""

    def _command(self, place: Path | None, port: int) -> Sequence[str]:
        """Run by path and with -P, so that a file of ours never stands in for a library."""
        own, program = find_spec("xllamacpp") is not None, shutil.which("llama-server")
        if not own and program is None:
            raise WorkerError("llama.cpp is not installed; `pip install xllamacpp`, or put `llama-server` on the PATH.")
        common = ["--model", str(place), "--port", str(port)]
        if own:
            command = [sys.executable, "-P", str(CHILD), *common]
            context, threads = "--context", "--threads"
        else:
            # no prefix cache, for the reason in llama_child.py
            command = [str(program), *common, "--host", "127.0.0.1", "--parallel", "1", "--no-cache-prompt", "--jinja"]
            context, threads = "--ctx-size", "--threads"
        command += [context, str(self.spec.context_tokens or 0)]
        if seeing := weights.projector(self.spec, self.cache):
            command += ["--mmproj", str(seeing)]
        return command + ([threads, str(self.threads)] if self.threads else [])

    def _settings(self) -> Mapping[str, str]:
        # where it ends itself, it would call a debugger for a backtrace, which takes a minute and hides the reason
        return {"PYTHONUNBUFFERED": "1", "GGML_NO_BACKTRACE": "1"}

    def _served(self, place: Path | None) -> str:
        return self.spec.key

    def _load_model(self, worker: Worker, place: Path | None, tell: Tell) -> None:
        """Nothing to do: it is healthy only once the weights are there."""

    def _continues(self, place: Path | None) -> bool:
        """llama.cpp would take ChatML in the place of a template that is not there, and say nothing."""
        return place is not None and "tokenizer.chat_template" not in headers.values(place)

    def _count(self, messages: Sequence[Message], wire: Wire) -> int | None:
        """By the server itself: its chat template, then its tokenizer."""
        if self.worker is None:
            return None
        said = [{"role": message.role, "content": message.text} for message in messages]
        traced = {"trace": wire.trace}
        try:
            with httpx.Client(base_url=self.worker.url, trust_env=False, timeout=COUNT_TIMEOUT_S) as client:
                if self._plain:
                    asked = {"content": messages[0].text, "add_special": True}
                else:
                    made = client.post("/apply-template", json={"messages": said}, extensions=traced)
                    asked = {"content": made.raise_for_status().json()["prompt"]}
                found = client.post("/tokenize", json={"parse_special": True, **asked}, extensions=traced)
                return len(found.raise_for_status().json()["tokens"])
        except (httpx.HTTPError, ValueError, LookupError, UnicodeError):
            return None
