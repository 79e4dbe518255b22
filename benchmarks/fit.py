"""How long the fit of rows takes: all of them at the first look, one that is kept, and a list of 100 rows with state.

python -m benchmarks.fit
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from benchmarks.common import finish, shown, spread, table
from playground import catalog, fit, machine, parts, weights
from playground.catalog import Catalog
from playground.pool import Pool
from playground.settings import Settings
from playground.types import ModelSpec

TIMES = 9


def milliseconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


def fits_of(rows: list[ModelSpec], settings: Settings) -> fit.Fits:
    """Verdicts on these rows with nothing kept yet."""

    def stored(spec: ModelSpec) -> fit.Stored:
        return fit.look(weights.locate(spec, settings.cache))

    return fit.Fits(rows, machine.look, stored)


def once(rows: list[ModelSpec], pool: Pool, settings: Settings) -> tuple[float, float, float, float]:
    """One row and all rows, each with nothing kept and then again."""
    fits, alone = fits_of(rows, settings), fits_of(rows, settings)
    first = milliseconds(lambda: alone.of(rows[0]))
    listed = milliseconds(lambda: parts.describe(rows, pool, fits))
    again = milliseconds(lambda: parts.describe(rows, pool, fits))
    return first, milliseconds(lambda: fits.of(rows[0])), listed, again


def main() -> None:
    """Print the table and, last, one JSON line."""
    settings = Settings()
    rows = list(catalog.load())
    hundred = [replace(row, key=f"{row.key}-{n}") for n in range(3) for row in rows][:100]
    pool = Pool(Catalog(hundred), settings)
    very_first = milliseconds(lambda: fits_of(rows, settings).of(rows[0]))  # with every import and check sum
    first, kept, listed, listed_kept = zip(*(once(hundred, pool, settings) for _ in range(TIMES)), strict=True)
    found = {
        "one row, nothing kept": spread(first),
        "one row, kept": spread(kept),
        "100 rows with state, nothing kept": spread(listed),
        "100 rows with state, kept": spread(listed_kept),
    }
    table(("what", "time"), [(name, shown(figures, "ms", 3)) for name, figures in found.items()])
    print(f"the very first of the process: {very_first:.1f} ms")
    finish("fit", {**found, "very_first_ms": very_first})


if __name__ == "__main__":
    main()
