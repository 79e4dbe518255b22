"""Knows how settings become the parts that every front end is handed. Knows no front end."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from playground import asking, budget, catalog, compare, fit, hub, library, machine, pairs, passwords, votes, weights
from playground.arena import Arena
from playground.budget import Budget, Want
from playground.catalog import Catalog
from playground.compare import Race
from playground.engines import for_visitor, routed
from playground.engines.base import Engine
from playground.engines.replay import ReplayEngine
from playground.entrant import Entrant
from playground.errors import EngineError, UsageError, WeightsError
from playground.masking import mask_logs
from playground.policy import OWNER, Person, Policy
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
    where one signed in; `by` is who asks. `hidden`: nobody may know which model it is."""

    model: str
    history: tuple[Message, ...] = ()
    system: str = ""
    sampling: Sampling = Sampling()  # noqa: RUF009 - frozen, so one default may be shared
    token: str = field(default="", repr=False)
    by: Person = OWNER
    hidden: bool = False


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
    policy: Policy
    budget: Budget
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
        """A race that is ready to run. Raises PromptError, CatalogError and, where a visitor's budget is used up,
        ForbiddenError before anything is sent.

        Which side goes first alternates from race to race unless `first_side` says so.
        """
        message = Message(message.role, asking.checked(message.text, message.images), message.images)
        specs = [self.catalog.row(question.model) for question in questions.values()]
        if message.images:
            kept_specs = [self.catalog.row(kept.side(s).model) for s in SIDES if kept and s not in questions]
            asking.refuse_unseen([*specs, *kept_specs], self.catalog)
        entrants = {side: self._entrant(message, question) for side, question in questions.items()}
        first = first_side or SIDES[next(self.turns) % 2]
        entrants, account = self._afforded(entrants, questions)
        return compare.Race(entrants, pacing, first, kept=kept, device=self.pool.device, account=account)

    def _afforded(
        self, entrants: dict[Side, Entrant], questions: Mapping[Side, Question]
    ) -> tuple[dict[Side, Entrant], Callable[[Comparison], object]]:
        """The sides with what a visitor's budget leaves for their answers, which is reserved, and what puts the real
        cost in its place at the end. The owner's questions are as they are, and so is what costs the owner nothing."""
        spending = [side for side, question in questions.items() if self._spends(question, entrants[side])]
        if not spending:
            return entrants, lambda done: None
        prompts = {side: asking.most_tokens(entrants[side].messages) for side in spending}
        wants = [
            Want(prompts[side], entrants[side].sampling.max_tokens, entrants[side].engine.spec.context_tokens)
            for side in spending
        ]
        kept = self.budget.reserve(questions[spending[0]].by.name, wants)
        limits = dict(zip(spending, kept.answers, strict=True))
        said = "Its length is what today's budget leaves" if kept.shortened else ""

        def account(done: Comparison) -> None:
            costs = [budget.cost(done.side(side), prompts[side]) for side in spending]
            kept.settle(sum(requests for requests, _ in costs), sum(tokens for _, tokens in costs))

        return {side: _limited(each, limits.get(side), said) for side, each in entrants.items()}, account

    def _spends(self, question: Question, entrant: Entrant) -> bool:
        """The answer costs the owner something that visitors have a budget for. Every hidden model counts: what is
        left would tell."""
        spec = entrant.engine.spec
        free = not question.hidden and (spec.engine == "replay" or self._pays(spec, question.token))
        return not (question.by.owner or free or entrant.refusal)

    def _entrant(self, message: Message, question: Question) -> Entrant:
        spec = self.catalog.row(question.model)
        whole = asking.conversation(question.system, question.history, message)
        messages, notice = asking.fit_to(spec, whole)
        sampling = asking.merge(question.sampling, asking.recommended(spec, question.sampling))
        refusal = asking.unsayable(spec, message, messages[-1]) or self._unsigned(spec, question)
        refusal = refusal or self.refusal(spec, question.by)
        engine, line = self._engine(spec, question), self.pool.line(question.model)
        notice = notice or _made(engine)
        using = partial(self.pool.using, question.model, by=question.by)
        fetch = partial(self.pool.fetch, question.model, question.by)
        return Entrant(engine, messages, sampling, "" if refusal else notice, refusal, line, using, fetch)

    def _engine(self, spec: ModelSpec, question: Question) -> Engine:
        own = self._pays(spec, question.token)
        return for_visitor(spec, self.settings, question.token) if own else self.pool.engine(spec.key)

    def _pays(self, spec: ModelSpec, token: str) -> bool:
        """The visitor who signed in is who asks that server, and pays."""
        return bool(token) and self.settings.sign_in and routed(spec)

    def refusal(self, spec: ModelSpec, by: Person) -> str:
        """Why that person may not ask that model now, if so. A row of the router is open to all who sign in for it."""
        if by.owner or (self.settings.sign_in and routed(spec)):
            return ""
        return self.policy.refusal(spec, by) or self.pool.refusal(spec.key, by)

    def may_ask(self, spec: ModelSpec, by: Person) -> bool:
        """That person may ask that model."""
        return not self.refusal(spec, by)

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
    for key in settings.offer:
        rows.row(key)  # a key that is wrong is told now
    if settings.auth_file:
        passwords.read(settings.auth_file)  # and so is a file that is
    pool = Pool(rows, settings)
    policy = _policy(settings, pool, choose)
    mask_logs((*settings.secrets, policy.token))  # one that was made up, too
    sync = _sync(settings, path)  # last: from here on a thread runs
    return Parts(
        settings=settings,
        catalog=rows,
        pool=pool,
        book=VoteBook(path, log_texts=settings.log_texts, gate=sync.gate if sync else None),
        prompts=prompts,
        choose=choose,
        arena=arena,
        fits=_fits(settings, rows),
        policy=policy,
        budget=Budget(settings.budget),
        sync=sync,
        hub_known=hub_known,
    )


def _limited(entrant: Entrant, most_tokens: int | None, said: str) -> Entrant:
    """The side with at most so many tokens for its answer, and a notice where that is less than was asked for."""
    if most_tokens is None and not said:
        return entrant
    sampling = entrant.sampling if most_tokens is None else replace(entrant.sampling, max_tokens=most_tokens)
    return replace(entrant, sampling=sampling, notice=". ".join(filter(None, (entrant.notice, said))))


def _policy(settings: Settings, pool: Pool, choose: Callable[[str], pairs.Pair]) -> Policy:
    """Visitors may ask what the owner named, what the page opens with, and what is loaded."""

    def offered() -> frozenset[str]:
        pair = choose("")
        return frozenset({pair.left, pair.right, *settings.blind_models, *settings.offer})

    return Policy(settings, offered, lambda key: pool.state(key).name in ("ready", "loading"))


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
