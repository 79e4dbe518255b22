"""Knows whether a row's model fits in a machine's memory, before any download. Reads no weights and starts nothing."""

from __future__ import annotations

from playground.fit.verdict import TIGHT, Fit, Verdict, judge

__all__ = ["TIGHT", "Fit", "Verdict", "judge"]
