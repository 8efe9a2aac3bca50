# SPDX-License-Identifier: BSD-3-Clause
"""Readers that rest: what arrives meanwhile is read together, and nothing is forgotten."""

import asyncio
import contextlib
import os
import time

from nexusnet.handshake.reader import Reader


def within(scenario: object, seconds: float = 20.0) -> None:
    assert asyncio.iscoroutine(scenario)
    asyncio.run(asyncio.wait_for(scenario, seconds))


class Mailbox:
    """An eventfd whose count is the number of letters."""

    def __init__(self, rests: list[float]) -> None:
        self.fd = os.eventfd(0, os.EFD_NONBLOCK)
        self.batches: list[int] = []
        self.rests = rests
        self.changed = asyncio.Event()
        self.reader = Reader(self.fd, self.read, self.rest)

    def read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self.batches.append(os.eventfd_read(self.fd))
            self.changed.set()

    def rest(self) -> float:
        return self.rests.pop(0) if self.rests else 0.0

    async def until(self, letters: int) -> None:
        while sum(self.batches) < letters:
            self.changed.clear()
            await self.changed.wait()

    def close(self) -> None:
        self.reader.close()
        os.close(self.fd)


def test_it_reads_at_once_and_again() -> None:
    async def scenario() -> None:
        box = Mailbox([])
        for number in range(1, 4):
            os.eventfd_write(box.fd, 1)
            await box.until(number)
        assert box.batches == [1, 1, 1]
        box.close()

    within(scenario())


def test_what_arrives_while_it_rests_is_read_together() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        boxes = [Mailbox([1.0]), Mailbox([1.0])]
        # They go on at every whole second; this one has just begun.
        await asyncio.sleep(1.0 - loop.time() % 1.0)
        for box in boxes:
            os.eventfd_write(box.fd, 1)
            await box.until(1)
            await asyncio.sleep(0.1)
        second = loop.time() // 1.0
        for box in boxes:
            for _ in range(5):
                os.eventfd_write(box.fd, 1)
                await asyncio.sleep(0)
        assert loop.time() // 1.0 == second
        await asyncio.gather(*(box.until(6) for box in boxes))
        assert [box.batches for box in boxes] == [[1, 5], [1, 5]]
        assert loop.time() // 1.0 == second + 1
        for box in boxes:
            box.close()

    within(scenario())


def test_it_can_be_closed_while_it_rests() -> None:
    async def scenario() -> None:
        box = Mailbox([0.001])
        os.eventfd_write(box.fd, 1)
        await box.until(1)
        box.reader.close()
        os.eventfd_write(box.fd, 1)
        await asyncio.sleep(0.05)
        assert box.batches == [1]
        box.close()

    within(scenario())


def test_what_came_while_it_rested_is_read_before_what_is_due() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        box = Mailbox([0.05])
        os.eventfd_write(box.fd, 1)
        await box.until(1)
        os.eventfd_write(box.fd, 1)
        seen: list[int] = []
        loop.call_later(0.06, lambda: seen.append(sum(box.batches)))
        # This thread has to wait for a CPU.
        time.sleep(0.1)  # noqa: ASYNC251
        await asyncio.sleep(0.02)
        assert seen == [2]
        box.close()

    within(scenario())
