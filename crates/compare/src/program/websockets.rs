//! What people write WebSocket servers with: the library `websockets` of Python, and `ws` of Node.

use std::fs;
use std::io;

use super::{Bench, Running, Work, other};
use crate::server::{Transport, free_port};

/// Debian's, which has Debian's libraries.
pub(super) const PYTHON: &str = "/usr/bin/python3";

/// Without compression, which nobody asks for here.
const ECHO_PY: &str = "import asyncio, sys, websockets

async def echo(conn, path=None):
    async for message in conn:
        await conn.send(message)

async def main():
    async with websockets.serve(echo, '127.0.0.1', int(sys.argv[1]), compression=None):
        await asyncio.Future()

asyncio.run(main())
";

const ECHO_JS: &str = "const { WebSocketServer } = require('ws');
const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2]) });
server.on('connection', (conn) => conn.on('message', (data, binary) => conn.send(data, { binary })));
";

pub(super) fn python(work: Work, bench: &Bench) -> io::Result<Option<Running>> {
    script(work, bench, PYTHON, ("echo.py", ECHO_PY))
}

pub(super) fn node(work: Work, bench: &Bench) -> io::Result<Option<Running>> {
    script(work, bench, "env NODE_PATH=/usr/share/nodejs node", ("echo.js", ECHO_JS))
}

fn script(
    work: Work,
    bench: &Bench,
    interpreter: &str,
    (name, text): (&str, &str),
) -> io::Result<Option<Running>> {
    let Work::EchoWebSocket = work else { return Ok(None) };
    let port = free_port(Transport::Tcp)?;
    let path = bench.folder.join(name);
    fs::write(&path, text)?;
    other(Transport::Tcp, port, &format!("{interpreter} {} {port}", path.display()))
}
