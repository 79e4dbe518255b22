"""Knows how what was asked and answered becomes a vote, and why it may be in doubt. Stores nothing, knows no tab."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from playground import asking, names, votes
from playground.types import SIDES, Comparison, Message, ModelSpec, Pacing, Prompt, Sampling, Side, Vote, Winner
from playground.votes import Receipt

LOSERS: Mapping[Winner, tuple[Side, ...]] = {
    "model_a": ("right",),
    "model_b": ("left",),
    "tie": SIDES,
    "both_bad": SIDES,
}


@dataclass(frozen=True, slots=True)
class Ask:
    """What a person asked for when they pressed Send. `system` and `sampling` are by side.

    `blind`: which model is which is hidden until the vote, and a pair is drawn. `hold`: both answers are shown when
    both have ended. `early`: the vote may come while they are still written.
    """

    prompt: Prompt
    models: Mapping[Side, str]
    pacing: Pacing
    system: Mapping[Side, str]
    sampling: Mapping[Side, Sampling]
    blind: bool = False
    hold: bool = False
    early: bool = False


@dataclass(frozen=True, slots=True)
class Cast:
    """A vote that is on disk, with what became of it, and when it was cast on the visit's clock."""

    vote: Vote
    specs: Mapping[Side, ModelSpec]
    receipt: Receipt
    at_s: float


def vote(
    winner: Winner,
    comparison: Comparison,
    ask: Ask,
    message: Message,
    specs: Mapping[Side, ModelSpec],
    **about: object,
) -> Vote:
    """The vote with all that was asked; `about` are further fields of it. Raises VoteError as `votes.new` does."""
    system = set(ask.system.values())
    return votes.new(
        winner,
        comparison,
        prompt=ask.prompt.text,
        prompt_id=ask.prompt.id,
        system=system.pop() if len(system) == 1 else "\n---\n".join(ask.system.values()),
        image_sha256=tuple(image.sha256 for image in message.images),
        sampling=sampling(ask, specs),
        **about,
    )


def sampling(ask: Ask, specs: Mapping[Side, ModelSpec]) -> Mapping[Side, Sampling]:
    """What was sent to each side: what the person set, and what the makers recommend for the rest."""
    return {
        side: asking.merge(ask.sampling[side], asking.recommended(specs[side], ask.sampling[side])) for side in SIDES
    }


def leaks(said: Mapping[Side, str], specs: Mapping[Side, ModelSpec], prompt: str = "") -> Iterator[str]:
    """For each side that names itself or its maker, a reason not to count a blind vote on it. `said` is all that a
    side has said so far: in earlier turns too, and in answers that were retried. `prompt` is all that was asked: the
    names in it tell nothing."""
    for side in SIDES:
        if word := names.told(said[side], specs[side], prompt):
            yield f"identity_leak: {side} said {word}"
