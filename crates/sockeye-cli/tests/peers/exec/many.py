# Asks for 30 commands at once, and for another when those are over: argv[1] is the port.
import collections, socket, struct, sys

server = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
incoming, told = server.makefile("rb"), collections.Counter()

def send(kind, command, body=b""):
    server.sendall(struct.pack(">IBI", 5 + len(body), kind, command) + body)

def start(command, line):
    send(2, command, struct.pack(">BHHHI", 5, 0, 0, 1, len(line)) + line + struct.pack(">HII", 0, 0, 1 << 20))

def over(commands):
    while commands:
        length, kind, command = struct.unpack(">IBI", incoming.read(9))
        body = incoming.read(length - 5)
        if kind == 22:
            told["exited"] += 1
        elif kind == 23:
            told[body[1:].decode().rsplit(": ")[-1]] += 1
        commands -= kind in (22, 23)

send(1, 0, b"sockeye-exec\1")
for command in range(1, 31):
    start(command, b"sleep 1")
over(30)
assert 0 < told["exited"] < 30 and len(told) == 2, told
print(*sorted(told))
start(31, b"exit 0")
over(1)
print("again")
