import asyncio, sys, websockets

async def serve(ws):
    try:
        async for message in ws:
            if message == "close":
                await ws.close(4002, "bye now")
            elif message == "pieces":
                await ws.send(["in ", "pieces"])
            elif message == "ping":
                await (await ws.ping(b"there?"))
                await ws.send("pong")
            elif message == "who":
                headers = ws.request_headers
                await ws.send(" ".join([ws.path, headers["Authorization"], headers["X-A"], ws.subprotocol]))
            else:
                await ws.send(message)
    except websockets.ConnectionClosed:
        pass
    print("closed", ws.close_code, ws.close_reason, flush=True)

async def main():
    async with websockets.serve(serve, "127.0.0.1", 0, max_size=None, subprotocols=["b"]) as server:
        print("listening on", server.sockets[0].getsockname()[1], file=sys.stderr, flush=True)
        await asyncio.Future()

asyncio.run(main())
