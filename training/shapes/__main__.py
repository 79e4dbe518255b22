"""Knows the commands of the recipe. Not what they do."""

import argparse
import json
import os
from pathlib import Path

from training.shapes import learning, report, shipping
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
    parser.add_argument("command", choices=("make", "ship", "report"))
    parser.add_argument("--only", choices=sorted(SIZES), action="append", help="one model instead of both")
    parser.add_argument("--work", type=Path, default=cache(), help="where checkpoints are kept")
    parser.add_argument("--each", type=int, default=EACH, help="questions of each kind in the report")
    given = parser.parse_args()
    names = given.only or list(SIZES)
    if given.command in ("make", "ship"):
        make(names, given.work, learnt_only=given.command == "ship")
    if given.command == "report" or (given.command == "make" and not given.only):
        report.report(WEIGHTS, REPORT, seconds(), given.each)


def make(names: list[str], work: Path, learnt_only: bool) -> None:
    """Teaches (unless the checkpoint is to be shipped as it is) and ships each model, then the sums of all files."""
    for name in names:
        size = SIZES[name]
        pupil, elapsed_s = learning.learnt(size, work) if learnt_only else learning.learn(size, work)
        shipping.ship(pupil.model, learning.processor_of(size), WEIGHTS / name)
        remember(name, elapsed_s)
    shipping.write_sums(WEIGHTS)


def remember(name: str, elapsed_s: float) -> None:
    """Keeps how long learning took beside the recipe, for a report made later."""
    report.write(REPORT.with_name("seconds.json"), json.dumps(seconds() | {name: round(elapsed_s)}, indent=1) + "\n")


def seconds() -> dict[str, float]:
    path = REPORT.with_name("seconds.json")
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


if __name__ == "__main__":
    main()
