"""Knows how a model learns: first its tower to see, then all of it to speak. Not what the lessons hold."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from pathlib import Path
from random import Random
from threading import Thread

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm
from transformers import Qwen3_5ForConditionalGeneration, Qwen3VLProcessor

from training.shapes import keeping, labels
from training.shapes.batches import Batch, Maker, Seen, image_types
from training.shapes.lessons import Stage, lessons, pictures
from training.shapes.quick import quicken
from training.shapes.sizes import Size, config
from training.shapes.tokens import IMAGE, processor, tokenizer
from training.shapes.world import COLOURS, SHAPES

SEED = 20261123
PICTURES = 32
LONGEST = 190
MORE = 150  # tokens by which conversations are longer in the end, when the tower costs less
MOST_TURNS = 10
MUON_RATE, ADAM_RATE = 6e-3, 2e-3
SEE_SHARE = 1.0  # of the dense lesson's loss that goes on while speaking: the tower still learns to count
NTH_SHARE = 0.5  # of the loss of telling which picture a cell is of, or an answer about
KEEP_EVERY = 100
AHEAD = 4  # batches drawn ahead

THINGS = 1 + len(SHAPES) + 1 + 10  # nothing, shapes, bar, digits
PARTS = [THINGS, len(COLOURS), len(labels.FLAGS), len(labels.NUMBERS) * labels.MOST]  # of what a cell is asked
RARE = (6.0, 2.0, 2.0, 2.0, 2.0, 2.0)  # how much more a flag that is set matters, in the order of the flags


def things_and_colours() -> tuple[Tensor, Tensor]:
    """For each dense class, its thing and its colour (-1 where it has none)."""
    table = [(0, -1)]
    table += [(1 + shape, colour) for shape in range(len(SHAPES)) for colour in range(len(COLOURS))]
    table += [(2 + len(SHAPES) + digit, -1) for digit in range(10)]
    table += [(1 + len(SHAPES), colour) for colour in range(len(COLOURS))]
    things, colours = torch.tensor(table).T
    return things, colours


class Pupil(nn.Module):
    """The model with the linear heads that its dense lessons need; the heads are thrown away at the end."""

    def __init__(self, size: Size, vocabulary: int) -> None:
        super().__init__()
        self.model = Qwen3_5ForConditionalGeneration(config(size, vocabulary))
        self.head = nn.Linear(size.text_width, sum(PARTS))
        self.things, self.colours = things_and_colours()
        self.nth = nn.Linear(size.text_width, 2)

    def seeing(self, features: Tensor, seen: Seen) -> Tensor:
        """The loss of naming what each cell shows."""
        things, colours, flags, numbers = self.head(features).float().split(PARTS, dim=-1)
        thing = self.things[seen.cells]
        weights = torch.where(thing > 0, 1.0, 0.2)
        loss = (functional.cross_entropy(things, thing, reduction="none") * weights).sum() / weights.sum()
        loss = loss + functional.cross_entropy(colours, self.colours[seen.cells], ignore_index=-1)
        loss = loss + functional.binary_cross_entropy_with_logits(flags, seen.flags, pos_weight=torch.tensor(RARE))
        counted = numbers.reshape(-1, labels.MOST), seen.numbers.reshape(-1) - 1
        return loss + functional.cross_entropy(*counted, ignore_index=-1)

    def see(self, seen: Seen) -> tuple[Tensor, Tensor]:
        features = self.model.model.visual(seen.pixels, grid_thw=seen.grid).pooler_output
        return features, self.seeing(features, seen)

    @torch.no_grad()
    def remember(self, seen: Seen) -> tuple[Tensor, Tensor]:
        """What `see` gives, without learning to see any better."""
        return self.see(seen)

    def speak(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The losses of speaking and of seeing; the tower runs once for both."""
        features, seeing = self.remember(batch.seen) if batch.still else self.see(batch.seen)
        inner = self.model.model
        positions, _ = inner.get_rope_index(
            batch.ids, image_types(batch.ids), batch.seen.grid, attention_mask=batch.mask
        )
        inputs = inner.get_input_embeddings()(batch.ids)
        inputs = inputs.masked_scatter((image_types(batch.ids) == 1)[..., None], features.to(inputs.dtype))
        told = inner.language_model(
            inputs_embeds=inputs,
            position_ids=positions,
            attention_mask=batch.mask,
            use_cache=False,
            output_hidden_states=batch.nth is not None,
        )
        states = told.last_hidden_state
        weights = batch.weights[:, 1:]
        heard = weights > 0
        logits = self.model.lm_head(states[:, :-1][heard]).float()
        losses = functional.cross_entropy(logits, batch.ids[:, 1:][heard], reduction="none")
        speaking = (losses * weights[heard]).sum() / weights.sum()
        if batch.nth is not None:
            speaking = speaking + NTH_SHARE * self.telling_apart(told.hidden_states, batch)
        return speaking, seeing

    def telling_apart(self, states: tuple[Tensor, ...], batch: Batch) -> Tensor:
        """The loss of telling which of two pictures each cell is of and, late, which one each answer is about.

        A second picture's cells look like a first one's: the first layer must mark them for the others to tell. The
        last layer finds the cells of the picture that is asked about when both reach it marked in one way.
        """
        cells = batch.ids == IMAGE
        loss = functional.cross_entropy(self.nth(states[1][cells]).float(), batch.nth)
        if batch.asked is None:
            return loss
        last = functional.rms_norm(states[-2], states[-2].shape[-1:])  # as the last layer takes it
        about = batch.asked[:, 1:]  # a token is said from the state before it
        loss = loss + functional.cross_entropy(self.nth(last[cells]).float(), batch.nth)
        return loss + functional.cross_entropy(self.nth(last[:, :-1][about >= 0]).float(), about[about >= 0])


def optimizers(pupil: Pupil) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside (it needs about two thirds of AdamW's steps here), AdamW for the rest."""
    inside = [p for name, p in pupil.model.named_parameters() if p.ndim == 2 and "embed" not in name]
    known = {id(p) for p in inside}
    rest = [p for p in pupil.parameters() if id(p) not in known]
    return [
        torch.optim.Muon(inside, lr=MUON_RATE, weight_decay=0.05, adjust_lr_fn="match_rms_adamw", ns_steps=4),
        torch.optim.AdamW(rest, lr=ADAM_RATE, betas=(0.9, 0.98), weight_decay=0.01),
    ]


def rate(size: Size, step: int) -> float:
    """The share of the full rate at which a step is learnt."""
    steps, shares = zip(*size.rates, strict=True)
    return float(np.interp(step, steps, shares))


def make_batch(maker: Maker, size: Size, step: int) -> Seen | Batch:
    """What the pupil meets at `step`: the same for the same seed, whenever it is asked for."""
    torch.set_num_threads(1)
    if step < size.see_steps:
        return maker.see(pictures(Random(f"{SEED}/see/{step}"), PICTURES))
    spoken = step - size.see_steps
    begun = (spoken >= since for since in (size.late_from, size.crowds_from, size.twins_from, size.contrasts_from))
    stage = Stage(*begun)
    told = lessons(SEED, spoken, PICTURES, MOST_TURNS, stage)
    more = MORE if stage.contrasts else 0
    return maker.batch(told, numbered=spoken >= size.nth_from, still=stage.contrasts, more=more)


def leave_with_parent() -> None:
    """Ends this drawing process when the learning one is gone, however it was killed."""

    def wait() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    Thread(target=wait, daemon=True).start()


def prepared(maker: Maker, size: Size, first: int, last: int) -> Iterator[Seen | Batch]:
    """The batches from `first` on, drawn in a process of their own while the pupil learns."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=leave_with_parent) as pool:
        waiting: list[Future[Seen | Batch]] = []
        for step in range(first, last):
            upto = min(last, step + AHEAD)
            waiting += [pool.submit(make_batch, maker, size, s) for s in range(step + len(waiting), upto)]
            yield waiting.pop(0).result()


def processor_of(size: Size) -> Qwen3VLProcessor:
    return processor(tokenizer(SEED), size.patch, size.merge, size.side)


def learnt(size: Size, work: Path) -> tuple[Pupil, float]:
    """The pupil as its last checkpoint in `work` has it, and the seconds that took."""
    pupil = Pupil(size, len(tokenizer(SEED)))
    _, elapsed_s = restore(pupil, optimizers(pupil), work / f"{size.name}.pt")
    return pupil, elapsed_s


def learn(size: Size, work: Path) -> tuple[Pupil, float]:
    """Teaches one model from nothing, or from the last checkpoint in `work`, to its last step; and how long it took."""
    torch.manual_seed(SEED)
    # Half precision inside the matrix products: three times as fast on cores with AVX512-BF16, and no less exact here.
    torch.set_float32_matmul_precision("medium")
    quicken()
    shared = processor_of(size)
    pupil, steps = Pupil(size, len(shared.tokenizer)), size.see_steps + size.speak_steps
    masters, path = optimizers(pupil), work / f"{size.name}.pt"
    first, before_s = restore(pupil, masters, path)
    began = time.monotonic() - before_s
    maker = Maker(shared, LONGEST)
    bar = tqdm(total=steps, initial=first, desc=size.name, unit="step", mininterval=10, smoothing=0.02)
    for step, batch in enumerate(prepared(maker, size, first, steps), start=first):
        shown = advance(pupil, masters, batch, rate(size, step))
        bar.update()
        bar.set_postfix(shown, refresh=False)
        if (step + 1) % KEEP_EVERY == 0 or step + 1 == steps:
            keeping.keep(snapshot(pupil, masters, step + 1, time.monotonic() - began), path)
    return pupil, time.monotonic() - began


def advance(pupil: Pupil, masters: list[torch.optim.Optimizer], batch: Seen | Batch, scale: float) -> dict[str, str]:
    """One step of learning at `scale` of the full rate; returns the losses to show."""
    with torch.autocast("cpu", torch.bfloat16):
        if isinstance(batch, Batch):
            speaking, seeing = pupil.speak(batch)
            loss = speaking + SEE_SHARE * seeing
        else:
            loss = seeing = pupil.see(batch)[1]
            speaking = torch.zeros(())
    loss.backward()
    nn.utils.clip_grad_norm_(pupil.parameters(), 1.0)
    for master in masters:
        for group in master.param_groups:
            group["lr"] = scale * (MUON_RATE if isinstance(master, torch.optim.Muon) else ADAM_RATE)
        master.step()
        master.zero_grad()
    return {"speak": f"{speaking.item():.3f}", "see": f"{seeing.item():.3f}"}


def snapshot(pupil: Pupil, masters: list[torch.optim.Optimizer], step: int, elapsed_s: float) -> dict:
    return {
        "step": step,
        "elapsed_s": elapsed_s,
        "pupil": pupil.state_dict(),
        "masters": [master.state_dict() for master in masters],
    }


def restore(pupil: Pupil, masters: list[torch.optim.Optimizer], path: Path) -> tuple[int, float]:
    """Brings everything back to the last checkpoint; the step to go on from and the seconds spent so far."""
    state = keeping.kept(path)
    if state is None:
        return 0, 0.0
    pupil.load_state_dict(state["pupil"])
    for master, old in zip(masters, state["masters"], strict=True):
        master.load_state_dict(old)
    return int(state["step"]), float(state["elapsed_s"])
