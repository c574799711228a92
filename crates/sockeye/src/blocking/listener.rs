//! A listener whose accept waits.

use std::time::Duration;

use super::{Conn, Runtime};
use crate::error::{Cause, Error, Op, Result};
use crate::open::Listening;
use crate::peer::Peer;

/// An address that is listened on.
#[derive(Debug)]
pub struct Listener {
    listening: Listening,
    timeout: Option<Duration>,
    runtime: Runtime,
}

impl Listener {
    pub(super) fn new(listening: Listening, runtime: Runtime) -> Self {
        Self { listening, timeout: None, runtime }
    }

    /// Where it listens: one for each address, as the kernel names it.
    pub fn locals(&self) -> Vec<Peer> {
        self.listening.listener.locals()
    }

    /// Bounds how long an accept waits; without a limit, which is the default, as long as nobody comes. Connections have
    /// limits of their own: [`Conn::set_timeout`].
    pub fn set_timeout(&mut self, limit: Option<Duration>) {
        self.timeout = limit;
    }

    /// The next connection, with its layers on: see [`Listening::accept`]. Whoever gives each a thread bounds how many
    /// there are.
    ///
    /// # Errors
    /// As [`Listening::accept`]; the time limit runs out ([`crate::Kind::TimeLimit`]); or a stop was asked for
    /// ([`Cause::Stopped`]).
    pub fn accept(&mut self) -> Result<Conn> {
        let stop = &self.runtime.ctx().stop;
        let newcomer = async {
            tokio::select! {
                biased;
                () = stop.draining() => Err(Error::new(Op::Accept, Cause::Stopped)),
                newcomer = self.listening.accept() => newcomer,
            }
        };
        let conn = self.runtime.wait(Op::Accept, self.timeout, newcomer)?;
        Ok(Conn::new(conn, self.runtime.clone()))
    }

    /// One [`Listener::accept`] after the other, until a stop is asked for.
    pub fn incoming(&mut self) -> impl Iterator<Item = Result<Conn>> {
        std::iter::from_fn(|| match self.accept() {
            Err(error) if matches!(error.cause(), Cause::Stopped) => None,
            accepted => Some(accepted),
        })
    }
}
