"""Knows the columns of every votes file there has been, and the steps from one to the next. Opens no file.

Short cells come first and texts last, so that a program that counts votes never has to look at the texts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from playground.votes import traits

SCHEMA_VERSION = 5

_SIDE_1 = (
    "status finish_reason images_sent notice load_s ttft_s ttfa_s total_s decode_tokens_per_s chars_per_s "
    "chunk_gap_p50_s chunk_gap_p95_s prompt_tokens reasoning_tokens answer_tokens cached_tokens tokens_source "
    "weights_bytes peak_bytes process_bytes memory_method cold contended elsewhere "
    "engine revision quantization temperature top_p max_tokens seed thinking"
)
_LOOKED_AT_2 = "ttft_s decode_tokens_per_s peak_bytes answer_chars"
_REST_2 = (
    "status finish_reason load_s ttfa_s total_s chars_per_s chunk_gap_p50_s chunk_gap_p95_s "
    "prompt_tokens reasoning_tokens answer_tokens cached_tokens tokens_source reasoning_chars answer_sha256 "
    "weights_bytes process_bytes memory_method cold contended elsewhere images_sent "
    "engine revision quantization temperature top_p max_tokens seed thinking"
)
_REST_4 = _REST_2.replace("top_p ", "top_p top_k min_p presence_penalty ")
_LOOKED_AT_5 = f"{_LOOKED_AT_2} markdown cold contended wait_share other_share tokens_source"
_REST_5 = (
    "status finish_reason load_s ttfa_s total_s chars_per_s chunk_gap_p50_s chunk_gap_p95_s "
    "prompt_tokens reasoning_tokens answer_tokens output_tokens cached_tokens reasoning_chars answer_sha256 "
    "weights_bytes device_peak_bytes process_bytes memory_method threads elsewhere images_sent "
    "engine revision quantization temperature top_p top_k min_p presence_penalty max_tokens seed thinking"
)
FIGURES: tuple[str, ...] = (*_LOOKED_AT_5.split(), *_REST_5.split())
"""What is kept of each side: `ttft_s` stands in the columns `ttft_s_a` and `ttft_s_b`."""
_END_2 = (
    "prompt_sha256 prompt_chars system_sha256 system_chars app_version schema_version "
    "reason prompt system notice_a notice_b answer_a answer_b reasoning_a reasoning_b"
)


def _sides(names: str) -> str:
    return " ".join(f"{name}_a {name}_b" for name in names.split())


def _columns(*parts: str) -> tuple[str, ...]:
    return tuple(" ".join(parts).split())


HEADERS: Mapping[int, tuple[str, ...]] = {
    1: _columns(
        "vote_id battle_id voted_at model_a model_b winner pacing first_side turn prompt_id prompt system image_sha256",
        "answer_a answer_b reasoning_a reasoning_b",
        _sides(_SIDE_1),
        "counted not_counted_reason app_version schema_version",
    ),
    2: _columns(
        "vote_id battle_id supersedes voted_at voter model_a model_b winner counted not_counted_reason checks",
        "blind pacing first_side turn prompt_id image_sha256 decision_s",
        _sides(f"{_LOOKED_AT_2} {_REST_2}"),
        _END_2,
    ),
    3: _columns(
        "vote_id battle_id supersedes voted_at voter model_a model_b winner counted not_counted_reason checks",
        "blind pacing first_side turn prompt_id script image_sha256 decision_s",
        _sides(f"{_LOOKED_AT_2} markdown {_REST_2}"),
        _END_2,
    ),
    4: _columns(
        "vote_id battle_id supersedes voted_at voter model_a model_b winner counted not_counted_reason checks",
        "blind pacing first_side turn prompt_id script image_sha256 decision_s",
        _sides(f"{_LOOKED_AT_2} markdown {_REST_4}"),
        _END_2,
    ),
    5: _columns(
        "vote_id battle_id supersedes voted_at voter model_a model_b winner counted not_counted_reason checks",
        "blind pacing first_side turn prompt_id script image_sha256 decision_s",
        _sides(f"{_LOOKED_AT_5} {_REST_5}"),
        _END_2,
    ),
}
"""The columns of each schema. A header that was ever written stays here."""

COLUMNS: tuple[str, ...] = HEADERS[SCHEMA_VERSION]
TEXTS = ("prompt", "system", "answer_a", "answer_b", "reasoning_a", "reasoning_b", "reason")
"""Columns that stay empty when texts are not logged."""

Row = dict[str, str]


def fingerprint(text: str) -> str:
    """SHA-256 of the text, empty for an empty one. A short text can be guessed from it: it tells equal from unequal."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest() if text else ""


def fingerprints(texts: Mapping[str, str]) -> Row:
    """The cells that stay when texts are not logged, from the texts by column."""
    cells = {"prompt_sha256": fingerprint(texts["prompt"]), "prompt_chars": str(len(texts["prompt"]))}
    cells |= {"system_sha256": fingerprint(texts["system"]), "system_chars": str(len(texts["system"]))}
    for letter in "ab":
        answer, reasoning = texts[f"answer_{letter}"], texts[f"reasoning_{letter}"]
        cells |= {f"answer_sha256_{letter}": fingerprint(answer), f"answer_chars_{letter}": str(len(answer))}
        cells[f"reasoning_chars_{letter}"] = str(len(reasoning))
    return cells


def looks(texts: Mapping[str, str]) -> Row:
    """More cells that stay when texts are not logged: what kind of text it was."""
    counts = {f"markdown_{letter}": str(traits.markdown(texts[f"answer_{letter}"])) for letter in "ab"}
    return {"script": traits.script(texts["prompt"]), **counts}


def _from_1(row: Row) -> Row:
    """Schema 2 knows the voter, whether names were hidden, how long a decision took, corrections and fingerprints."""
    unknown = {"voter": "", "blind": "false", "decision_s": "", "reason": "", "supersedes": "", "checks": ""}
    return {**row, **unknown, **fingerprints(row), "schema_version": "2"}


def _from_2(row: Row) -> Row:
    """Schema 3 knows the prompt's script and the answers' Markdown. Of texts that were not logged both stay unknown."""
    cells = looks(row)
    unlogged = [
        f"markdown_{letter}" for letter in "ab" if not row[f"answer_{letter}"] and row[f"answer_sha256_{letter}"]
    ]
    return {**row, **cells, **dict.fromkeys(unlogged, ""), "schema_version": "3"}


def _from_3(row: Row) -> Row:
    """Schema 4 knows all of the sampling; what an older row was asked beyond it stays unknown."""
    cells = {f"{name}_{letter}": "" for name in ("top_k", "min_p", "presence_penalty") for letter in "ab"}
    return {**row, **cells, "schema_version": "4"}


def _from_4(row: Row) -> Row:
    """Schema 5 knows what else ran on the machine, how many threads the model had, the GPUs' part of its peak, and
    counts of tokens that are no estimates, thinking and answer together;
    `cold`, `contended` and `tokens_source` stand where whoever averages figures looks."""
    cells = {f"{name}_{x}": "" for name in ("wait_share", "other_share", "threads", "device_peak_bytes") for x in "ab"}
    counts = {name: cell for x in "ab" for name, cell in _counts_5(row, x).items()}
    return {**row, **cells, **counts, "schema_version": "5"}


_COUNTED_4 = ("reasoning_tokens", "answer_tokens", "decode_tokens_per_s")


def _counts_5(row: Row, letter: str) -> Row:
    """An estimate took each chunk for a token, and its speed could be wrong by any factor: both become unknown."""
    if row[f"tokens_source_{letter}"] == "estimate":
        cells = {**dict.fromkeys(_COUNTED_4, ""), "tokens_source": "server" if row[f"prompt_tokens_{letter}"] else ""}
        return {f"{name}_{letter}": cell for name, cell in (cells | {"output_tokens": ""}).items()}
    known = [int(cell) for name in _COUNTED_4[:2] if (cell := row[f"{name}_{letter}"]).isdecimal()]
    return {f"output_tokens_{letter}": str(sum(known)) if known else ""}


STEPS: Mapping[int, Callable[[Row], Row]] = {1: _from_1, 2: _from_2, 3: _from_3, 4: _from_4}
"""From each older schema to the next."""


def version(header: tuple[str, ...]) -> int | None:
    """The schema of a file with these columns, or None when it is of another program or of a later version."""
    return next((number for number, columns in HEADERS.items() if columns == header), None)


def upgrade(row: Row, number: int) -> Row:
    """A row of that schema as one of today's, its cells in today's order."""
    for step in range(number, SCHEMA_VERSION):
        row = STEPS[step](row)
    return {name: row[name] for name in COLUMNS}
