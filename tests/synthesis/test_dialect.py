"""What is asked of a server, and what is left out once it refuses it."""

import pytest

from lift.synthesis.backends.dialect import Dialect


def test_everything_is_asked_for_at_first() -> None:
    fields = Dialect().fields(max_tokens=100, temperature=0.5)
    assert fields["response_format"]["type"] == "json_schema"
    assert fields["extra_body"] == {"chat_template_kwargs": {"enable_thinking": False}}
    assert fields["stream_options"] == {"include_usage": True}
    assert (fields["max_tokens"], fields["temperature"]) == (100, 0.5)


@pytest.mark.parametrize(
    ("message", "changed"),
    [
        ("response_format.type must be json_object or text", Dialect(structure="json_object")),
        ("Invalid schema for guided decoding", Dialect(structure="json_object")),
        ("Unrecognized request argument supplied: chat_template_kwargs", Dialect(thinking=None)),
        ("stream_options is not supported", Dialect(usage=False)),
        ("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'.", Dialect(limit="max_completion_tokens")),
        ("'temperature' does not support 0.7 with this model", Dialect(temperature=False)),
    ],
)
def test_what_the_message_names_goes(message: str, changed: Dialect) -> None:
    assert Dialect().after_refusal(message) == changed


def test_without_a_hint_the_least_needed_goes_first_until_nothing_is_left() -> None:
    tried = []
    dialect: Dialect | None = Dialect()
    while dialect := dialect.after_refusal("bad request"):
        tried.append((dialect.thinking, dialect.usage, dialect.structure))
    assert tried == [
        (None, True, "json_schema"),
        (None, False, "json_schema"),
        (None, False, "json_object"),
        (None, False, "text"),
    ]


def test_the_plainest_request_has_the_fields_that_every_server_knows() -> None:
    plain = Dialect("text", None, usage=False)
    assert plain.fields(max_tokens=5, temperature=1) == {"max_tokens": 5, "temperature": 1}
