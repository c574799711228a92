//! Calls that block, made in threads of their own.

use std::io;
use std::thread;

use tokio::sync::oneshot;

/// Makes a call that may block for as long as it likes. Where nobody waits for it any more it goes on, and what it gives is
/// lost. tokio's own threads for this are as good, but where there is no room for the first of them, it panics.
///
/// # Errors
/// No more threads.
pub(crate) async fn aside<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (done, outcome) = oneshot::channel();
    thread::Builder::new().name("sockeye-aside".to_owned()).spawn(move || {
        let (Ok(()) | Err(_)) = done.send(call());
    })?;
    outcome.await.map_err(io::Error::other)
}
