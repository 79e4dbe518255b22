"""Knows whether a row's model fits in a machine's memory, before any download. Starts nothing.

    fit.judge(spec, machine, context_tokens, rows=..., stored=...) -> Fit

`config` and `count` read shapes, `cache` and `overhead` what running one takes, `known` holds the shapes that come with
the package, `steps` says what to do instead, `refusal` what is not even started, `files` reads what is here, `fits`
keeps verdicts for a few seconds.
"""

from __future__ import annotations

from playground.fit.files import look
from playground.fit.fits import Fits
from playground.fit.needs import TIGHT, Fit, Stored, Verdict, need
from playground.fit.refusal import refusal
from playground.fit.steps import SHORT
from playground.fit.verdict import judge

__all__ = ["SHORT", "TIGHT", "Fit", "Fits", "Stored", "Verdict", "judge", "look", "need", "refusal"]
