from lift.document import Document
from lift.recipe import Recipe
from lift.synthesis.backends import open_backend
from lift.synthesis.backends.openai import OpenAIBackend
from lift.synthesis.estimate import PrefixCache, estimate_cost
from lift.synthesis.prompts import build_request
from lift.synthesis.usage import Usage


def test_the_estimate_of_a_document(picardo: Document) -> None:
    backend = OpenAIBackend("http://llm.example:8000/v1", "m")
    estimate = estimate_cost(picardo, backend, Recipe())
    segments = backend.segments(picardo, Recipe())
    prompts = [build_request(picardo, segment, Recipe()) for segment in segments]
    assert estimate.requests == len(segments)
    assert estimate.host == "llm.example:8000"
    assert abs(estimate.usage.prompt - sum(len(p.system + p.user) for p in prompts) / 4) < len(prompts)
    assert estimate.usage.completion == len(segments) * 10 * 48
    # What the windows are for (the goal is 70 %).
    assert estimate.usage.cached / estimate.usage.prompt > 0.7


def test_what_is_answered_costs_nothing(picardo: Document) -> None:
    backend = OpenAIBackend("http://localhost:8000/v1", "m")
    keys = [build_request(picardo, segment, Recipe()).key for segment in backend.segments(picardo, Recipe())]
    estimate = estimate_cost(picardo, backend, Recipe(), keys[1:])
    assert (estimate.requests, estimate.answered) == (1, len(keys) - 1)


def test_tasks_by_rules_cost_nothing(picardo: Document) -> None:
    estimate = estimate_cost(picardo, open_backend("quotes"), Recipe())
    assert estimate.requests > 100
    assert estimate.usage == Usage()


def test_a_prefix_counts_in_whole_blocks_from_the_start() -> None:
    cache = PrefixCache()
    assert cache.cached("a" * 200) == 0
    assert cache.cached("a" * 150 + "b" * 50) == 128
    assert cache.cached("b" + "a" * 199) == 0
