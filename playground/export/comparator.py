"""Knows the JSON that Google's LLM Comparator reads: the README and client/lib/types.ts of PAIR-code/llm-comparator.
One file is about one pair of models, whatever sides they stood on.

Its score is positive where A is better, from -1.5 to 1.5, and a win begins at 0.25: a vote, which has no degree, is 1.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from playground.errors import UsageError
from playground.export import table
from playground.votes import COLUMNS, files, read_all
from playground.votes.schema import Row

Pair = tuple[str, str]
SCORES = {"model_a": 1.0, "model_b": -1.0, "tie": 0.0, "both_bad": 0.0}
NUMBERS = ("decision_s", "turn")
CATEGORIES = ("winner", "on_the_left", "asked_first", "pacing", "blind", "counted")
STRINGS = ("vote_id", "voted_at", "prompt_id", "image_sha256")
TEXTS = ("system", "not_counted_reason")
PER_MODEL_NUMBERS = (
    "ttft_s total_s decode_tokens_per_s chars_per_s peak_bytes weights_bytes answer_tokens answer_chars load_s".split()  # noqa: SIM905 - as the columns are listed elsewhere
)
PER_MODEL_CATEGORIES = ("status", "finish_reason")
_FIELDS = {
    "number": NUMBERS,
    "category": CATEGORIES,
    "string": STRINGS,
    "text": TEXTS,
    "per_model_number": PER_MODEL_NUMBERS,
    "per_model_category": PER_MODEL_CATEGORIES,
}
_NUMBERED = re.compile(r"-\d+$")


def document(paths: Sequence[Path], pair: Pair | None = None, *, counted_only: bool = False) -> Iterator[bytes]:
    """The file; of a vote and its corrections the one that stands. Nothing when there are no votes.

    Raises VoteError as `votes.read` does, and UsageError when there are several pairs and none was chosen.
    """
    wanted = table.counting(paths, counted_only=counted_only)
    rows = (row for row in read_all(paths) if row["vote_id"] in wanted)
    unique = list({row["vote_id"]: row for row in rows}.values())
    if not unique:
        return
    models = _chosen(unique, pair)
    examples = [_example(row, models) for row in unique if {row["model_a"], row["model_b"]} == set(models)]
    whole = {
        "metadata": {
            "source_path": f"Side by Side: {', '.join(path.name for path in files(paths))}",
            "custom_fields_schema": _schema(examples),
        },
        "models": [{"name": name} for name in models],
        "examples": examples,
    }
    yield json.dumps(whole, ensure_ascii=False, indent=1, allow_nan=False).encode() + b"\n"


def _chosen(rows: Sequence[Row], pair: Pair | None) -> Pair:
    pairs = Counter(_sorted(row["model_a"], row["model_b"]) for row in rows)
    if pair is not None and _sorted(*pair) in pairs:
        return pair
    known = ", ".join(f"{a} {b} ({count} votes)" for (a, b), count in pairs.most_common(10))
    if pair is not None:
        raise UsageError(f"There is no vote on {pair[0]} and {pair[1]}. Choose with --pair from: {known}.")
    if len(pairs) > 1:
        raise UsageError(f"LLM Comparator shows one pair of models. Choose with --pair from: {known}.")
    return next(iter(pairs))


def _sorted(one: str, two: str) -> Pair:
    return (one, two) if one <= two else (two, one)


def _example(row: Row, models: Pair) -> dict[str, Any]:
    """One vote, turned so that A is the first of the pair."""
    turned = row["model_a"] != models[0]
    a, b = ("b", "a") if turned else ("a", "b")
    score = _score(row["winner"], turned)
    return {
        "input_text": row["prompt"] or _unlogged("prompt", row["prompt_sha256"]),
        "tags": _tags(row),
        "output_text_a": row[f"answer_{a}"] or _unlogged("answer", row[f"answer_sha256_{a}"]),
        "output_text_b": row[f"answer_{b}"] or _unlogged("answer", row[f"answer_sha256_{b}"]),
        "score": score,
        "individual_rater_scores": _reasons(row, score, turned),
        "custom_fields": _custom(row, turned, a, b),
    }


def _score(winner: str, turned: bool) -> float | None:
    """Positive where A is better; null, which the tool takes, for a winner that somebody wrote by hand."""
    other = {"model_a": "model_b", "model_b": "model_a"}
    return SCORES.get(other.get(winner, winner) if turned else winner)


def _unlogged(what: str, sha256: str) -> str:
    return f"({what} not logged; its SHA-256 is {sha256})" if sha256 else ""


def _tags(row: Row) -> list[str]:
    """The subject, which the library's ids begin with, and whether there were pictures."""
    subject = _NUMBERED.sub("", row["prompt_id"])
    return [*filter(None, [subject]), *(["with image"] if row["image_sha256"] else [])]


def _reasons(row: Row, score: float | None, turned: bool) -> list[dict[str, Any]]:
    if not row["reason"]:
        return []
    return [{"is_flipped": turned, "score": score, "rationale": row["reason"]}]


def _custom(row: Row, turned: bool, a: str, b: str) -> dict[str, Any]:
    sides = {"left": "B" if turned else "A", "right": "A" if turned else "B"}
    winner = {"model_a": sides["left"], "model_b": sides["right"]}.get(row["winner"], row["winner"])
    about: Mapping[str, Any] = {
        **{name: _number(row[name]) for name in NUMBERS},
        **{name: row[name] for name in (*CATEGORIES, *STRINGS, *TEXTS) if name in COLUMNS},
        **{name: [_number(row[f"{name}_{side}"]) for side in (a, b)] for name in PER_MODEL_NUMBERS},
        **{name: [row[f"{name}_{side}"] for side in (a, b)] for name in PER_MODEL_CATEGORIES},
    }
    turned_about = {"winner": winner, "on_the_left": sides["left"], "asked_first": sides.get(row["first_side"], "")}
    return {**about, **turned_about}


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _schema(examples: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Each field with its type, but for numbers that are known of no answer: its histogram would have no range."""
    fields = ({"name": name, "type": kind} for kind, names in _FIELDS.items() for name in names)
    return [each for each in fields if "number" not in each["type"] or _known(examples, each["name"])]


def _known(examples: Sequence[Mapping[str, Any]], name: str) -> bool:
    values = (example["custom_fields"][name] for example in examples)
    return any(value not in (None, [None, None]) for value in values)
