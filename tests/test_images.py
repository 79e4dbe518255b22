"""What is true of a picture between the file a person gave and what a model is sent. All files are made here."""

from __future__ import annotations

import base64
import hashlib
import struct
from pathlib import Path

import PIL.Image
import PIL.ImageChops
import PIL.ImageStat
import pytest

from playground import images
from tests.pictures import BLUE, RED, WHITE, chunk, close, corners, encoded, file, half_clear, opened, png

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


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_a_much_larger_picture_looks_like_the_same_picture_drawn_small(tmp_path: Path, mode: str) -> None:
    large = corners(1210, 1390).convert(mode)
    small = opened(images.prepare(file(tmp_path, "a.png", encoded(large, "PNG")), max_side=139))
    difference = PIL.ImageChops.difference(small, corners(121, 139))
    assert small.size == (121, 139)
    assert sum(PIL.ImageStat.Stat(difference).mean) < 6


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_fifty_megapixel_picture_is_opened_and_scaled(tmp_path: Path, kind: str) -> None:
    image = images.prepare(file(tmp_path, "photo", encoded(corners(8192, 6144), kind)))
    assert (image.width, image.height) == (1536, 1152)
    assert close(opened(image).getpixel((100, 100)), RED)


def test_a_data_uri_holds_the_bytes(tmp_path: Path) -> None:
    image = images.prepare(file(tmp_path, "a.png", encoded(corners(), "PNG")))
    head, _, body = images.data_uri(image).partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(body) == image.data
