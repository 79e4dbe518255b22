"""Knows which cells a vote has. Opens no file."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from playground import __version__
from playground.errors import VoteError
from playground.types import SIDES, WINNERS, Answer, Comparison, ModelSpec, Sampling, Side, Vote
from playground.votes import guards
from playground.votes.guards import Check
from playground.votes.schema import FIGURES, SCHEMA_VERSION, TEXTS, fingerprints, looks

REASON_CHARS = 2_000
"""Longer words of a voter are cut, with a mark that says so."""
_LETTERS: Mapping[Side, str] = dict(zip(SIDES, "ab", strict=True))


def new(winner: str, comparison: Comparison, **about: object) -> Vote:
    """A vote that is cast now. `about` are the other fields of `Vote`. Raises VoteError for an unknown winner or an
    unfinished comparison."""
    if winner not in WINNERS:
        raise VoteError(f"{winner!r} is not a vote. Choose one of {', '.join(WINNERS)}.")
    if not comparison.final:
        raise VoteError("Both answers must be finished before the vote. Wait for them, or stop one.")
    return Vote(str(uuid.uuid4()), _now(), winner, comparison, **about)  # type: ignore[arg-type]


def taking_back(vote: Vote) -> Vote:
    """The vote that takes that one back: the same judgement, superseding it, and never counted."""
    return replace(vote, vote_id=str(uuid.uuid4()), voted_at=_now(), supersedes=vote.vote_id)


def _now() -> str:
    """The wall clock as it is, even when it was set back: the order of rows says what came after what."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def row(
    vote: Vote,
    specs: Mapping[Side, ModelSpec],
    *,
    checks: Sequence[Check] = (),
    doubt: str = "",
    log_texts: bool = True,
) -> dict[str, object]:
    """All cells of one vote by column, None where unknown. `doubt` is a further reason not to count it."""
    comparison = vote.comparison
    texts = _texts(vote)
    reasons = filter(None, [not_counted_reason(comparison), *guards.reasons(checks), doubt])
    cells: dict[str, object] = {
        "vote_id": vote.vote_id,
        "battle_id": comparison.battle_id,
        "supersedes": vote.supersedes,
        "voted_at": vote.voted_at,
        "voter": vote.voter,
        "winner": vote.winner,
        "not_counted_reason": "; ".join(reasons),
        "checks": guards.told(checks),
        "blind": vote.blind,
        "pacing": comparison.pacing,
        "first_side": comparison.first_side,
        "turn": vote.turn,
        "prompt_id": vote.prompt_id,
        "image_sha256": " ".join(vote.image_sha256),
        "decision_s": vote.decision_s,
        "app_version": __version__,
        "schema_version": SCHEMA_VERSION,
    }
    for side in SIDES:
        cells |= _side(comparison.side(side), specs[side], vote.sampling.get(side, Sampling()), _LETTERS[side])
    cells |= fingerprints(texts) | looks(texts) | {"counted": not cells["not_counted_reason"]}
    return cells | (texts if log_texts else dict.fromkeys(TEXTS, ""))


def not_counted_reason(comparison: Comparison) -> str:
    """Why a vote on this comparison is kept but not counted, or nothing."""
    ends = [f"{side} {comparison.side(side).status}" for side in SIDES if comparison.side(side).status != "done"]
    return ", ".join(ends)


def _texts(vote: Vote) -> dict[str, str]:
    texts = {"prompt": vote.prompt, "system": vote.system, "reason": shortened(vote.reason)}
    for side, letter in _LETTERS.items():
        answer = vote.comparison.side(side)
        texts |= {f"answer_{letter}": answer.text, f"reasoning_{letter}": answer.reasoning}
    return texts


def shortened(reason: str) -> str:
    """The words of a voter, cut with a mark where they are too many."""
    if len(reason) <= REASON_CHARS:
        return reason
    return f"{reason[:REASON_CHARS]} … [cut: {len(reason)} characters]"


def _side(answer: Answer, spec: ModelSpec, sampling: Sampling, letter: str) -> dict[str, object]:
    objects = (answer, answer.timing, answer.usage, answer.memory, answer.interference, spec)
    values: dict[str, object] = {"model": answer.model, "notice": answer.notice}
    for name in FIGURES:
        owner = next((o for o in objects if hasattr(o, name)), None)
        values[name] = getattr(owner, name) if owner else None
    values |= {"tokens_source": answer.usage.source, "memory_method": answer.memory.method}
    asked = {name: getattr(sampling, name) for name in Sampling.__dataclass_fields__}
    values |= asked  # `thinking` of the spec says what the model can do; the vote keeps what was asked
    return {f"{name}_{letter}": value for name, value in values.items()}
