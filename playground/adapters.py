"""Knows LoRA adapters: what one was made for, whether it belongs to a base, how both become one folder. Loads neither.

transformers reads a folder that holds a model and an `adapter_config.json` as the model with the adapter on it, so the
two are laid into one folder of links. It does so without a word where `peft` is missing, and where names do not meet:
then the base alone would answer under the adapter's name. So both are looked at here, and `serve` reads its log.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import struct
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from playground import headers, hub
from playground.errors import WeightsError
from playground.types import Loading, ModelSpec

CONFIG, TENSORS = "adapter_config.json", "adapter_model.safetensors"
INSTALL = "It needs peft, which is not installed here: `pip install peft`, then ask again."
TOKENIZER = ("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "chat_template*")
"""Files that an adapter may bring in the place of its base's: it may have been taught with a chat template."""
_PART = re.compile(r"(?:base_model\.model\.)?(.+?)\.lora_(?:embedding_)?([AB])(?:\.weight)?")

Shapes = Mapping[str, tuple[int, ...]]


def locate(adapter: str) -> Path | None:
    """The folder of that adapter, None while it is not here. No network."""
    folder = Path(adapter).expanduser()
    if folder.is_dir():
        return folder.absolute()
    config = hub.cached_file(adapter, CONFIG, "") if hub.is_repository(adapter) else None
    return config.parent if config and any(config.parent.glob("adapter_model.*")) else None


def fetch(spec: ModelSpec, run: hub.Run) -> Iterator[Loading]:
    """Bring the row's adapter here. Raises WeightsError."""
    check_installed(spec)
    if locate(spec.adapter):
        return
    if not hub.is_repository(spec.adapter):
        raise WeightsError(f"There is no adapter at {spec.adapter}; correct `adapter` of the row {spec.key}.")
    yield from hub.fetch(spec.adapter, (), "", run)


def on(spec: ModelSpec, base: Path, cache: Path) -> Path | None:
    """The base with what the row says is on it, None while the adapter is not here. Raises WeightsError."""
    _refuse_alone(spec, base)
    if not spec.adapter:
        return base
    adapter = locate(spec.adapter)
    return _join(spec, base, adapter, cache) if adapter else None


def _join(spec: ModelSpec, base: Path, adapter: Path, cache: Path) -> Path:
    """One folder with the base and the adapter on it, made when it is first asked for. Copies no weights of the base.

    Raises WeightsError: peft is missing, there is no adapter there, or it was made for another base.
    """
    check_installed(spec)
    files = [*_files(base), *_files(adapter)]
    mark = hashlib.sha256("\n".join(f"{path} {path.stat().st_mtime_ns}" for path in files).encode()).hexdigest()
    name = re.sub(r"[^\w.-]+", "-", Path(spec.adapter).name)  # `transformers serve` takes an @ for a revision
    place = cache / "adapted" / f"{name}-{mark[:16]}"
    try:
        if not place.is_dir():
            _make(place, base, adapter, renamed(spec, base, adapter))
    except OSError as error:
        raise WeightsError(f"{place} cannot be written: {error}. Choose another folder with --cache.") from error
    return place


def check_installed(spec: ModelSpec) -> None:
    """Raises WeightsError without peft: transformers would leave the adapter out and not say so."""
    if find_spec("peft") is None:
        raise WeightsError(f"{spec.title or spec.key} is a model with an adapter. {INSTALL}")


def _refuse_alone(spec: ModelSpec, place: Path) -> None:
    """Raises WeightsError where the row takes an adapter for a whole model."""
    if (place / CONFIG).is_file() and not (place / "config.json").is_file():
        raise WeightsError(
            f"{spec.source} is an adapter, not a whole model. Write it into `adapter` of the row {spec.key}, and the "
            f"base that it was made for ({made_for(place)}) into `source`."
        )


def made_for(folder: Path) -> str:
    """The base that an adapter's own settings name."""
    return str(_config(folder).get("base_model_name_or_path") or "a base that it does not name")


def notice(spec: ModelSpec, place: Path | None) -> str:
    """That the adapter names another base than the row does, though it fits: the person must know. "" otherwise."""
    wanted = str(_config(place).get("base_model_name_or_path") or "") if spec.adapter and place else ""
    names = {Path(name).name.lower() for name in (spec.source, spec.repository) if name}
    if not wanted or Path(wanted).name.lower() in names:
        return ""
    return f"Its adapter says that it was made for {wanted}, and is used on {spec.source}"


def other_base(spec: ModelSpec, folder: Path, why: str) -> WeightsError:
    """The error of an adapter that does not belong to its base."""
    return WeightsError(
        f"The adapter {spec.adapter} was made for {made_for(folder)}, and does not fit {spec.source}: {why}. Name the "
        f"base that it was made for in `source` of the row {spec.key}, or another adapter."
    )


REPORTED = re.compile(r"^(?P<key>\S.*\.default(?:\.\S+)?)\s*\|\s*(?P<what>UNEXPECTED|MISSING|MISMATCH)\b")


def left_over(log: Iterable[str]) -> str:
    """What transformers says of an adapter's tensors that found no place, or of places that got none; "" when each
    found its own. It only logs that, and answers all the same."""
    said = (REPORTED.match(line.strip()) for line in log)
    return next((f"{found['key']} is {found['what'].lower()}" for found in said if found), "")


# --- does it fit ----------------------------------------------------------------------------------------------------


def renamed(spec: ModelSpec, base: Path, adapter: Path) -> dict[str, str]:
    """New names of the adapter's modules where the base calls them otherwise, by their ends: an adapter that was taught
    on the language model alone does not know of the `language_model.` of a model that sees.

    Raises WeightsError when it was made for another base.
    """
    if not (adapter / CONFIG).is_file() or not any(adapter.glob("adapter_model.*")):
        raise WeightsError(
            f"There is no adapter in {spec.adapter}: it lacks {CONFIG} or {TENSORS}. Correct `adapter` of the row "
            f"{spec.key}."
        )
    parts, there = _parts(headers.shapes(adapter / TENSORS)), _named(base)
    ends: dict[str, list[str]] = {}
    for name in there:
        ends.setdefault(_end(name), []).append(name)
    packed = "quantization_config" in _json(base / "config.json")
    names: dict[str, str] = {}
    for module, shape in parts.items():
        alike = [module] if module in there else ends.get(_end(module), [])
        if len(alike) != 1:  # not there, or in the tower that sees too: peft will tell
            continue
        theirs = alike[0]
        if not packed and shape not in (there[theirs], there[theirs][::-1]):
            raise other_base(
                spec, adapter, f"{module} is {_by(shape)} in the adapter, and {_by(there[theirs])} in the base"
            )
        names[module] = theirs
    kinds = {_kind(end) for end in ends}
    absent = [module for module in parts if _end(module) not in ends and (_kind(module) in kinds or not names)]
    if there and absent:
        raise other_base(spec, adapter, f"there is no {absent[0]} in it")
    return {module: theirs for module, theirs in names.items() if module != theirs}


def _parts(found: Shapes) -> dict[str, tuple[int, ...]]:
    """Of each module that the adapter changes, the shape of the matrix that it was made for: outputs by inputs."""
    sizes: dict[str, dict[str, int]] = {}
    for name, shape in found.items():
        if (part := _PART.fullmatch(name)) and len(shape) == 2:
            sizes.setdefault(part[1], {})[part[2]] = shape[1] if part[2] == "A" else shape[0]
    return {module: (each["B"], each["A"]) for module, each in sizes.items() if len(each) == 2}


def _named(base: Path) -> dict[str, tuple[int, ...]]:
    """Modules of the base that have a matrix, with its shape."""
    found = (each for file in base.glob("*.safetensors") for each in headers.shapes(file).items())
    return {name.removesuffix(".weight"): shape for name, shape in found if name.endswith(".weight")}


def _end(module: str) -> str:
    """From the word before the first number on; without a number the last word."""
    words = module.split(".")
    first = next((n for n, word in enumerate(words) if word.isdigit()), len(words))
    return ".".join(words[first - 1 :])


def _kind(module: str) -> str:
    """The same for all layers. One that others have and this one has not: the base has fewer of them."""
    return re.sub(r"\d+", "0", _end(module))


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(f"{n:,}" for n in shape)


# --- files ----------------------------------------------------------------------------------------------------------


def _make(place: Path, base: Path, adapter: Path, names: Mapping[str, str]) -> None:
    """All at once: a folder of that name is whole."""
    own = [path for path in _files(adapter) if path.name.startswith("adapter_") or _of_tokenizer(path)]
    place.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=place.parent, prefix=".part-"))
    try:
        for path in {each.name: each for each in (*_files(base), *own)}.values():
            _link(path, part / path.name)
        if names:
            (part / TENSORS).unlink()
            _rename(adapter / TENSORS, part / TENSORS, names)
        part.rename(place)
    except OSError:
        if not place.is_dir():  # else another process was quicker
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def _of_tokenizer(path: Path) -> bool:
    return any(path.match(pattern) for pattern in TOKENIZER)


def _link(path: Path, target: Path) -> None:
    try:
        target.symlink_to(path)
    except OSError:  # Windows lets only developers make one
        os.link(path, target)


def _rename(source: Path, target: Path, names: Mapping[str, str]) -> None:
    """A copy of the adapter whose modules are called as in the base."""
    header, start = headers.tensors(source)
    head = json.dumps({_renamed(name, names): said for name, said in header.items()}).encode()
    head += b" " * (-len(head) % 8)
    with source.open("rb") as old, target.open("wb") as new:
        old.seek(start)
        new.write(struct.pack("<Q", len(head)) + head)
        shutil.copyfileobj(old, new)


def _renamed(name: str, names: Mapping[str, str]) -> str:
    whole = "base_model.model."
    found = next((module for module in names if name.startswith(f"{whole}{module}.")), "")
    return name.replace(found, names[found], 1) if found else name


def _config(folder: Path) -> dict[str, Any]:
    return _json(folder / CONFIG)


def _json(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        value = json.loads(path.read_text(encoding="utf-8"))
        return value if isinstance(value, dict) else {}
    return {}
