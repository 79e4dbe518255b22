"""What is true of a picture between the file a person gave and what a model is sent. All files are made here."""

from __future__ import annotations

import base64
import hashlib
import struct
import zlib
from pathlib import Path

import PIL.Image
import PIL.ImageChops
import PIL.ImageCms
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


# --- colours ------------------------------------------------------------------------------------------------------


def wide_gamut() -> bytes:
    """The profile of a screen with more red than sRGB (Display P3: its primaries, the curve of sRGB)."""
    return profile([(0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)])


def profile(columns: list[tuple[float, float, float]], gamma: float = 2.2) -> bytes:
    """An ICC profile of these primaries, as XYZ of the D50 white, with one gamma."""

    def fixed(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    tags = {b"wtpt": b"XYZ \0\0\0\0" + b"".join(map(fixed, (0.9642, 1.0, 0.8249)))}
    for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True):
        tags[name] = b"XYZ \0\0\0\0" + b"".join(map(fixed, column))
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    tags[b"desc"] = b"desc\0\0\0\0" + struct.pack(">I", 2) + b"x\0" + bytes(90)
    tags[b"cprt"] = b"text\0\0\0\0x\0\0\0"
    table, body, at = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    size = 132 + 12 * len(tags) + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02400000, b"mntr", b"RGB ", b"XYZ ") + bytes(12) + b"acsp"
    head += bytes(128 - len(head) - 60) + struct.pack(">iii", 63190, 65536, 54061) + bytes(48)
    return head + table + body


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_colours_of_a_profile_become_those_of_srgb(tmp_path: Path, kind: str) -> None:
    options = {"quality": 100} if kind == "JPEG" else {"lossless": True}
    data = encoded(PIL.Image.new("RGB", (8, 8), (200, 60, 60)), kind, icc_profile=wide_gamut(), **options)
    red, green, blue = opened(images.prepare(file(tmp_path, "a", data))).getpixel((4, 4))
    assert (red > 208, green < 56, blue < 60) == (True, True, True)  # the same red has more of it in sRGB's numbers
    grey = encoded(PIL.Image.new("RGB", (8, 8), (128, 128, 128)), "PNG", icc_profile=wide_gamut())
    assert close(opened(images.prepare(file(tmp_path, "b", grey))).getpixel((4, 4)), (128, 128, 128), by=3)


def test_a_profile_keeps_what_is_transparent_and_is_for_large_pictures_too(tmp_path: Path) -> None:
    picture = half_clear("RGBA")
    picture.paste((200, 60, 60, 255), (0, 0, 10, 20))
    for size in ((20, 20), (4000, 4000)):
        data = encoded(picture.resize(size), "PNG", icc_profile=wide_gamut())
        image = opened(images.prepare(file(tmp_path, "a.png", data)))
        width = image.width
        assert image.getpixel((width - 2, 2)) == WHITE
        assert image.getpixel((2, 2))[0] > 208


def test_srgb_itself_and_a_damaged_profile_move_no_pixel(tmp_path: Path) -> None:
    picture = PIL.Image.effect_noise((50, 30), 90).convert("RGB")
    srgb = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
    for icc in (srgb, b"no profile", wide_gamut()[:200], bytes(200)):
        image = images.prepare(file(tmp_path, "a.png", encoded(picture, "PNG", icc_profile=icc)))
        assert opened(image).tobytes() == picture.tobytes()
        assert "icc_profile" not in opened(image).info


def test_a_profile_of_greys_is_for_greys(tmp_path: Path) -> None:
    grey = PIL.Image.linear_gradient("L")
    data = encoded(grey, "PNG", icc_profile=wide_gamut())  # one of RGB in a picture of greys: as it is
    assert opened(images.prepare(file(tmp_path, "a.png", data))).getpixel((5, 128))[0] in range(124, 133)


def test_a_transparent_value_of_sixteen_bit_grey_is_white(tmp_path: Path) -> None:
    rows = b"".join(b"\0" + struct.pack(">4H", 0, 1000, 1001, 65535) for _ in range(4))
    clear = chunk(b"tRNS", struct.pack(">H", 1000))
    picture = opened(images.prepare(file(tmp_path, "a.png", png(4, 4, 16, 0, rows, clear))))
    assert [picture.getpixel((x, 0)) for x in range(4)] == [(0, 0, 0), WHITE, (3, 3, 3), WHITE]
    big = b"".join(b"\0" + struct.pack(">H", 1000) * 2000 for _ in range(2000))
    assert opened(images.prepare(file(tmp_path, "b.png", png(2000, 2000, 16, 0, big, clear)))).getpixel((9, 9)) == WHITE


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_a_transparent_value_of_less_grey_is_white_too(tmp_path: Path, depth: int) -> None:
    rows = b"".join(b"\0" + bytes(depth) for _ in range(8))  # eight black pixels in each row
    clear = chunk(b"tRNS", struct.pack(">H", 0))
    assert opened(images.prepare(file(tmp_path, "a.png", png(8, 8, depth, 0, rows, clear)))).getpixel((3, 3)) == WHITE


# --- what comes with it -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bulk",
    [
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(3_000_000))),
        chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(bytes(3_000_000))),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b" " * 1_500_000),
        chunk(b"tEXt", b"Comment\0" + b"x" * 1_500_000),
        chunk(b"iCCP", b"wide\0\0" + zlib.compress(bytes(3_000_000))),
        b"".join(chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(900_000))) for _ in range(90)),
        chunk(b"zTXt", b"Comment"),
        chunk(b"iCCP", b"wide\0\0broken"),
    ],
)
def test_texts_and_profiles_that_unpack_to_very_much_do_not_keep_a_sound_picture_out(
    tmp_path: Path, bulk: bytes
) -> None:
    row = b"\0" + bytes((220, 30, 30)) * 4
    for place in ("before", "behind"):
        data = png(4, 4, 8, 2, row * 4, *([bulk] if place == "before" else []))
        if place == "behind":
            data = data[:-12] + bulk + data[-12:]
        assert opened(images.prepare(file(tmp_path, "a.png", data))).getpixel((1, 1)) == RED


def test_a_turn_that_is_told_in_a_text_is_still_read(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 3
    raw = b"\nexif\n%8d\n" % len(exif.tobytes()) + exif.tobytes().hex().encode()
    told = chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw))
    sound = encoded(corners(), "PNG")
    data = sound[:33] + chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(3_000_000))) + told + sound[33:]
    assert opened(images.prepare(file(tmp_path, "a.png", data))).getpixel((55, 35)) == RED
