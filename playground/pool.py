"""Knows which engines are open, how they are shared, and who leaves when memory is short. Does not know what they are
asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from functools import cached_property

from playground import fit, machine, memory, policy, room, starved, weights
from playground.catalog import Catalog
from playground.engines import open_engine
from playground.engines.base import Engine, Housed
from playground.engines.loading import Load
from playground.errors import EngineError, ForbiddenError, PlaygroundError, WeightsError, WorkerError
from playground.line import Line
from playground.machine import Machine
from playground.memory import Held
from playground.policy import OWNER, Person
from playground.room import Tenant
from playground.seat import Seat
from playground.settings import Settings
from playground.types import EngineState, Loading, ModelSpec

FRESH_S = 4.0
"""Looking at a model's memory walks its page tables, which costs 20 ms a gigabyte and stops it meanwhile."""


WORKERS = ("transformers", "llama.cpp")
"""Engines whose models this app loads."""
_ELSE = "Choose a model that is loaded, or ask the owner to load this one."


class Pool:
    """One engine per model, opened at first use, shared by all visitors. Who holds `device` has the machine alone.

    Rows of the same weights (thinking on, thinking off) share one engine. `look` says what the machine has, `clock`
    never jumps. What changes this machine is done `by` a person, and refused to a visitor by ForbiddenError.
    """

    def __init__(
        self,
        catalog: Catalog,
        settings: Settings,
        look: Callable[[], Machine] = machine.look,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalog, self._settings, self._look, self._clock = catalog, settings, look, clock
        self._seats: dict[tuple[object, ...], Seat] = {}
        self._lock, self._making_room = threading.Lock(), threading.Lock()
        self._lines: dict[str, Line] = {}
        self.device = Line()

    def engine(self, key: str) -> Engine:
        """The engine of that model. Raises CatalogError for an unknown key."""
        return self._seat(key).engine

    def line(self, key: str) -> Line | None:
        """Where one waits for that model, if its row says how many requests it takes at once."""
        places = self._catalog.row(key).requests_at_once
        if places is None:
            return None
        with self._lock:
            return self._lines.setdefault(key, Line(places))

    # --- what is known of a model; nothing of this opens one or blocks ----------------------------------------------

    def state(self, key: str) -> EngineState:
        """Where that model is now."""
        if seat := self._taken_seat(key):
            return seat.state
        return EngineState("elsewhere" if self._catalog.row(key).engine in ("openai", "replay") else "not_loaded")

    def held(self, key: str) -> Held:
        """What its processes hold, at most a few seconds old; all 0 where it has none."""
        seat = self._taken_seat(key)
        return seat.held(self._nvml, FRESH_S) if seat else Held()

    def processes(self, key: str) -> list[int]:
        """Ids of the processes that hold it and nothing else."""
        seat = self._taken_seat(key)
        return seat.processes() if seat else []

    def idle_s(self, key: str) -> float | None:
        """Seconds since it was last asked, 0 while it is; None when nobody has asked it yet."""
        seat = self._taken_seat(key)
        if seat is None or seat.asked_s is None:
            return None
        return 0.0 if seat.answering else self._clock() - seat.asked_s

    def refusal(self, key: str, by: Person) -> str:
        """Why that model cannot be loaded for that person, if so: a visitor's question fetches nothing and makes nobody
        leave. What is loaded or on its way can be asked."""
        spec = self._catalog.row(key)
        if by.owner or spec.engine not in WORKERS or self.state(key).name in ("ready", "loading"):
            return ""
        title = spec.title or key
        try:
            absent = self._absent(spec)
        except WeightsError:  # asking says what is wrong with them
            return ""
        if absent:
            return f"{title} is not on this machine, and only the owner of this page downloads models. {_ELSE}"
        tenants = self._tenants(self._taken_seat(key), FRESH_S)
        leaving = room.leavers(spec, self._look(), self._stored(spec), tenants)
        return _leaving(title) if leaving else ""

    def _absent(self, spec: ModelSpec) -> bool:
        """Its weights are not on this machine. Raises WeightsError."""
        return spec.engine in WORKERS and weights.locate(spec, self._settings.cache) is None

    def answering(self, key: str) -> bool:
        """Somebody is with it now, so it cannot be unloaded."""
        seat = self._taken_seat(key)
        return bool(seat and seat.answering)

    # --- using, loading, unloading ----------------------------------------------------------------------------------

    @contextmanager
    def using(self, key: str, *, asking: bool = True, by: Person = OWNER) -> Iterator[None]:
        """Be with that model: while inside it is not unloaded, and room was made for it before.

        An engine's error that says that memory ran out comes out with the next smaller step. Raises CatalogError, and
        ForbiddenError where another model would have to leave for a visitor.
        """
        seat, spec = self._seat(key), self._catalog.row(key)
        with seat.taken(asking=asking):
            try:
                self._make_room(spec, seat, by)
                yield
            except EngineError as error:
                if not starved.ran_out(str(error)):
                    raise
                raise type(error)(f"{error} {self.instead(key)}") from error

    def instead(self, key: str) -> str:
        """The next smaller step for a model whose memory ran out, as a sentence."""
        return room.smaller(self._catalog.row(key), self._look(), self._catalog)

    def fetch(self, key: str, by: Person = OWNER) -> Generator[Loading, None, None]:
        """Bring its weights to this machine and load nothing, or follow the load that is under way; whoever leaves
        early leaves it going on. Nothing to do where they are here. Raises CatalogError, EngineError, ForbiddenError
        where they are not on their way and a visitor asks."""
        seat, spec = self._seat(key), self._catalog.row(key)
        if not by.owner and self._absent(spec):
            if not (seat.load and not seat.load.ended):
                policy.check(by, "download", spec.title or key)
            elif isinstance(seat.engine, Housed):
                yield from seat.load.follow()
        elif isinstance(seat.engine, Housed) and self._absent(spec):
            load = seat.begin(Load(spec.title or key, lambda load: self._fetch(load, spec, seat, evict=True)))
            yield from load.follow() if load else ()

    def load(self, key: str, by: Person = OWNER) -> None:
        """Begin to fetch and load that model, and return at once; what fails is told by `state`. A model that is there
        or on its way, or that runs elsewhere, is left alone. Raises CatalogError, ForbiddenError."""
        spec = self._catalog.row(key)
        policy.check(by, "load", spec.title or key)
        self._begin(key, evict=True)

    def unload(self, key: str, by: Person = OWNER) -> None:
        """End its processes, or its load or download (what of a file is here stays, and the next one goes on there).

        Back when the system has its memory again. Raises WorkerError while it answers, ForbiddenError.
        """
        spec = self._catalog.row(key)
        policy.check(by, "unload", spec.title or key)
        seat = self._taken_seat(key)
        if seat is not None and not seat.end():
            raise WorkerError(f"{seat.spec.title or key} is answering. Stop the answer or wait for it, then unload it.")

    def warm(self, *keys: str) -> threading.Thread:
        """Load these models one after the other in the background, as long as nobody must leave for it. What fails is
        shown by `state`, not raised."""
        thread = threading.Thread(target=self._warm, args=(keys,), name="warm", daemon=True)
        thread.start()
        return thread

    def close(self) -> None:
        """End every engine."""
        with self._lock:
            seats, self._seats = list(self._seats.values()), {}
        for seat in seats:
            seat.close()

    # --- inside -----------------------------------------------------------------------------------------------------

    def _taken_seat(self, key: str) -> Seat | None:
        return self._seats.get(self._catalog.row(key).process)

    def _seat(self, key: str) -> Seat:
        spec = self._catalog.row(key)
        with self._lock:
            if spec.process not in self._seats:
                self._seats[spec.process] = Seat(spec, open_engine(spec, self._settings), self._clock)
            return self._seats[spec.process]

    def _warm(self, keys: tuple[str, ...]) -> None:
        for key in keys:
            with suppress(PlaygroundError):  # its seat keeps the error: its picker shows it, and asking tries again
                if load := self._begin(key, evict=False):
                    for _ in load.follow():
                        pass

    def _begin(self, key: str, *, evict: bool) -> Load | None:
        seat, spec = self._seat(key), self._catalog.row(key)
        return seat.begin(Load(spec.title or key, lambda load: self._bring(load, key, seat, evict=evict)))

    def _bring(self, load: Load, key: str, seat: Seat, *, evict: bool) -> None:
        """Fetch without the device, so that others go on answering; then load with it. Raises EngineError."""
        if not self._fetch(load, self._catalog.row(key), seat, evict=evict):
            return
        with self.device.place(lambda ahead: load.tell(Loading("waiting for the machine")), load.cancelled):
            load.check()
            with self.using(key, asking=False):
                load.check()
                for loading in seat.engine.prepare():
                    load.tell(loading)

    def _fetch(self, load: Load, spec: ModelSpec, seat: Seat, *, evict: bool) -> bool:
        """Bring its weights here; False where it may not come. Raises EngineError."""
        if not isinstance(seat.engine, Housed):
            return True
        if not self._may_come(spec, seat, evict=evict):
            return False
        with closing(seat.engine.fetch()) as fetching:
            for loading in fetching:
                load.tell(loading)
        return True

    def _may_come(self, spec: ModelSpec, seat: Seat, *, evict: bool) -> bool:
        """Before anything is fetched: False where others would have to leave and must not. Raises WorkerError for one
        that would be refused even if they left."""
        stored, there, tenants = self._stored(spec), self._look(), self._tenants(seat)
        if not evict:
            return not room.leavers(spec, there, stored, tenants)
        idle = [each for each in tenants if each.idle]
        why = fit.refusal(spec, room.after(there, tenants, idle), stored)
        if why and not self._settings.load_anyway:
            raise WorkerError(f"{spec.title} was not loaded. {why} To try it all the same, use --load-anyway.")
        return True

    def _make_room(self, spec: ModelSpec, seat: Seat, by: Person) -> None:
        """End whoever must leave for it. One at a time: what was promised to one is not free for the next. Raises
        ForbiddenError where somebody would have to leave for a visitor."""
        if not isinstance(seat.engine, Housed):
            return
        with self._making_room:
            if seat.engine.state().name in ("ready", "loading"):
                return
            stored, there, tenants = self._stored(spec), self._look(), self._tenants(seat)
            leaving = room.leavers(spec, there, stored, tenants, anyway=self._settings.load_anyway)
            if leaving and not by.owner:
                raise ForbiddenError(_leaving(spec.title or spec.key))
            for each in leaving:
                self._seats[each.name].end()
            found = fit.judge(spec, room.after(there, tenants, leaving), stored=stored)
            seat.need_bytes, seat.on_gpu = found.need_bytes, found.where.startswith("gpu")

    def _stored(self, spec: ModelSpec) -> fit.Stored:
        return fit.look(weights.locate(spec, self._settings.cache))

    def _tenants(self, newcomer: Seat | None, fresh_s: float = 0.0) -> list[Tenant]:
        """All that are in memory or were promised room there, by a look at most that old."""
        return [
            Tenant(name, seat.held(self._nvml, fresh_s), seat.need_bytes, seat.on_gpu, seat.idle, seat.used_s)
            for name, seat in list(self._seats.items())
            if seat is not newcomer and seat.there
        ]

    @cached_property
    def _nvml(self) -> memory.NvmlProbe | None:
        return memory.nvml()


def _leaving(title: str) -> str:
    return (
        f"{title} is not loaded, and another model would have to leave the machine's memory for it, which only the "
        f"owner of this page may decide. {_ELSE}"
    )
