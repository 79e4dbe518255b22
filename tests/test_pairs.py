"""Which two models a page opens with, and the reason it gives."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from playground import catalog
from playground.catalog import Catalog
from playground.errors import CatalogError, UsageError
from playground.machine import Gpu, Machine
from playground.pairs import FALLBACK, NAMED, Pair, Situation, choose, named
from playground.types import EngineName, ModelSpec


def row(key: str, parameters_b: float | None = None, engine: EngineName = "transformers") -> ModelSpec:
    return ModelSpec(key, key.title(), engine, "s", parameters_b=parameters_b)


PLAIN = Machine(16 * 2**30, 12 * 2**30)
SMALL, LARGE, REMOTE = row("small", 1), row("large", 9, "llama.cpp"), row("remote", 117, "openai")
SMOL = tuple(row(key, 0.135) for key in FALLBACK)


def pair(*rows: ModelSpec, own: tuple[str, ...] = (), here: tuple[str, ...] = (), asked: tuple[str, str] = ("", "")):
    now = Situation(PLAIN, lambda spec: spec.key in here)
    return choose(Catalog([*rows, *SMOL], own), *asked, "", now)


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
        choose(Catalog(rows, ["small"]), left, "", "", Situation(PLAIN, lambda spec: True))


def test_the_demo_models_of_the_package_are_never_chosen_over_the_fallback() -> None:
    demo = ModelSpec("demo", "Demo", "transformers", source="package:weights/demo")
    rows = [demo, *(ModelSpec(key, key, "llama.cpp", source="x") for key in FALLBACK)]
    pair = choose(Catalog(rows), "", "", "", Situation(PLAIN, lambda spec: True))
    assert {pair.left, pair.right} == set(FALLBACK)


# --- by machine -----------------------------------------------------------------------------------------------------

ROWS = catalog.load()


def card(gib: float, free: float = 0.97) -> Gpu:
    return Gpu(0, "card", int(gib * 2**30), int(gib * 2**30 * free), (9, 0))


def with_gpus(*cards: Gpu, kernels: bool = True, llama_gpu: bool = True) -> Machine:
    return Machine(64 * 2**30, 50 * 2**30, cards, kernels, llama_gpu)


MACHINES = {
    "96 GB of GPU": with_gpus(card(95.6)),
    "96 GB of GPU, no MXFP4 kernels": with_gpus(card(95.6), kernels=False),
    "two GPUs with 48 GB": with_gpus(card(48), card(48)),
    "80 GB card": with_gpus(card(79.6)),
    "24 GB card": with_gpus(card(24)),
    "8 GB card": with_gpus(card(8)),
    "8 GB card, llama.cpp for the CPU": with_gpus(card(8), llama_gpu=False),
    "laptop, 16 GB": Machine(16 * 2**30, 11 * 2**30),
    "laptop, 4 GB": Machine(4 * 2**30, 2 * 2**30),
}
HOSTED = "gpt-oss-120b-hub"
LAPTOP = ("qwen3.5-0.8b-q4", "qwen3.5-4b-q4")
EXPECTED = {
    "96 GB of GPU": [("qwen3.5-9b-bf16", "gpt-oss-120b-mxfp4")] * 2,
    "96 GB of GPU, no MXFP4 kernels": [("qwen3.5-9b-bf16", "gpt-oss-120b-q4")] * 2,
    "two GPUs with 48 GB": [("qwen3.5-9b-bf16", "gpt-oss-120b-mxfp4")] * 2,
    "80 GB card": [("qwen3.5-9b-bf16", HOSTED), ("qwen3.5-9b-q4", "gpt-oss-20b-q4")],
    "24 GB card": [("qwen3.5-9b-bf16", HOSTED), ("qwen3.5-9b-q4", "gpt-oss-20b-q4")],
    "8 GB card": [("qwen3.5-9b-q4", HOSTED), LAPTOP],
    "8 GB card, llama.cpp for the CPU": [("qwen3.5-9b-q4", HOSTED), LAPTOP],
    "laptop, 16 GB": [LAPTOP] * 2,
    "laptop, 4 GB": [FALLBACK] * 2,
}
"""With HF_TOKEN set, and without."""


def test_the_table_of_the_readme_is_what_is_chosen():
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    table = readme.split("| machine | with `HF_TOKEN` | without |")[1].split("\n\n")[0]
    line = re.compile(r"^\| ([^|`]+) \| `(.+?)` and `(.+?)` \| `(.+?)` and `(.+?)` \|$", re.MULTILINE)
    found = {name: [(a, b), (c, d)] for name, a, b, c, d in line.findall(table)}
    assert found == EXPECTED


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("key", [True, False], ids=["key", "no key"])
def test_the_pair_follows_from_the_machine_and_the_key(name: str, key: bool):
    now = Situation(MACHINES[name], hub=True, key_set=lambda _: key)
    found = choose(ROWS, "", "", "auto", now)
    assert (found.left, found.right) == EXPECTED[name][0 if key else 1]


@pytest.mark.parametrize("name", MACHINES)
def test_where_nothing_can_be_fetched_the_models_of_the_package_are_chosen(name: str):
    found = choose(ROWS, "", "", "", Situation(MACHINES[name], hub=False, key_set=lambda _: True))
    assert (found.left, found.right) == FALLBACK


def test_what_is_here_is_chosen_without_a_hub():
    here = {"qwen3.5-9b-bf16", "gpt-oss-120b-mxfp4"}
    now = Situation(MACHINES["96 GB of GPU"], lambda row: row.key in here)
    found = choose(ROWS, "", "", "", now)
    assert {found.left, found.right} == here
    assert found.why == "the best pair for 96 GB of GPU memory"


def test_two_models_that_are_here_come_before_any_download():
    here = {"llama-3.1-8b-q4", "gemma-3-12b-q4"}
    found = choose(ROWS, "", "", "", Situation(MACHINES["24 GB card"], lambda row: row.key in here, hub=True))
    assert {found.left, found.right} == here


def test_a_model_that_is_here_but_does_not_fit_is_not_chosen():
    now = Situation(MACHINES["laptop, 4 GB"], lambda row: row.key in {"qwen3.5-27b-q4", "gemma-3-27b-q4"})
    found = choose(ROWS, "", "", "", now)
    assert (found.left, found.right) == FALLBACK


@pytest.mark.parametrize("name", NAMED)
def test_every_named_pair_is_of_rows_that_exist_and_gives_two_of_them_anywhere(name: str):
    for option in NAMED[name].options:
        assert option.left in ROWS
        assert option.right in ROWS
    for machine in MACHINES.values():
        for hub in (True, False):
            found = named(ROWS, name, Situation(machine, hub=hub))
            assert found.why.startswith(NAMED[name].title)


def test_four_bit_against_sixteen_needs_no_hub():
    found = named(ROWS, "4-bit-16-bit", Situation(MACHINES["laptop, 16 GB"]))
    assert (found.left, found.right) == FALLBACK


def test_thinking_on_against_off_is_one_process():
    found = named(ROWS, "thinking", Situation(MACHINES["24 GB card"], hub=True))
    one, two = ROWS.row(found.left), ROWS.row(found.right)
    assert one.process == two.process
    assert one.thinks_unasked
    assert two.sampling.thinking is False


def test_a_named_pair_that_cannot_be_had_says_what_is_missing():
    found = named(ROWS, "thinking", Situation(MACHINES["laptop, 4 GB"], hub=True))
    assert found.why == "Thinking on against off: Qwen3.5 9B · hosted, Hugging Face needs a key in HF_TOKEN"


def test_a_pair_of_another_name_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="Did you mean thinking"):
        choose(ROWS, "", "", "thinkin", Situation(PLAIN))
    with pytest.raises(UsageError, match=r"There are: auto, small-large"):
        named(ROWS, "zzz", Situation(PLAIN))


def test_models_that_were_named_win_over_a_named_pair():
    assert choose(ROWS, *FALLBACK, "thinking", Situation(PLAIN)).left == FALLBACK[0]
