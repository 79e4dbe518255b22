"""Knows which votes stand once corrections and undone votes are followed. Knows nothing else of a vote."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Fingerprints = NDArray[np.uint64]


def effective(rows: Iterable[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """The rows that stand: of a vote and all that supersede it, the last one; of a row read twice, one.

    An undone vote leaves the row that took it back: it repeats the winner, but has `counted` false, so that neither
    counts.
    """
    kept = list(rows)
    stands = standing([row["vote_id"] for row in kept], [row["supersedes"] for row in kept])
    return [row for row, yes in zip(kept, stands, strict=True) if yes]


def standing(ids: Sequence[Hashable], supersedes: Sequence[Hashable]) -> list[bool]:
    """For each row, whether it stands. A row at the end of the longest chain does, wherever in the file it is: clocks
    jump and files are joined in any order. Between two that supersede the same row, the later in the file does."""
    if not any(supersedes) and len(set(ids)) == len(ids):
        return [True] * len(ids)
    links = {vote_id: target for vote_id, target in zip(ids, supersedes, strict=True) if target}
    last: dict[Hashable, tuple[int, int]] = {}
    for place, (vote_id, target) in enumerate(zip(ids, supersedes, strict=True)):
        if target:
            root, depth = _follow(vote_id, links)
            last[root] = max(last.get(root, (0, 0)), (depth, place))
    seen: set[Hashable] = set()
    stands = []
    for place, (vote_id, target) in enumerate(zip(ids, supersedes, strict=True)):
        replaced = last[_follow(vote_id, links)[0]][1] != place if target else vote_id in last
        stands.append(not replaced and vote_id not in seen)
        seen.add(vote_id)
    return stands


def fingerprints(ids: Any) -> Fingerprints:
    """A number for each id, 0 for none. Of a million ids two share one once in 37 million such files."""
    found = np.array(list(ids), object)
    return np.where(found == "", np.uint64(0), pd.util.hash_array(found, categorize=False))


def stand(ids: Fingerprints, supersedes: Fingerprints) -> NDArray[np.bool_]:
    """`standing` of very many rows: only those that others have to do with are looked at one by one."""
    _, code, count = np.unique(ids, return_inverse=True, return_counts=True)
    corrects = supersedes != 0
    linked = np.flatnonzero(corrects | (count[code] > 1) | np.isin(ids, supersedes[corrects]))
    stands = np.ones(len(ids), np.bool_)
    stands[linked] = standing(ids[linked].tolist(), supersedes[linked].tolist())
    return stands


def _follow(vote_id: Hashable, links: Mapping[Hashable, Hashable]) -> tuple[Hashable, int]:
    """The first vote of the chain that ends here, and how many rows superseded it."""
    depth, met = 0, {vote_id}
    while (target := links.get(vote_id)) and target not in met:
        vote_id, depth = target, depth + 1
        met.add(target)
    return vote_id, depth
