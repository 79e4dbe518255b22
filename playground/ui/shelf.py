"""Knows how the list of all models looks: rows, what each may do, and whose memory is whose. Knows no Gradio."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import urlsplit

from playground import figures, progress
from playground.fit import Fit
from playground.inventory import Bar, Group, Inventory, Part, Row
from playground.types import EngineState, ModelSpec
from playground.ui import show

GROUPS: dict[Group, str] = {
    "loaded": "Loaded or on the way",
    "here": "On this machine",
    "absent": "Can be fetched",
    "elsewhere": "Running elsewhere",
}
WAITING = '<p class="note">Looking at the models…</p>'
CLOSED = (
    '<div class="hello"><h2>Closed until your vote.</h2><p>Two hidden models are on the Compare tab, and what is '
    "loaded would tell which. This list opens with your vote, or when you press New there.</p></div>"
)
ACT_JS = """
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  if (button && !button.disabled) trigger("click", { act: button.dataset.act, key: button.dataset.key });
});
let focused = "";
element.addEventListener("focusin", (event) => { focused = event.target.id || ""; });
element.addEventListener("focusout", (event) => { if (event.relatedTarget) focused = ""; });
new MutationObserver(() => {
  const now = document.activeElement, ours = now === document.body || now.closest(".shelf");
  if (focused && ours && now.id !== focused) document.getElementById(focused)?.focus({ preventScroll: true });
}).observe(element, { childList: true, subtree: true, attributeFilter: ["id"] });
"""
"""A press on a button of a row; and the focus stays with its row when the list is drawn anew: Gradio makes elements
over, so that the one with the focus may become another row's."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the person who looks may do: `acts`, load and unload; `refusal` is why they may not ask a model, if so."""

    acts: bool = True
    visitor: bool = False
    refusal: Callable[[ModelSpec], str] = lambda spec: ""


OWNERS, FIXED = Allowed(), Allowed(acts=False)
"""Everything; and where nothing can be loaded or unloaded."""
VISITING = (
    '<p class="note visiting">You are a visitor of this page. You can ask every model that is not marked <i>not '
    "offered</i>; only the page’s owner loads, unloads and downloads models, and offers more of them.</p>"
)


def top(found: Inventory, words: str, may: Allowed) -> str:
    """The machine's memory, and what is loaded."""
    bars = "".join(_bar(bar) for bar in found.bars)
    rows = _matching(found.rows, words)
    order = ("ready", "loading", "failed")
    loaded = sorted((row for row in rows if row.group == "loaded"), key=lambda row: order.index(row.state.name))
    return f'{VISITING if may.visitor else ""}<div class="bars">{bars}</div>{_group("loaded", loaded, may)}'


def rest(found: Inventory, words: str, may: Allowed) -> str:
    """All that is not loaded."""
    rows = _matching(found.rows, words)
    if not rows:
        return '<p class="note">No model has that in its name. Clear the filter to see all.</p>'
    groups: tuple[Group, ...] = ("here", "absent", "elsewhere")
    return "".join(_group(name, [row for row in rows if row.group == name], may) for name in groups)


def _matching(rows: Iterable[Row], words: str) -> list[Row]:
    """Rows that have every one of the words somewhere."""
    wanted = words.lower().split()
    return [row for row in rows if all(word in _text(row.spec) for word in wanted)]


def _text(spec: ModelSpec) -> str:
    about = (spec.key, spec.title, spec.engine, spec.quantization, spec.family, spec.source, spec.licence)
    return " ".join([*about, "images" if spec.reads_images else "text"]).lower()


# --- memory ---------------------------------------------------------------------------------------------------------


def _bar(bar: Bar) -> str:
    shades = _shades(bar.parts)
    pieces = "".join(
        f'<i class="{shade}" style="width:{100 * part.bytes / bar.total_bytes:.2f}%"></i>'
        for part, shade in zip(bar.parts, shades, strict=True)
    )
    legend = "".join(
        f'<li><i class="{shade}"></i>{escape(part.name)} <b>{_size(part.bytes)}</b></li>'
        for part, shade in zip(bar.parts, shades, strict=True)
    )
    told = ", ".join(f"{part.name} {_size(part.bytes)}" for part in bar.parts)
    return (
        f'<section class="memory" aria-label="{escape(bar.name)}"><h3>{escape(bar.name)} '
        f"<small>{_size(bar.total_bytes)}</small></h3>"
        f'<div class="stack" role="img" aria-label="{escape(told)}">{pieces}</div>'
        f'<ul class="legend">{legend}</ul></section>'
    )


def _shades(parts: Sequence[Part]) -> list[str]:
    """Models take turns with four shades; the others have one each."""
    models = [part for part in parts if part.kind == "model"]
    return [f"m{models.index(part) % 4}" if part.kind == "model" else part.kind for part in parts]


def _size(count: int) -> str:
    return " ".join(figures.size(count))


# --- rows -----------------------------------------------------------------------------------------------------------


def _group(name: Group, rows: Sequence[Row], may: Allowed) -> str:
    if not rows:
        return ""
    body = "".join(_row(row, may) for row in rows)
    title = GROUPS[name]
    return (
        f'<section class="group {name}"><h3>{title} <small>{len(rows)}</small></h3>'
        f'<div class="rows" role="table" aria-label="{title}">{body}</div></section>'
    )


def _row(row: Row, may: Allowed) -> str:
    refusal = may.refusal(row.spec)
    cells = [
        ("title", _who(row.spec)),
        ("stands", _state(row) + (show.chip("not offered", "", refusal) if refusal else "")),
        ("fits", _fit(row)),
        ("holds", _held(row)),
        ("asked-at", _used(row)),
        ("acts", _action(row) if may.acts else _action(row, NOT_YOURS) if may.visitor else ""),
    ]
    html = "".join(f'<div class="{name}" role="cell">{cell}</div>' for name, cell in cells)
    kind, said = ("error", row.state.error) if row.state.error else ("error beware", row.state.note)
    below = f'<div class="{kind}" role="cell">{escape(said)}</div>' if said else ""
    return f'<div class="entry" role="row" data-model="{escape(row.spec.key)}">{html}{below}</div>'


def _who(spec: ModelSpec) -> str:
    about: list[str] = [spec.engine]
    if spec.parameters_b:
        about.append(show.parameters(spec.parameters_b))
    about += [each for each in (spec.quantization, "text and images" if spec.reads_images else "text only") if each]
    return f"<b>{escape(spec.title)}</b><small>{escape(' · '.join(about))}</small>"


def _state(row: Row) -> str:
    state = row.state
    match state.name:
        case "loading":
            return _loading(state)
        case "ready":
            return show.chip("answering" if row.answering else "ready", "ok")
        case "failed":
            return show.chip("failed", "bad")
        case "elsewhere":
            return _elsewhere(row)
    if row.group == "elsewhere":
        return _elsewhere(row)
    if row.present:
        return show.chip("not loaded")
    return show.chip(f"{_size(row.fetch_bytes)} to fetch" if row.fetch_bytes else "to be fetched")


def _loading(state: EngineState) -> str:
    if state.done is None or not state.total:
        return f'<span class="on-its-way">{escape(state.stage or "loading")}</span><progress></progress>'
    done, total = state.done, state.total
    much = f"{_size(done)} of {_size(total)}" if state.unit == "bytes" else f"{done} of {total}"
    said = " · ".join(filter(None, [f"{state.stage} {min(100, 100 * done // total)} %", progress.words(state.left_s)]))
    return (
        f'<span class="on-its-way">{escape(said)}</span><progress max="{total}" value="{done}"></progress>'
        f"<small>{much}</small>"
    )


def _elsewhere(row: Row) -> str:
    if row.lacks:
        return show.chip(f"needs {row.lacks}", "warn", f"Set {row.lacks} in the environment, then start the app anew.")
    if row.spec.engine == "replay":
        return show.chip("recording")
    host = urlsplit(row.spec.base_url)
    return show.chip(f"server at {host.netloc}" if row.spec.local else host.hostname or "elsewhere")


def _fit(row: Row) -> str:
    fit = row.fit
    if fit.where == "elsewhere" or row.group == "elsewhere":
        return ""
    tones = {"fits": "ok", "tight": "warn", "does not fit": "bad"}
    name = "not known" if fit.verdict == "unknown" else fit.verdict
    key = escape(row.spec.key)
    return (
        f'<span class="verdict {tones.get(fit.verdict, "")}" tabindex="0" id="fit-{key}" aria-describedby="why-{key}">'
        f'{name}<span class="tip" role="tooltip" id="why-{key}">{_why(fit)}</span></span>'
    )


def _why(fit: Fit) -> str:
    """What it would need, line by line, and the next smaller step."""
    if fit.need_bytes is None:
        return escape(fit.why)
    where = {"ram": "memory", "gpus": "all GPUs"}.get(fit.where, fit.where)
    parts = (
        ("weights", fit.weights_bytes),
        (f"cache for {fit.context_tokens:,} tokens", fit.kv_bytes),
        ("run time", fit.overhead_bytes),
        ("together", fit.need_bytes),
        (f"free in {where}", fit.free_bytes),
    )
    lines = "".join(f"<span>{escape(name)}</span><b>{_size(n)}</b>" for name, n in parts if n is not None)
    step = f"<em>{escape(fit.next_step)}</em>" if fit.next_step else ""
    return f'<span class="sum">{lines}</span>{step}'


def _held(row: Row) -> str:
    if row.twin:
        return f'<small title="the same weights, loaded once">with {escape(row.twin)}</small>'
    if row.bytes:
        where = f"of it {_size(row.held.device_bytes)} on the GPU" if row.held.device_bytes else "in memory"
        return f"<b>{_size(row.bytes)}</b> <small>{where}</small>"
    need = row.fit.need_bytes
    return f"<small>needs {_size(need)}</small>" if need is not None and row.local else ""


def _used(row: Row) -> str:
    if row.idle_s is None:
        return "<small>not asked yet</small>" if row.state.name == "ready" else ""
    return f"<small>asked {ago(row.idle_s)}</small>"


def ago(idle_s: float) -> str:
    """So long ago, in words."""
    if idle_s < 10:
        return "just now"
    if idle_s < 90:
        return f"{10 * round(idle_s / 10)} s ago"
    minutes = round(idle_s / 60)
    return f"{minutes} min ago" if minutes < 120 else f"{round(idle_s / 3600)} h ago"


NOT_YOURS = "Only the owner of this page loads, unloads and downloads models. Ask the owner."


def _action(row: Row, off: str = "") -> str:
    """The row's button, disabled where there is a reason for it: `off`."""
    if not row.local:
        return ""
    match row.state.name:
        case "ready":
            return _button("unload", "Unload", row, off or ("It is answering." if row.answering else ""))
        case "loading":
            return _button("unload", "Cancel", row, off)
        case "failed":
            return _button("load", "Load again", row, off)
    return _button("load", "Load" if row.present else "Fetch", row, off)


def _button(act: str, label: str, row: Row, off: str = "") -> str:
    key = escape(row.spec.key)
    state = f' disabled title="{escape(off)}"' if off else ""
    return (
        f'<button type="button" class="act-button" id="act-{key}" data-act="{act}" data-key="{key}" '
        f'aria-label="{label} {escape(row.spec.title)}"{state}>{label}</button>'
    )
