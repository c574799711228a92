import asyncio, sys, websockets

async def main(url):
    options = {"max_size": None, "subprotocols": ["a", "b"]}
    async with websockets.connect(url, **options) as ws:
        print("subprotocol", ws.subprotocol)
        for message in ["text", b"binary", "", ["in ", "pieces"], "x" * (1 << 20), b"\xff" * (1 << 20)]:
            await ws.send(message)
            back = await ws.recv()
            whole = "".join(message) if isinstance(message, list) else message
            print(type(back).__name__, len(back), "same" if back == whole else "other")
        await (await ws.ping(b"there?"))
        print("pong")
    print("closed", ws.close_code, ws.close_reason)
    ws = await websockets.connect(url, **options)
    await ws.close(4001, "why")
    print("closed", ws.close_code)

asyncio.run(main(sys.argv[1]))
