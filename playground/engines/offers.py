"""Knows how to ask a server which models it offers, and which one is meant. Does not ask them anything."""

from __future__ import annotations

import json

import httpx

from playground.addresses import models_url, wants_api_key_header
from playground.engines.reading import error_body
from playground.engines.refusals import Endpoint, broken, refusal
from playground.engines.wire import CertificatesError, open_client
from playground.errors import EngineError, RefusedError, StreamError
from playground.types import ModelSpec

LIMIT_S = 5.0
SHOWN = 8
"""So many names of models in a sentence."""


def offered(spec: ModelSpec, url: str, key: str | None = None) -> tuple[str, ...]:
    """Names of the models that the server lists, in its order; `url` is that of its chat completions.

    Raises EngineError: it does not answer, refuses, or lists nothing that can be read.
    """
    key = (key or "").strip() or None
    to = Endpoint(url, spec.title or spec.key, LIMIT_S, spec.api_key_env, key)
    try:
        with (
            open_client(url, LIMIT_S, LIMIT_S) as client,
            client.stream("GET", models_url(url), headers=_headers(url, key)) as response,
        ):
            if not response.is_success:
                raise refusal(to, "", response.status_code, error_body(response))
            found = json.loads(response.read())["data"]
        return tuple(to.clean(str(each["id"])) for each in found or ())
    except EngineError:
        raise
    except (httpx.HTTPError, httpx.InvalidURL, OSError, CertificatesError) as error:
        raise broken(to, error) from error
    except (ValueError, LookupError, TypeError) as error:
        raise StreamError(f"{to.name} does not list its models; name one in `source` of its row.") from error


def _headers(url: str, key: str | None) -> dict[str, str]:
    if key is None:
        return {}
    return {"Authorization": f"Bearer {key}"} | ({"api-key": key} if wants_api_key_header(url) else {})


def meant(spec: ModelSpec, models: tuple[str, ...]) -> str:
    """The one model that a row without a name means. Raises RefusedError where there is none, or a choice."""
    name = spec.title or spec.key
    if not models:
        raise RefusedError(f"{name} answers, but offers no model. Load one there, then ask again.")
    if len(models) > 1:
        keys = ", ".join(f"{spec.key}/{model}" for model in models[:SHOWN])
        more = f" and {len(models) - SHOWN} more" if len(models) > SHOWN else ""
        raise RefusedError(f"{name} offers {len(models)} models. Choose one of them: {keys}{more}.")
    return models[0]
