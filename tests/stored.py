"""Votes files made for tests of standings: any number of votes between any models. Not a test itself."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from playground import votes
from playground.votes import cells

SCRIPTS = ("latin", "latin", "latin", "cyrillic", "")


def vote(number: int, left: str, right: str, winner: str, **about: object) -> dict[str, object]:
    """The cells of one vote that counts."""
    return {
        "vote_id": f"v-{number}",
        "battle_id": f"b-{number}",
        "voted_at": "2026-11-01T12:00:00.000Z",
        "voter": f"voter-{number % 30}",
        "model_a": left,
        "model_b": right,
        "winner": winner,
        "counted": True,
        "blind": False,
        "pacing": "in_turn",
        "schema_version": votes.SCHEMA_VERSION,
        **about,
    }


def write(path: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    """A votes file of these rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [cells.line(votes.COLUMNS), *(cells.line(row.get(name) for name in votes.COLUMNS) for row in rows)]
    path.write_bytes(b"".join(lines))
    return path


def simulated(
    strengths: Mapping[str, float], count: int, prompts: Sequence[str] = ("typed",), seed: int = 0
) -> list[dict[str, object]]:
    """Votes between models of these strengths (in points): the stronger, the slower, larger and wordier."""
    rng = random.Random(seed)
    rows = []
    for number in range(count):
        left, right = rng.sample(sorted(strengths), 2)
        chance = 1 / (1 + 10 ** ((strengths[right] - strengths[left]) / 400))
        decisive = "model_a" if rng.random() < chance else "model_b"
        winner = rng.choices((decisive, "tie", "both_bad"), (80, 12, 8))[0]
        about: dict[str, object] = {
            "prompt_id": rng.choice(prompts),
            "script": rng.choice(SCRIPTS),
            "image_sha256": "ab" * 32 if rng.random() < 0.3 else "",
            "blind": rng.random() < 0.5,
            "pacing": rng.choice(("in_turn", "together")),
            "voted_at": f"2026-11-{rng.randint(1, 20):02}T12:00:00.000Z",
        }
        for letter, model in (("a", left), ("b", right)):
            size = 2 ** (strengths[model] / 150)
            about |= {
                f"ttft_s_{letter}": 0.2 * size * rng.uniform(0.8, 1.3),
                f"decode_tokens_per_s_{letter}": 60 / size * rng.uniform(0.8, 1.2),
                f"peak_bytes_{letter}": int(1e9 * size * rng.uniform(0.95, 1.05)),
                f"answer_chars_{letter}": int(400 * size**0.3 * rng.uniform(0.3, 2)),
                f"markdown_{letter}": rng.choice((0, 0, 2, 6)),
            }
        rows.append(vote(number, left, right, winner, **about))
    return rows
