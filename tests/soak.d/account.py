"""The account of every peer: what it sent and got itself, beside what the server told of it."""

from __future__ import annotations

import heapq
import itertools
import socket
import time
from collections import Counter

from peer import LIFE, Peer
from server import Faults

# Seconds that a server may take to tell that a connection is over, beside its limits.
GRACE = 8


class Visit:
    """A peer that came. Datagrams may make several connections of one."""

    __slots__ = ("peer", "opened", "closed", "received", "sent", "last", "has_left")

    def __init__(self, peer: Peer):
        self.peer = peer
        self.opened = self.closed = self.received = self.sent = 0
        self.last: dict = {}
        self.has_left = False


class Account:
    """Who came, and of whom it is not known yet that all is well."""

    def __init__(self, faults: Faults):
        self.faults = faults
        self.visits: dict[str, Visit] = {}
        self.due: list[tuple[float, int, Visit]] = []
        self.numbers = itertools.count()
        self.peers = self.lost = 0
        self.inside: Counter[str] = Counter()
        self.manners: Counter[str] = Counter()
        self.bytes = 0

    def came(self, peer: Peer) -> None:
        self.peers += 1
        self.inside[peer.door.name] += 1
        self.manners[peer.manner.steps.__name__] += 1
        if peer.door.has_sessions:
            self.visits[peer.name] = Visit(peer)

    def left(self, peer: Peer, error: BaseException | None) -> None:
        self.inside[peer.door.name] -= 1
        self.bytes += peer.sent + peer.got
        self.lost += peer.lost
        wrong = f"{type(error).__name__}: {error}" if error else peer.wrong
        if wrong:
            self.faults.add(f"{describe(peer)}: {wrong}")
        if visit := self.visits.get(peer.name):
            visit.has_left = True
            # Whoever is before a full house is not even seen.
            patience = (peer.door.idle or 0) * (1.25 + peer.door.is_crowded * LIFE) + GRACE
            heapq.heappush(self.due, (time.monotonic() + patience, next(self.numbers), visit))
            self.settle(visit)

    def heard(self, event: dict) -> None:
        """Of a connection, or its command; one whose peer is none of ours is the far side of a relay."""
        visit = self.visits.get(event["peer"])
        if not visit:
            return
        if event["event"] == "opened":
            visit.opened += 1
            return
        if event["event"] == "exited":
            if visit.peer.manner.is_orderly and event["code"] != 0:
                self.faults.add(f"{describe(visit.peer)}: its command ended badly: {event}")
            return
        visit.closed += 1
        visit.received += event["received"]
        visit.sent += event["sent"]
        visit.last = event
        self.settle(visit)

    def is_seen(self, door: str) -> bool:
        """Whether everybody who came to that door was let in."""
        return all(visit.opened for visit in self.visits.values() if visit.peer.door.name == door)

    def settle(self, visit: Visit) -> None:
        """Compares, once both sides are at their end."""
        if not visit.has_left or not visit.closed or visit.opened != visit.closed:
            return
        peer = visit.peer
        del self.visits[peer.name]
        is_stream = peer.door.kind != socket.SOCK_DGRAM
        told = f"{describe(peer)} sent {peer.sent} and got {peer.got}: {visit.last}"
        if is_stream and visit.opened != 1:
            self.faults.add(f"opened {visit.opened} times: {told}")
        if peer.manner.is_orderly and not peer.lost:
            if (visit.received, visit.sent) != (peer.sent, peer.got) or (is_stream and visit.last["ended"] != "done"):
                self.faults.add(f"not what an orderly peer knows: {told}")
        elif visit.received > peer.sent or peer.got > visit.sent:
            self.faults.add(f"bytes out of nothing: {told}")

    def overdue(self) -> None:
        """Looks for those who left long ago, and whose connection is not over, or never was."""
        while self.due and self.due[0][0] < time.monotonic():
            visit = heapq.heappop(self.due)[2]
            if self.visits.pop(visit.peer.name, None) is not visit:
                continue
            # One that broke off may have done so before it was accepted.
            if visit.opened or visit.peer.manner.is_orderly:
                state = f"opened {visit.opened} times and closed {visit.closed} times"
                self.faults.add(f"{describe(visit.peer)} left long ago, and was {state}")


def describe(peer: Peer) -> str:
    return f"{peer.name} ({peer.manner.steps.__name__} at {peer.door.name})"
