"""Keeps names and hashed passwords in a file (`--auth-file`), and checks them. Also the command `password`."""

from __future__ import annotations

import argparse
import asyncio
import base64
import getpass
import hashlib
import hmac
import os
import re
import secrets
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from playground.errors import UsageError

SHORTEST = 8
_COST, _BLOCK, _LANES, _BYTES = 2**15, 8, 3, 32
"""Of scrypt, as OWASP's cheat sheet on storing passwords has it: 32 MiB, and about a quarter of a second."""
_LINE = re.compile(r"(?P<name>[^:\s][^:]*):scrypt:(?P<n>\d+):(?P<r>\d+):(?P<p>\d+):(?P<salt>[^:]+):(?P<hash>[^:]+)")
_MOST_MEMORY = 256 * 2**20


def hashed(password: str) -> str:
    """What a file keeps of a password: the scheme, its costs, a salt and the hash."""
    salt = secrets.token_bytes(16)
    made = _scrypt(password, salt, _COST, _BLOCK, _LANES)
    return ":".join(("scrypt", str(_COST), str(_BLOCK), str(_LANES), _text(salt), _text(made)))


def read(path: Path) -> dict[str, str]:
    """The hash of each name. Raises UsageError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The file of names and passwords cannot be read: {error}. Correct --auth-file.") from error
    found = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        if not (match := _LINE.fullmatch(line.strip())) or not _is_sound(match):
            raise UsageError(
                f"Line {number} of {path} is not NAME:scrypt:...; write it by: "
                f"python -m playground password NAME --auth-file {path}"
            )
        found[match["name"]] = line.strip().partition(":")[2]
    if not found:
        raise UsageError(f"{path} holds no name. Add one by: python -m playground password NAME --auth-file {path}")
    return found


def _is_sound(match: re.Match[str]) -> bool:
    try:
        salt, made = (base64.b64decode(match[part], validate=True) for part in ("salt", "hash"))
    except ValueError:
        return False
    n, r, p = (int(match[part]) for part in "nrp")
    return bool(salt and made) and n > 1 and not n & (n - 1) and 0 < 128 * n * r * p <= _MOST_MEMORY


def matches(password: str, kept: str) -> bool:
    """The password is the one that this was made of. Compared in constant time."""
    _, n, r, p, salt, made = kept.split(":")
    wanted = base64.b64decode(made)
    found = _scrypt(password, base64.b64decode(salt), int(n), int(r), int(p), len(wanted))
    return hmac.compare_digest(found, wanted)


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int, length: int = _BYTES) -> bytes:
    secret = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(secret, salt=salt, n=n, r=r, p=p, maxmem=2 * _MOST_MEMORY, dklen=length)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def checker(path: Path) -> Callable[[str, str], Awaitable[bool]]:
    """What Gradio asks at a login. The file is read anew, so that names come and go while the app runs. One password
    is checked at a time, beside the page: guesses are slow, and nobody else waits for them."""
    nobody = hashed(secrets.token_hex())  # an unknown name takes as long as a known one
    one = asyncio.Semaphore(1)

    def check(name: str, password: str) -> bool:
        try:
            kept = read(path).get(name)
        except UsageError as error:
            print(f"Nobody can sign in. {error}", file=sys.stderr)
            return False
        return matches(password, kept or nobody) and kept is not None

    async def ask(name: str, password: str) -> bool:
        async with one:
            return await asyncio.to_thread(check, name, password)

    return ask


# --- the command ------------------------------------------------------------------------------------------------------


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    command = commands.add_parser("password", help="set a name's password in a file for app.py --auth-file")
    command.set_defaults(run=run)
    command.add_argument("name", metavar="NAME", help="who signs in with it")
    command.add_argument("--auth-file", type=Path, required=True, metavar="FILE", help="made when it is not there")


def run(args: argparse.Namespace, env: Mapping[str, str]) -> int:
    """Ask for a password and keep its hash. Raises UsageError."""
    name = args.name.strip()
    if not name or ":" in name or not name.isprintable():
        raise UsageError("A name has at least one character, no colon and no line end.")
    store(args.auth_file, name, _asked(name))
    print(
        f"{args.auth_file} holds a password of {name}. Start the page with: python app.py --auth-file {args.auth_file}"
    )
    return 0


def store(path: Path, name: str, password: str) -> None:
    """Set the password of that name; other lines stay. Only this account of the machine may read the file. Raises
    UsageError."""
    if len(password) < SHORTEST:
        raise UsageError(f"A password has at least {SHORTEST} characters. Nothing was changed.")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    kept = [line for line in lines if line.partition(":")[0].strip() != name]
    beside = path.with_name(f"{path.name}.new")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write("\n".join([*kept, f"{name}:{hashed(password)}"]) + "\n")
        beside.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error}. Nothing was changed.") from error


def _asked(name: str) -> str:
    """Twice where a person types it; else the first line of what a program sends."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass(f"Password of {name}: ")
    if getpass.getpass("The same again: ") != first:
        raise UsageError("The two are not the same. Nothing was changed.")
    return first
