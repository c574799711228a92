# What every Python peer begins with. An address is written as in a ready line: tcp:HOST:PORT, udp:HOST:PORT, and
# unix:PATH or unix:@NAME, also with unix-dgram and unix-seq.
import os, socket, struct, sys, threading, time

socket.setdefaulttimeout(10)


def new_socket(address):
    kinds = {"udp": socket.SOCK_DGRAM, "unix-dgram": socket.SOCK_DGRAM, "unix-seq": socket.SOCK_SEQPACKET}
    return socket.socket(name_of(address)[0], kinds.get(address.split(":")[0], socket.SOCK_STREAM))


def name_of(address):
    scheme, rest = address.split(":", 1)
    if scheme.startswith("unix"):
        return socket.AF_UNIX, "\0" + rest[1:] if rest.startswith("@") else rest
    host, port = rest.rsplit(":", 1)
    if host.startswith("["):
        return socket.AF_INET6, (host[1:-1], int(port))
    return socket.AF_INET, (host, int(port))


def connect(address):
    conn = new_socket(address)
    if address.startswith("unix-dgram:"):
        conn.bind("")  # Without a name of its own nobody could answer.
    conn.connect(name_of(address)[1])
    return conn


def listen(address, backlog=128):
    """Listens, and tells where on standard error; port 0 is the kernel's choice."""
    family, name = name_of(address)
    listener = new_socket(address)
    listener.bind(name)
    if listener.type != socket.SOCK_DGRAM:
        listener.listen(backlog)
    if family != socket.AF_UNIX:
        host = f"[{name[0]}]" if family == socket.AF_INET6 else name[0]
        scheme = address.split(":")[0]
        address = f"{scheme}:{host}:{listener.getsockname()[1]}"
    print("listening on", address, file=sys.stderr)
    return listener


def accept(address):
    conn, _ = listen(address).accept()
    conn.settimeout(10)
    return conn


def read_all(conn):
    parts = []
    while part := conn.recv(65536):
        parts.append(part)
    return b"".join(parts)


def end_of(conn):
    """Reads to the end, and says which end it is."""
    try:
        read_all(conn)
        return "end of file"
    except ConnectionResetError:
        return "reset"


def reset(conn):
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()


def say(text):
    """Writes to standard output, whole and at once."""
    data = text if isinstance(text, bytes) else f"{text}\n".encode()
    while data:
        data = data[os.write(1, data) :]


def wait_for_word():
    """Waits until the test says to go on, and returns the word it says."""
    return sys.stdin.readline().strip()


def join(conn):
    """Standard input to the peer and what comes to standard output, and the end of each as it comes."""
    conn.settimeout(None)

    def send():
        while part := os.read(0, 65536):
            conn.sendall(part)
        conn.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    while part := conn.recv(65536):
        say(part)
    os.close(1)
    sender.join()
