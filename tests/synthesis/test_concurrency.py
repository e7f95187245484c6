"""How many requests run at once, against a server with a set number of slots."""

import asyncio

from lift.synthesis.concurrency import AdaptiveLimit


async def serve(limit: AdaptiveLimit, slots: int, requests: int, seconds: float = 0.02) -> int:
    """Send `requests` to a server that answers `slots` at once and lets others wait; the most in flight."""
    free = asyncio.Semaphore(slots)
    most = 0

    async def one() -> None:
        nonlocal most
        async with limit.slot() as slot:
            most = max(most, limit.active)
            async with free:
                await asyncio.sleep(seconds)
                slot.token()
                slot.token()  # only the first one counts
                await asyncio.sleep(seconds * 5)

    await asyncio.gather(*(one() for _ in range(requests)))
    return most


def test_it_grows_to_the_bound_while_the_server_begins_at_once() -> None:
    async def run() -> None:
        limit = AdaptiveLimit(40)
        assert await serve(limit, slots=1000, requests=300) == 40
        assert limit.limit == 40
        assert limit.active == 0

    asyncio.run(run())


def test_it_stays_where_requests_only_queue() -> None:
    async def run() -> None:
        limit = AdaptiveLimit(500)
        most = await serve(limit, slots=8, requests=120, seconds=0.05)
        assert 8 <= most < 60

    asyncio.run(run())


def test_an_overload_halves_it_once_for_all_that_were_in_flight() -> None:
    async def run() -> None:
        limit = AdaptiveLimit(8)
        assert limit.limit == 8
        async with limit.slot() as first, limit.slot() as second:
            first.overloaded()
            second.overloaded()
            assert limit.limit == 4
        async with limit.slot() as third:
            third.overloaded()
            assert limit.limit == 2

    asyncio.run(run())


def test_it_never_falls_below_one_and_rises_slowly_afterwards() -> None:
    async def run() -> None:
        limit = AdaptiveLimit(64)
        for _ in range(10):
            async with limit.slot() as slot:
                slot.overloaded()
        assert limit.limit == 1
        async with limit.slot() as slot:
            slot.token()
        assert limit.limit == 2  # one a round trip: 1 + 1 / 1
        async with limit.slot() as one, limit.slot() as two:
            one.token()
            two.token()
        assert 2.5 <= limit.limit <= 3

    asyncio.run(run())


def test_a_cancelled_request_gives_its_place_back() -> None:
    async def run() -> None:
        limit = AdaptiveLimit(1)

        async def hang() -> None:
            async with limit.slot():
                await asyncio.sleep(60)

        hanging = asyncio.create_task(hang())
        await asyncio.sleep(0)
        waiting = asyncio.create_task(hang())
        await asyncio.sleep(0.01)
        hanging.cancel()
        await asyncio.sleep(0.01)
        assert limit.active == 1  # the one that waited
        waiting.cancel()
        await asyncio.gather(hanging, waiting, return_exceptions=True)
        assert limit.active == 0

    asyncio.run(run())
