//! TLS: how many come in, and how much goes through.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::Figure;
use crate::identity;
use crate::load::{Latencies, PATIENCE, forget};
use crate::program::{Bench, Running};

/// How many come at once.
const CLIENTS: usize = 8;
/// What is asked: an answer to it has some first byte.
const REQUEST: &[u8] = b"GET / HTTP/1.0\r\n\r\n";
/// What is written, and read, at once.
const PIECE: usize = 64 << 10;

/// Of what [`streams`] gives.
pub(super) const UNITS: &[&str] =
    &["Gbit/s decrypted", "s of CPU a GB decrypted", "Gbit/s encrypted", "s of CPU a GB encrypted"];

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// Who comes: connects, shakes hands, and asks.
fn enter(port: u16, config: &Arc<ClientConfig>) -> io::Result<Tls> {
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    forget(&socket)?;
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    let conn = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
    Ok(StreamOwned::new(conn, socket))
}

/// Clients that each shake hands, have one answer, and leave.
pub(super) fn handshakes(running: &Running, bench: &Bench) -> io::Result<Vec<Figure>> {
    let config = identity::client().map_err(io::Error::other)?;
    let (port, latencies) = (running.port, Mutex::new(Latencies::default()));
    let began = Instant::now();
    let end = began + bench.lasting;
    let come_and_go = || {
        let mut count = 0_u64;
        while Instant::now() < end {
            let since = Instant::now();
            let mut conn = enter(port, &config)?;
            conn.write_all(REQUEST)?;
            conn.read_exact(&mut [0])?;
            latencies.lock().unwrap_or_else(PoisonError::into_inner).add(since.elapsed());
            count += 1;
        }
        io::Result::Ok(count)
    };
    let all = || {
        thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(come_and_go)).collect();
            clients
                .into_iter()
                .map(|client| client.join().map_err(|_| io::Error::other("a client panicked"))?)
                .sum()
        })
    };
    let (count, used): (u64, _) = running.metered(all)?;
    let rate = count as f64 / began.elapsed().as_secs_f64();
    let slowest = latencies.into_inner().unwrap_or_else(PoisonError::into_inner).percentile(99);
    let cost = used.map(|used| used.as_secs_f64() * 1e6 / count as f64);
    Ok(vec![Some(rate), Some(slowest.as_secs_f64() * 1e6), cost])
}

/// One stream through a relay: from TLS into TCP, then from TCP into TLS.
pub(super) fn streams(running: &Running, bench: &Bench) -> io::Result<Vec<Figure>> {
    let Some(far) = &running.far else { return Ok(vec![None; UNITS.len()]) };
    let mut figures = Vec::new();
    for flow in [decrypted, encrypted] {
        let ((bytes, took), used) = running.metered(|| flow(running.port, far, bench.lasting))?;
        figures.push(Some(bytes as f64 * 8.0 / 1e9 / took.as_secs_f64()));
        figures.push(used.map(|used| used.as_secs_f64() / (bytes as f64 / 1e9)));
    }
    Ok(figures)
}

/// Who comes to the far end of a relay.
fn accept(far: &TcpListener) -> io::Result<TcpStream> {
    let limit = Timespec::try_from(PATIENCE).map_err(io::Error::other)?;
    if poll(&mut [PollFd::new(far, PollFlags::IN)], Some(&limit))? == 0 {
        return Err(io::Error::other("nobody came to the far end"));
    }
    Ok(far.accept()?.0)
}

/// What the client sends arrives behind the relay, where it is counted.
fn decrypted(port: u16, far: &TcpListener, lasting: Duration) -> io::Result<(u64, Duration)> {
    let mut conn = enter(port, &identity::client().map_err(io::Error::other)?)?;
    conn.flush()?;
    thread::scope(|scope| {
        let heard = scope.spawn(|| {
            let mut behind = accept(far)?;
            behind.set_read_timeout(Some(PATIENCE))?;
            let mut room = vec![0; 4 * PIECE];
            let (mut bytes, mut began) = (0, Instant::now());
            loop {
                let read = behind.read(&mut room)? as u64;
                if bytes == 0 {
                    began = Instant::now();
                }
                if read == 0 {
                    return io::Result::Ok((bytes, began.elapsed()));
                }
                bytes += read;
            }
        });
        let (piece, end) = (vec![b'x'; PIECE], Instant::now() + lasting);
        while Instant::now() < end {
            conn.write_all(&piece)?;
        }
        conn.conn.send_close_notify();
        conn.flush()?;
        conn.sock.shutdown(std::net::Shutdown::Write)?;
        heard.join().map_err(|_| io::Error::other("the far end panicked"))?
    })
}

/// What is sent behind the relay arrives at the client, where it is counted.
fn encrypted(port: u16, far: &TcpListener, lasting: Duration) -> io::Result<(u64, Duration)> {
    let mut conn = enter(port, &identity::client().map_err(io::Error::other)?)?;
    // It connects to the far end for who has shaken hands, or for who has said something.
    conn.write_all(REQUEST)?;
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut behind = accept(far)?;
            behind.set_write_timeout(Some(PATIENCE))?;
            let piece = vec![b'x'; PIECE];
            // Until the client has left.
            while behind.write_all(&piece).is_ok() {}
            io::Result::Ok(())
        });
        let mut room = vec![0; PIECE];
        conn.read_exact(&mut [0])?;
        let (mut bytes, began) = (0, Instant::now());
        while began.elapsed() < lasting {
            bytes += conn.read(&mut room)? as u64;
        }
        let took = began.elapsed();
        drop(conn);
        Ok((bytes, took))
    })
}
