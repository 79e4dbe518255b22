"""Knows which votes stand once corrections and undone votes are followed. Knows nothing else of a vote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def effective(rows: Iterable[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """The rows that stand: of a vote and all that supersede it, the last one; of a row read twice, one.

    An undone vote leaves the row that took it back: it repeats the winner, but has `counted` false, so that neither
    counts.
    """
    kept = list(rows)
    stands = standing([row["vote_id"] for row in kept], [row["supersedes"] for row in kept])
    return [row for row, yes in zip(kept, stands, strict=True) if yes]


def standing(ids: Sequence[str], supersedes: Sequence[str]) -> list[bool]:
    """For each row, whether it stands. A row at the end of the longest chain does, wherever in the file it is: clocks
    jump and files are joined in any order. Between two that supersede the same row, the later in the file does."""
    if not any(supersedes) and len(set(ids)) == len(ids):
        return [True] * len(ids)
    links = {vote_id: target for vote_id, target in zip(ids, supersedes, strict=True) if target}
    last: dict[str, tuple[int, int]] = {}
    for place, (vote_id, target) in enumerate(zip(ids, supersedes, strict=True)):
        if target:
            root, depth = _follow(vote_id, links)
            last[root] = max(last.get(root, (0, 0)), (depth, place))
    seen: set[str] = set()
    stands = []
    for place, (vote_id, target) in enumerate(zip(ids, supersedes, strict=True)):
        replaced = last[_follow(vote_id, links)[0]][1] != place if target else vote_id in last
        stands.append(not replaced and vote_id not in seen)
        seen.add(vote_id)
    return stands


def _follow(vote_id: str, links: Mapping[str, str]) -> tuple[str, int]:
    """The first vote of the chain that ends here, and how many rows superseded it."""
    depth, met = 0, {vote_id}
    while (target := links.get(vote_id)) and target not in met:
        vote_id, depth = target, depth + 1
        met.add(target)
    return vote_id, depth
