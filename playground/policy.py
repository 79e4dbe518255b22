"""Decides who may do what: the owner everything, a visitor what the owner loaded or offered. Knows no page.

Who the owner is follows from where the app listens. On a loopback address it is whoever comes from this machine;
anywhere else (`--host`, `--share`, a Space) whoever has the owner's token or is signed in as the Space's owner; with
`--open` everybody.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Literal

from playground.errors import ForbiddenError
from playground.settings import Settings
from playground.types import ModelSpec

Act = Literal["load", "unload", "download", "add"]
_ACTS: dict[Act, str] = {
    "load": "loads models",
    "unload": "unloads models",
    "download": "downloads models",
    "add": "adds models",
}
_COOKIE = b"side-by-side: this browser is the owner's"


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks for something. `name` is what a budget counts by: an account, or the hash of an address; the owner's
    is empty."""

    owner: bool = False
    name: str = ""


OWNER = Person(owner=True)
"""Also the app itself, and whoever is at its command line."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a request shows of who sent it. `host` is the one it asked for, `address` the one it came from, `forwarded`:
    it says that it came through a proxy. `account` is the name that its sender signed in by (`--auth-file`), `hub_name`
    and `hub_id` are those at the Hugging Face Hub."""

    host: str = ""
    address: str = ""
    forwarded: bool = False
    token: str = field(default="", repr=False)
    cookie: str = field(default="", repr=False)
    account: str = ""
    hub_name: str = ""
    hub_id: str = ""


class Policy:
    """Who is the owner, and what anybody else may do. `offered` gives the keys of the rows that visitors may ask;
    `loaded` tells whether a model is in memory or on its way there."""

    def __init__(
        self,
        settings: Settings,
        offered: Callable[[], Collection[str]] = tuple,
        loaded: Callable[[str], bool] = lambda key: False,
    ) -> None:
        self._settings, self._offered, self._loaded = settings, offered, loaded
        self._salt = secrets.token_bytes(32)  # of this process: addresses are told apart and never stored
        self.token = settings.owner_token or (secrets.token_urlsafe(32) if self._needs_token() else "")

    @property
    def guarded(self) -> bool:
        """Who comes is a visitor until shown to be the owner."""
        settings = self._settings
        reached = settings.share or settings.on_space or not is_loopback(settings.host)
        return not settings.open and (reached or bool(settings.owner_token))

    def _needs_token(self) -> bool:
        """A guarded page whose owner has no other way to be known."""
        return self.guarded and not self._signs_in()

    def _signs_in(self) -> bool:
        # the session of a visitor is signed by this secret; without one anybody could write it
        return self._settings.sign_in and bool(self._settings.secret("OAUTH_CLIENT_SECRET"))

    # --- who it is --------------------------------------------------------------------------------------------------

    def identify(self, shown: Evidence) -> Person:
        """The owner, or a visitor by name."""
        return OWNER if self._is_owner(shown) else Person(name=self._name(shown))

    def _is_owner(self, shown: Evidence) -> bool:
        if self._settings.open:
            return True
        if not self.guarded:
            return not shown.forwarded and is_loopback(_hostname(shown.host))
        return self.is_token(shown.token) or self._is_cookie(shown.cookie) or self._owns_space(shown)

    def is_token(self, token: str) -> bool:
        """It is the owner's; compared in constant time."""
        return bool(self.token) and hmac.compare_digest(token.encode(), self.token.encode())

    def cookie(self) -> str:
        """What a browser that has shown the token keeps in its place. It ends with the token."""
        return hmac.new(self.token.encode(), _COOKIE, hashlib.sha256).hexdigest()

    def _is_cookie(self, cookie: str) -> bool:
        return bool(self.token) and hmac.compare_digest(cookie.encode(), self.cookie().encode())

    def _owns_space(self, shown: Evidence) -> bool:
        """Signed in as the account that the Space belongs to, or that made it (a Space of an organization)."""
        if not self._signs_in():
            return False
        environ = self._settings.environ
        author = environ.get("SPACE_AUTHOR_NAME") or environ.get("SPACE_ID", "").partition("/")[0]
        creator = environ.get("SPACE_CREATOR_USER_ID", "")
        return bool(author and shown.hub_name == author) or bool(creator and shown.hub_id == creator)

    def _name(self, shown: Evidence) -> str:
        """An account where there is one; else a hash of the address, of IPv6 of the network that one household has."""
        if shown.account:
            return f"account {shown.account}"
        if shown.hub_name:
            return f"hub {shown.hub_name}"
        return hashlib.blake2b(_network(shown.address).encode(), key=self._salt, digest_size=16).hexdigest()

    # --- what they may do -------------------------------------------------------------------------------------------

    def refusal(self, spec: ModelSpec, by: Person) -> str:
        """Why that person may not ask that model, if so: its key is the owner's, and so is the machine. Recordings are
        everybody's; so is a model that the owner has loaded."""
        if by.owner or spec.engine == "replay":
            return ""
        offered = self._offered()
        if spec.key in offered or spec.key.partition("/")[0] in offered:
            return ""
        loadable = spec.engine in ("transformers", "llama.cpp")
        if loadable and self._loaded(spec.key):
            return ""
        loads = "to load it, or " if loadable else ""
        return (
            f"{spec.title or spec.key} is not offered to visitors of this page. Choose another model, or ask the owner "
            f"{loads}to start the app with --offer {spec.key}."
        )


def check(by: Person, act: Act, what: str) -> None:
    """Raise ForbiddenError unless that person may do that with `what`, the title of a model."""
    if not by.owner:
        raise ForbiddenError(
            f"Nothing was done with {what}: only the owner of this page {_ACTS[act]}. Choose a model that is loaded, "
            "or ask the owner. If that is you, open the page by the address with ?owner= that the app printed when it "
            "started."
        )


def is_loopback(host: str) -> bool:
    """Only this machine can reach that address."""
    host = host.lower().rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _hostname(host: str) -> str:
    """A Host header without its port."""
    if host.startswith("["):
        return host.partition("]")[0].strip("[]")
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _network(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else str(found)
