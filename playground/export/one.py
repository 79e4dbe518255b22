"""Knows all that belongs to one comparison, and how programs read it. Does not know where it comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from playground import __version__, report
from playground.types import SIDES, Comparison, Message, ModelSpec, Sampling, Side, Vote

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that was sent: its file's name and SHA-256. Its content stays where it is."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Saved:
    """One comparison with what was asked, the settings that were sent, and the vote if there is one."""

    comparison: Comparison
    models: Mapping[Side, ModelSpec]
    prompt: str
    pictures: tuple[Picture, ...] = ()
    system: Mapping[Side, str] = field(default_factory=dict)
    sampling: Mapping[Side, Sampling] = field(default_factory=dict)
    earlier: Mapping[Side, tuple[Message, ...]] = field(default_factory=dict)
    turn: int = 1
    vote: Vote | None = None
    not_counted_reason: str = ""


def as_json(saved: Saved) -> str:
    """One JSON object: that of `report.comparison`, with what was asked, set and voted. Unknown figures are null."""
    about: dict[str, Any] = {
        "saved_schema": SCHEMA,
        "app_version": __version__,
        "battle_id": saved.comparison.battle_id,
        "turn": saved.turn,
        "prompt": saved.prompt,
        "images": [asdict(picture) for picture in saved.pictures],
        "earlier": {side: _messages(saved.earlier.get(side, ())) for side in SIDES},
        "models": {side: _model(saved.models[side]) for side in SIDES},
        "system": {side: saved.system.get(side, "") for side in SIDES},
        "settings": {side: asdict(saved.sampling.get(side, Sampling())) for side in SIDES},
        "vote": _vote(saved.vote, saved.not_counted_reason) if saved.vote else None,
    }
    return json.dumps(about | report.comparison(saved.comparison), ensure_ascii=False, indent=2) + "\n"


def _vote(vote: Vote, not_counted_reason: str) -> dict[str, Any]:
    names = ("winner", "vote_id", "voted_at", "blind", "decision_s", "reason", "supersedes")
    about = {name: getattr(vote, name) for name in names}
    return about | {"counted": not not_counted_reason, "not_counted_reason": not_counted_reason}


def _model(spec: ModelSpec) -> dict[str, str]:
    """Which weights; not where they are, which may be a path of this machine."""
    return {name: getattr(spec, name) for name in ("key", "title", "engine", "quantization", "revision")}


def _messages(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    return [
        {"role": each.role, "text": each.text, "images": [image.sha256 for image in each.images]} for each in messages
    ]
