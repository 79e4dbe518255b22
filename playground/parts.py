"""Knows how settings become the parts that every front end is handed. Knows no front end."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from playground import asking, catalog, compare, fit, hub, library, machine, pairs, votes, weights
from playground.arena import Arena
from playground.catalog import Catalog
from playground.compare import Race
from playground.engines import for_visitor, routed
from playground.engines.base import Engine
from playground.engines.replay import ReplayEngine
from playground.entrant import Entrant
from playground.errors import EngineError, UsageError, WeightsError
from playground.masking import mask_logs
from playground.pool import Pool
from playground.settings import Settings
from playground.types import SIDES, Comparison, Message, ModelSpec, Pacing, Prompt, Sampling, Side
from playground.votes import VoteBook

if TYPE_CHECKING:
    from playground.standings import Pair
    from playground.votes.sync import Sync


@dataclass(frozen=True, slots=True)
class Question:
    """What one side is asked: by key, with its own history, system prompt and sampling. `token` is the visitor's own,
    where one signed in."""

    model: str
    history: tuple[Message, ...] = ()
    system: str = ""
    sampling: Sampling = Sampling()  # noqa: RUF009 - frozen, so one default may be shared
    token: str = field(default="", repr=False)


@dataclass(frozen=True)
class Parts:
    """All that a front end needs. `hub_known` waits until it is known whether the Hub answers, where that counts."""

    settings: Settings
    catalog: Catalog
    pool: Pool
    book: VoteBook
    prompts: tuple[Prompt, ...]
    choose: Callable[[str], pairs.Pair]
    arena: Arena
    fits: fit.Fits
    sync: Sync | None = None
    hub_known: Callable[[], object] = lambda: None
    turns: itertools.count[int] = field(default_factory=itertools.count)

    def close(self) -> None:
        """End what runs. Votes first: whoever ends the app may not wait for the models."""
        self.book.close()
        try:
            if self.sync:
                self.sync.close()
        finally:
            self.pool.close()

    @property
    def pair(self) -> pairs.Pair:
        """What the page opens with, by what is known now: nobody waits for the Hub, and once it has answered, the next
        page that is opened knows."""
        return self.choose("")

    def warm(self) -> threading.Thread:
        """Load the pair in the background, once it is known which one it is."""

        def work() -> None:
            self.hub_known()
            self.pool.warm(*self.to_warm()).join()

        thread = threading.Thread(target=work, name="warm the pair", daemon=True)
        thread.start()
        return thread

    def to_warm(self) -> tuple[str, ...]:
        """Models of the pair to load before anybody asks: those that are here, or small. Gigabytes are fetched only
        when they are asked for."""
        pair = self.pair
        rows = dict.fromkeys(self.catalog.row(key) for key in (pair.left, pair.right))
        return tuple(row.key for row in rows if row.key in pairs.FALLBACK or self._here(row))

    def _here(self, row: ModelSpec) -> bool:
        try:
            return weights.locate(row, self.settings.cache) is not None
        except WeightsError:
            return True  # loading it says what is wrong

    def default_pacing(self, left: str, right: str) -> Pacing:
        """In turn when both would share this machine, together otherwise."""
        return "in_turn" if self.catalog.row(left).local and self.catalog.row(right).local else "together"

    def pacing(self, asked: str, left: str, right: str) -> Pacing:
        """The pacing by name ("in-turn" or "in_turn", "together"), or the default for "". Raises UsageError."""
        name = asked.replace("-", "_")
        if name not in ("", "in_turn", "together"):
            raise UsageError(f"There is no pacing {asked!r}. Choose in-turn or together.")
        return name or self.default_pacing(left, right)  # type: ignore[return-value]  # checked above

    def race(
        self,
        message: Message,
        questions: Mapping[Side, Question],
        pacing: Pacing,
        *,
        first_side: Side | None = None,
        kept: Comparison | None = None,
    ) -> Race:
        """A race that is ready to run. Raises PromptError and CatalogError before anything is sent.

        Which side goes first alternates from race to race unless `first_side` says so.
        """
        message = Message(message.role, asking.checked(message.text, message.images), message.images)
        specs = [self.catalog.row(question.model) for question in questions.values()]
        if message.images:
            kept_specs = [self.catalog.row(kept.side(s).model) for s in SIDES if kept and s not in questions]
            asking.refuse_unseen([*specs, *kept_specs], self.catalog)
        entrants = {side: self._entrant(message, question) for side, question in questions.items()}
        first = first_side or SIDES[next(self.turns) % 2]
        return compare.Race(entrants, pacing, first, kept=kept, device=self.pool.device)

    def _entrant(self, message: Message, question: Question) -> Entrant:
        spec = self.catalog.row(question.model)
        whole = asking.conversation(question.system, question.history, message)
        messages, notice = asking.fit_to(spec, whole)
        sampling = asking.merge(question.sampling, asking.recommended(spec, question.sampling))
        refusal = asking.unsayable(spec, message, messages[-1]) or self._unsigned(spec, question)
        engine, line = self._engine(spec, question), self.pool.line(question.model)
        notice = notice or _made(engine)
        using, fetch = partial(self.pool.using, question.model), partial(self.pool.fetch, question.model)
        return Entrant(engine, messages, sampling, "" if refusal else notice, refusal, line, using, fetch)

    def _engine(self, spec: ModelSpec, question: Question) -> Engine:
        signed_in = question.token and self.settings.sign_in and routed(spec)
        return for_visitor(spec, self.settings, question.token) if signed_in else self.pool.engine(spec.key)

    def _unsigned(self, spec: ModelSpec, question: Question) -> str:
        """Why a visitor of a Space must sign in first, if so: the router is asked in nobody else's name, not the
        owner's either."""
        if not self.settings.sign_in or question.token or not routed(spec):
            return ""
        return f"{spec.title} is asked in your name. Sign in at the top of the page, or choose another model."


def assemble(settings: Settings) -> Parts:
    """The parts for these settings. Raises UsageError (CatalogError, LibraryError) for what the person must mend."""
    mask_logs(settings.secrets)
    rows = catalog.load(settings.models)

    def present(spec: ModelSpec) -> bool:
        return weights.locate(spec, settings.cache) is not None

    path = votes.place(settings.votes, own=settings.on_space or bool(settings.sync_to))
    choose, hub_known = _chooser(settings, rows, present)
    pair = choose("")
    prompts = library.load(settings.prompts) if settings.prompts.is_dir() else ()
    arena = _arena(settings, rows, pair, present)
    sync = _sync(settings, path)  # last: from here on a thread runs
    return Parts(
        settings=settings,
        catalog=rows,
        pool=Pool(rows, settings),
        book=VoteBook(path, log_texts=settings.log_texts, gate=sync.gate if sync else None),
        prompts=prompts,
        choose=choose,
        arena=arena,
        fits=_fits(settings, rows),
        sync=sync,
        hub_known=hub_known,
    )


def _made(engine: Engine) -> str:
    """That an answer is a recording, with when and on what it was made, for those that say so."""
    if not isinstance(engine, ReplayEngine):
        return ""
    try:
        return f"A recording, {made}" if (made := engine.made()) else ""
    except EngineError:
        return ""  # the answer itself will say what is wrong with the file


def _fits(settings: Settings, rows: Catalog) -> fit.Fits:
    """Whether each row would run on this machine."""

    def stored(spec: ModelSpec) -> fit.Stored:
        try:
            return fit.look(weights.locate(spec, settings.cache))
        except WeightsError:  # loading it will say what is wrong; the other rows have their verdicts
            return fit.Stored()

    return fit.Fits(rows, machine.look, stored)


def _chooser(
    settings: Settings, rows: Catalog, present: Callable[[ModelSpec], bool]
) -> tuple[Callable[[str], pairs.Pair], Callable[[], object]]:
    """What gives the named pair ("": the one to open with), by the machine and the Hub's answer as they are then, and
    what waits for that answer where the pair to open with depends on it."""
    offline = settings.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
    asked = hub.Question(settings.environ.get("HF_ENDPOINT", ""), offline=offline)
    open_with: dict[bool, pairs.Pair] = {}  # by the Hub's answer: every page until then, and every page after it, alike
    counts = not (settings.left and settings.right) and len(rows.own) < 2
    if counts:
        asked.start()

    def situation(hub_answers: bool) -> pairs.Situation:
        return pairs.Situation(machine.look(), present, lambda key: _answered_for(settings, key), hub_answers)

    def opening(now: pairs.Situation) -> pairs.Pair:
        if settings.on_space and not settings.zerogpu and not now.machine.gpus and not _told(settings, rows):
            return pairs.recorded(rows)
        return pairs.choose(rows, settings.left, settings.right, settings.pair, now)

    def choose(name: str) -> pairs.Pair:
        if name:  # a person who picks a pair may wait, the page may not
            return pairs.named(rows, name, situation(asked.wait()))
        if (known := asked.answer()) not in open_with:
            open_with[known] = opening(situation(known))
        return open_with[known]

    return choose, asked.wait if counts else lambda: None


def _told(settings: Settings, rows: Catalog) -> bool:
    """Somebody said which models to open with, or brought some."""
    return bool(settings.left or settings.right or settings.pair or rows.own)


def _answered_for(settings: Settings, key: str) -> bool:
    """A key is there: the app's own, or that of a visitor who signs in."""
    return settings.secret(key) is not None or (settings.sign_in and key == "HF_TOKEN")


def _arena(settings: Settings, rows: Catalog, pair: pairs.Pair, present: Callable[[ModelSpec], bool]) -> Arena:
    """The models that were named, or those that certainly answer: the person's own, those that are here, the pair."""
    if settings.blind_models:
        models = [rows.row(key) for key in settings.blind_models]
    else:
        models = [
            row
            for row in rows
            if row.key in (pair.left, pair.right)
            or (row.key in rows.own and not row.template)
            or (row.engine in ("transformers", "llama.cpp") and present(row))
        ]
    if len(models) < 2 and (settings.blind or settings.blind_models):
        raise UsageError("A blind comparison needs two models. Name them with --blind-models, or add rows.")
    return Arena(models, _tallies(settings) if settings.blind_draw == "widest" else None)


def _tallies(settings: Settings) -> Callable[[], Iterable[Pair]]:
    """The stored votes pair by pair, read when they have changed."""
    from playground.counting.ledger import Ledger  # numpy, which other draws do without
    from playground.standings import Filter

    ledger = Ledger(settings.votes, {}, {})
    return lambda: ledger.count(Filter()).found.pairs


def _sync(settings: Settings, path: Path) -> Sync | None:
    if not settings.sync_to:
        return None
    from playground.votes.sync import Sync  # huggingface_hub, which others do without

    endpoint = settings.environ.get("HF_ENDPOINT")
    return Sync(settings.sync_to, settings.secret("HF_TOKEN"), path, settings.sync_minutes, endpoint)
