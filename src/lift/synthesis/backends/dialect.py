"""What a server of the OpenAI protocol understands of it, found out from what it refuses.

No paid probes: the first real request asks for everything; a server that answers 400 has cost nothing, and
what it refused is not asked for again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

__all__ = ["Dialect"]

_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "pairs": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"question": {"type": "string"}, "answer": {"type": "string"}},
                "required": ["question", "answer"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["pairs"],
    "additionalProperties": False,
}
_LESS_STRUCTURE: Final = {"json_schema": "json_object", "json_object": "text", "text": None}
# What an error message says about the field that it refuses.
_BLAMED: Final = {
    "structure": re.compile(r"response_format|json_schema|json_object|schema|grammar|structured|guided", re.IGNORECASE),
    "thinking": re.compile(r"chat_template_kwargs|enable_thinking|\bthinking\b|reasoning", re.IGNORECASE),
    "usage": re.compile(r"stream_options|include_usage", re.IGNORECASE),
    "limit": re.compile(r"max_tokens|max_completion_tokens", re.IGNORECASE),
    "temperature": re.compile(r"temperature", re.IGNORECASE),
}


@dataclass(frozen=True)
class Dialect:
    """The optional fields of a request that a server takes.

    Attributes:
        structure: what `response_format` asks for; `text` leaves the field out. The answer is parsed
            tolerantly in any case: some servers ignore the field silently.
        thinking: how a reasoning model is asked not to think aloud: through its chat template (vLLM,
            SGLang, llama.cpp), in DeepSeek's way, or not at all.
        usage: ask for token counts at the stream's end.
        limit: the name of the field that limits the completion.
        temperature: send the sampling temperature.
    """

    structure: Literal["json_schema", "json_object", "text"] = "json_schema"
    thinking: Literal["template", "deepseek"] | None = "template"
    usage: bool = True
    limit: Literal["max_tokens", "max_completion_tokens"] | None = "max_tokens"
    temperature: bool = True

    def fields(self, *, max_tokens: int, temperature: float) -> dict[str, Any]:
        """The request's fields, as the openai client takes them."""
        fields: dict[str, Any] = {}
        if self.structure == "json_schema":
            schema = {"name": "pairs", "strict": True, "schema": _SCHEMA}
            fields["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif self.structure == "json_object":
            fields["response_format"] = {"type": "json_object"}
        if self.thinking == "template":
            fields["extra_body"] = {"chat_template_kwargs": {"enable_thinking": False}}
        elif self.thinking == "deepseek":
            fields["extra_body"] = {"thinking": {"type": "disabled"}}
        if self.usage:
            fields["stream_options"] = {"include_usage": True}
        if self.limit:
            fields[self.limit] = max_tokens
        if self.temperature:
            fields["temperature"] = temperature
        return fields

    def after_refusal(self, message: str) -> Dialect | None:
        """What to try when the server refused a request with `message`; None if nothing is left to leave out.

        The field that the message names goes first; otherwise the least needed one.
        """
        blamed = [name for name, words in _BLAMED.items() if words.search(message)]
        for name in [*blamed, "thinking", "usage", "structure"]:
            without = self._without(name)
            if without is not None:
                return without
        return None

    def _without(self, name: str) -> Dialect | None:
        match name:
            case "structure" if less := _LESS_STRUCTURE[self.structure]:
                return replace(self, structure=less)  # type: ignore[arg-type]
            case "thinking" if self.thinking:
                return replace(self, thinking=None)
            case "usage" if self.usage:
                return replace(self, usage=False)
            case "limit" if self.limit:
                return replace(self, limit="max_completion_tokens" if self.limit == "max_tokens" else None)
            case "temperature" if self.temperature:
                return replace(self, temperature=False)
        return None
