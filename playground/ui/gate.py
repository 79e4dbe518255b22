"""Tells who sent a request, and lets a browser in as the owner's by an address that is used once. Decides nothing:
`policy` does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

import gradio as gr
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from playground.policy import Evidence, Person, Policy

PARAMETER = "owner"
"""Of the address that makes a browser the owner's: `?owner=TOKEN`."""
HEADER = "x-owner-token"
"""For programs."""
COOKIE_DAYS = 30
_PROXIED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via",
            "cf-connecting-ip")  # fmt: skip
WRONG = (
    "This is not the token of this page's owner. It is printed when the app starts, or was given to it by "
    "--owner-token. Without ?owner= in the address you can visit the page.\n"
)

Who = Callable[[gr.Request], Person]


def cookie_name(port: int) -> str:
    """Cookies know no port, so two apps of one machine need two names."""
    return f"side-by-side-owner-{port}"


def teller(policy: Policy, port: int) -> Who:
    """What tells who sent a request of Gradio's: each is looked at anew, whatever its session said before."""

    def who(request: gr.Request) -> Person:
        inner = request.request
        if inner is None:  # never through the queue or a route; whoever it is has shown nothing
            return policy.identify(Evidence(forwarded=True))
        session = inner.scope.get("session") or {}
        user = _signed_in(session)
        shown = evidence(inner.scope, cookie_name(port))
        return policy.identify(
            Evidence(
                shown.host,
                shown.address,
                shown.forwarded,
                shown.token,
                shown.cookie,
                account=request.username or "",
                hub_name=str(user.get("preferred_username") or ""),
                hub_id=str(user.get("sub") or ""),
            )
        )

    return who


def _signed_in(session: Mapping[str, object]) -> Mapping[str, object]:
    """What the Hub said of a visitor who signed in, while that lasts; the session is signed by the app's own secret."""
    found = session.get("oauth_info")  # what gr.OAuthProfile is made of
    if not isinstance(found, dict) or (found.get("expires_at") or time.time()) < time.time():
        return {}
    user = found.get("userinfo")
    return user if isinstance(user, dict) else {}


def evidence(scope: Scope, cookie: str) -> Evidence:
    """What a request shows, without what it says of accounts."""
    headers = Headers(scope=scope)
    return Evidence(
        host=headers.get("host", ""),
        address=(scope.get("client") or ("", 0))[0],
        forwarded=any(name in headers for name in _PROXIED),
        token=headers.get(HEADER, ""),
        cookie=_cookie(headers.get("cookie", ""), cookie),
    )


def _cookie(header: str, name: str) -> str:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


class OwnerMiddleware:
    """Takes the owner's token out of an address: a right one becomes a cookie, and the browser is sent on at once, so
    that the token stays in no address bar, history entry or Referer."""

    def __init__(self, app: ASGIApp, policy: Policy, port: int) -> None:
        self._app, self._policy, self._port = app, policy, port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as ASGI asks for it."""
        if self._policy.guarded and scope["type"] == "http" and b"owner=" in scope["query_string"]:
            query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
            tokens = [value for name, value in query if name == PARAMETER]
            if tokens:
                rest = urlencode([pair for pair in query if pair[0] != PARAMETER])
                await self._answer(scope, tokens[-1], rest)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _answer(self, scope: Scope, token: str, rest: str) -> Response:
        if not self._policy.is_token(token):
            return PlainTextResponse(WRONG, 403, {"Cache-Control": "no-store"})
        # relative, so that it holds behind a proxy that serves the app under a path
        response = Response(status_code=303, headers={"Location": f"?{rest}" if rest else "./"})
        response.headers["Cache-Control"] = "no-store"
        response.set_cookie(
            cookie_name(self._port),
            self._policy.cookie(),
            max_age=COOKIE_DAYS * 86_400,
            httponly=True,
            samesite="lax",
            secure=_is_https(scope),
        )
        return response


def _is_https(scope: Scope) -> bool:
    return scope["scheme"] == "https" or Headers(scope=scope).get("x-forwarded-proto", "").startswith("https")


def invitation(policy: Policy, port: int, *, given: bool) -> str:
    """What to print at the start of a guarded page, so that its owner gets in. A token that was `given` is not
    repeated."""
    if not policy.guarded:
        return ""
    if not policy.token:
        return "Only the Space's owner, signed in, loads, unloads and downloads models here (docs/security.md)."
    token = "YOUR-TOKEN" if given else policy.token
    return (
        "Others can reach this page, so only its owner loads, unloads and downloads models (docs/security.md).\n"
        f"* You are the owner at http://localhost:{port}/?{PARAMETER}={token}\n"
        f"* or at any other address of this page that ends with /?{PARAMETER}={token}"
    )
