# A room full of peers, of whom one speaks and some never read. Arguments: the address, how many read, how many never
# do, and how many messages are said. Prints how many heard everything, in order; on standard error how long it took.
import selectors, signal

address, reading, deaf, count = sys.argv[1], *map(int, sys.argv[2:5])
expected = b"".join(b"%08d is what the speaker says now\n" % number for number in range(count))
deaf = [connect(address) for _ in range(deaf)]
readers = [connect(address) for _ in range(reading)]
speaker = connect(address)
heard = dict.fromkeys(readers, 0)

# All are inside once all have heard something.
for reader in readers:
    reader.setblocking(False)
silent = set(readers)
while silent:
    speaker.sendall(b"?\n")
    time.sleep(0.01)
    for reader in list(silent):
        try:
            reader.recv(1)
            silent.discard(reader)
        except BlockingIOError:
            pass
speaker.sendall(b"!\n")
for reader in readers:
    reader.settimeout(10)
    while reader.recv(1) != b"!":
        pass
    assert reader.recv(1) == b"\n"
    reader.setblocking(False)

began = time.monotonic()
child = os.fork()
if child == 0:
    speaker.sendall(expected)
    signal.pause()
selector = selectors.DefaultSelector()
for reader in readers:
    selector.register(reader, selectors.EVENT_READ)
ended = 0
while selector.get_map():
    ready = selector.select(20)
    if not ready:
        say(f"nothing for 20 s, {len(selector.get_map())} wait still")
        break
    for key, _ in ready:
        reader = key.fileobj
        try:
            part = reader.recv(1 << 18)
        except ConnectionResetError:
            part = b""
        at = heard[reader]
        if part != expected[at : at + len(part)] or not part:
            ended += 1
            selector.unregister(reader)
            continue
        heard[reader] = at + len(part)
        if heard[reader] == len(expected):
            selector.unregister(reader)
took = time.monotonic() - began
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
whole = sum(length == len(expected) for length in heard.values())
say(f"{whole} heard all of it")
print(f"{took:.3f} s, {count * whole / took:.0f} messages a second", file=sys.stderr)
for conn in deaf:
    conn.settimeout(1)
    try:
        say(end_of(conn))
    except TimeoutError:
        say("still inside")
