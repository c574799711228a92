#!/usr/bin/env python3
"""A client of `sockeye serve exec`: exec.py HOST PORT PROGRAM [ARGUMENT]...

Its standard input goes to the command, what that says comes back, and its exit code is ours; 255 says that it did not run.
A token is taken from SOCKEYE_TOKEN. docs/exec-wire.md describes what goes over the connection."""
import os, socket, struct, sys, threading

HELLO, START, INPUT, INPUT_END, CREDIT = 1, 2, 3, 4, 7
WELCOME, STARTED, OUTPUT, ERRORS, MORE_INPUT, EXIT, REFUSED = range(17, 24)
ROOM = 1 << 20  # how much the server may send before we have taken any of it

host, port, *words = sys.argv[1:]
server = socket.create_connection((host, int(port)))
sending, granted, credit = threading.Lock(), threading.Condition(), 0

def send(kind, command, body=b""):
    with sending:
        server.sendall(struct.pack(">IBI", 5 + len(body), kind, command) + body)

def feed():
    global credit
    while True:
        with granted:
            granted.wait_for(lambda: credit > 0)
        data = os.read(0, min(credit, 1 << 16))
        if not data:
            return send(INPUT_END, 1)
        with granted:
            credit -= len(data)
        send(INPUT, 1, data)

send(HELLO, 0, b"sockeye-exec\1" + os.environ.get("SOCKEYE_TOKEN", "").encode())
strings = b"".join(struct.pack(">I", len(word)) + word for word in map(os.fsencode, words))
# Neither a line for a shell nor a terminal, no variables, no folder.
send(START, 1, struct.pack(">BHHH", 0, 0, 0, len(words)) + strings + struct.pack(">HII", 0, 0, ROOM))

incoming, taken = server.makefile("rb"), 0
while begin := incoming.read(9):
    length, kind, command = struct.unpack(">IBI", begin)
    body = incoming.read(length - 5)
    if kind in (OUTPUT, ERRORS):
        with open(1 if kind == OUTPUT else 2, "wb", closefd=False) as stream:
            stream.write(body)
        taken += len(body)
        if taken >= ROOM // 2:
            send(CREDIT, 1, struct.pack(">I", taken))
            taken = 0
    elif kind in (STARTED, MORE_INPUT):
        with granted:
            credit += struct.unpack(">I", body)[0]
            granted.notify()
        if kind == STARTED:
            threading.Thread(target=feed, daemon=True).start()
    elif kind == EXIT:
        how, number = struct.unpack(">Bi", body[:5])
        sys.exit([number, 128 + number, body[5:].decode()][how])
    elif kind == REFUSED:
        print(body[1:].decode(), file=sys.stderr)
        sys.exit(255)
sys.exit("the server ended the connection")
