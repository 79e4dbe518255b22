"""Turns a picture file into what is sent: upright, opaque, in sRGB, small enough, nothing hidden in it. Sends nothing.

A picture is recognised by its content, never by its name. Of a moving one the first frame is taken.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import stat
import struct
import threading
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import PIL.Image
import PIL.ImageChops
import PIL.ImageCms
import PIL.ImageMath

from playground.errors import ImageError
from playground.types import Image

MAX_SIDE_PX = 1536
"""The longest side of a picture as it is sent; larger ones are scaled down, smaller ones stay as they are."""
MAX_PIXELS = 60_000_000
"""The most pixels that are decoded, so that a 50-megapixel photo is opened and a decompression bomb is not."""
MAX_BYTES = 20_000_000
"""The largest file that is read."""
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")

_JPEG_QUALITY = 90
_WORKING = "PNG, JPEG, WebP and GIF work"
_ORIENTATION = 0x0112
_TURNS = {
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_270,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_90,
}
_OURS = re.compile(rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF....WEBP", re.DOTALL)
_OTHERS = (
    (re.compile(rb"BM"), "a BMP picture"),
    (re.compile(rb"II\*\0|MM\0\*|II\+\0|MM\0\+|IIRO|IIU\0|FUJIFILMCCD-RAW"), "a TIFF or raw picture"),
    (re.compile(rb"....ftyp(avi[fs]|mif1.{4,40}?avif)", re.DOTALL), "an AVIF picture"),
    (re.compile(rb"....ftyp(he|mif|msf)", re.DOTALL), "a HEIC picture"),
    (re.compile(rb"\xff\x0a|\0\0\0\x0cJXL "), "a JPEG XL picture"),
    (re.compile(rb"\0\0\0\x0cjP |\xff\x4f\xff\x51"), "a JPEG 2000 picture"),
    (re.compile(rb"8BPS"), "a Photoshop picture"),
    (re.compile(rb"\0\0[\x01\x02]\0"), "an icon"),
    (re.compile(rb"....ftyp|\x1aE\xdf\xa3|RIFF....AVI ", re.DOTALL), "a video"),
    (re.compile(rb"%PDF"), "a PDF document"),
    (re.compile(rb"PK\x03\x04"), "an archive or an office document"),
    (re.compile(rb"\s*<(!doctype html|html)", re.IGNORECASE), "a web page"),
)
_SVG = re.compile(rb"(\xef\xbb\xbf)?\s*<(svg|\?xml.*<svg|!.*<svg)", re.DOTALL | re.IGNORECASE)
# What Pillow's readers raise on bytes that are not what they should be; each was seen or stands in their source.
_UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    SystemError,
    MemoryError,
    EOFError,
    struct.error,
    zlib.error,
)
_CLOSE_TO_SRGB = 2
"""A profile that moves no colour by more than this, of 255, is sRGB itself: pixels then stay as they are."""
_MOST_UNPACKED = 1_000_000
"""Texts and profiles of a PNG that unpack to more are left out before it is read: Pillow refuses the whole picture."""
_MOST_TEXT = 16_000_000
# One picture is decoded at a time: memory stays bounded, and `catch_warnings` is not safe between threads.
_TURN = threading.Lock()


def prepare(
    path: Path, *, max_side: int = MAX_SIDE_PX, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES
) -> Image:
    """The picture in that file as it is sent: JPEG where it was one, else PNG; always RGB, without metadata.

    Raises ImageError, and nothing else, with a sentence that names the file by its last part only.
    """
    name = _shown(path)
    data = _read(path, name, max_bytes)
    with _TURN, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _convert(data, name, max_side, max_pixels)
        except PIL.Image.DecompressionBombError as error:
            raise ImageError(_too_many_pixels(name, max_pixels)) from error
        except PIL.UnidentifiedImageError as error:
            raise ImageError(_unrecognised(data, name)) from error
        except _UNREADABLE as error:
            raise ImageError(_broken(name)) from error


def data_uri(image: Image) -> str:
    """The picture as a `data:` address, which is how chat completions and browsers take it."""
    return f"data:{image.media_type};base64,{base64.b64encode(image.data).decode('ascii')}"


# --- reading ------------------------------------------------------------------------------------------------------


def _shown(path: Path) -> str:
    """The file's own name, fit for a sentence: no folders, no control characters, no lone surrogates."""
    return "".join(char if char.isprintable() else "?" for char in path.name) or "The image"


def _read(path: Path, name: str, max_bytes: int) -> bytes:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise ImageError(f"{name} is not a file. Choose a picture; {_WORKING}.")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise ImageError(f"{name} does not exist (any more). Choose the picture again.") from error
    except OSError as error:
        raise ImageError(f"{name} cannot be read: {error.strerror}. Check the file and choose it again.") from error
    if len(data) > max_bytes:
        raise ImageError(
            f"{name} is larger than {max_bytes / 1e6:g} MB. Save it smaller, for example as JPEG, and try again."
        )
    if not data:
        raise ImageError(f"{name} is empty. Choose a file with a picture in it; {_WORKING}.")
    return data


def _without_bulk(data: bytes) -> bytes:
    """A PNG without those texts and profiles that unpack to very much; anything else as it is."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    kept, at, text = [data[:8]], 8, 0
    while at + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        chunk = data[at : at + 12 + size]
        unpacked = _unpacked_bytes(kind, chunk[8 : 8 + size])
        if not unpacked or (unpacked <= _MOST_UNPACKED and text + unpacked <= _MOST_TEXT):
            kept.append(chunk)
            text += unpacked
        at += 12 + size
    return b"".join(kept) if sum(map(len, kept)) < len(data) else data


def _unpacked_bytes(kind: bytes, body: bytes) -> int:
    """How much the text or profile in this chunk takes, counted no further than is too much; 0 for pixels."""
    match kind:
        case b"tEXt":
            return len(body)
        case b"zTXt" | b"iCCP":
            packed = body[body.find(b"\0") + 2 :]
        case b"iTXt":
            rest = body.partition(b"\0")[2]
            if not rest[:1].strip(b"\0"):
                return len(body)
            packed = rest[2:].split(b"\0", 2)[-1]
        case _:
            return 0
    try:
        return len(zlib.decompressobj().decompress(packed, _MOST_UNPACKED + 1))
    except zlib.error:
        return len(packed)


def _convert(data: bytes, name: str, max_side: int, max_pixels: int) -> Image:
    with PIL.Image.open(io.BytesIO(_without_bulk(data)), formats=FORMATS) as file:
        if file.width * file.height > max_pixels:
            raise ImageError(_too_many_pixels(name, max_pixels))
        photo = file.format in ("JPEG", "MPO")
        size = _fitting(file.size, max_side)
        # A JPEG can be decoded at 1/2, 1/4 or 1/8; twice the final size loses nothing that could be seen.
        file.draft(None, (2 * size[0], 2 * size[1]))
        file.load()
        turn, to_srgb = _turn(file), _to_srgb(file)
        if to_srgb and file.mode == "CMYK":  # it cannot be made RGB without its profile
            picture = _opaque(_scaled(to_srgb(file), size))
        else:
            picture = _scaled(file, size)
            picture = _opaque(_recoloured(picture, to_srgb) if to_srgb else picture)
    if turn is not None:
        picture = picture.transpose(turn)
    picture.info.clear()
    written = io.BytesIO()
    if photo:
        picture.save(written, "JPEG", quality=_JPEG_QUALITY)
    else:
        picture.save(written, "PNG")
    return Image(
        data=written.getvalue(),
        media_type="image/jpeg" if photo else "image/png",
        width=picture.width,
        height=picture.height,
        sha256=hashlib.sha256(data).hexdigest(),
    )


# --- pixels -------------------------------------------------------------------------------------------------------


def _fitting(size: tuple[int, int], max_side: int) -> tuple[int, int]:
    scale = min(1.0, max_side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _turn(file: PIL.Image.Image) -> PIL.Image.Transpose | None:
    """How the camera was held, if the file says so. Damaged metadata is no reason to refuse a good picture."""
    try:
        return _TURNS.get(file.getexif().get(_ORIENTATION, 1))
    except _UNREADABLE:
        return None


def _scaled(file: PIL.Image.Image, size: tuple[int, int]) -> PIL.Image.Image:
    """The picture in that size, as RGB or RGBA."""
    if file.size == size:
        return _plain(file).copy()
    across, down = (max(1, have // (2 * want)) for have, want in zip(file.size, size, strict=True))
    smaller = _plain(file) if across == down == 1 else _reduced(file, across, down)
    exact = (0, 0, file.width / across, file.height / down)
    return smaller.resize(size, PIL.Image.Resampling.LANCZOS, exact)


def _reduced(file: PIL.Image.Image, across: int, down: int) -> PIL.Image.Image:
    """The picture that many times smaller, by way of strips.

    Measured on a transparent PNG of 50 megapixels: 370 MB and 1.0 s, against 680 MB and 4.3 s with whole copies.
    """
    strips = []
    for top in range(0, file.height, 256 * down):
        bottom = min(top + 256 * down, file.height)
        strips.append(_plain(file.crop((0, top, file.width, bottom))).reduce((across, down)))
    whole = PIL.Image.new(strips[0].mode, (strips[0].width, sum(strip.height for strip in strips)))
    for number, strip in enumerate(strips):
        whole.paste(strip, (0, 256 * number))
    return whole


def _plain(file: PIL.Image.Image) -> PIL.Image.Image:
    """The picture as RGB, or as RGBA where anything in it may be transparent."""
    if file.mode.startswith("I"):  # 16-bit grey, which `convert` would clip instead of scale
        return _plain_grey(file)
    mode = "RGBA" if file.has_transparency_data else "RGB"
    return file if file.mode == mode else file.convert(mode)


def _plain_grey(file: PIL.Image.Image) -> PIL.Image.Image:
    exact, clear = file.convert("I"), file.info.get("transparency")
    grey = exact.point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if isinstance(clear, int):  # one value is transparent
        alpha = PIL.ImageMath.lambda_eval(
            lambda given: given["convert"]((given["exact"] != clear) * 255, "L"), exact=exact
        )
        grey.putalpha(alpha)
    return grey


Recolour = Callable[[PIL.Image.Image], PIL.Image.Image]
_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}


def _to_srgb(file: PIL.Image.Image) -> Recolour | None:
    """What turns the colours of this picture into those of sRGB, by the profile in it; None where they are that, or
    where the profile is damaged or of another kind of picture."""
    try:
        profile = PIL.ImageCms.ImageCmsProfile(io.BytesIO(file.info.get("icc_profile") or b""))
        mode = _MODES.get(profile.profile.xcolor_space, "")
        if not mode or (mode == "CMYK") != (file.mode == "CMYK"):
            return None
        change = PIL.ImageCms.buildTransform(
            profile,
            PIL.ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            PIL.ImageCms.Intent.RELATIVE_COLORIMETRIC,
            PIL.ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        probe = _probe().convert(mode)
        moved = PIL.ImageChops.difference(change.apply(probe), probe.convert("RGB"))
    except (*_UNREADABLE, PIL.ImageCms.PyCMSError):
        return None
    if mode != "CMYK" and all(high <= _CLOSE_TO_SRGB for high in _highest(moved)):
        return None
    return lambda picture: change.apply(picture if picture.mode == mode else picture.convert(mode))


def _highest(picture: PIL.Image.Image) -> list[int]:
    return [max(channel.getdata()) for channel in picture.split()]


def _probe() -> PIL.Image.Image:
    """Colours from all over RGB: nine shades of each."""
    shades = [min(32 * n, 255) for n in range(9)]
    picture = PIL.Image.new("RGB", (81, 9))
    picture.putdata([(red, green, blue) for red in shades for green in shades for blue in shades])
    return picture


def _recoloured(picture: PIL.Image.Image, to_srgb: Recolour) -> PIL.Image.Image:
    """The picture in other colours, as transparent as before."""
    coloured = to_srgb(picture.convert("RGB"))
    if picture.mode == "RGBA":
        coloured.putalpha(picture.getchannel("A"))
    return coloured


def _opaque(picture: PIL.Image.Image) -> PIL.Image.Image:
    if picture.mode == "RGB":
        return picture
    paper = PIL.Image.new("RGBA", picture.size, "white")
    return PIL.Image.alpha_composite(paper, picture).convert("RGB")


# --- sentences ----------------------------------------------------------------------------------------------------


def _too_many_pixels(name: str, max_pixels: int) -> str:
    return f"{name} has more than {max_pixels / 1e6:g} megapixels. Scale it down and try again."


def _broken(name: str) -> str:
    return f"{name} is damaged or was cut short. Open it in a picture viewer, save it again and try that file."


def _unrecognised(data: bytes, name: str) -> str:
    """What those bytes are instead, as far as their beginning tells."""
    if _OURS.match(data):
        return _broken(name)
    if _SVG.match(data[:4096]):
        return f"{name} is an SVG, a drawing and not a picture made of pixels. Export it as PNG and try that."
    for beginning, what in _OTHERS:
        if beginning.match(data):
            return f"{name} is {what}, which is not read here. Save it in another format; {_WORKING}."
    return f"{name} is not a picture, whatever its name says. Choose another file; {_WORKING}."
