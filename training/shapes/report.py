"""Knows how the examination of both models is written down. Not how they are asked."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from tqdm import tqdm

from training.shapes.examining import SEED, Candidate, Question, examination, examine

LEFT_OUT = (
    "Left out, because they were not reached: size order, place, and descriptions of more than two shapes. Digits,",
    "which could have been left out before place, are kept: they were reached.",
    "Asked for sizes or places the models say that they cannot tell: the row `left out`. Asked to describe more than",
    "two shapes they say how many there are: the row `many shapes`. These two rows and `no picture` (a question about",
    "a picture that was not sent) are not in the overall figure.",
)
LEARNING = (
    "`minutes learnt` are by the clock, with whatever else the machine had to do meanwhile. `minutes alone` are what",
    "the same steps take when it has nothing else to do: a stretch of each part, timed by",
    "`python -m training.shapes pace`, times how many steps the part has.",
)
Seconds = dict[str, dict[str, float]]
UNCOUNTED = ("left out", "no picture", "many shapes")
GOALS = (
    "Goals for the larger model: 94 % overall, 85 % in each kind; for the smaller: 5 points or more below, and faster."
)


@dataclass
class Marks:
    """How one model did: rights and askings by kind, its speed, and its mistakes."""

    name: str
    parameters: int
    right: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    tokens: int = 0
    elapsed_s: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def share(self, kind: str) -> float:
        return 100 * self.right[kind] / self.asked[kind]

    @property
    def counted(self) -> int:
        """The questions that the overall figure counts."""
        return sum(asked for kind, asked in self.asked.items() if kind not in UNCOUNTED)

    @property
    def overall(self) -> float:
        return 100 * sum(right for kind, right in self.right.items() if kind not in UNCOUNTED) / self.counted


def mark(folder: Path, questions: list[Question]) -> Marks:
    """Puts every question to the model in `folder`, one at a time, as an app does."""
    candidate = Candidate(folder)
    marks = Marks(folder.name, candidate.model.num_parameters())
    for question in tqdm(questions, desc=f"examine {folder.name}", mininterval=5):
        passed, reply = examine(candidate, question)
        marks.right[question.row] += passed
        marks.asked[question.row] += 1
        marks.tokens += reply.tokens
        marks.elapsed_s += reply.elapsed_s
        if not passed:
            marks.wrong.append(mistake(question, reply.text))
    return marks


def mistake(question: Question, said: str) -> str:
    turn = question.turns[-1]
    return f"| {question.row} | {turn.question} | {turn.answer} | {said.replace('|', ' ')} |"


def table(all_marks: list[Marks]) -> Iterator[str]:
    yield f"| kind | questions | {' | '.join(marks.name for marks in all_marks)} |"
    yield "|---|---:|" + "---:|" * len(all_marks)
    for kind, asked in all_marks[0].asked.items():
        yield f"| {kind} | {asked} | {' | '.join(f'{marks.share(kind):.0f} %' for marks in all_marks)} |"
    overall = " | ".join(f"**{marks.overall:.1f} %**" for marks in all_marks)
    yield f"| **overall** | {all_marks[0].counted} | {overall} |"


def facts(marks: Marks, folder: Path, seconds: Seconds) -> str:
    """The row of a model's sizes and speeds."""
    files = [path.stat().st_size for path in folder.iterdir()]
    times = [seconds.get(how, {}).get(marks.name) for how in ("learnt", "alone")]
    minutes = " | ".join("not known" if time is None else f"{time / 60:.0f}" for time in times)
    answer_ms = 1000 * marks.elapsed_s / marks.asked.total()
    return (
        f"| {marks.name} | {marks.parameters / 1e6:.2f} M | {sum(files) / 1e6:.2f} MB | {minutes} "
        f"| {marks.tokens / marks.elapsed_s:.0f} | {answer_ms:.0f} |"
    )


def mistakes(marks: Marks, most: int = 3) -> Iterator[str]:
    """A few wrong answers of each kind."""
    seen: Counter[str] = Counter()
    for line in marks.wrong:
        kind = line.split(" | ")[0]
        seen[kind] += 1
        if seen[kind] <= most:
            yield line


def page(all_marks: list[Marks], weights: Path, seconds: Seconds) -> str:
    rows = [
        "# What the models know: measured",
        "",
        "Written by `python -m training.shapes report`; do not edit.",
        f"Held-out questions, drawn with seeds that no lesson uses (`{SEED}`), put to the shipped bf16 weights one",
        "at a time through `AutoProcessor` and `AutoModelForImageTextToText`, greedy. An answer is right when the",
        "asked-for word is said and no wrong one is. In a second turn the model's own first answer stands before",
        "the question.",
        "Sums have too few pairs to hold any out: only phrasings and pairs are drawn anew.",
        "",
        *LEFT_OUT,
        "",
        GOALS,
        "",
        *table(all_marks),
        "",
        "| model | parameters | files | minutes learnt | minutes alone | tokens/s "
        f"| ms/answer ({torch.get_num_threads()} threads) |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *(facts(marks, weights / marks.name, seconds) for marks in all_marks),
        "",
        *LEARNING,
        "",
    ]
    for marks in all_marks:
        rows += [
            f"## Mistakes of {marks.name}",
            "",
            "| kind | question | right | said |",
            "|---|---|---|---|",
            *mistakes(marks),
            "",
        ]
    return "\n".join(rows)


def write(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def report(weights: Path, path: Path, seconds: Seconds, each: int) -> list[Marks]:
    """Examines every model below `weights` and writes the page; `seconds` are those of learning."""
    questions = list(examination(each))
    folders = sorted(folder for folder in weights.iterdir() if (folder / "config.json").exists())
    all_marks = [mark(folder, questions) for folder in folders]
    write(path, page(all_marks, weights, seconds))
    return all_marks
