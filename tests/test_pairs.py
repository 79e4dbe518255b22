"""Which two models a page opens with, and the reason it gives."""

from __future__ import annotations

import pytest

from playground.catalog import Catalog
from playground.errors import CatalogError, UsageError
from playground.pairs import FALLBACK, Pair, choose
from playground.types import EngineName, ModelSpec


def row(key: str, parameters_b: float | None = None, engine: EngineName = "transformers") -> ModelSpec:
    return ModelSpec(key, key.title(), engine, "s", parameters_b=parameters_b)


SMALL, LARGE, REMOTE = row("small", 1), row("large", 9, "llama.cpp"), row("remote", 117, "openai")
SMOL = tuple(row(key, 0.135) for key in FALLBACK)


def pair(*rows: ModelSpec, own: tuple[str, ...] = (), here: tuple[str, ...] = (), asked: tuple[str, str] = ("", "")):
    return choose(Catalog([*rows, *SMOL], own), *asked, present=lambda spec: spec.key in here)


def test_what_was_asked_for_is_chosen_even_if_it_is_nowhere_near():
    found = pair(SMALL, LARGE, REMOTE, own=("small", "large"), asked=("remote", FALLBACK[0]))
    assert found == Pair("remote", FALLBACK[0], "chosen by --left and --right")


def test_a_model_can_be_compared_with_itself():
    assert pair(SMALL, asked=("small", "small")).right == "small"


@pytest.mark.parametrize("asked", [("smal", ""), ("", "smal"), ("small", "smal")])
def test_an_unknown_key_is_refused_with_a_hint(asked: tuple[str, str]):
    with pytest.raises(CatalogError, match="Did you mean small"):
        pair(SMALL, asked=asked)


def test_own_rows_are_chosen_before_what_is_cached():
    found = pair(SMALL, LARGE, REMOTE, own=("remote", "large"), here=("small",))
    assert found == Pair("large", "remote", "from your own models file")


def test_cached_models_are_chosen_before_the_fallback():
    assert pair(SMALL, LARGE, REMOTE, here=("small", "large")) == Pair("small", "large", "already on this machine")


def test_the_smaller_model_stands_left():
    assert pair(LARGE, SMALL, here=("small", "large")).left == "small"


def test_models_of_unknown_size_stay_in_the_order_of_their_file():
    found = pair(LARGE, row("mystery"), own=("large", "mystery"))
    assert (found.left, found.right) == ("large", "mystery")


def test_without_any_other_model_the_two_that_work_anywhere_are_chosen():
    found = pair(SMALL, LARGE, REMOTE)
    assert (found.left, found.right) == FALLBACK
    assert found.why == "small enough for any machine, and fetched without a model hub"


def test_a_server_nobody_configured_is_not_chosen_even_if_it_answers():
    assert pair(REMOTE, here=("remote",)).right == FALLBACK[1]


def test_one_own_row_is_completed_by_the_next_best_and_both_reasons_are_given():
    found = pair(LARGE, REMOTE, own=("remote",), here=("large",))
    assert found == Pair("large", "remote", "already on this machine; from your own models file")


@pytest.mark.parametrize(
    ("asked", "chosen", "flag"),
    [(("remote", ""), ("remote", "small"), "--left"), (("", "remote"), ("small", "remote"), "--right")],
)
def test_one_side_asked_for_keeps_its_side(asked: tuple[str, str], chosen: tuple[str, str], flag: str):
    found = pair(SMALL, REMOTE, here=("small",), asked=asked)
    assert (found.left, found.right) == chosen
    assert found.why == f"one side chosen by {flag}, the other already on this machine"


def test_the_model_asked_for_is_not_put_beside_itself():
    assert pair(asked=(FALLBACK[0], "")).right == FALLBACK[1]


@pytest.mark.parametrize(("rows", "left"), [([], ""), ([SMALL], ""), ([REMOTE], "remote")])
def test_fewer_than_two_models_are_refused_with_the_way_out(rows: list[ModelSpec], left: str):
    with pytest.raises(UsageError, match=r"needs two models.*--left and --right.*--models"):
        choose(Catalog(rows, ["small"]), left, "", present=lambda spec: True)


def test_the_demo_models_of_the_package_are_never_chosen_over_the_fallback() -> None:
    demo = ModelSpec("demo", "Demo", "transformers", source="package:weights/demo")
    rows = [demo, *(ModelSpec(key, key, "llama.cpp", source="x") for key in FALLBACK)]
    pair = choose(Catalog(rows), "", "", lambda spec: True)
    assert {pair.left, pair.right} == set(FALLBACK)
