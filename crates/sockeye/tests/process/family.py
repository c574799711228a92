# A command with descendants that do not want to end. Each holds the pipe that is argv[1] open for writing, so that its
# reader sees the end when nobody is left. argv[2] says what they do.
import os
import signal
import sys

alive = os.open(sys.argv[1], os.O_WRONLY)


def stubborn():
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def stay():
    while True:
        signal.pause()


def daemon():
    # Nobody's child, in a session of its own, without a stream that could tell it anything.
    if os.fork():
        return False
    os.setsid()
    if os.fork():
        os._exit(0)
    for stream in range(3):
        os.close(stream)
    return True


def asked(number, frame):
    os.write(alive, b"asked to end\n")
    os._exit(0)


kind = sys.argv[2]
if kind == "stubborn":
    stubborn()
    os.write(alive, b"ready\n")
    stay()
elif kind == "daemon":
    if daemon():
        stubborn()
        os.write(alive, b"ready\n")
        stay()
    os.read(0, 1)
elif kind == "over":
    # The command itself is over as soon as its daemon runs.
    ready, told = os.pipe()
    if daemon():
        stubborn()
        os.write(alive, b"ready\n")
        os.write(told, b".")
        stay()
    os.read(ready, 1)
elif kind == "stopped":
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, asked)
        os.write(alive, b"ready\n")
        os.kill(os.getpid(), signal.SIGSTOP)
        stay()
    os.read(0, 1)
elif kind == "forking":
    if daemon():
        stubborn()
        os.write(alive, b"ready\n")
        while True:
            if os.fork():
                os._exit(0)
    os.read(0, 1)
elif kind == "many":
    for _ in range(300):
        if os.fork() == 0:
            stubborn()
            stay()
    os.write(alive, b"ready\n")
    os.read(0, 1)
