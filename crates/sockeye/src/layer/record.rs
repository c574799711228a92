//! A file that connections are recorded in: each puts into it what it saw, and a task of theirs writes.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use sockeye_proto::address::{Address, Role, Value};
use tokio::sync::Notify;

use crate::backlog::Backlog;
use crate::ctx::Ctx;
use crate::error::{Cause, Error, Op, Refused, Result};
use crate::event::{Event, Events, Wants};

/// The file that an option of a layer names, opened; see [`Record::open`].
pub(super) fn recorded(
    address: &Address,
    place: usize,
    option: &'static str,
    format: Option<Format>,
) -> Result<Arc<Record>> {
    let options = address.layers().get(place).map(|layer| layer.options());
    let path = match options.and_then(|options| options.value(option)) {
        Some(Value::Text(path)) => path,
        _ => "",
    };
    let op = if address.role() == Role::Dial { Op::Dial } else { Op::Listen };
    let refused = |error| Error::new(op, Cause::Option(Refused { option, error, lacks: None }));
    Record::open(path, format).map_err(refused)
}

/// A file that is more than the bytes that are put into it.
pub(super) struct Format {
    /// What it is called.
    pub(super) name: &'static str,
    /// What each such file begins with.
    pub(super) magic: [u8; 4],
    /// What stands before all that is put.
    pub(super) head: Vec<u8>,
}

/// The permissions of a new file: what peers say is nobody else's business.
const MODE: u32 = 0o600;

/// One file, for all connections of an address.
///
/// What waits to be written is at most 1 MiB and a piece of each connection: then connections wait for the disk. Where that
/// is full, this is told once, connections go on, and no more is written.
pub(super) struct Record {
    path: String,
    state: Mutex<State>,
    backlog: Backlog,
    /// Something was put, or the last connection is over.
    changed: Notify,
}

struct State {
    /// The file, while nobody writes.
    idle: Option<File>,
    waiting: Vec<u8>,
    /// Connections that are open.
    pens: usize,
    /// Nothing can be written any more.
    is_broken: bool,
}

impl Record {
    /// Opens a file to append to, or a named pipe that somebody reads; a new one is readable by its owner alone. One that is
    /// there already, of another format, is refused.
    fn open(path: &str, format: Option<Format>) -> io::Result<Arc<Self>> {
        if path == "-" {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it takes the name of a file"));
        }
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("{path}: {}", crate::error::words(&error)))
        };
        let mut file = append(path).map_err(named)?;
        if let Some(format) = format {
            begin(path, &mut file, &format).map_err(named)?;
        }
        let state = State { idle: Some(file), waiting: Vec::new(), pens: 0, is_broken: false };
        let path = path.to_owned();
        Ok(Arc::new(Self {
            path,
            state: Mutex::new(state),
            backlog: Backlog::default(),
            changed: Notify::new(),
        }))
    }

    /// For one connection. The first of them has a task of `ctx` write what all put, until the last of them is over.
    pub(super) fn pen(self: &Arc<Self>, ctx: &Ctx) -> Pen {
        let mut state = self.state();
        state.pens += 1;
        if let Some(file) = state.idle.take() {
            ctx.tasks.spawn(self.clone().write(file, ctx.events.clone()));
        }
        Pen(self.clone())
    }

    async fn write(self: Arc<Self>, mut file: File, events: Events) {
        let (mut writing, mut batch) = (Writing { record: &self, is_done: false }, Vec::new());
        loop {
            {
                let mut state = self.state();
                std::mem::swap(&mut batch, &mut state.waiting);
                if batch.is_empty() {
                    // While nothing is to be written no buffer is held.
                    (batch, state.waiting) = (Vec::new(), Vec::new());
                    if state.pens == 0 {
                        state.idle = Some(file);
                        writing.is_done = true;
                        return;
                    }
                }
            }
            if batch.is_empty() {
                self.changed.notified().await;
                continue;
            }
            let size = batch.len();
            let written = tokio::task::spawn_blocking(move || {
                let written = file.write_all(&batch);
                (file, batch, written)
            });
            let Ok((same, empty, written)) = written.await else { return };
            (file, batch) = (same, empty);
            batch.clear();
            if let Err(error) = written {
                let error = Error::new(Op::Write, error).on(&self.path);
                return events.tell(Wants::Trouble, || Event::Unrecorded { error });
            }
            self.backlog.remove(size);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that writes. Where it ends before the connections, as on a full disk or with the runtime, nothing more is
/// written, and nobody waits for it.
struct Writing<'a> {
    record: &'a Record,
    is_done: bool,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let mut state = self.record.state();
        (state.is_broken, state.waiting) = (true, Vec::new());
        drop(state);
        self.record.backlog.remove(usize::MAX);
    }
}

/// What one connection writes with.
pub(super) struct Pen(Arc<Record>);

impl Pen {
    /// Waits while too much is not written yet.
    pub(super) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.backlog.poll_room(cx)
    }

    /// Has `add` append to what is written next: nothing of others comes between.
    pub(super) fn put(&self, add: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.0.state();
        if state.is_broken {
            return;
        }
        let before = state.waiting.len();
        add(&mut state.waiting);
        self.0.backlog.add(state.waiting.len() - before);
        drop(state);
        self.0.changed.notify_one();
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        self.0.state().pens -= 1;
        self.0.changed.notify_one();
    }
}

fn append(path: &str) -> io::Result<File> {
    // A named pipe without a reader is an error, where it would be waited for otherwise. Who reads slowly is waited for.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().append(true).create(true).mode(MODE).custom_flags(flags).open(path)?;
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}

/// Writes what stands before all else, unless what is there is no such file.
fn begin(path: &str, file: &mut File, format: &Format) -> io::Result<()> {
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.len() > 0 {
        let mut first = [0; 4];
        let is_whole = File::open(path)?.read_exact(&mut first).is_ok();
        if !is_whole || first != format.magic {
            let why = format!("it is there already, and no {}", format.name);
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
        }
    }
    file.write_all(&format.head)
}
