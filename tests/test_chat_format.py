"""Training and use build the same prompt, whatever the template does."""

from typing import Any

import pytest
from transformers import AutoTokenizer

from lift.chat_format import ChatFormat, Turn
from lift.errors import ModelError
from lift.model import load_base_model
from lift.tasks import Task
from lift.training.encoding import encode_task

# The shapes of well-known templates, in this tokenizer's special tokens.
TEMPLATES = {
    # Gemma: no system role, the end of a turn is not the end of text.
    "no system": "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}"
    "{% endif %}<|im_start|>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>model\n{% endif %}",
    # Qwen 3: thinking is on unless it is switched off, which leaves an empty thought in the prompt.
    "thinking": "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' and loop.last %}"
    "<think>\n\n</think>\n\n{% endif %}{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}"
    "<|im_start|>assistant\n{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n"
    "{% endif %}{% endif %}",
    # Llama 2: a space before the answer and before the end of text.
    "space": "{% for m in messages %}{% if m.role == 'user' %}{{ bos_token }}[INST] {{ m.content }} [/INST]"
    "{% else %} {{ m.content }} {{ eos_token }}{% endif %}{% endfor %}",
}
QUESTION, ANSWER = "Who was his father?", "Alvaro Picardo de Celis."
PROMPT = 'Please answer the question based on "{title}".\nQuestion: {question}\nAnswer:'


@pytest.fixture(scope="module")
def embedded() -> Any:
    return load_base_model().tokenizer


@pytest.fixture(params=["own", *TEMPLATES, "none"])
def tokenizer(request: pytest.FixtureRequest, embedded: Any) -> Any:
    copy = AutoTokenizer.from_pretrained(embedded.name_or_path)
    if request.param != "own":
        copy.chat_template = TEMPLATES.get(request.param)
    return copy


def test_training_prompt_equals_inference_prompt(tokenizer: Any) -> None:
    chat_format = ChatFormat(tokenizer, PROMPT, "T")
    encoded = encode_task(Task("t", QUESTION, ANSWER), chat_format, 8192)
    assert list(encoded.prompt_ids) == chat_format.prompt_ids(QUESTION)
    text = tokenizer.decode(encoded.prompt_ids)
    assert f'Please answer the question based on "T".\nQuestion: {QUESTION}\nAnswer:' in text
    assert text.count("<|endoftext|>") <= 1


def test_the_answer_ends_with_the_token_that_stops_generation(tokenizer: Any) -> None:
    chat_format = ChatFormat(tokenizer, PROMPT, "T")
    encoded = encode_task(Task("t", QUESTION, ANSWER), chat_format, 8192)
    assert encoded.answer_ids[-1] == chat_format.end_id
    assert chat_format.end_id in chat_format.stop_ids
    assert tokenizer.decode(encoded.answer_ids[:-1]).strip() == ANSWER


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_training_sequence_is_what_the_template_renders(embedded: Any, name: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(embedded.name_or_path)
    tokenizer.chat_template = TEMPLATES[name]
    chat_format = ChatFormat(tokenizer, "{question}", "T")
    encoded = encode_task(Task("t", QUESTION, ANSWER), chat_format, 8192)
    messages = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": ANSWER}]
    rendered = tokenizer.apply_chat_template(messages, tokenize=False)
    ours = tokenizer.decode(encoded.ids)
    assert rendered.replace(" <|im_end|>", "<|im_end|>").startswith(ours)


def test_the_embedded_models_tokens(embedded: Any) -> None:
    chat_format = ChatFormat(embedded, "{question}", "T")
    encoded = encode_task(Task("t", "Hi?", "Yes."), chat_format, 8192)
    assert embedded.decode(encoded.ids).endswith(
        "<|im_start|>user\nHi?<|im_end|>\n<|im_start|>assistant\nYes.<|im_end|>"
    )
    assert embedded.decode([chat_format.end_id]) == "<|im_end|>"


def test_a_token_never_straddles_prompt_and_answer(embedded: Any) -> None:
    """'Answer: ' and 'Paris' joined tokenise as ' Paris': the prompt must keep the ids it has in use."""
    tokenizer = AutoTokenizer.from_pretrained(embedded.name_or_path)
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    chat_format = ChatFormat(tokenizer, "{question} ", "T")
    prompt = chat_format.prompt_ids("Capital?")
    _, answer = chat_format.task_ids("Capital?", "Paris")
    joined = tokenizer("Capital? Paris", add_special_tokens=False)["input_ids"]
    assert joined[: len(prompt)] != prompt
    assert tokenizer.decode(prompt + answer[:-1]) == "Capital? Paris"


def test_history_and_context(embedded: Any) -> None:
    chat_format = ChatFormat(embedded, "Q: {question}", "T")
    text = embedded.decode(
        chat_format.prompt_ids("Third?", [Turn("First?", "One."), Turn("Second?", "Two.")], "The text.")
    )
    order = [text.index(part) for part in ("The text.", "Q: First?", "One.", "Q: Second?", "Two.", "Q: Third?")]
    assert order == sorted(order)


def test_braces_in_questions_and_titles_are_left_alone(embedded: Any) -> None:
    chat_format = ChatFormat(embedded, "{title}: {question}", "A {b}")
    assert "A {b}: What is {x}?" in embedded.decode(chat_format.prompt_ids("What is {x}?"))


def test_a_tokenizer_that_cannot_end_an_answer_is_refused(embedded: Any) -> None:
    tokenizer = AutoTokenizer.from_pretrained(embedded.name_or_path)
    tokenizer.chat_template = None
    tokenizer.eos_token = None
    with pytest.raises(ModelError, match="end-of-text"):
        ChatFormat(tokenizer, "{question}", "T")
