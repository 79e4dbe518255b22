"""How long does the models tab take on the server? Run with `python -m benchmarks.listing`.

100 rows (those of the package, and copies) are looked at and written as HTML: state, fit, what is here, memory. Once
with nothing loaded, then with both SmolLM2 models in memory, whose page tables are walked each time. "First" is the
first look of a process: nothing is remembered yet.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from benchmarks import common
from playground import inventory, parts
from playground.catalog import Catalog
from playground.parts import Parts
from playground.settings import Settings
from playground.ui import shelf

ROWS, ROUNDS = 100, 30
LOADED = ("smollm2-135m-q4", "smollm2-135m")
FRESH_S = 3.2
"""What is free is looked at again after 3 s, and all verdicts are made anew then: the slowest of the usual looks."""


def house() -> Parts:
    """The app's parts with 100 rows."""
    made = parts.assemble(Settings(left=LOADED[0], right=LOADED[1]))
    own = list(made.catalog)
    copies = [replace(row, key=f"{row.key}-copy", title=f"{row.title} (copy)") for row in own][: ROWS - len(own)]
    rows = Catalog([*own, *copies])
    return replace(made, catalog=rows, pool=type(made.pool)(rows, made.settings), fits=parts._fits(made.settings, rows))


def listing(made: Parts) -> tuple[float, int]:
    """Milliseconds of one look, and characters of its HTML."""
    started_s = time.perf_counter()
    found = inventory.take(made.catalog, made.pool, made.fits, made.settings)
    html = shelf.top(found, "", fixed=False) + shelf.rest(found, "", fixed=False)
    return 1000 * (time.perf_counter() - started_s), len(html)


def looks(made: Parts) -> dict[str, Any]:
    """Looks one after the other, and looks for which everything must be judged anew."""
    quick = [listing(made)[0] for _ in range(ROUNDS)]
    anew = []
    for _ in range(5):
        time.sleep(FRESH_S)
        anew.append(listing(made)[0])
    return {"again_ms": common.spread(quick), "anew_ms": common.spread(anew)}


def main() -> None:
    """Print the table and the JSON line."""
    made = house()
    first_ms, chars = listing(made)
    results = {
        "rows": len(list(made.catalog)),
        "html_chars": chars,
        "first_ms": first_ms,
        "nothing loaded": looks(made),
    }
    made.pool.warm(*LOADED).join()
    if all(made.pool.state(key).name == "ready" for key in LOADED):
        results["two loaded"] = looks(made)
    made.close()
    table = [("first look of a process", f"{first_ms:.0f} ms")]
    for name in ("nothing loaded", "two loaded"):
        for kind, figures in results.get(name, {}).items():
            table.append((f"{name}, {kind.removesuffix('_ms')}", common.shown(figures, "ms", 1)))
    common.table((f"{results['rows']} rows", "measured"), table)
    common.finish("listing", results)


if __name__ == "__main__":
    main()
