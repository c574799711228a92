//! What drives connections whose owners wait, or are elsewhere.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};

use super::{Conn, Listener};
use crate::ctx::{Ctx, within};
use crate::error::{Cause, Error, Limit, Op, Result};
use crate::open::ToAddress;
use crate::peer::Peer;
use crate::rows::Rows;

/// Opens connections and listeners, and drives them by a thread. Clones share it; what was opened keeps it.
///
/// There must be such a thread, since some connections have work to do while nobody waits for them: datagrams are taken
/// from a listener's socket before its buffer is full, and a command that has ended is reaped. With the last owner the
/// thread ends; where commands are still to end, that takes up to [`crate::Limits::hurry`] (2 s).
#[derive(Debug, Clone)]
pub struct Runtime(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// `None` only while it is dropped.
    driver: Option<tokio::runtime::Runtime>,
    rows: Rows,
    ctx: Ctx,
}

impl Runtime {
    /// One whose addresses are made of `rows`. Once the stop of `ctx` drains, nobody is accepted any more; once it
    /// hurries, every call that waits fails with [`Cause::Stopped`].
    ///
    /// # Errors
    /// There is no thread or descriptor to be had.
    pub fn new(rows: Rows, ctx: &Ctx) -> Result<Self> {
        // The second thread is the caller's: it polls what it waits for.
        let driver = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let driver =
            driver.map_err(|error| Error::new(Op::Run, error).on("the thread that drives sockets"))?;
        Ok(Self(Arc::new(Inner { driver: Some(driver), rows, ctx: ctx.child() })))
    }

    /// Opens a connection: see [`crate::dial`].
    ///
    /// # Errors
    /// As [`crate::dial`].
    pub fn dial(&self, address: &(impl ToAddress + ?Sized)) -> Result<Conn> {
        let Inner { rows, ctx, .. } = &*self.0;
        let conn = self.wait(Op::Dial, None, rows.dial(address, ctx))?;
        Ok(Conn::new(conn, self.clone()))
    }

    /// Starts to listen: see [`crate::listen`].
    ///
    /// # Errors
    /// As [`crate::listen`].
    pub fn listen(&self, address: &(impl ToAddress + ?Sized)) -> Result<Listener> {
        let Inner { rows, ctx, .. } = &*self.0;
        let listening = self.wait(Op::Listen, None, rows.listen(address, ctx))?;
        Ok(Listener::new(listening, self.clone()))
    }

    /// The stop that ends what waits here.
    pub(super) fn ctx(&self) -> &Ctx {
        &self.0.ctx
    }

    /// Waits for `done`, for as long as it takes where there is no `limit`.
    pub(super) fn wait<T>(
        &self,
        op: Op,
        limit: Option<Duration>,
        done: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let bounded = async {
            tokio::select! {
                biased;
                done = within(limit, done) => {
                    done.unwrap_or_else(|after| Err(Error::new(op, Cause::Limit(Limit::Call, after))))
                }
                () = self.0.ctx.stop.hurried() => Err(Error::new(op, Cause::Stopped)),
            }
        };
        match &self.0.driver {
            Some(driver) => driver.block_on(bounded),
            None => Err(Error::new(op, Cause::Stopped)),
        }
    }
}

/// Who waits: for which peer, and how long at most.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) runtime: Runtime,
    pub(super) peer: Arc<Peer>,
    pub(super) timeout: Option<Duration>,
}

impl Caller {
    pub(super) fn wait<T>(&self, op: Op, done: impl Future<Output = Result<T>>) -> Result<T> {
        self.runtime.wait(op, self.timeout, done).map_err(|error| error.on(&self.peer))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.ctx.stop.hurry();
        self.ctx.tasks.close();
        let Some(driver) = self.driver.take() else { return };
        // In a task of another runtime waiting is not possible; what is left then ends by itself.
        if !self.ctx.tasks.is_empty() && Handle::try_current().is_err() {
            let (Ok(()) | Err(_)) =
                driver.block_on(within(Some(self.ctx.limits.hurry), self.ctx.tasks.wait()));
        }
        // A name look-up may still be under way, for as long as its servers are silent.
        driver.shutdown_background();
    }
}
