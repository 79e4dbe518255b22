"""Who leaves when memory is short: as few as will do, the one not used longest first, never one that is asked."""

from __future__ import annotations

from dataclasses import replace

from playground import catalog, fit, room
from playground.machine import Gpu, Machine
from playground.memory import Held
from playground.room import Tenant

ROWS = catalog.load()
Q4, BF16 = ROWS.row("qwen3.5-9b-q4"), ROWS.row("qwen3.5-9b-bf16")
"""7.2 and 21.4 GB."""
GB = 1_000_000_000
NOTHING = fit.Stored()


def there(free_gb: float, *gpus_gb: float) -> Machine:
    return Machine(
        24 * GB, round(free_gb * GB), tuple(Gpu(n, "g", 24 * GB, round(g * GB)) for n, g in enumerate(gpus_gb))
    )


def tenant(name: str, held_gb: float, *, used_s: float = 0.0, **about: object) -> Tenant:
    held = Held(round(held_gb * GB), 0)
    return replace(Tenant((name,), held, held.resident_bytes, used_s=used_s), **about)


def names(leaving: list[Tenant]) -> list[object]:
    return [each.name[0] for each in leaving]


def test_nobody_leaves_while_there_is_room():
    assert room.leavers(Q4, there(9), NOTHING, [tenant("old", 5)]) == []


def test_the_one_not_used_longest_leaves_first_and_no_more_than_needed():
    tenants = [tenant("new", 5, used_s=9), tenant("old", 5, used_s=1), tenant("middle", 5, used_s=5)]
    assert names(room.leavers(Q4, there(3), NOTHING, tenants)) == ["old"]
    assert names(room.leavers(Q4, there(0.5), NOTHING, tenants)) == ["old", "middle"]


def test_one_that_is_asked_stays_whatever_its_age():
    tenants = [tenant("asked", 5, used_s=0, idle=False), tenant("idle", 5, used_s=9)]
    assert names(room.leavers(Q4, there(3), NOTHING, tenants)) == ["idle"]
    assert room.leavers(Q4, there(3), NOTHING, tenants[:1]) == []


def test_nobody_leaves_in_vain_unless_it_is_tried_all_the_same():
    tenants = [tenant("old", 2)]
    assert room.leavers(BF16, there(3), NOTHING, tenants) == []
    assert names(room.leavers(BF16, there(3), NOTHING, tenants, anyway=True)) == ["old"]


def test_one_that_does_not_fit_well_but_may_be_tried_gets_all_the_room():
    """With a short conversation and without its tower it would run, so that it is not refused."""
    free = next(gb for gb in range(15, 22) if not fit.refusal(BF16, there(gb), NOTHING))
    assert fit.judge(BF16, there(free)).verdict == "does not fit"
    assert names(room.leavers(BF16, there(free - 2), NOTHING, [tenant("old", 2)])) == ["old"]


def test_mapped_files_and_promised_memory_of_those_who_stay_are_not_free():
    """The system counts a mapped model's pages as free; without them in memory it crawls."""
    mapped = Tenant(("mapped",), Held(9 * GB, 8 * GB), 9 * GB)
    assert room.after(there(20), [mapped]).ram_free_bytes == 12 * GB
    promised = Tenant(("new",), Held(1 * GB, 0), 9 * GB)
    assert room.after(there(20), [promised]).ram_free_bytes == 12 * GB
    assert room.after(there(20), [mapped], [mapped]).ram_free_bytes == 21 * GB
    assert names(room.leavers(Q4, there(14), NOTHING, [mapped])) == ["mapped"]


def test_on_a_gpu_its_own_memory_counts_also_where_the_driver_does_not_say_whose_it_is():
    on_gpu = replace(BF16, engine="transformers")
    known = Tenant(("known",), Held(2 * GB, 0, 12 * GB), 12 * GB, on_gpu=True)
    silent = Tenant(("silent",), Held(2 * GB, 0, None), 12 * GB, on_gpu=True)
    for each in (known, silent):
        assert room.after(there(10, 11), [each], [each]).gpus[0].free_bytes == 23 * GB
        assert names(room.leavers(on_gpu, there(4, 11), NOTHING, [each])) == [each.name[0]]


def test_instead_of_it_comes_the_same_model_in_fewer_bits_then_a_smaller_one_then_a_shorter_context():
    assert "Qwen3.5 9B · 4-bit, llama.cpp (qwen3.5-9b-q4, 7.2 GB)" in room.smaller(BF16, there(23), ROWS)
    assert "A smaller model of the family" in room.smaller(Q4, there(23), ROWS)
    assert room.smaller(Q4, there(23), [Q4]) == "Set its context_tokens to 8,192, or end other programs."
    lone = replace(Q4, source="own.gguf", repository="", family="")
    assert "choose a smaller one" in room.smaller(lone, there(23), [lone])
