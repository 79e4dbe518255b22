"""Knows what an endpoint's errors mean for a person, and what to do about each. Does not talk to the endpoint."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx

from playground.engines import faults
from playground.engines.pieces import scalar
from playground.engines.wire import CertificatesError
from playground.errors import EngineError, RefusedError, StreamError, UnreachableError
from playground.masking import mask
from playground.types import ModelSpec

MAX_WAIT_S = 30.0
DEFAULT_WAIT_S = 1.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a request goes and what it is called. `name` is the model's, for sentences; `secret` is in none of them."""

    url: str
    name: str
    stall_s: float
    key_env: str = ""
    secret: str | None = None

    @property
    def address(self) -> str:
        """host:port."""
        url = httpx.URL(self.url)
        return f"{url.host}:{url.port or (443 if url.scheme == 'https' else 80)}"

    def clean(self, text: str) -> str:
        """One line of what the server said, fit for a sentence: short, and without the key should it be echoed."""
        text = mask(text, [self.secret])
        line = next((line.strip() for line in text.splitlines() if line.strip()), "")
        line = "".join(char for char in scalar(line) if char.isprintable())
        return line if len(line) <= 300 else line[:299] + "…"


def refusal(to: Endpoint, model: str, status: int, body: str, location: str = "") -> RefusedError:
    """The sentence for an answer that is not 200."""
    said = to.clean(faults.of_body(body))
    quoted = f': "{said}"' if said else " without saying why"
    return RefusedError(_next_step(to, model, status, quoted, to.clean(location)))


def _next_step(to: Endpoint, model: str, status: int, quoted: str, location: str) -> str:
    who, path = to.name, httpx.URL(to.url).path
    key = to.key_env or "an API key (`api_key_env` in the models file)"
    match status:
        case 301 | 302 | 303 | 307 | 308:
            return f"{who} redirects to {location or 'elsewhere'}, which is not followed; put that address in base_url."
        case 401 | 403:
            verb = "Check the key in" if to.key_env else "It wants"
            return f"{who} answered {status}{quoted}. {verb} {key}, or choose another model."
        case 404:
            return f"{who} answered 404 at {path}{quoted}. Check that the server has the model {model}, and base_url."
        case 413:
            return f"{who} answered 413{quoted}. The prompt or its images are too large for it; send less."
        case 429:
            return f"{who} answered 429, too many requests, twice{quoted}. Wait a little and ask again."
        case 503:
            return f"{who} answered 503, not available, twice{quoted}. Wait until it is up and ask again."
        case _ if status >= 500:
            return f"{who} answered {status}{quoted}. Look in the log of the server at {to.address}, or ask again."
        case _:
            return f"{who} refused the request with {status}{quoted}. Change what it names, or choose another model."


KEY_PAGES = {"HF_TOKEN": "https://huggingface.co/settings/tokens"}
"""Where one gets a key, by the variable that holds it."""


def keyless(spec: ModelSpec) -> str:
    """The sentence for a key that is not set, with where to get one."""
    page = KEY_PAGES.get(spec.api_key_env)
    where = f" (make one at {page})" if page else ""
    return f"{spec.api_key_env} is not set; export it{where} or choose another model."


TEMPLATE = re.compile(r"(?:^jinja2\.exceptions\.\w+: |Jinja Exception: )(?P<said>.+?)(?:\\n|\",\"type\"|$)")
"""How the logs of `transformers serve` and of llama.cpp tell of a chat template that raised."""


def by_template(name: str, line: str) -> str:
    """The sentence for a chat template that does not take the conversation, from a line of the server's log; "" where
    that speaks of something else."""
    found = TEMPLATE.search(line)
    return refused_by_template(name, found["said"]) if found else ""


def refused_by_template(name: str, said: str) -> str:
    """The sentence for a conversation that the model's chat template raises at, with its own words."""
    return (
        f'The chat template of {name} does not take this conversation: "{said[:300]}". Change what it names (the '
        "system prompt, the order of turns), begin a new conversation, or choose another model."
    )


def failed_inside(to: Endpoint, said: str) -> RefusedError:
    """The sentence for an error in a stream that began well."""
    quoted = f': "{to.clean(said)}"' if said.strip() else " without saying why"
    return RefusedError(f"{to.name} failed in mid-answer{quoted}. Ask again, or look in its log at {to.address}.")


def ended_badly(to: Endpoint, reason: str) -> RefusedError:
    """The sentence for a finish reason that tells of a failure."""
    return RefusedError(
        f'{to.name} ended its answer with "{to.clean(reason)[:80]}" as the reason, so it failed or is not whole. '
        f"Ask again, or look in its log at {to.address}."
    )


def nothing_to_show(to: Endpoint, what: str) -> StreamError:
    """The sentence for an answer without text."""
    step = "Raise max tokens and ask again" if "used up" in what else "Ask again, or choose another model"
    return StreamError(f"{to.name} {what}. {step}.")


def not_a_stream(to: Endpoint, said: str) -> StreamError:
    """The sentence for an answer that is not JSON; web pages are not quoted."""
    what = to.clean(faults.of_body(said))[:80]
    what = f'"{what}"' if what else "a web page"
    return StreamError(
        f"{to.name} answered with {what} instead of JSON; check that base_url leads to an OpenAI-compatible API."
    )


def broken(to: Endpoint, error: Exception, reached: bool = False) -> EngineError:
    """The sentence for a connection that did not work out. `reached`: somebody took it."""
    secure = to.url.lower().startswith("https:")
    match error:
        case CertificatesError():
            return UnreachableError(
                f"The certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read, so {to.name} was not "
                "asked; correct it, or unset it."
            )
        case httpx.ConnectError() if "CERTIFICATE" in str(error):
            return UnreachableError(
                f"The certificate of {to.address} ({to.name}) cannot be trusted; correct base_url or the certificate, "
                "or name the authority that signed it in SSL_CERT_FILE."
            )
        case httpx.ConnectError() | httpx.ConnectTimeout() if secure and (reached or "SSL" in str(error)):
            return UnreachableError(
                f"{to.address} ({to.name}) does not speak https; if it is a plain server, correct base_url to begin "
                "with http://."
            )
        case httpx.RemoteProtocolError() if "illegal" in str(error):
            secure_hint = "" if secure else ", or begin it with https:// if that is a secure server"
            return UnreachableError(f"{to.address} ({to.name}) does not answer in HTTP; correct base_url{secure_hint}.")
        case httpx.ConnectError() | httpx.ConnectTimeout():
            return UnreachableError(
                f"Nothing answers at {to.address} ({to.name}); start the server there, or correct base_url."
            )
        case httpx.ProxyError():
            return UnreachableError(f"The proxy on the way to {to.address} ({to.name}) refused; check HTTPS_PROXY.")
        case httpx.PoolTimeout():
            return StreamError(f"Too many answers of {to.name} are running; wait for one to end and ask again.")
        case httpx.TimeoutException():
            return StreamError(
                f"{to.name} sent nothing for {to.stall_s:g} s, so the answer was given up; "
                f"ask again, or look in the log of the server at {to.address}."
            )
        case httpx.UnsupportedProtocol() | httpx.InvalidURL():
            return UnreachableError(
                f"The base_url of {to.name} is not a web address; begin it with http:// or https://."
            )
        case ImportError() | ValueError():
            return UnreachableError(
                f"{to.name} cannot be asked through the proxy that the environment names; correct HTTPS_PROXY."
            )
        case httpx.LocalProtocolError():
            return RefusedError(f"The request to {to.name} could not be written; check its key and base_url.")
        case _:
            return StreamError(
                f"{to.name} broke the connection off in mid-answer; ask again, "
                f"or look in the log of the server at {to.address}."
            )


def wait_s(retry_after: str) -> float:
    """Seconds to wait by a Retry-After header, which holds seconds or a date; at most `MAX_WAIT_S`."""
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(retry_after).timestamp() - time.time()
        except (ValueError, OverflowError):
            seconds = DEFAULT_WAIT_S
    return min(max(seconds, 0.0), MAX_WAIT_S) if seconds == seconds else DEFAULT_WAIT_S
