"""What is true of a file that is no picture, or too much of one: a sentence that says so, and no other exception."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import PIL.Image
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from playground import images
from playground.errors import ImageError
from tests.pictures import corners, encoded, file, half_clear, opened, png


def refusal(path: Path, **limits: int) -> str:
    with pytest.raises(ImageError) as caught:
        images.prepare(path, **limits)
    message = str(caught.value)
    assert str(path.parent) not in message
    assert message.endswith(".")
    return message


@pytest.mark.parametrize("side", [8_000, 10_000, 20_000, 60_000])
def test_a_decompression_bomb_is_refused_by_its_header(tmp_path: Path, side: int) -> None:
    said = refusal(file(tmp_path, "bomb.png", png(side, side, 8, 2, bytes(1000))))
    assert said == "bomb.png has more than 60 megapixels. Scale it down and try again."


def test_the_pixel_limit_itself_is_allowed(tmp_path: Path) -> None:
    path = file(tmp_path, "a.png", encoded(corners(60, 40), "PNG"))
    assert images.prepare(path, max_pixels=60 * 40).width == 60
    assert "megapixels" in refusal(path, max_pixels=60 * 40 - 1)


def test_text_with_the_name_of_a_picture_is_refused(tmp_path: Path) -> None:
    said = refusal(file(tmp_path, "holiday.png", b"Dear diary, today"))
    assert said == (
        "holiday.png is not a picture, whatever its name says. Choose another file; PNG, JPEG, WebP and GIF work."
    )


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
@pytest.mark.parametrize("part", [0.05, 0.5, 0.9])
def test_a_truncated_picture_is_refused(tmp_path: Path, kind: str, part: float) -> None:
    data = encoded(PIL.Image.effect_noise((200, 200), 90).convert("RGB"), kind)
    assert "damaged or was cut short" in refusal(file(tmp_path, "a", data[: int(len(data) * part)]))


@pytest.mark.parametrize(
    "text",
    [
        '<svg xmlns="http://www.w3.org/2000/svg"/>',
        '\ufeff\n<?xml version="1.0"?>\n<!-- drawn --><svg/>',
        "<!-- drawn -->\n<svg/>",
    ],
)
def test_an_svg_is_refused_with_the_way_out(tmp_path: Path, text: str) -> None:
    said = refusal(file(tmp_path, "logo.png", text.encode()))
    assert said.startswith("logo.png is an SVG")
    assert "Export it as PNG" in said


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (encoded(corners(), "BMP"), "BMP"),
        (encoded(corners(), "TIFF"), "TIFF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        (b"\0\0\0\x20ftypavif\0\0\0\0", "AVIF"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\0\0\0\x1cftypheix\0\0\0\0mif1heix", "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "AVIF"),
        (b"\xff\x0a\xfa\x7f\x01", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"8BPS\0\1", "Photoshop"),
        (b"\0\0\1\0\1\0", "an icon"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", "a video"),
        (b"\x1aE\xdf\xa3\x01", "a video"),
        (b"PK\x03\x04\x14", "an archive"),
        (b"\n<!DOCTYPE html><p>Not found", "a web page"),
    ],
)
def test_another_format_is_named_and_so_are_those_that_work(tmp_path: Path, data: bytes, what: str) -> None:
    said = refusal(file(tmp_path, "scan.jpg", data))
    assert what in said
    assert "PNG, JPEG, WebP and GIF work" in said


def test_empty_missing_and_folder_are_refused(tmp_path: Path) -> None:
    assert "a.png is empty" in refusal(file(tmp_path, "a.png", b""))
    assert "b.png does not exist" in refusal(tmp_path / "b.png")
    assert "is not a file" in refusal(tmp_path / "..")
    assert "does not exist" in refusal(tmp_path / "a\0.png")
    assert "does not exist" in refusal(tmp_path / "a.png" / "b.png")
    (tmp_path / "folder").mkdir()
    assert "folder is not a file" in refusal(tmp_path / "folder")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes: run on Linux or macOS")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is not a file" in refusal(tmp_path / "pipe")


def test_a_file_that_may_not_be_read_is_refused_with_the_reason(tmp_path: Path) -> None:
    assert "cannot be read: File name too long" in refusal(tmp_path / ("a" * 300))


def test_a_file_with_too_many_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    with path.open("wb") as sparse:
        sparse.truncate(images.MAX_BYTES + 1)
    assert refusal(path).startswith("large.png is larger than 20 MB.")


def test_a_strange_name_is_fit_to_be_shown(tmp_path: Path) -> None:
    said = refusal(tmp_path / "a\nb\udcff\x1b.png")
    assert said.startswith("a?b??.png does not exist")


# --- whatever comes -----------------------------------------------------------------------------------------------

SEEDS = [encoded(corners(), kind) for kind in ("PNG", "JPEG", "WEBP", "GIF")]
SEEDS.append(encoded(half_clear("RGBA").quantize(), "PNG", transparency=0))


def image_or_refusal(folder: Path, data: bytes) -> None:
    path = file(folder, "any", data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            image = images.prepare(path, max_pixels=1_000_000)
        except ImageError:
            return
    assert opened(image).size == (image.width, image.height)
    assert opened(image).mode == "RGB"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes_are_an_image_or_a_refusal(tmp_path: Path, data: bytes) -> None:
    image_or_refusal(tmp_path, data)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.floats(0, 0.999), st.binary(min_size=1, max_size=8)), max_size=5))
def test_a_picture_with_bytes_changed_is_an_image_or_a_refusal(
    tmp_path: Path, data: bytes, changes: list[tuple[float, bytes]]
) -> None:
    changed = bytearray(data)
    for place, new in changes:
        start = int(place * len(data))
        changed[start : start + len(new)] = new
    image_or_refusal(tmp_path, bytes(changed))
