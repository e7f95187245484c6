"""The one place where a question becomes token ids, in training and in use (DESIGN, decision 9)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from lift.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["ChatFormat", "Turn"]

# Rendered in the place of an answer to see what a template puts around it.
_PROBE = "PROBE"


class Turn(NamedTuple):
    """One finished exchange of a conversation."""

    question: str
    answer: str


class ChatFormat:
    """Renders questions with a model's own chat template, or as plain text where it has none.

    Args:
        tokenizer: the base model's tokenizer.
        prompt_template: the user's turn, with `{question}` and, if wanted, `{title}`.
        title: what `{title}` stands for.
        stop_ids: further token ids that end an answer (the model's own generation settings).
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        prompt_template: str,
        title: str,
        stop_ids: Iterable[int] = (),
    ) -> None:
        self._tokenizer = tokenizer
        self._prompt_template = prompt_template
        self._title = title
        self._has_template = bool(tokenizer.chat_template)
        self._lead, self.end_id = self._answer_frame()
        eos = tokenizer.eos_token_id
        self.stop_ids: frozenset[int] = frozenset({self.end_id, *stop_ids} | ({eos} if eos is not None else set()))

    def prompt_ids(self, question: str, history: Sequence[Turn] = (), context: str | None = None) -> list[int]:
        """Token ids up to where the answer begins.

        Args:
            question: the question asked now.
            history: earlier turns of the conversation.
            context: text of the document to put in front of the first question.
        """
        return self._encode(self._prompt_text(question, history, context), whole=True)

    def task_ids(self, question: str, answer: str) -> tuple[list[int], list[int]]:
        """`prompt_ids(question)`, and the token ids of `answer` as it follows, the end of the turn included.

        The prompt keeps the ids that it has in use: where a token would straddle the border between
        prompt and answer, the answer is encoded on its own.
        """
        prompt = self._prompt_text(question, (), None)
        prompt_ids = self._encode(prompt, whole=True)
        text = self._lead + answer.strip()
        both = self._encode(prompt + text, whole=True)
        if both[: len(prompt_ids)] == prompt_ids:
            return prompt_ids, [*both[len(prompt_ids) :], self.end_id]
        return prompt_ids, [*self._encode(text, whole=False), self.end_id]

    def _prompt_text(self, question: str, history: Sequence[Turn], context: str | None) -> str:
        messages: list[dict[str, str]] = []
        for turn in history:
            messages += [
                {"role": "user", "content": self._user_text(turn.question)},
                {"role": "assistant", "content": turn.answer},
            ]
        messages.append({"role": "user", "content": self._user_text(question)})
        if context is not None:
            messages[0]["content"] = f"{context}\n\n{messages[0]['content']}"
        return self._render(messages)

    def _user_text(self, question: str) -> str:
        return self._prompt_template.format(title=self._title, question=question.strip())

    def _render(self, messages: list[dict[str, str]], *, answered: bool = False) -> str:
        if not self._has_template:
            return "".join(
                f" {message['content']}\n\n" if message["role"] == "assistant" else message["content"]
                for message in messages
            )
        options: dict[str, Any] = {"enable_thinking": False}
        rendered = self._tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=not answered, **options
        )
        return str(rendered)

    def _encode(self, text: str, *, whole: bool) -> list[int]:
        # A rendered template carries its own BOS; plain text gets the tokenizer's.
        special = whole and not self._has_template
        ids: list[int] = self._tokenizer(text, add_special_tokens=special)["input_ids"]
        return ids

    def _answer_frame(self) -> tuple[str, int]:
        """What the template puts before an answer, and the id of the token that ends the turn."""
        eos = self._tokenizer.eos_token_id
        if not self._has_template:
            if eos is None:
                raise ModelError("the tokenizer has neither a chat template nor an end-of-text token")
            return " ", eos
        user = {"role": "user", "content": "Q"}
        prompt = self._render([user])
        answered = self._render([user, {"role": "assistant", "content": _PROBE}], answered=True)
        start = answered.rfind(_PROBE)
        lead = answered[len(prompt) : start] if start >= len(prompt) and answered.startswith(prompt) else ""
        special = set(self._tokenizer.all_special_ids) | set(self._tokenizer.get_added_vocab().values())
        after = self._encode(answered[start + len(_PROBE) :], whole=False) if start >= 0 else []
        end = next((token for token in after if token in special), eos)
        if end is None:
            raise ModelError("the chat template has no token that ends an answer, and the tokenizer has no EOS")
        return lead, end
