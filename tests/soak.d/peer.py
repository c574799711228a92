"""The peers: how each behaves, and what it knows of what was sent and got."""

from __future__ import annotations

import random
import socket
import struct
import time
from typing import Callable, NamedTuple

from wheel import READ, WRITE, Steps, Wait

KIB = 1024
# The most that an orderly peer says, and that a peer says without reading: what waits is in the kernel's memory.
MOST, STALLED = 256 * KIB, 512 * KIB
# What peers say, from anywhere in it on.
SAID = random.Random(7).randbytes(2 * MOST + 2 * STALLED)
LINE = bytes(range(32, 127)) * 2
PATTERN = b"".join(LINE[at : at + 72] + b"\r\n" for at in range(95))

# linux/tcp.h: with it on, a socket is closed without a word to the other end.
TCP_REPAIR = 19
# What vanishing peers mark their packets with: what the kernel says in their name afterwards goes nowhere.
MARK = 1
# A pause of a peer, as a share of the silence that streams are allowed: two of them are less, and a busy machine has
# some time to spare.
LONG, SHORT, MOMENT = 0.6, 0.1, 0.0002
# Of the same: how long a peer may live.
LIFE = 10


class Door(NamedTuple):
    """Where peers go in: a listener under test."""

    name: str
    family: socket.AddressFamily
    kind: socket.SocketKind
    address: tuple[str, int] | str
    # The service behind it, which says what comes back.
    service: str
    # Seconds of silence after which the server ends a peer.
    idle: float | None
    # Of all peers, how many of a hundred.
    share: float
    # Whether peers wait before it for others to leave.
    is_crowded: bool = False
    # Whether each peer has a connection of its own, of which the server tells.
    has_sessions: bool = True

    @property
    def can_vanish(self) -> bool:
        return self.family == socket.AF_INET and self.kind == socket.SOCK_STREAM and self.idle is not None


class Peer:
    """One peer: a socket with a name of its own, under which the server tells of it."""

    # Seconds by which all measure their pauses: the silence that is allowed, and less when they are to leave.
    pace = 0.0

    def __init__(self, door: Door, number: int, manner: Manner, rng: random.Random):
        self.door, self.manner, self.rng = door, manner, rng
        self.sent = self.got = self.lost = 0
        self.start = rng.randrange(MOST)
        self.wrong = ""
        self.sock = socket.socket(door.family, door.kind)
        self.sock.setblocking(False)
        if door.family == socket.AF_UNIX:
            self.sock.bind(f"\0soak-{number}")
            scheme = {socket.SOCK_STREAM: "unix", socket.SOCK_SEQPACKET: "unix-seq", socket.SOCK_DGRAM: "unix-dgram"}
            self.name = f"{scheme[door.kind]}:@soak-{number}"
            return
        # No two peers of a run have the same address and port.
        high, low = divmod(number, 50_000)
        host = f"127.{100 if manner.vanishes else 1}.{high // 250}.{high % 250 + 1}"
        if manner.vanishes:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)
        self.sock.bind((host, 10_000 + low))
        scheme = "tcp" if door.kind == socket.SOCK_STREAM else "udp"
        self.name = f"{scheme}:{host}:{10_000 + low}"

    def live(self) -> Steps:
        """Its whole life."""
        try:
            yield from self.connect()
            yield from self.manner.steps(self)
        except (ConnectionResetError, BrokenPipeError):
            if self.manner.is_orderly:
                raise
        finally:
            self.sock.close()

    def connect(self) -> Steps:
        if self.manner.is_narrow:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * KIB)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * KIB)
        while True:
            try:
                return self.sock.connect(self.door.address)
            except BlockingIOError as error:
                # A Unix listener's queue is full, and nobody tells when it is not.
                full = self.door.family == socket.AF_UNIX
                yield Wait(0, 0.02) if full else Wait(WRITE)
                if not full:
                    code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    if code:
                        raise ConnectionError(code, "cannot connect") from error
                    return None

    def pause(self, most: float) -> Steps:
        yield Wait(0, self.rng.random() * most * Peer.pace)

    def size(self, most: int) -> int:
        """Any size, and small ones as often as large ones."""
        return self.rng.choice((0, 1, most)) if self.rng.random() < 0.1 else int(most ** self.rng.random())

    def say(self, size: int) -> Steps:
        """Says so much, and hears meanwhile what comes, so that neither side waits for the other for ever."""
        end = self.sent + size
        while self.sent < end:
            piece = min(end - self.sent, self.rng.choice((1, 100, 5_000, 64 * KIB)))
            at = self.start + self.sent
            try:
                self.sent += self.sock.send(SAID[at : at + piece])
            except BlockingIOError:
                # News of what is there already came before, and does not come again.
                if self.take(64 * KIB) is None:
                    yield Wait(READ | WRITE)
            else:
                self.take(64 * KIB)

    def post(self, payload: bytes) -> Steps:
        """Sends a message, as soon as there is room for it in the queue of a Unix socket."""
        while True:
            try:
                self.sent += self.sock.send(payload)
                return
            except BlockingIOError:
                yield Wait(0, 0.02)

    def say_without_reading(self) -> Steps:
        """Says as much as the other side takes, up to a bound, and gives it time to take more."""
        for _ in range(3):
            try:
                while self.sent < STALLED:
                    at = self.start + self.sent
                    self.sent += self.sock.send(SAID[at : at + 32 * KIB])
            except BlockingIOError:
                yield Wait(0, 0.1)

    def take(self, most: int) -> int | None:
        """Reads what is there and compares it with what should come; `None` where nothing is, 0 at the end."""
        try:
            piece = self.sock.recv(most)
        except BlockingIOError:
            return None
        at = self.got
        self.got += len(piece)
        if piece != self.expected(at, len(piece)):
            raise AssertionError(f"other bytes than expected after {at}")
        return len(piece)

    def expected(self, at: int, size: int) -> bytes:
        """What the service sends there. Nothing that was not said comes back."""
        service = self.door.service
        if service == "chargen":
            at %= len(PATTERN)
            return (PATTERN * (size // len(PATTERN) + 2))[at : at + size]
        said = SAID[self.start + at : self.start + min(at + size, self.sent)]
        return said.upper() if service == "upper" else said if service == "echo" else b""

    def hear(self, until: int | None, most: int = 64 * KIB, pause: float = 0) -> Steps:
        """Hears so many bytes in all, or until the end."""
        while until is None or self.got < until:
            taken = self.take(most)
            if taken is None:
                yield Wait(READ)
            elif taken == 0:
                if until is not None:
                    raise AssertionError(f"the end came after {self.got} of {until}")
                return
            elif pause:
                yield from self.pause(pause)

    def finish(self, most: int = 64 * KIB, pause: float = 0) -> Steps:
        """Ends this side, hears the rest, and sees that it is whole."""
        self.sock.shutdown(socket.SHUT_WR)
        yield from self.hear(None, most, pause)
        whole = 0 if self.door.service == "discard" else self.sent
        if self.got != whole:
            raise AssertionError(f"{self.got} of {whole} came back")

    def vanish(self) -> None:
        self.sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        self.sock.close()

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def talk(peer: Peer) -> Steps:
    """Says things in turns, and ends before or after all has come back."""
    for _ in range(peer.rng.randint(1, 8)):
        yield from peer.say(1 + peer.size(MOST // 8))
        yield from peer.pause(LONG)
    if peer.rng.random() < 0.5 and peer.door.service != "discard":
        yield from peer.hear(peer.sent)
    yield from peer.finish()


def read_for_long(peer: Peer) -> Steps:
    """Ends its side first, and reads a little at a time for as long as it takes."""
    yield from peer.say(peer.size(48 * KIB))
    yield from peer.finish(1 + peer.sent // 16, SHORT)


def trickle(peer: Peer) -> Steps:
    """A byte at a time."""
    for _ in range(peer.rng.randint(1, 60)):
        yield from peer.say(1)
        yield from peer.pause(SHORT)
    yield from peer.finish()


def stall(peer: Peer) -> Steps:
    """Says much and reads nothing for a while, and then all of it."""
    yield from peer.say_without_reading()
    # The kernel of the other side looks for room here at pauses that double, so that nothing may go for twice as long.
    yield from peer.pause(LONG / 2)
    yield from peer.say(peer.size(1000))
    yield from peer.finish()


def come_and_go(peer: Peer) -> Steps:
    """Says nothing."""
    yield from peer.pause(LONG)
    yield from peer.finish()


def take_a_line(peer: Peer) -> Steps:
    """Ends its side while the server ends its own, or not at all: the line that it sends is whole all the same."""
    if peer.rng.random() < 0.5:
        yield from peer.pause(MOMENT)
    if peer.rng.random() < 0.7:
        peer.sock.shutdown(socket.SHUT_WR)
    line = b""
    while not line.endswith(b"\n"):
        try:
            piece = peer.sock.recv(KIB)
        except BlockingIOError:
            yield Wait(READ)
            continue
        peer.got += len(piece)
        if not piece:
            raise AssertionError(f"the end came after {line!r}")
        line += piece
    yield from peer.pause(LONG)


def sip(peer: Peer) -> Steps:
    """Reads some of what comes without end, and leaves with more unread."""
    for _ in range(peer.rng.randint(1, 5)):
        yield from peer.hear(peer.got + 1 + peer.size(MOST // 2))
        yield from peer.pause(LONG)


def sip_and_vanish(peer: Peer) -> Steps:
    yield from sip(peer)
    peer.vanish()


def break_off(peer: Peer) -> Steps:
    """Resets in the middle of something."""
    yield from peer.say(peer.size(MOST))
    yield from peer.pause(peer.rng.choice((MOMENT, LONG, LONG)))
    peer.reset()


def break_off_stalled(peer: Peer) -> Steps:
    """Resets while the server waits for it."""
    yield from peer.say_without_reading()
    yield from peer.pause(LONG)
    peer.reset()


def leave_unread(peer: Peer) -> Steps:
    """Closes with more to read."""
    yield from peer.say_without_reading()
    yield from peer.pause(LONG)


def break_off_half_closed(peer: Peer) -> Steps:
    """Ends its side, and resets when an answer may be under way."""
    yield from peer.say(peer.size(MOST // 4))
    peer.sock.shutdown(socket.SHUT_WR)
    yield from peer.pause(peer.rng.choice((MOMENT, LONG, LONG)))
    peer.reset()


def vanish(peer: Peer) -> Steps:
    """Is gone without a word."""
    how = peer.rng.random()
    if how < 0.3:
        yield from peer.say(peer.size(MOST))
    elif how < 0.6:
        yield from peer.say_without_reading()
    if how < 0.2:
        peer.sock.shutdown(socket.SHUT_WR)
    yield from peer.pause(LONG)
    peer.vanish()


def sit(peer: Peer) -> Steps:
    """Says something or not, and stays until it is shown out."""
    yield from peer.say(peer.size(KIB))
    yield from peer.hear(None if peer.door.service == "discard" else peer.sent)
    since = time.monotonic()
    yield from peer.hear(None)
    sat, idle = time.monotonic() - since, peer.door.idle or 0
    if sat < idle * 0.75 and peer.door.service != "discard":
        peer.wrong = f"it was shown out after {sat:.1f} s"


def ask(peer: Peer) -> Steps:
    """Sends messages, one after the answer to the other, and counts those that are not answered."""
    for _ in range(peer.rng.randint(1, 12)):
        payload = SAID[: peer.size(1200 if peer.rng.random() < 0.8 else 30 * KIB)]
        yield from peer.post(payload)
        yield Wait(READ, 10)
        try:
            answer = peer.sock.recv(64 * KIB)
        except BlockingIOError:
            peer.lost += 1
            continue
        peer.got += len(answer)
        if answer != payload:
            raise AssertionError(f"{len(answer)} other bytes than the {len(payload)} that were sent")
        yield from peer.pause(2 * SHORT)


def tell_and_leave(peer: Peer) -> Steps:
    """Sends messages, perhaps more than may wait for it, and does not read the answers."""
    for _ in range(peer.rng.choice((1, 5, 40))):
        yield from peer.post(SAID[: peer.size(1200)])
    yield from peer.pause(peer.rng.choice((MOMENT, LONG, LONG)))


class Manner(NamedTuple):
    """A way to behave."""

    steps: Callable[[Peer], Steps]
    # How often, beside the others.
    weight: int
    # What it says and gets is what the server says it was, to the byte.
    is_orderly: bool = False
    vanishes: bool = False
    # Little room on this side: whoever is not read is felt at once.
    is_narrow: bool = False


ORDERLY = [
    Manner(talk, 25, is_orderly=True),
    Manner(read_for_long, 10, is_orderly=True, is_narrow=True),
    Manner(trickle, 10, is_orderly=True),
    Manner(stall, 8, is_orderly=True, is_narrow=True),
    Manner(come_and_go, 8, is_orderly=True),
]
BROKEN = [
    Manner(break_off, 10),
    Manner(break_off_stalled, 5, is_narrow=True),
    Manner(leave_unread, 8, is_narrow=True),
    Manner(break_off_half_closed, 8),
]
IDLERS = [Manner(sit, 25)]
VANISHING = [Manner(vanish, 10, vanishes=True)]
SIPPING = [Manner(sip, 10, is_narrow=True), Manner(break_off, 3)]
SIPPING_AND_VANISHING = [Manner(sip_and_vanish, 5, vanishes=True, is_narrow=True)]
ASKING = [Manner(ask, 10, is_orderly=True), Manner(tell_and_leave, 10)]


def manners(door: Door) -> list[Manner]:
    """Those that make sense there."""
    if door.kind != socket.SOCK_STREAM:
        return ASKING
    if door.service == "daytime":
        return [Manner(take_a_line, 10, is_orderly=True)]
    if door.service == "chargen":
        return SIPPING + (SIPPING_AND_VANISHING if door.can_vanish else [])
    return ORDERLY + BROKEN + (IDLERS if door.idle else []) + (VANISHING if door.can_vanish else [])
