"""Events of the page sent by hand over HTTP, as a program sends them that wants what the page does not offer. Not a
test itself."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.patience import LIMIT_S


@dataclass
class Caller:
    """Somebody at that address, with these headers and cookies."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    session: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        self._how: dict[str, Any] = {"headers": dict(self.headers), "timeout": LIMIT_S, "trust_env": False}
        self.config = self.get("config").json()

    def get(self, path: str) -> httpx.Response:
        """A plain request."""
        return httpx.get(self.url + path, **self._how)

    def events(self, trigger: str, elem_class: str = "", label: str = "") -> list[dict[str, Any]]:
        """The events that this trigger of a component starts, known by its class, its label or its text."""
        found = {
            part["id"]
            for part in self.config["components"]
            if (not elem_class or elem_class in (part["props"].get("elem_classes") or []))
            and (not label or label in (part["props"].get("label"), part["props"].get("value")))
        }
        return [
            each
            for each in self.config["dependencies"]
            if any(target in found and name == trigger for target, name in each["targets"])
        ]

    def send(self, event: Mapping[str, Any], *data: object, **event_data: object) -> dict[str, Any]:
        """Start that event with these inputs; returns the message with its outcome."""
        body = {
            "data": list(data),
            "event_data": event_data or None,
            "fn_index": event["id"],
            "session_hash": self.session,
            "trigger_id": event["targets"][0][0],
        }
        httpx.post(f"{self.url}gradio_api/queue/join", json=body, **self._how).raise_for_status()
        path = f"{self.url}gradio_api/queue/data?session_hash={self.session}"
        with httpx.stream("GET", path, **self._how) as stream:
            for line in stream.iter_lines():
                message = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
                if message.get("msg") == "process_completed":
                    return dict(message)
        raise AssertionError("the event did not end")

    def compare(self, prompt: str, left: str, right: str) -> dict[str, Any]:
        """The public endpoint, as programs call it. What it raises is in the outcome's `output`."""
        (event,) = [each for each in self.config["dependencies"] if each["api_name"] == "compare"]
        data = [prompt, left, right, None, "", "", None, None, None]
        return self.send(event | {"targets": event["targets"] or [[None, ""]]}, *data)
