import threading
import time

import pytest

from lift.turns import Turns


def test_first_come_first_served() -> None:
    """Who lets go and asks again does not starve who waited."""
    turns = Turns()
    order: list[str] = []
    waiting = threading.Event()

    def generator() -> None:
        waiting.set()
        with turns.turn():
            order.append("generator")

    with turns.turn():
        thread = threading.Thread(target=generator)
        thread.start()
        waiting.wait()
        time.sleep(0.05)  # it stands in line now
        order.append("trainer")
    with turns.turn():
        order.append("trainer again")
    thread.join()
    assert order == ["trainer", "generator", "trainer again"]


@pytest.mark.parametrize("urgent", [False, True])
def test_who_is_interrupted_while_waiting_leaves_the_line(monkeypatch: pytest.MonkeyPatch, urgent: bool) -> None:
    turns = Turns()

    def interrupt(condition: threading.Condition, predicate: object) -> None:
        assert turns.urgent is urgent
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(threading.Condition, "wait_for", interrupt)
        with pytest.raises(KeyboardInterrupt), turns.turn(urgent=urgent):
            pass
    with turns.turn():
        assert not turns.urgent


def test_an_urgent_turn_is_seen_by_who_has_it() -> None:
    turns = Turns()
    seen: list[bool] = []

    def decode() -> None:
        with turns.turn():
            started.set()
            while not turns.urgent:
                time.sleep(0.005)
            seen.append(turns.urgent)

    started = threading.Event()
    thread = threading.Thread(target=decode)
    thread.start()
    started.wait()
    with turns.turn(urgent=True):
        assert not turns.urgent  # it has what it waited for
    thread.join()
    assert seen == [True]
