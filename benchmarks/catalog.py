"""Listing 100 rows with their state and fit, and choosing the pair: run with `python -m benchmarks.catalog`.

Each figure is of a new process's first time (imports apart), because that is when a person waits for it. The Hub is a
socket that takes connections and never answers: the choice must not wait for it.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import common
from tests.site import ROOT

RUNS = 7
ROWS = 100
CHILD = """
import json, sys, time
from pathlib import Path
import huggingface_hub
from playground import parts, settings
from playground.parts import assemble, describe
models, endpoint = Path(sys.argv[1]), sys.argv[2]
took = {}
def timed(name, work):
    start = time.perf_counter(); found = work(); took[name] = 1000 * (time.perf_counter() - start); return found
told = settings.Settings(models=models, environ={"HF_ENDPOINT": endpoint})
house = timed("read 100 rows and choose", lambda: assemble(told))
plain = timed("choose without own rows", lambda: assemble(settings.Settings(environ={"HF_ENDPOINT": endpoint})).pair)
listing = timed("list them with state and fit", lambda: describe(list(house.catalog), house.pool, house.fits))
timed("list them again", lambda: describe(list(house.catalog), house.pool, house.fits))
assert len(listing) == 100
print(json.dumps(took))
"""


def once(models: Path, endpoint: str) -> dict[str, float]:
    """Milliseconds by figure."""
    command = [sys.executable, "-c", CHILD, str(models), endpoint]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(run.stderr)
    found: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print the table."""
    from playground import catalog

    more = ROWS - len(catalog.load())
    row = '[[model]]\nlike = "qwen3.5-9b-q4"\nkey = "own-{0}"\ntitle = "Own {0}"\ncontext_tokens = {1}\n'
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as silent:
        models = Path(folder) / "models.toml"
        models.write_text("".join(row.format(n, 4096 + n) for n in range(more)), encoding="utf-8")
        runs = [once(models, f"http://127.0.0.1:{silent.getsockname()[1]}") for _ in range(RUNS)]
    results = {name: common.spread([run[name] for run in runs]) for name in runs[0]}
    common.table(("figure", "measured"), [(name, common.shown(value, "ms", 1)) for name, value in results.items()])
    common.finish("catalog", results)


if __name__ == "__main__":
    main()
