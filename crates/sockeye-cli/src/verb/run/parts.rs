//! Over datagrams: all that the command reads is sent with it, and it hears no signals.

use sockeye::proto::exec::Stream;
use sockeye::{Conn, Ctx, Size};
use sockeye_services::exec_client::{End, Event, Parts};

use super::host::{Ends, Halt};
use super::input::Source;
use super::order::Order;

/// The largest datagram of any scheme, about: what is beyond is not read, since the command is refused then.
const MOST: usize = 256 << 10;

/// Runs it, and passes on what it says.
pub(super) async fn run(conn: Conn, order: &Order, ends: &mut Ends, ctx: &Ctx) -> Result<End, Halt> {
    let input = if order.request.has_input { input(ends, ctx).await? } else { Vec::new() };
    let mut parts = Parts::new(conn, &order.token, &order.request, &input, ctx)?;
    let mut buffer = ctx.buffers.lend(Size::Small);
    let ended = loop {
        let (stream, bytes) = match parts.next(&mut buffer).await? {
            Event::Started => continue,
            Event::Output(bytes) => (Stream::Output, bytes),
            Event::Errors(bytes) => (Stream::Errors, bytes),
            Event::Ended(end) => break end,
        };
        let said = buffer.get(..bytes).unwrap_or_default();
        // Who reads us may take a long time, and the server is to know that we are there.
        tokio::select! {
            biased;
            written = ends.output.write(stream, said) => written.map_err(Halt::Here)?,
            fault = parts.hold() => return Err(fault.into()),
        }
    };
    ctx.buffers.give_back(buffer);
    Ok(ended)
}

/// All that there is to read. What a person would type is not waited for.
async fn input(ends: &mut Ends, ctx: &Ctx) -> Result<Vec<u8>, Halt> {
    let mut all = Vec::new();
    if Source::find() == Source::Nothing {
        return Ok(all);
    }
    let mut buffer = ctx.buffers.lend(Size::Medium);
    while all.len() <= MOST {
        let read = ends.input.read(&mut buffer).await.map_err(Halt::Here)?;
        if read == 0 {
            break;
        }
        all.extend_from_slice(buffer.get(..read).unwrap_or_default());
    }
    ctx.buffers.give_back(buffer);
    Ok(all)
}
