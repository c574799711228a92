# Many connections that come and go, each in one of the ways in which people leave. Arguments: the address, how many,
# and how many at once. Prints how many left in each way.
address, count, at_once = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
numbers = iter(range(count))
lock = threading.Lock()
seen = {}


def polite(conn, data):
    conn.sendall(data)
    conn.shutdown(socket.SHUT_WR)
    assert read_all(conn) == data


def hasty(conn, data):
    conn.sendall(data)
    assert conn.recv(1) == data[:1]
    conn.close()


def rude(conn, data):
    conn.sendall(data)
    reset(conn)


def shy(conn, data):
    conn.close()


def come_and_go():
    while True:
        with lock:
            number = next(numbers, None)
        if number is None:
            return
        way = (polite, hasty, rude, polite, shy)[number % 5]
        conn = connect(address)
        way(conn, b"%d " % number * 50)
        conn.close()
        with lock:
            seen[way.__name__] = seen.get(way.__name__, 0) + 1


threads = [threading.Thread(target=come_and_go) for _ in range(at_once)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
say(", ".join(f"{seen[name]} {name}" for name in sorted(seen)))
