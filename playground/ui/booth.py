"""Knows how voting looks: what is possible and why, and what became of a vote. Knows no Gradio and no visitor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from playground.arena import Rates
from playground.types import SIDES, Comparison, ModelSpec, Side, Winner
from playground.ui import show
from playground.ui.casting import Cast
from playground.votes import Receipt

TAGS = ("correct", "wrong", "clearer", "shorter", "safer", "better format")
IMAGE_TAG = "better reading of the image"

_UNCHECKED = {
    "rate": "how often you vote",
    "haste": "whether there was time to read",
    "repeats": "whether the prompt repeats",
}


def taken_back(*, revealed: bool) -> str:
    """The line under the vote buttons after an undo."""
    marked = " It will be kept and marked, but not counted: you have seen the names." if revealed else ""
    return f'<p class="note" role="status">Your vote was taken back. You can vote again.{marked}</p>'


def note(comparison: Comparison | None, where: str, error: str = "", *, early: bool = False) -> str:
    """The line under the vote buttons while there is no vote: why not yet, or where it goes."""
    if error:
        return f'<p class="note error" role="alert">{escape(error)}</p>'
    if comparison is None:
        return '<p class="note">Ask something; then say which answer is better.</p>'
    if not comparison.final and early:
        return '<p class="note">A vote now stops the answer that loses. It is kept, but not counted.</p>'
    if not comparison.final:
        return '<p class="note">Vote when both answers are finished.</p>'
    if not can_vote(comparison):
        return '<p class="note">Neither side answered, so there is nothing to vote on. Retry a side, or ask again.</p>'
    ends = [f"{s} {comparison.side(s).status}" for s in SIDES if comparison.side(s).status != "done"]
    counted = f" It is kept, but not counted: {', '.join(ends)}." if ends else ""
    return f'<p class="note">Your vote, both answers and their figures are written to {escape(where)}.{counted}</p>'


def thanks(where: str, receipt: Receipt) -> str:
    """What became of a vote: in three states, counted, not counted with the reason, or not checked in full."""
    said = f"Thank you. Your vote is in {escape(where)}."
    unchecked = [_UNCHECKED.get(check.name, check.name) for check in receipt.checks if check.state == "unchecked"]
    if receipt.not_counted_reason:
        said += f'<span class="uncounted"> It is kept, but not counted: {escape(receipt.not_counted_reason)}.</span>'
    elif unchecked:
        said += f'<span class="unchecked"> It counts; {_listed(unchecked)} could not be checked.</span>'
    return f'<p class="note thanks" role="status">{said}</p>'


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def marks(winner: Winner | None, *, judged: bool, blind: bool) -> str:
    """Marks by which the style sheet knows that the vote is cast and for whom, that the answers stay as they are, and
    that names are a matter of the vote."""
    names = [name for name, on in ((f"voted for-{winner}", winner), ("judged", judged), ("blinded", blind)) if on]
    return f'<span class="state {" ".join(names)}"></span>' if names else ""


def can_vote(comparison: Comparison | None, *, early: bool = False) -> bool:
    """Both sides have ended and one of them said something; early, they need not have ended."""
    if comparison is None or not (comparison.final or early):
        return False
    return not comparison.final or any(comparison.side(side).text for side in SIDES)


def reason(tags: Sequence[str], words: str) -> str:
    """What a voter ticked and wrote, as one cell: `[clearer] [shorter] it gave the number first`."""
    return " ".join([*(f"[{tag}]" for tag in tags), words.strip()]).strip()


def curtain(models: Mapping[Side, ModelSpec] | None, rates: Rates, *, weighted: bool) -> str:
    """What stands where the pickers would be: two hidden models and how they are drawn, or who they were."""
    cards = "".join(_seat(side, models[side] if models else None) for side in SIDES)
    return f'<div class="seats">{cards}</div><p class="note">{_odds(rates, weighted=weighted)}</p>'


def _seat(side: Side, spec: ModelSpec | None) -> str:
    if spec is None:
        chips = show.chip("name after your vote")
        return (
            f'<div class="seat {side}"><b>{side.capitalize()}: a hidden model</b><div class="chips">{chips}</div></div>'
        )
    return f'<div class="seat {side}"><b>{escape(spec.title)}</b>{show.about(spec)}</div>'


def _odds(rates: Rates, *, weighted: bool) -> str:
    """How the pair was drawn, without a name."""
    models = len({key for pair in rates for key in pair})
    drawn = f"Two of {models} models" if models > 2 else "Two models"
    if len(rates) < 2:
        return f"{drawn}, at random sides."
    least, most = (f"{100 * rate:.0f} %" for rate in (min(rates.values()), max(rates.values())))
    if weighted and least != most:
        return f"{drawn}, at random sides. Of {len(rates)} pairs, the least certain come most: {least} to {most} each."
    return f"{drawn}, at random sides: {len(rates)} pairs, {most} each."


def reveal(cast: Cast, titles: Mapping[str, str], rates: Rates) -> str:
    """Who they were, on the spot, and how often each pair is drawn."""
    names = "".join(f'<div class="seat {side}"><span>{side} was</span><b>{escape(cast.specs[side].title)}</b></div>'
                    for side in SIDES)  # fmt: skip
    rows = "".join(
        f"<tr><td>{escape(titles[one])}</td><td>{escape(titles[two])}</td><td>{100 * rate:.1f} %</td></tr>"
        for (one, two), rate in sorted(rates.items(), key=lambda item: -item[1])
    )
    odds = f"<details><summary>How often each pair is drawn</summary><table>{rows}</table></details>" if rows else ""
    return f'<section class="reveal" aria-label="Revealed"><div class="seats">{names}</div>{odds}</section>'


def consent(where: str, *, log_texts: bool, copied_to: str) -> str:
    """What is stored with a vote, where, and how to have texts left out."""
    texts = (
        "the prompt, both answers and your reasons as texts"
        if log_texts
        else "hashes and lengths of the prompt and the answers, but none of the texts, and not your reasons"
    )
    off = (
        " Whoever runs this page keeps all texts out by starting it with --no-log-texts; hashes and lengths stay."
        if log_texts
        else ""
    )
    copy = f", copied to {escape(copied_to)} on the Hugging Face Hub" if copied_to else ""
    return (
        '<details class="consent"><summary>What is stored with a vote?</summary><p>'
        f"Your choice, {texts}; which models, their figures and settings; the time; and a random mark of this browser "
        f"tab, never your address. It is kept in {escape(where)} on the machine that runs this page{copy}. "
        f"Nothing is stored without a vote.{off}</p></details>"
    )
