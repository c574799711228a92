//! The handshake on a connection: heads are read and written, and what is decided about them is in
//! `sockeye_proto::websocket::handshake`.

use std::io;
use std::ops::Range;

use sockeye_proto::websocket::handshake::{Answer, Request, key, refusal};
use sockeye_proto::websocket::{Party, WebSocketError};

use super::keys;
use super::settings::Settings;
use crate::buffer::Size;
use crate::conn::Conn;
use crate::ctx::{Ctx, Newcomers};
use crate::error::{Cause, Error, Op, Result};

/// What was read: a buffer that is lent, and where in it something stands that is still to be taken.
pub(super) type Read = (Box<[u8]>, Range<usize>);

/// Shakes hands. What came behind the head of the other side is handed on.
pub(super) async fn shake(settings: &Settings, conn: Conn, ctx: &Ctx) -> Result<(Conn, Option<Read>)> {
    let (conn, (buffer, rest)) = match settings.party {
        Party::Client => ask(settings, conn, ctx).await?,
        Party::Server => answer(settings, conn, ctx).await?,
    };
    if rest.is_empty() {
        ctx.buffers.give_back(buffer);
        return Ok((conn, None));
    }
    Ok((conn, Some((buffer, rest))))
}

async fn ask(settings: &Settings, mut conn: Conn, ctx: &Ctx) -> Result<(Conn, Read)> {
    let ask = settings.ask(conn.peer());
    let mut random = [0; 16];
    keys::fill(&mut random).map_err(|error| failed(&conn, error))?;
    let key = key(random);
    conn.write_all(&ask.write(&key)).await?;
    let mut buffer = ctx.buffers.lend(Size::Small);
    let mut filled = 0;
    loop {
        more(&mut conn, &mut buffer, &mut filled).await?;
        let answer = Answer::read(buffer.get(..filled).unwrap_or_default(), &ask, &key);
        let taken = answer.map(|answer| answer.map(|answer| answer.length));
        if let Some(taken) = taken.map_err(|error| failed(&conn, error))? {
            return Ok((conn, (buffer, taken..filled)));
        }
    }
}

async fn answer(settings: &Settings, mut conn: Conn, ctx: &Ctx) -> Result<(Conn, Read)> {
    let mut buffer = ctx.buffers.lend(Size::Small);
    let mut filled = 0;
    let agreed = loop {
        more(&mut conn, &mut buffer, &mut filled).await?;
        match Request::read(buffer.get(..filled).unwrap_or_default()) {
            Ok(Some(request)) => break agree(settings, &request, ctx).map(|answer| (answer, request.length)),
            Ok(None) => {}
            Err(error) => break Err(error),
        }
    };
    match agreed {
        Ok((answer, taken)) => {
            conn.write_all(&answer).await?;
            Ok((conn, (buffer, taken..filled)))
        }
        Err(error) => {
            ctx.buffers.give_back(buffer);
            let error_of = failed(&conn, error.clone());
            if conn.write_all(&refusal(&error)).await.is_ok() {
                // The reason why it is refused is what is told, and not that it did not stay to hear it.
                drop(conn.farewell(ctx).await);
            }
            Err(error_of)
        }
    }
}

/// What a request is answered, where nothing is wrong with it.
fn agree(
    settings: &Settings,
    request: &Request<'_>,
    ctx: &Ctx,
) -> std::result::Result<Vec<u8>, WebSocketError> {
    if let Some(path) = &settings.path
        && path != request.path()
        && path != request.target
    {
        return Err(WebSocketError::Path(request.path().to_owned()));
    }
    if let Some(origin) = request.origin
        && !may_ask(settings, origin, request, ctx.limits.newcomers)
    {
        return Err(WebSocketError::Origin(origin.to_owned()));
    }
    let spoken = |name: &&&str| settings.subprotocols.iter().any(|known| known == **name);
    Ok(request.accept(request.subprotocols.iter().find(spoken).copied()))
}

/// Whether a page may come in. Any page that a browser shows can open a WebSocket to this machine, as the user who sits
/// before it: where it matters who comes, only pages of this very server may. Those have its host; and where that is a
/// name, whoever has the name can make it lead here.
fn may_ask(settings: &Settings, origin: &str, request: &Request<'_>, newcomers: Newcomers) -> bool {
    if !settings.origins.is_empty() {
        return settings.origins.iter().any(|known| known == "any" || known.eq_ignore_ascii_case(origin));
    }
    newcomers == Newcomers::Anyone || request.is_of_same_origin() && request.is_host_fixed()
}

/// Reads more of a head, which as a whole is no longer than the buffer.
async fn more(conn: &mut Conn, buffer: &mut [u8], filled: &mut usize) -> Result<()> {
    let read = match buffer.get_mut(*filled..) {
        Some(room) if !room.is_empty() => conn.read(room).await?,
        _ => return Err(failed(conn, WebSocketError::HeadTooLong)),
    };
    if read == 0 {
        return Err(failed(conn, io::Error::from(io::ErrorKind::UnexpectedEof)));
    }
    *filled += read;
    Ok(())
}

fn failed(conn: &Conn, cause: impl Into<Cause>) -> Error {
    Error::new(Op::Handshake, cause).on(conn.peer())
}
