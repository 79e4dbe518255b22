"""Will it fit: the verdict on a row, with its numbers and the next smaller step."""

from __future__ import annotations

from playground import fit
from playground.machine import Machine
from playground.types import ModelSpec

GIB = 1024**3
LAPTOP = Machine(16 * GIB, 12 * GIB)


def test_what_runs_elsewhere_fits_and_has_no_figures():
    found = fit.judge(ModelSpec("far", "Far", "openai", base_url="https://example.org/v1"), LAPTOP)
    assert (found.verdict, found.where, found.need_bytes) == ("fits", "elsewhere", None)


def test_what_is_not_known_is_unknown_with_its_reason():
    for spec in (
        ModelSpec("near", "Near", "openai", base_url="http://127.0.0.1:1234/v1"),
        ModelSpec("odd", "Odd", "transformers", source="nobody/knows-this"),
    ):
        found = fit.judge(spec, LAPTOP)
        assert (found.verdict, found.need_bytes) == ("unknown", None)
        assert found.why
