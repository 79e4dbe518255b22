"""Knows shares of votes: their interval, and how many votes a difference needs. Pure arithmetic."""

from __future__ import annotations

import math

from playground.standings.values import Share

_Z = 1.959963984540054  # 97.5 % of a normal distribution lie below
_Z_TEST, _Z_POWER = 1.96, 0.84  # as tables of sample sizes have them: 5 % two-sided, 80 % power


def wilson(hits: int, total: int) -> Share | None:
    """A share with its 95 % interval (Wilson 1927), which holds near 0 and 1, too: 20 of 20 gives 84 to 100 %. None for
    no votes at all."""
    if not total:
        return None
    share, z2 = hits / total, _Z * _Z / total
    middle = (share + z2 / 2) / (1 + z2)
    reach = math.sqrt(share * (1 - share) * z2 + z2 * z2 / 4) / (1 + z2)
    return Share(
        share,
        0.0 if hits == 0 else max(0.0, middle - reach),
        1.0 if hits == total else min(1.0, middle + reach),
        total,
    )


def needed(share: float) -> int | None:
    """Decisive votes that show a true share to differ from one half, in four of five such tests: 782 at 55 %, 194 at
    60 %, 85 at 65 %. None at one half."""
    if share == 0.5:
        return None
    spread = _Z_TEST * 0.5 + _Z_POWER * math.sqrt(share * (1 - share))
    return math.ceil((spread / (share - 0.5)) ** 2)
