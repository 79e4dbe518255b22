"""Knows which two hidden models meet, and how often each pair does. Hides nothing: `blind` does."""

from __future__ import annotations

import itertools
import logging
import random
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from playground.errors import PromptError, VoteError
from playground.types import SIDES, ModelSpec, Side

if TYPE_CHECKING:
    from playground.standings import Pair

log = logging.getLogger(__name__)

Rates = Mapping[tuple[str, str], float]
"""How often each pair is drawn, as shares of 1; keys of the models in the arena's order."""


@dataclass(frozen=True, slots=True)
class Draw:
    """A pair at its sides, and the rates at which it was drawn."""

    models: Mapping[Side, str]
    rates: Rates


class Arena:
    """The models that hidden pairs are drawn from. For any number of threads.

    With `tallies` (votes pair by pair, read anew at every call) pairs are drawn in proportion to the width of the
    interval of their win share; without, all alike. Reading happens behind, so a draw never waits: it goes by what was
    known before it.
    """

    def __init__(
        self,
        models: Sequence[ModelSpec],
        tallies: Callable[[], Iterable[Pair]] | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self.models = tuple(models)
        self.weighted = tallies is not None
        self._tallies = tallies
        self._chance = chance or random.SystemRandom()
        self._widths: Mapping[frozenset[str], float] = {}
        self._reading = threading.Lock()

    def draw(self, images: bool, may_ask: Callable[[ModelSpec], bool] = lambda spec: True) -> Draw:
        """A random pair at random sides, of models that `may_ask` allows; with images, of models that read them. Raises
        PromptError when there is none: what it says is true of all models here, and of no pair."""
        self._read_behind()
        if len(self.models) < 2:
            raise PromptError("A blind comparison needs two models. Name them with --blind-models.")
        open_to = [spec for spec in self.models if may_ask(spec)]
        if len(open_to) < 2:
            raise PromptError(
                "Fewer than two of the hidden models are open to visitors now. Ask the owner of this page to load more "
                "of them, or to name others with --blind-models."
            )
        rates = self._rates(open_to, images)
        if not rates:
            raise PromptError("No two of the hidden models read images, so nothing was sent. Ask without the picture.")
        (pair,) = self._chance.choices([*rates], [*rates.values()])
        first, second = pair if self._chance.random() < 0.5 else reversed(pair)
        return Draw(dict(zip(SIDES, (first, second), strict=True)), rates)

    def refuse_longer(self, tokens: int) -> None:
        """Raise PromptError for a conversation of so many tokens that a model which may be drawn cannot hold: its
        refusal would tell which one was."""
        limits = [limit for spec in self.models if (limit := spec.context_tokens or spec.trained_context_tokens)]
        if limits and tokens > min(limits):
            raise PromptError(
                f"With hidden models a conversation may have at most {min(limits):,} tokens, which each of them can "
                f"hold; this one may have {tokens:,}, so nothing was sent. Shorten it, or press New."
            )

    def rates(self, images: bool = False) -> Rates:
        """How often each pair is drawn now."""
        return self._rates(self.models, images)

    def _rates(self, models: Sequence[ModelSpec], images: bool) -> Rates:
        keys = [spec.key for spec in models if spec.reads_images or not images]
        weights = {pair: self._widths.get(frozenset(pair), 1.0) for pair in itertools.combinations(keys, 2)}
        whole = sum(weights.values())
        return {pair: weight / whole for pair, weight in weights.items()}

    def refresh(self) -> None:
        """Read the votes and weigh the pairs by them. What cannot be read leaves the weights as they are."""
        if self._tallies is None:
            return
        try:
            self._widths = {frozenset((pair.model, pair.other)): width(pair) for pair in self._tallies()}
        except VoteError as error:
            log.warning("pairs are drawn by earlier votes: %s", error)

    def _read_behind(self) -> None:
        if self._tallies is None or not self._reading.acquire(blocking=False):
            return

        def read() -> None:
            try:
                self.refresh()
            finally:
                self._reading.release()

        threading.Thread(target=read, name="arena", daemon=True).start()


def width(pair: Pair) -> float:
    """Width of the interval of the pair's win share: 1 where nothing is known yet."""
    from playground.standings.shares import wilson  # numpy, which most front ends do without

    share = wilson(pair.wins, pair.wins + pair.losses)
    return share.high - share.low if share else 1.0
