"""Knows what standings come to in a sentence or two, and what one must not conclude from them. Counts nothing."""

from __future__ import annotations

from playground.standings import table
from playground.standings.values import Standing, Standings


def verdict(found: Standings) -> str:
    """The result in words, no surer than its intervals."""
    if not found.models:
        return "No votes that count yet."
    if not any(one.share for one in found.models):
        return "No decisive vote yet: every vote is a tie, or finds both bad."
    return _of_two(found) if len(found.models) == 2 else _of_many(found)


def _of_two(found: Standings) -> str:
    best, other = found.models
    won = f"{table.share(best.share)} of {best.share.total} decisive {_votes(best.share.total)}" if best.share else ""
    if best.share and best.share.low > 0.5:
        return f"{best.model} is preferred to {other.model}: it won {won}. {_cost(best, other)}".strip()
    if best.rank == other.rank:
        return f"{best.model} and {other.model} are level: {won} each."
    return f"No preference is shown yet: {best.model} won {won}, and the interval holds one half."


def _of_many(found: Standings) -> str:
    best, *rest = found.models
    close = [one for one in rest if best.rating and one.rating and one.rating.high >= best.rating.low]
    if not close:
        return f"{best.model} is ahead of {'both' if len(rest) == 2 else f'all {len(rest)}'} others."
    names = " and ".join([", ".join(one.model for one in close[:-1]), close[-1].model]).removeprefix(" and ")
    few = names if len(close) <= 3 else f"{len(close)} others"
    return f"{best.model} ranks first, but its interval overlaps with {_those(close)} of {few}."


def _those(close: list[Standing]) -> str:
    return "that" if len(close) == 1 else "those"


def _votes(count: int) -> str:
    return "vote" if count == 1 else "votes"


def _cost(best: Standing, other: Standing) -> str:
    """What the preferred one takes beside the other: `It writes 0.5 times as fast and holds 3.2 times the memory.`"""
    ours, theirs = best.figures, other.figures
    told = []
    if ours.decode_tokens_per_s and theirs.decode_tokens_per_s:
        told.append(f"writes {_times(ours.decode_tokens_per_s / theirs.decode_tokens_per_s)} times as fast")
    if ours.peak_bytes and theirs.peak_bytes:
        told.append(f"holds {_times(ours.peak_bytes / theirs.peak_bytes)} times the memory")
    return f"It {' and '.join(told)}." if told else ""


def _times(ratio: float) -> str:
    return f"{ratio:.2g}" if ratio < 10 else f"{ratio:.0f}"
