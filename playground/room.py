"""Knows what to do when memory is short: who leaves, and what to use instead. Ends nothing itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from playground import fit
from playground.fit import steps
from playground.fit.needs import gb
from playground.machine import Machine
from playground.memory import Held
from playground.types import ModelSpec


@dataclass(frozen=True, slots=True)
class Tenant:
    """A model that is loaded, or on its way. `need_bytes` is what it may come to hold where it runs (None: not known),
    `idle` that nobody asks it now, `used_s` when somebody last did, on a clock that never jumps."""

    name: tuple[object, ...]
    held: Held
    need_bytes: int | None = None
    on_gpu: bool = False
    idle: bool = True
    used_s: float = 0.0

    @property
    def ram_bytes(self) -> int:
        """What the system's figure of free memory lacks already; mapped files are not in it."""
        return self.held.resident_bytes - self.held.mapped_bytes

    @property
    def gpu_bytes(self) -> int:
        """The same of GPUs; where the driver does not say whose memory is whose, what it was to need."""
        if not self.on_gpu:
            return 0
        return self.held.device_bytes if self.held.device_bytes else self.need_bytes or 0


def after(machine: Machine, tenants: Iterable[Tenant], leaving: Sequence[Tenant] = ()) -> Machine:
    """The machine as a newcomer finds it when these have left. Of those who stay, what they have been promised and do
    not hold yet is not free, and neither are their mapped files: without them in memory they crawl."""
    ram, gpu = 0, 0
    for each in tenants:
        if each in leaving:
            ram, gpu = ram + each.ram_bytes, gpu + each.gpu_bytes
        elif each.on_gpu:
            gpu -= max(0, (each.need_bytes or 0) - each.gpu_bytes)
        else:
            ram -= max(each.need_bytes or 0, each.held.resident_bytes) - each.ram_bytes
    gpus = tuple(
        replace(card, free_bytes=max(0, card.free_bytes + gpu)) if n == 0 else card
        for n, card in enumerate(machine.gpus)
    )
    return replace(machine, ram_free_bytes=max(0, machine.ram_free_bytes + ram), gpus=gpus)


def leavers(
    spec: ModelSpec, machine: Machine, stored: fit.Stored, tenants: Sequence[Tenant], *, anyway: bool = False
) -> list[Tenant]:
    """Who must leave so that `spec` fits: as few as will do, the one not used longest first, never one that is asked.

    Nobody leaves in vain: when it would be refused even so, nobody does (`anyway`: it is tried all the same).
    """
    idle = sorted((each for each in tenants if each.idle), key=lambda each: each.used_s)
    for count in range(len(idle) + 1):
        if fit.judge(spec, after(machine, tenants, idle[:count]), stored=stored).verdict != "does not fit":
            return idle[:count]
    return [] if fit.refusal(spec, after(machine, tenants, idle), stored) and not anyway else idle


def smaller(spec: ModelSpec, machine: Machine, rows: Iterable[ModelSpec]) -> str:
    """What to use instead of a model whose memory ran out, whatever was thought of its fit. A sentence."""
    rows = tuple(rows)
    found = fit.judge(spec, machine, rows=rows)
    if found.verdict == "does not fit" and found.next_step:
        return found.next_step
    others = [row for row in rows if row.key != spec.key]
    for row, words in steps.candidates(spec, others):
        other = fit.judge(row, machine)
        if other.verdict == "fits" and (other.need_bytes or 0) < (found.need_bytes or float("inf")):
            return f"{words}: {row.title} ({row.key}, {gb(other.need_bytes or 0)})."
    if found.context_tokens >= 2 * fit.SHORT:
        return f"Set its context_tokens to {found.context_tokens // 2:,}, or end other programs."
    return "End other programs, unload other models, or choose a smaller one."
