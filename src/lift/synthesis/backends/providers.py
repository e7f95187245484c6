"""Generators that have a name: where they are, which variable holds the key, what they understand."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from lift.synthesis.backends.dialect import Dialect

__all__ = ["KEY_VARIABLE", "PROVIDERS", "Provider", "provider_at", "read_key"]

# The key of a server that the user names by its URL.
KEY_VARIABLE: Final = "LIFT_API_KEY"


@dataclass(frozen=True)
class Provider:
    """A service with a fixed address.

    Attributes:
        url: the base URL.
        key_variable: the environment variable that holds its key; no other host gets to see that key.
        dialect: what it understands of the protocol.
    """

    url: str
    key_variable: str
    dialect: Dialect


PROVIDERS: Final = {
    "openai": Provider(
        "https://api.openai.com/v1", "OPENAI_API_KEY", Dialect(thinking=None, limit="max_completion_tokens")
    ),
    "deepseek": Provider(
        "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY", Dialect(structure="json_object", thinking="deepseek")
    ),
}


def provider_at(url: str) -> Provider | None:
    """The provider whose host `url` names, if it is one's."""
    host = urlsplit(url).hostname
    return next((provider for provider in PROVIDERS.values() if urlsplit(provider.url).hostname == host), None)


def read_key(provider: Provider | None, variable: str) -> str | None:
    """The key in the environment variable that the user sets for any host, else in the provider's own."""
    return os.environ.get(variable) or (os.environ.get(provider.key_variable) if provider else None)
