"""Thousands of peers in one thread: each is a generator that yields what it waits for.

A peer tries first and yields a `Wait` where the kernel has nothing for it. Each has a limit for its whole life: at
that time `TimeoutError` is raised where it waits.
"""

from __future__ import annotations

import heapq
import select
import socket
import time
from typing import Callable, Generator, NamedTuple

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
ANY = READ | WRITE | select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR

# How often limits are looked at, in seconds.
SWEEP = 1.0


class Wait(NamedTuple):
    """For readiness, or so many seconds, or whichever is first."""

    events: int
    seconds: float | None = None


Steps = Generator[Wait, None, None]
# Hears how a peer ended: well, or with an error.
Ended = Callable[["BaseException | None"], None]


class Rider:
    """A peer on the wheel."""

    __slots__ = ("steps", "fd", "limit", "ended", "events", "turn")

    def __init__(self, steps: Steps, fd: int, limit: float, ended: Ended):
        self.steps, self.fd, self.limit, self.ended = steps, fd, limit, ended
        self.events = 0
        # Tells a timer that was overtaken from one that still counts.
        self.turn = 0


class Wheel:
    """Gives each rider its turn. `lag` is the longest time that one round took."""

    def __init__(self) -> None:
        self.epoll = select.epoll()
        self.riders: dict[int, Rider] = {}
        self.timers: list[tuple[float, int, int]] = []
        self.swept = self.began = time.monotonic()
        self.lag = 0.0

    def __len__(self) -> int:
        return len(self.riders)

    def add(self, sock: socket.socket, steps: Steps, limit: float, ended: Ended) -> None:
        """Lets `steps` begin with its socket; `ended` hears how it ended, before the socket's number is free."""
        rider = Rider(steps, sock.fileno(), time.monotonic() + limit, ended)
        self.riders[rider.fd] = rider
        # Told once for each change: peers try before they wait, so nothing is missed, and a wait costs no call.
        self.epoll.register(rider.fd, ANY | select.EPOLLET)
        self.step(rider)

    def turn(self, longest: float) -> None:
        """Waits for news, but not longer than so many seconds, and lets everybody go on whom they concern."""
        now = self.began = time.monotonic()
        if self.timers:
            longest = max(0.0, min(longest, self.timers[0][0] - now))
        ready = self.epoll.poll(longest, 1024)
        self.began = time.monotonic()
        for fd, events in ready:
            rider = self.riders.get(fd)
            if rider and rider.events and (events & rider.events or events & (select.EPOLLHUP | select.EPOLLERR)):
                self.step(rider)
        while self.timers and self.timers[0][0] <= self.began:
            _, fd, turn = heapq.heappop(self.timers)
            rider = self.riders.get(fd)
            if rider and rider.turn == turn:
                self.step(rider)
        if self.began - self.swept > SWEEP:
            self.swept = self.began
            for rider in [rider for rider in self.riders.values() if rider.limit < self.began]:
                self.step(rider, TimeoutError("it waited for too long"))
        self.lag = max(self.lag, time.monotonic() - self.began)

    def step(self, rider: Rider, thrown: BaseException | None = None) -> None:
        Wheel.turns += 1
        rider.turn = Wheel.turns
        try:
            wait = rider.steps.throw(thrown) if thrown else next(rider.steps)
        except StopIteration:
            self.end(rider, None)
        except (OSError, AssertionError) as error:
            self.end(rider, error)
        else:
            rider.events = wait.events
            if wait.seconds is not None:
                heapq.heappush(self.timers, (time.monotonic() + wait.seconds, rider.fd, rider.turn))

    def end(self, rider: Rider, error: BaseException | None) -> None:
        del self.riders[rider.fd]
        rider.ended(error)

    # Turns are numbered over all riders, since one may get the descriptor of another.
    turns = 0
