"""Knows how a shipped model is asked held-out questions, the way an app asks. Not how it was learnt."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from training.shapes import talking
from training.shapes.asking import Turn, ask, ask_of_two, spelt
from training.shapes.drawing import draw
from training.shapes.lessons import scene
from training.shapes.marking import right
from training.shapes.offtopic import HELD_OUT
from training.shapes.phrases import ANSWER_OFF_TOPIC
from training.shapes.scenes import size
from training.shapes.world import Scene

SEED = "held-out 7"
EACH = 100
PICTURED = ("shape", "colour", "count", "digits", "bars", "description", "many shapes", "left out")
CHATS: dict[str, Callable[[Random], Turn]] = {
    "sums": talking.sum_,
    "greetings": talking.hello,
    "no picture": talking.blind,
}


@dataclass(frozen=True)
class Question:
    """One examination question: its row, its pictures, the turns before it (answered by the model), and itself."""

    row: str
    scenes: tuple[Scene, ...]
    turns: tuple[Turn, ...]


@dataclass(frozen=True)
class Reply:
    """What the model said to the last turn, in how many tokens and seconds."""

    text: str
    tokens: int
    elapsed_s: float


class Candidate:
    """A model loaded from its shipped folder by the plain auto classes."""

    def __init__(self, folder: Path) -> None:
        self.processor = AutoProcessor.from_pretrained(folder)
        self.model = AutoModelForImageTextToText.from_pretrained(folder).eval()

    def reply(self, pictures: list[Image.Image], questions: list[str]) -> Reply:
        """Its answer to the last question, after it has answered the earlier ones itself."""
        shown = [{"type": "image", "image": picture} for picture in pictures]
        messages: list[dict] = []
        for i, question in enumerate(questions):
            text = {"type": "text", "text": question}
            messages.append({"role": "user", "content": [*(shown if i == 0 else []), text]})
            said = self.say(messages)
            messages.append({"role": "assistant", "content": [{"type": "text", "text": said.text}]})
        return said

    @torch.inference_mode()
    def say(self, messages: list[dict]) -> Reply:
        inputs = self.processor.apply_chat_template(
            messages, tokenize=True, add_generation_prompt=True, return_dict=True, return_tensors="pt"
        )
        since = time.perf_counter()
        ids = self.model.generate(**inputs)[0, inputs["input_ids"].shape[1] :]
        elapsed_s = time.perf_counter() - since
        return Reply(self.processor.decode(ids, skip_special_tokens=True), len(ids), elapsed_s)


def examination(each: int = EACH) -> Iterator[Question]:
    """The held-out questions, `each` of every row; drawn with seeds that no lesson uses."""
    for row in PICTURED:
        yield from (pictured(Random(f"{SEED}/{row}/{i}"), row) for i in range(each))
    for row in ("two pictures", "which picture"):
        yield from (two_pictures(Random(f"{SEED}/{row}/{i}"), row) for i in range(each))
    yield from (second_turn(Random(f"{SEED}/second/{i}")) for i in range(each))
    for row, maker in CHATS.items():
        yield from (Question(row, (), (chat(Random(f"{SEED}/{row}/{i}"), maker),)) for i in range(each))
    yield from (Question("off-topic", (), (Turn("off-topic", text, ANSWER_OFF_TOPIC),)) for text in HELD_OUT[:each])


def chat(random: Random, maker: Callable[[Random], Turn]) -> Turn:
    return spelt(random, maker(random))


def any_scene(random: Random) -> Scene:
    return scene(random, *size(random))


def pictured(random: Random, kind: str) -> Question:
    """A scene and a question of the kind, thrown again until both fit."""
    while True:
        shown = any_scene(random)
        turn = ask(random, shown, kept_only=True)
        if turn.kind == kind:
            return Question(kind, (shown,), (turn,))


def two_pictures(random: Random, kind: str) -> Question:
    """Two scenes and a question of the kind, thrown again until they fit."""
    while True:
        width, height = size(random)
        pair = scene(random, width, height, 3), scene(random, width, height, 3)
        turn = ask_of_two(random, pair, kept_only=True)
        if turn.kind == kind:
            return Question(kind, pair, (turn,))


def second_turn(random: Random) -> Question:
    shown = any_scene(random)
    first, second = (kept_turn(lambda: ask(random, shown, kept_only=True)) for _ in range(2))
    return Question("second turn", (shown,), (first, second))


def kept_turn(thrown: Callable[[], Turn]) -> Turn:
    """The first turn thrown that is of a kept kind; refusals have a row of their own."""
    return next(turn for turn in iter(thrown, None) if turn.kind != "left out")


def examine(candidate: Candidate, question: Question) -> tuple[bool, Reply]:
    """Whether the model answers the last turn right, and what it said."""
    reply = candidate.reply([draw(one) for one in question.scenes], [turn.question for turn in question.turns])
    return right(question.turns[-1], reply.text), reply
