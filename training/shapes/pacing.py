"""Knows how long learning takes on a machine that does nothing else, from steps that it times. Not what is learnt."""

import time

import torch

from training.shapes import learning
from training.shapes.batches import Maker
from training.shapes.quick import quicken
from training.shapes.sizes import Size

WARM, TIMED = 4, 16  # steps of each stretch before and under the clock


def alone(size: Size) -> float:
    """Seconds that all steps of one model would take here: of each part a stretch is timed, times how many it has.

    A stretch runs just as in learning, its batches drawn in a process beside. Nothing learnt is kept.
    """
    torch.set_float32_matmul_precision("medium")
    quicken()
    starts = [since for since in (0, size.late_from, size.contrasts_from) if since < size.speak_steps]
    lasting = zip(starts, [*starts[1:], size.speak_steps], strict=True)
    speaking = sum((end - start) * stretch(size, size.see_steps + start) for start, end in lasting)
    return size.see_steps * stretch(size, 0) + speaking


def stretch(size: Size, first: int) -> float:
    """Seconds a step from step `first` on."""
    maker = Maker(learning.processor_of(size), learning.LONGEST)
    pupil = learning.Pupil(size, len(maker.processor.tokenizer))
    masters, began = learning.optimizers(pupil), 0.0
    for done, batch in enumerate(learning.prepared(maker, size, first, first + WARM + TIMED)):
        if done == WARM:
            began = time.perf_counter()
        learning.advance(pupil, masters, batch, 0.1)
    return (time.perf_counter() - began) / TIMED
