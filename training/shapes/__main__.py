"""Knows the commands of the recipe. Not what they do."""

import argparse
import json
import os
from pathlib import Path

from training.shapes import learning, pacing, report, shipping
from training.shapes.examining import EACH
from training.shapes.sizes import SIZES

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = ROOT / "playground" / "weights"
REPORT = Path(__file__).with_name("REPORT.md")


def cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "shapes-training"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.shapes", description="Make the shapes models from nothing."
    )
    parser.add_argument("command", choices=("make", "ship", "pace", "report"))
    parser.add_argument("--only", choices=sorted(SIZES), action="append", help="one model instead of both")
    parser.add_argument("--work", type=Path, default=cache(), help="where checkpoints are kept")
    parser.add_argument("--each", type=int, default=EACH, help="questions of each kind in the report")
    given = parser.parse_args()
    names = given.only or list(SIZES)
    if given.command in ("make", "ship"):
        make(names, given.work, learnt_only=given.command == "ship")
    if given.command == "pace":
        for name in names:
            remember("alone", name, pacing.alone(SIZES[name]))
    if given.command == "report" or (given.command == "make" and not given.only):
        report.report(WEIGHTS, REPORT, seconds(), given.each)


def make(names: list[str], work: Path, learnt_only: bool) -> None:
    """Teaches (unless the checkpoint is to be shipped as it is) and ships each model, then the sums of all files."""
    for name in names:
        size = SIZES[name]
        pupil, elapsed_s = learning.learnt(size, work) if learnt_only else learning.learn(size, work)
        shipping.ship(pupil.model, learning.processor_of(size), WEIGHTS / name)
        remember("learnt", name, elapsed_s)
    shipping.write_sums(WEIGHTS)


def remember(how: str, name: str, elapsed_s: float) -> None:
    """Keeps beside the recipe how long learning took, or would take alone, for a report made later."""
    known = seconds()
    known.setdefault(how, {})[name] = round(elapsed_s)
    report.write(REPORT.with_name("seconds.json"), json.dumps(known, indent=1) + "\n")


def seconds() -> dict[str, dict[str, float]]:
    """Seconds of each model by name: `learnt` by the clock, `alone` as timed steps foretell."""
    path = REPORT.with_name("seconds.json")
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


if __name__ == "__main__":
    main()
