//! A datagram socket as one that is written to: what goes at once goes, and only for the rest is room waited for.

use std::io;
use std::os::fd::AsFd as _;
use std::sync::OnceLock;
use std::task::{Context, Poll, ready};

use sockeye_sys::datagram::{Departure, Trains, send_all};
use sockeye_sys::readiness::Watched;

/// A socket, and how it is written.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) socket: Watched,
    /// Watched for writing, once it had no room. Until then it is not: each datagram that leaves would be an event, for
    /// which nobody waits.
    outlet: OnceLock<Watched>,
    trains: Trains,
}

impl Way {
    /// `socket` may be watched for reading alone.
    pub(super) fn new(socket: Watched) -> Self {
        let trains = Trains::of(&socket);
        Self { socket, outlet: OnceLock::new(), trains }
    }

    /// Sends what does not have to wait, and says how many went.
    pub(super) fn try_send<'a>(
        &self,
        departures: impl Iterator<Item = Departure<'a>> + Clone,
    ) -> io::Result<usize> {
        let send = || send_all(&self.socket, departures, &self.trains);
        match self.outlet.get() {
            Some(outlet) => outlet.try_write(send),
            None => send(),
        }
    }

    /// As [`Way::try_send`], but waits for room for the first. One waits at a time.
    pub(super) fn poll_send<'a>(
        &self,
        departures: &(impl Iterator<Item = Departure<'a>> + Clone),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.try_send(departures.clone()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.outlet()?.poll_write_ready(cx))?.retain_ready();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                sent => return Poll::Ready(sent),
            }
        }
    }

    /// Waits until there is room for what [`Way::try_send`] had to leave. Cancel safe, and any number may wait.
    pub(super) async fn writable(&self) -> io::Result<()> {
        self.outlet()?.writable().await?.retain_ready();
        Ok(())
    }

    fn outlet(&self) -> io::Result<&Watched> {
        if let Some(outlet) = self.outlet.get() {
            return Ok(outlet);
        }
        let again = self.socket.as_fd().try_clone_to_owned()?;
        let outlet = Watched::for_writing(again).map_err(|(_, error)| error)?;
        Ok(self.outlet.get_or_init(|| outlet))
    }
}
