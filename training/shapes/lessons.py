"""Knows what is shown and asked at each step of the curriculum. Not tensors."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from training.shapes import scenes
from training.shapes.asking import Asker, Turn, ask, ask_of_two, order, spelt, where
from training.shapes.asking import count as count_figures
from training.shapes.talking import sum_, talk
from training.shapes.world import Scene

# Step of the speaking phase from which so many figures may be shown: one first, then many.
FIGURES_FROM = ((0, 2), (200, 3), (350, 4), (500, 5))
CHAT_SHARE = 0.1  # of turns beside a picture that are about no picture
TALK_SHARE = 0.12  # of conversations without any picture
DRILLS_FROM, DRILL_SHARE = 300, 0.3  # from this step, this share of turns is of the kinds learnt last
PAIRS_FROM, PAIRS_EVERY, KEPT_PAIRS_EVERY = 300, 5, 3  # steps with two pictures in each conversation


@dataclass(frozen=True)
class Lesson:
    """One conversation: its pictures and as many turns as fit."""

    scenes: tuple[Scene, ...]
    turns: tuple[Turn, ...]


def most_figures(step: int) -> int:
    return [count for since, count in FIGURES_FROM if step >= since][-1]


def scene(random: Random, width: int, height: int, most: int = 5) -> Scene:
    """Figures in most pictures, else bars or a number."""
    kind = random.random()
    if kind < 0.64:
        return scenes.figures(random, random.randint(1, most), width, height)
    return scenes.bars(random, width, height) if kind < 0.78 else scenes.number(random, width, height)


def pictures(random: Random, count: int, most: int = 5) -> list[Scene]:
    """Scenes of one size, so that a batch of them is a plain tensor."""
    width, height = scenes.size(random)
    return [scene(random, width, height, most) for _ in range(count)]


@dataclass(frozen=True)
class Stage:
    """What is different late in speaking: only kept kinds, mostly pairs, at the very end mostly counting."""

    kept_only: bool = False
    pairs_mostly: bool = False
    counting: bool = False


EARLY = Stage()


def is_pair(step: int, stage: Stage) -> bool:
    if stage.pairs_mostly:
        return step % 3 != 0
    return step >= PAIRS_FROM and step % (KEPT_PAIRS_EVERY if stage.kept_only else PAIRS_EVERY) == 0


Ask = Callable[[Random, tuple[Scene, ...]], Turn]


def turns(random: Random, shown: tuple[Scene, ...], count: int, one: Ask) -> tuple[Turn, ...]:
    """Questions about what is shown, with a little talk among them; none whose answer was just given."""
    asked = [one(random, shown) for _ in range(count)]
    return tuple({turn.answer if shown else turn.question: turn for turn in asked}.values())


def turn(random: Random, shown: tuple[Scene, ...], kept_only: bool = False) -> Turn:
    if not shown:
        return talk(random)
    if random.random() < CHAT_SHARE:
        chat = talk(random)
        return chat if chat.kind != "no picture" else turn(random, shown, kept_only)
    if len(shown) == 1:
        return ask(random, shown[0], kept_only)
    return ask_of_two(random, (shown[0], shown[1]), kept_only)


def drilled(random: Random, shown: tuple[Scene, ...]) -> Turn:
    """Now and then a question of the kinds that are learnt last."""
    hard = random.random() < DRILL_SHARE and drill(random, shown, (where, where, where, order, count_figures))
    return hard or turn(random, shown)


def kept(random: Random, shown: tuple[Scene, ...], counts: float = DRILL_SHARE / 2) -> Turn:
    """A question of a kept kind, with more of counting."""
    hard = random.random() < counts and drill(random, shown, (count_figures,))
    return hard or turn(random, shown, kept_only=True)


def drill(random: Random, shown: tuple[Scene, ...], askers: tuple[Asker, ...]) -> Turn | None:
    if not shown:
        return spelt(random, sum_(random))
    if len(shown) > 1 or not shown[0].figures:
        return None
    hard = random.choice(askers)(random, shown[0])
    return spelt(random, hard) if hard else None


def asking_at(step: int, stage: Stage) -> Ask:
    if stage.counting:
        return partial(kept, counts=0.5)
    return kept if stage.kept_only else drilled if step >= DRILLS_FROM else turn


def lessons(seed: int, step: int, count: int, most_turns: int, stage: Stage = EARLY) -> list[Lesson]:
    """The conversations of one step of speaking: the same for the same seed and step."""
    random = Random(f"{seed}/{step}")
    most, one = most_figures(step), asking_at(step, stage)
    if is_pair(step, stage):
        pairs = zip(*(pictures(random, count // 2, min(most, 3)) for _ in range(2)), strict=True)
        return [Lesson(pair, turns(random, pair, most_turns, one)) for pair in pairs]
    talks = round(count * TALK_SHARE)
    shown = [(scene,) for scene in pictures(random, count - talks, most)] + [()] * talks
    return [Lesson(scenes, turns(random, scenes, most_turns, one)) for scenes in shown]
