"""Knows `transformers serve`: its command line, how it loads, what it leaves unsaid. Imports no torch."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from playground import adapters
from playground.engines.local import LocalEngine, Tell
from playground.engines.wire import Wire
from playground.engines.worker import Worker
from playground.errors import WeightsError, WorkerError
from playground.tokens import Counter, has_template
from playground.types import Loading, Message

QUANTIZATIONS = ("bnb-4bit", "bnb-8bit")
QUANTISED = Path(__file__).with_name("quantised_child.py")
CODE = (
    "{name} comes with Python code of its own, which would run here with all your rights, so it was not loaded. "
    "If you trust its authors, write `trust_remote_code = true` into the row {key} of your models file."
)


class TransformersEngine(LocalEngine):
    """One `transformers serve` process with one model."""

    starts_empty = True
    _counter: Counter | None = None

    def _command(self, place: Path | None, port: int) -> Sequence[str]:
        quantised = self.spec.quantization in QUANTIZATIONS
        program = [str(QUANTISED)] if quantised else ["-m", "transformers.cli.transformers"]
        command = [sys.executable, "-P", *program, "serve", "--host", "127.0.0.1"]
        command += ["--port", str(port), "--model-timeout", "-1"]
        if quantised:
            command += ["--quantization", self.spec.quantization]
        if self.spec.trust_remote_code:
            command += ["--trust-remote-code"]
        return command

    def _settings(self) -> Mapping[str, str]:
        # the weights are files of this machine by now: nothing is to be looked up
        settings = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONUNBUFFERED": "1"}
        if self.threads:  # torch asks the one or the other, by how it was built; MKL must not take fewer
            settings |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(self.threads))
            settings["MKL_DYNAMIC"] = "FALSE"
        return settings

    def _served(self, place: Path | None) -> str:
        return str(place)

    def _load_model(self, worker: Worker, place: Path | None, tell: Tell) -> None:
        """Follow the progress that `POST /load_model` streams until it says ready."""
        model = self._served(place)
        if "@" in model:
            raise WeightsError(
                f"{model}: `transformers serve` takes what follows an @ for a revision; rename the folder."
            )
        # reading weights may be silent for long; the worker's death ends the wait: it closes the connection
        timeout = httpx.Timeout(5.0, read=None)
        try:
            with (
                httpx.Client(trust_env=False, timeout=timeout) as client,
                client.stream("POST", f"{worker.url}/load_model", json={"model": model}) as response,
            ):
                ready = any(self._heard(line, tell) for line in response.iter_lines() if line.startswith("data:"))
        except httpx.HTTPError as error:
            raise WorkerError(
                worker.died_by_now() or f"{self._name} broke off while it loaded: {error}; ask again."
            ) from error
        if not ready:
            said = worker.last_line()
            raise WorkerError(worker.died_by_now() or f'{self._name} stopped loading: "{said}". Ask again.')
        if self.spec.adapter and place:
            self._check_adapter(worker, place)
        self._counter = self._count_with(place)

    def _check_adapter(self, worker: Worker, place: Path) -> None:
        """It only logs what did not find its place, and would answer all the same. Raises WeightsError."""
        time.sleep(0.2)  # the log is written beside the answer
        if why := adapters.left_over(worker.log()):
            raise adapters.other_base(self.spec, place, why)

    def _heard(self, line: str, tell: Tell) -> bool:
        """Take in one line of progress; True when it says ready. Raises WorkerError when it says error."""
        said = json.loads(line.removeprefix("data:"))
        if said.get("status") == "error":
            message = str(said.get("message", "")).strip().splitlines() or ["it did not say why"]
            if any("trust_remote_code" in line for line in message):
                raise WorkerError(CODE.format(name=self._name, key=self.spec.key))
            raise WorkerError(f'{self._name} could not be loaded: "{message[0][:300]}". Check its source and memory.')
        progress = said.get("progress") or {}
        if said.get("status") == "loading":
            stage = str(said.get("stage", "loading"))
            tell(Loading(stage, progress.get("current"), progress.get("total")))
        return bool(said.get("status") == "ready")

    def _continues(self, place: Path | None) -> bool:
        return place is not None and not has_template(place)

    def _count_with(self, place: Path | None) -> Counter | None:
        try:
            return Counter(place) if place else None
        except FileNotFoundError:
            return None

    def count_text(self, text: str) -> int | None:
        """Tokens of a text that the model wrote; None where it has no tokenizer of the usual kind."""
        return self._counter.tokens(text) if self._counter else None

    def _count(self, messages: Sequence[Message], wire: Wire) -> int | None:
        return self._counter.count(messages) if self._counter else None
