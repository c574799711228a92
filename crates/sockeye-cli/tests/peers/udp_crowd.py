# Many UDP peers at once: each has a socket of its own, says once who it is, and hears its own name in capitals or as
# it said it. All are there before the first speaks. Arguments: the address, and how many.
import resource, select

address, count = sys.argv[1], int(sys.argv[2])
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
peers = [connect(address) for _ in range(count)]
names = [b"peer %d" % number for number in range(count)]
epoll = select.epoll()
waiting = {}
for peer, name in zip(peers, names):
    waiting[peer.fileno()] = peer, name
    epoll.register(peer, select.EPOLLIN)
for peer, name in zip(peers, names):
    peer.send(name)
end = time.monotonic() + 10
while waiting and time.monotonic() < end:
    for number, _ in epoll.poll(0.1):
        peer, name = waiting.pop(number)
        answer = peer.recv(100)
        assert answer.lower() == name, (answer, name)
say(f"{len(waiting)} were missed")
