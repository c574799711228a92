"""A server under test: what it says, what it holds, and the account of each connection that it opened."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Callable

# Seconds until a server is ready, and until it has ended after it was told to.
READY, DRAIN = 20, 5

# prctl(2)
PRCTL, PR_SET_PDEATHSIG = ctypes.CDLL(None).prctl, 1

# The most that a pipe may hold for a user who is not root (pipe(7)).
PIPE = 1 << 20


class Faults(list):
    """What is wrong; the first are enough to see why."""

    MOST = 30

    def add(self, fault: str) -> None:
        if len(self) < self.MOST:
            print(f"soak: WRONG: {fault}", flush=True)
        self.append(fault)


class Totals:
    """What a server told of all its connections."""

    def __init__(self) -> None:
        self.opened = self.closed = self.exited = self.received = self.sent = self.dropped = 0


class Held:
    """What a process holds at one time."""

    def __init__(self, pid: int):
        proc = Path(f"/proc/{pid}")
        self.descriptors = len(os.listdir(proc / "fd"))
        self.threads = len(os.listdir(proc / "task"))
        rollup = (proc / "smaps_rollup").read_text()
        self.memory = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss_Anon:"))


class Server:
    """A process of the program, and what it told so far. `heard(event)` is called for what concerns one peer."""

    def __init__(self, label: str, words: list[str], listeners: int, faults: Faults, heard: Callable[[dict], None]):
        self.label, self.faults, self.heard = label, faults, heard
        self.totals: dict[str, Totals] = {}
        self.open: dict[int, dict] = {}
        self.most_open = 0
        self.has_config, self.is_relay = "--config" in words, words[1] in ("relay", "listen")
        # How often it was told to read its file again, and has not said that it did.
        self.reloads = 0
        # What each listener said of itself when it was last asked.
        self.sums: dict[str, dict] = {}
        self.is_stopping = False
        self.has_commands = any(word.startswith(("exec:", "sh:", "--exec")) for word in words)
        self.rest = b""
        self.addresses: list[str] = []
        self.mark = f"{os.getpid()} {label}"
        self.process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Whatever it starts is found by one of these, also when its parent is gone.
            env={**os.environ, "SOAK": self.mark},
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
        assert self.process.stderr
        self.stderr = self.process.stderr.fileno()
        fcntl.fcntl(self.stderr, fcntl.F_SETPIPE_SZ, PIPE)
        os.set_blocking(self.stderr, False)
        limit = time.monotonic() + READY
        while len(self.addresses) < listeners:
            self.hear()
            if time.monotonic() > limit or self.process.poll() is not None:
                self.kill()
                self.hear()
                raise SystemExit(f"soak: {label} is not ready")
            time.sleep(0.01)
        self.before = self.held()

    def held(self) -> Held:
        return Held(self.process.pid)

    def hear(self) -> bool:
        """Reads what it told since. `False` where its end was heard."""
        while True:
            try:
                said = os.read(self.stderr, PIPE)
            except BlockingIOError:
                return True
            if not said:
                return False
            *lines, self.rest = (self.rest + said).split(b"\n")
            for line in lines:
                try:
                    event = json.loads(line)
                    self.learn(event.get("event"), event)
                except (ValueError, KeyError, AttributeError) as error:
                    self.faults.add(f"{self.label} says what is no event ({error!r}): {line!r}")

    def learn(self, what: str, event: dict) -> None:
        if what == "opened":
            self.open[event["id"]] = event
            self.most_open = max(self.most_open, len(self.open))
            self.totals.setdefault(event["service"], Totals()).opened += 1
            self.heard(event)
        elif what == "closed":
            began = self.open.pop(event["id"], None)
            if not began or began["peer"] != event["peer"]:
                self.faults.add(f"{self.label} closes what it never opened: {event}")
                return
            totals = self.totals[began["service"]]
            totals.closed += 1
            totals.received += event["received"]
            totals.sent += event["sent"]
            if min(event["received"], event["sent"]) < 0 or event["ended"] not in ("done", "failed"):
                self.faults.add(f"{self.label}: a bad end: {event}")
            self.heard(event)
        elif what == "exited":
            self.totals.setdefault(event["command"], Totals()).exited += 1
            self.heard(event)
        elif what == "dropped":
            counts = [count for key, count in event.items() if key not in ("event", "socket", "time")]
            self.totals.setdefault("datagrams", Totals()).dropped += sum(counts)
        elif what == "reloaded" and (event["kept"], event["new"], event["gone"]) == (len(self.addresses), 0, 0):
            # Signals that come while it reads are one.
            self.reloads = 0
        elif what == "listener":
            self.sums[event["listener"]] = event
        elif what == "connection" or (what == "stopping" and self.is_stopping):
            pass
        elif what == "refused" and self.has_commands:
            # Whoever has left again before it was looked at cannot be shown to be one of our own user's.
            pass
        elif what == "listening" and self.process.poll() is None:
            self.addresses.append(event["address"])
        else:
            self.faults.add(f"{self.label} says what it should not: {event}")

    def reload(self) -> None:
        """Tells it to read its file again, in which nothing is new: nobody may notice."""
        self.reloads += 1
        self.process.send_signal(signal.SIGHUP)

    def ask(self) -> None:
        """Asks who is inside, and for the sums of each listener."""
        self.sums.clear()
        self.process.send_signal(signal.SIGUSR1)

    def compare_sums(self) -> None:
        """The sums of its listeners, beside those of what it told of each connection. It must be empty."""
        told = self.totals.values()
        opened, received = sum(totals.opened for totals in told), sum(totals.received for totals in told)
        known = {"open": 0, "accepted": opened, "received": received, "sent": sum(totals.sent for totals in told)}
        # A service that needs no sessions tells of none.
        sums = [of for at, of in self.sums.items() if not at.startswith("udp:") or of["service"] == "relay"]
        said = {what: sum(of[what] for of in sums) for what in known}
        if said != known or len(self.sums) != len(self.addresses):
            self.faults.add(f"{self.label} sums up {said} of {len(self.sums)} listeners, and told of {known}")

    def drain(self) -> None:
        """Tells it to take nobody new, and to end once those inside have left."""
        self.is_stopping = True
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """Tells it to end when nobody is inside any more, and sees that it does, with nothing more to say."""
        began = time.monotonic()
        if not self.is_stopping:
            self.drain()
        try:
            code = self.process.wait(DRAIN + 5)
        except subprocess.TimeoutExpired:
            self.faults.add(f"{self.label} does not end")
            return self.kill()
        if code != 0 or time.monotonic() - began > DRAIN:
            self.faults.add(f"{self.label} ended with {code} after {time.monotonic() - began:.1f} s")
        if self.hear() or self.rest:
            self.faults.add(f"{self.label} left {self.rest!r}, or somebody who holds its standard error")
        assert self.process.stdout
        os.set_blocking(self.process.stdout.fileno(), False)
        if said := self.process.stdout.read():
            self.faults.add(f"{self.label} wrote to standard output: {said[:200]!r}")

    def kill(self) -> None:
        """Ends it and what it started, whatever became of it."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def end_with_parent() -> None:
    """Whatever becomes of us, no server is left behind."""
    PRCTL(PR_SET_PDEATHSIG, signal.SIGKILL)


def family(servers: list[Server]) -> dict[int, list[str]]:
    """Every process that a server started and that is still there, a zombie too: a line for each, by its server."""
    found: dict[int, list[str]] = {server.process.pid: [] for server in servers}
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            stat = (proc / "stat").read_text()
        except OSError:
            continue
        try:
            marks = (proc / "environ").read_bytes().split(b"\0")
        except OSError:
            marks = []
        name, fields = stat[: stat.rindex(")") + 1], stat[stat.rindex(")") + 2 :].split()
        state, parent, session = fields[0], int(fields[1]), int(fields[3])
        for server in servers:
            is_its = f"SOAK={server.mark}".encode() in marks or server.process.pid in (parent, session)
            if is_its and int(proc.name) != server.process.pid:
                found[server.process.pid].append(f"{name} {state}")
    return found
