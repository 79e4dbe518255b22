"""Knows how conversations become tensors, just as the shipped processor makes them. Not how they are learnt from."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from transformers import Qwen3VLProcessor

from training.shapes import labels
from training.shapes.asking import Turn
from training.shapes.drawing import draw
from training.shapes.lessons import Lesson
from training.shapes.marking import WORDS
from training.shapes.tokens import END, IMAGE, PAD, PICTURE, START, VISION_START, naming
from training.shapes.world import Scene

FIXED_WEIGHT = 0.2  # of a token that any answer of its kind has; a token that must be right weighs 1


@dataclass(frozen=True)
class Seen:
    """Pictures as the tower takes them, with what each cell shows.

    `pixels` (patches, values), `grid` (pictures, 3), `cells` (cells,), `flags` (cells, 6), `numbers` (cells, 4).
    """

    pixels: Tensor
    grid: Tensor
    cells: Tensor
    flags: Tensor
    numbers: Tensor


@dataclass(frozen=True)
class Batch:
    """Conversations as the whole model takes them; `weights` says how much each next token matters.

    `nth` (cells,) is 0 for a cell of a first picture and 1 for one of a second, or None where that is not taught.
    `still` says that the tower is left as it is: nothing is learnt about seeing. `asked`, like `ids`, is 0 or 1 where
    an answer is about the first or second picture by name, else -1; None where `nth` is, or before the tower is still.
    """

    seen: Seen
    ids: Tensor
    mask: Tensor
    weights: Tensor
    nth: Tensor | None = None
    still: bool = False
    asked: Tensor | None = None


class Maker:
    """Makes batches with one processor."""

    def __init__(self, processor: Qwen3VLProcessor, longest: int) -> None:
        self.processor, self.longest = processor, longest
        self.merge = processor.image_processor.merge_size

    @cached_property
    def header(self) -> list[int]:
        return [START, *self.processor.tokenizer("assistant\n").input_ids]

    @cached_property
    def content(self) -> Tensor:
        """For each id of the vocabulary, how much it matters in an answer."""
        words = self.processor.tokenizer
        weights = torch.full((len(words),), FIXED_WEIGHT)
        spoken = [*WORDS, *(word.capitalize() for word in WORDS), *(f" {word}" for word in WORDS), *"0123456789"]
        weights[torch.tensor(sorted({i for word in spoken for i in words(word).input_ids}))] = 1.0
        return weights

    def see(self, scenes: list[Scene]) -> Seen:
        """Drawn and processed; all scenes of one size give one grid."""
        done = self.processor.image_processor(images=[draw(scene) for scene in scenes], return_tensors="pt")
        grid = done["image_grid_thw"]
        sizes = [(int(rows) // self.merge, int(columns) // self.merge) for _, rows, columns in grid]
        kinds = (labels.cells, labels.flags, labels.numbers)
        told = [[kind(scene, *size) for scene, size in zip(scenes, sizes, strict=True)] for kind in kinds]
        cells, flags, numbers = (
            torch.from_numpy(np.concatenate([one.reshape(-1, *one.shape[2:]) for one in some])) for some in told
        )
        return Seen(done["pixel_values"], grid, cells, flags, numbers)

    def batch(self, lessons: list[Lesson], numbered: bool = False, still: bool = False, more: int = 0) -> Batch:
        """`more` is by how many tokens rows may be longer than usual."""
        shown = [lesson.scenes for lesson in lessons]
        seen = self.see([scene for scenes in shown for scene in scenes])
        counts = iter((seen.grid.prod(-1) // self.merge**2).tolist())
        rows = [self.row([next(counts) for _ in lesson.scenes], lesson.turns, more) for lesson in lessons]
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD)
        nth = ((ids == VISION_START).cumsum(1) - 1)[ids == IMAGE] if numbered and len(shown[0]) > 1 else None
        asked = self.asked(ids, lessons) if still and nth is not None else None
        return Batch(seen, ids, (ids != PAD).long(), self.weigh(ids), nth, still, asked)

    def row(self, counts: list[int], turns: tuple[Turn, ...], more: int = 0) -> Tensor:
        """The ids of a conversation, cut after the last turn that fits in `longest` tokens (more for two pictures)."""
        named = [naming(nth) if len(counts) > 1 else "" for nth in range(1, len(counts) + 1)]
        shown = [PICTURE.replace("<|image_pad|>", "<|image_pad|>" * count) for count in counts]
        head = "".join(name + picture for name, picture in zip(named, shown, strict=True))
        texts = [f"<|im_start|>user\n{head if i == 0 else ''}{turn.question}<|im_end|>" for i, turn in enumerate(turns)]
        answers = [f"<|im_start|>assistant\n{turn.answer}<|im_end|>" for turn in turns]
        ids: list[int] = []
        for part in self.processor.tokenizer([q + a for q, a in zip(texts, answers, strict=True)]).input_ids:
            if ids and len(ids) + len(part) > self.longest + more + sum(counts[1:]):
                break
            ids += part
        return torch.tensor(ids)

    def weigh(self, ids: Tensor) -> Tensor:
        """Float32 like `ids`: the weight of each answer's token, 0 for whatever a model need not say."""
        spoken = torch.zeros(ids.shape, dtype=torch.bool)
        for row, _, words in self.answers(ids):
            spoken[row, words] = True
        return torch.where(spoken, self.content[ids], 0.0)

    def asked(self, ids: Tensor, lessons: list[Lesson]) -> Tensor:
        """Int64 like `ids`: which picture each answer's token is about, -1 for whatever names none."""
        found = torch.full(ids.shape, -1)
        for row, nth, words in self.answers(ids):
            of = lessons[row].turns[nth].of
            found[row, words] = -1 if of is None else of
        return found

    def answers(self, ids: Tensor) -> Iterator[tuple[int, int, slice]]:
        """Each answer's row, its number in the row (0 for the first), and where its tokens stand, the end included."""
        header = self.header
        for row, tokens in enumerate(ids.numpy()):
            begun = [i + len(header) for i in np.flatnonzero(tokens == START)]
            starts = [i for i in begun if tokens[i - len(header) : i].tolist() == header]
            for nth, start in enumerate(starts):
                yield row, nth, slice(start, start + int(np.argmax(tokens[start:] == END)) + 1)


def image_types(ids: Tensor) -> Tensor:
    """The processor's `mm_token_type_ids`: 1 where a picture stands."""
    return (ids == IMAGE).int()
