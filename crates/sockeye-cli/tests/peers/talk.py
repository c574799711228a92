# Those who talk all the time with a service that sends everything back, in small or in large letters, and newcomers
# one after the other meanwhile. Arguments: the address, and how many talk. Says "all inside" on standard error once each
# was answered; ends with standard input. Prints how many of them were answered in the same letters to the end, and that
# newcomers came.
import asyncio

address, count = sys.argv[1], int(sys.argv[2])
host, _, port = address.removeprefix("tcp:").rpartition(":")
inside = 0
over = asyncio.Event()


async def ask(reader, writer, text):
    writer.write(text)
    await writer.drain()
    return await reader.readexactly(len(text))


async def talk():
    global inside
    reader, writer = await asyncio.open_connection(host.strip("[]"), port)
    first = await ask(reader, writer, b"hello %5d")
    assert first.lower() == b"hello %5d", first
    inside += 1
    if inside == count:
        print("all inside", file=sys.stderr, flush=True)
    number = 0
    while not over.is_set():
        number += 1
        text = b"round %5d" % number
        answer = await ask(reader, writer, text)
        assert answer == (text.upper() if first.isupper() else text), (first, answer)
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()


async def come():
    came = 0
    while not over.is_set():
        reader, writer = await asyncio.open_connection(host.strip("[]"), port)
        assert (await ask(reader, writer, b"newcomer")).lower() == b"newcomer"
        writer.close()
        came += 1
    return came


async def main():
    asyncio.get_running_loop().add_reader(0, lambda: os.read(0, 1) or over.set())
    talking = [talk() for _ in range(count)]
    *_, came = await asyncio.gather(*talking, come())
    print(count, "talked to the end", "and others came" if came else "and nobody came")


asyncio.run(main())
