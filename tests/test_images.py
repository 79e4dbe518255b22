"""What is true of a picture between the file a person gave and what a model is sent. All files are made here."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import struct
import warnings
import zlib
from pathlib import Path

import PIL.Image
import PIL.ImageDraw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from playground import images, types
from playground.errors import ImageError

WHITE, RED, BLUE = (255, 255, 255), (220, 30, 30), (30, 60, 220)


def corners(width: int = 60, height: int = 40) -> PIL.Image.Image:
    """A picture that tells every rotation and mirroring from every other."""
    picture = PIL.Image.new("RGB", (width, height), WHITE)
    draw = PIL.ImageDraw.Draw(picture)
    draw.rectangle((0, 0, width // 2 - 1, height // 2 - 1), fill=RED)
    draw.rectangle((width // 2, 0, width, height // 4 - 1), fill=BLUE)
    return picture


def encoded(picture: PIL.Image.Image, kind: str, **options: object) -> bytes:
    written = io.BytesIO()
    picture.save(written, kind, **options)
    return written.getvalue()


def file(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def opened(image: types.Image) -> PIL.Image.Image:
    picture = PIL.Image.open(io.BytesIO(image.data))
    picture.load()
    return picture


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def refusal(path: Path, **limits: int) -> str:
    with pytest.raises(ImageError) as caught:
        images.prepare(path, **limits)
    message = str(caught.value)
    assert str(path.parent) not in message
    assert message.endswith(".")
    return message


def close(one: tuple[int, ...], other: tuple[int, ...], by: int = 12) -> bool:
    return all(abs(a - b) <= by for a, b in zip(one, other, strict=True))


# --- what is read -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options", "media_type"),
    [
        ("PNG", {}, "image/png"),
        ("GIF", {}, "image/png"),
        ("WEBP", {"lossless": True}, "image/png"),
        ("JPEG", {"quality": 95}, "image/jpeg"),
    ],
)
def test_four_formats_are_read_whatever_the_name_says(
    tmp_path: Path, kind: str, options: dict[str, object], media_type: str
) -> None:
    data = encoded(corners(), kind, **options)
    image = images.prepare(file(tmp_path, "picture.bin", data))
    assert (image.media_type, image.width, image.height) == (media_type, 60, 40)
    assert image.sha256 == hashlib.sha256(data).hexdigest()
    picture = opened(image)
    assert picture.mode == "RGB"
    for place in ((5, 5), (55, 2), (55, 35), (5, 35)):
        assert close(picture.getpixel(place), corners().getpixel(place))


def test_png_pixels_arrive_unchanged(tmp_path: Path) -> None:
    picture = PIL.Image.effect_noise((50, 30), 90).convert("RGB")
    image = images.prepare(file(tmp_path, "a.png", encoded(picture, "PNG")))
    assert opened(image).tobytes() == picture.tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_turned_by_exif_equals_the_plain_one(tmp_path: Path, kind: str, orientation: int) -> None:
    inverse = {6: 8, 8: 6}.get(orientation, orientation)
    stored = corners() if inverse == 1 else corners().transpose(images._TURNS[inverse])
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    image = images.prepare(file(tmp_path, "photo", encoded(stored, kind, exif=exif, quality=95)))
    assert (image.width, image.height) == (60, 40)
    for place in ((5, 5), (55, 2), (55, 35), (5, 35)):
        assert close(opened(image).getpixel(place), corners().getpixel(place))


def test_the_first_frame_of_a_gif_is_sent(tmp_path: Path) -> None:
    frames = [PIL.Image.new("RGB", (20, 20), colour) for colour in (RED, BLUE, WHITE)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert opened(images.prepare(file(tmp_path, "a.gif", data))).getpixel((10, 10)) == RED


def test_metadata_is_not_sent(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[1] = "SecretPlace"
    for kind in ("JPEG", "PNG", "WEBP"):
        data = encoded(corners(), kind, exif=exif, comment=b"SecretWords", icc_profile=b"SecretProfile")
        assert b"Secret" in data
        image = images.prepare(file(tmp_path, "photo", data))
        assert b"Secret" not in image.data
        assert not {"exif", "comment", "icc_profile"} & set(opened(image).info)


# --- transparency and depth ---------------------------------------------------------------------------------------


def half_clear(mode: str) -> PIL.Image.Image:
    picture = PIL.Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (0, 0, 10, 20))
    return picture.convert(mode)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_was_transparent_is_white(tmp_path: Path, mode: str) -> None:
    picture = opened(images.prepare(file(tmp_path, "a.png", encoded(half_clear(mode), "PNG"))))
    assert picture.getpixel((2, 2)) == (0, 0, 0)
    assert picture.getpixel((17, 2)) == WHITE


def test_half_transparent_mixes_with_white(tmp_path: Path) -> None:
    data = encoded(PIL.Image.new("RGBA", (4, 4), (0, 0, 0, 128)), "PNG")
    assert close(opened(images.prepare(file(tmp_path, "a.png", data))).getpixel((1, 1)), (127, 127, 127), by=1)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_transparent_palette_colour_is_white(tmp_path: Path, kind: str) -> None:
    picture = PIL.Image.new("P", (10, 10), 0)
    picture.putpalette([*RED, *BLUE])
    picture.paste(1, (5, 0, 10, 10))
    image = images.prepare(file(tmp_path, "a", encoded(picture, kind, transparency=1)))
    assert opened(image).getpixel((1, 1)) == RED
    assert opened(image).getpixel((8, 1)) == WHITE


def test_a_transparent_webp_is_flattened(tmp_path: Path) -> None:
    data = encoded(half_clear("RGBA"), "WEBP", lossless=True)
    assert opened(images.prepare(file(tmp_path, "a.webp", data))).getpixel((17, 2)) == WHITE


def test_the_edge_of_a_transparent_shape_does_not_darken_when_scaled(tmp_path: Path) -> None:
    picture = PIL.Image.new("RGBA", (400, 400), (0, 0, 0, 0))
    picture.paste((*WHITE, 255), (0, 0, 201, 400))
    image = images.prepare(file(tmp_path, "a.png", encoded(picture, "PNG")), max_side=100)
    assert opened(image).getextrema() == ((255, 255),) * 3


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    rows = b"".join(b"\0" + struct.pack(">4H", 0, 16384, 32768, 65535) for _ in range(4))
    picture = opened(images.prepare(file(tmp_path, "a.png", png(4, 4, 16, 0, rows))))
    assert [picture.getpixel((x, 0))[0] for x in range(4)] == [0, 64, 128, 255]


def test_sixteen_bit_colour_with_a_transparent_colour_is_read(tmp_path: Path) -> None:
    row = b"\0" + struct.pack(">6H", 65535, 0, 0, 0, 0, 65535)
    data = png(2, 2, 16, 2, row * 2, chunk(b"tRNS", struct.pack(">3H", 65535, 0, 0)))
    assert opened(images.prepare(file(tmp_path, "a.png", data))).getpixel((1, 0)) == (0, 0, 255)


def test_one_bit_and_cmyk_become_rgb(tmp_path: Path) -> None:
    bit = images.prepare(file(tmp_path, "a.png", encoded(PIL.Image.new("1", (8, 8), 1), "PNG")))
    assert opened(bit).getpixel((4, 4)) == WHITE
    cmyk = PIL.Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    red = opened(images.prepare(file(tmp_path, "a.jpg", encoded(cmyk, "JPEG")))).getpixel((8, 8))
    assert close(red, (255, 0, 0))


# --- size ---------------------------------------------------------------------------------------------------------


def test_a_large_picture_is_scaled_to_the_limit_and_keeps_its_shape(tmp_path: Path) -> None:
    image = images.prepare(file(tmp_path, "a.png", encoded(corners(4000, 2000), "PNG")))
    assert (image.width, image.height) == (images.MAX_SIDE_PX, images.MAX_SIDE_PX // 2)
    assert opened(image).size == (image.width, image.height)
    assert opened(image).getpixel((100, 100)) == RED


def test_a_small_picture_is_never_scaled_up(tmp_path: Path) -> None:
    image = images.prepare(file(tmp_path, "a.png", encoded(corners(8, 4), "PNG")))
    assert (image.width, image.height) == (8, 4)


def test_a_line_of_pixels_keeps_at_least_one(tmp_path: Path) -> None:
    image = images.prepare(file(tmp_path, "a.png", encoded(PIL.Image.new("RGB", (9000, 1), RED), "PNG")))
    assert (image.width, image.height) == (images.MAX_SIDE_PX, 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_fifty_megapixel_picture_is_opened_and_scaled(tmp_path: Path, kind: str) -> None:
    image = images.prepare(file(tmp_path, "photo", encoded(corners(8192, 6144), kind)))
    assert (image.width, image.height) == (1536, 1152)
    assert close(opened(image).getpixel((100, 100)), RED)


# --- what is refused ----------------------------------------------------------------------------------------------


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


def test_a_data_uri_holds_the_bytes(tmp_path: Path) -> None:
    image = images.prepare(file(tmp_path, "a.png", encoded(corners(), "PNG")))
    head, _, body = images.data_uri(image).partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(body) == image.data
