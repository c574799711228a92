//! Descriptors that somebody else made: files, pipes with and without a name, and what a parent left open. Those are
//! numbers without a mark, which another test's child would inherit too: each test of theirs is a process of its own.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _, pipe};
use std::os::fd::{AsFd, IntoRawFd as _, OwnedFd};

use rustix::fs::{CWD, FileType, Mode, OFlags, fcntl_getfl, mknodat};
use rustix::io::{FdFlags, fcntl_setfd};
use sockeye::{Ctx, Kind, Op};
use testkit::Scratch;

use crate::lab::{address, alone, assert_same, block_on, dial, get, numbered, rest, soon};

/// Gives a descriptor away, as a parent does who leaves it open for us.
fn leave(end: OwnedFd) -> i32 {
    fcntl_setfd(&end, FdFlags::empty()).unwrap();
    end.into_raw_fd()
}

/// Whether whoever shares the descriptor still waits in its calls.
fn is_blocking(file: impl AsFd) -> bool {
    !fcntl_getfl(file).unwrap().contains(OFlags::NONBLOCK)
}

async fn refused(word: &str) -> Kind {
    let error = sockeye::dial(&address(word), &Ctx::default()).await.unwrap_err();
    assert_eq!((error.op(), error.address()), (Op::Dial, Some(word)));
    error.kind()
}

#[test]
fn the_end_of_a_pipe_that_was_left_to_us_is_read_or_written_and_its_flags_stay() {
    alone("inherited::the_end_of_a_pipe_that_was_left_to_us_is_read_or_written_and_its_flags_stay", || {
        block_on(async {
            let ctx = Ctx::default();
            let (reading, mut writing) = pipe().unwrap();
            let shared = reading.try_clone().unwrap();
            let mut conn = dial(&format!("fd:{}", leave(reading.into())), &ctx).await;
            assert!(conn.can_read());
            for part in ["one", "two"] {
                writing.write_all(part.as_bytes()).unwrap();
                assert_eq!(get(&mut conn, 3).await, part.as_bytes());
            }
            drop(writing);
            assert_eq!(rest(&mut conn).await.unwrap(), b"");
            assert!(is_blocking(&shared));

            let (mut reading, writing) = pipe().unwrap();
            let shared = writing.try_clone().unwrap();
            let mut conn = dial(&format!("fd:{}", leave(writing.into())), &ctx).await;
            assert!(!conn.can_read());
            assert!(is_blocking(&shared));
            drop(shared);
            // Far more than a pipe holds: it waits for whoever reads.
            let content = numbered(1 << 20);
            let reader = tokio::task::spawn_blocking(move || {
                let mut all = Vec::new();
                reading.read_to_end(&mut all).unwrap();
                all
            });
            soon("the pipe to take all", conn.write_all(&content)).await.unwrap();
            conn.shutdown_write().await.unwrap();
            assert_same(&soon("the end of the pipe", reader).await.unwrap(), &content);
        });
    });
}

#[test]
fn a_file_that_was_left_to_us_is_read_from_where_it_stands() {
    alone("inherited::a_file_that_was_left_to_us_is_read_from_where_it_stands", || {
        block_on(async {
            let scratch = Scratch::new();
            fs::write(scratch.path("file"), "skipped, and read").unwrap();
            let mut file = File::open(scratch.path("file")).unwrap();
            file.seek(SeekFrom::Start(9)).unwrap();
            let mut conn = dial(&format!("fd:{}", leave(file.into())), &Ctx::default()).await;
            assert_eq!(rest(&mut conn).await.unwrap(), b"and read");
        });
    });
}

#[test]
fn only_what_was_left_to_us_is_taken_and_only_once() {
    alone("inherited::only_what_was_left_to_us_is_taken_and_only_once", || {
        block_on(async {
            assert_eq!(refused("fd:999999").await, Kind::NotFound);
            let ours = File::open("/dev/null").unwrap().into_raw_fd();
            assert_eq!(refused(&format!("fd:{ours}")).await, Kind::NoRight);
            let theirs = leave(File::open("/dev/null").unwrap().into());
            let conn = dial(&format!("fd:{theirs}"), &Ctx::default()).await;
            assert_eq!(refused(&format!("fd:{theirs}")).await, Kind::NoRight);
            drop(conn);
            assert_eq!(refused(&format!("fd:{theirs}")).await, Kind::NotFound);
        });
    });
}

/// Nobody has to be there first, and one writer after the other may come.
#[tokio::test]
async fn a_named_pipe_is_read_from_its_first_writer_on() {
    let scratch = Scratch::new();
    let path = scratch.path("pipe");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let mut conn = dial(&format!("file:{}", path.display()), &Ctx::default()).await;
    let mut buffer = [0; 8];
    let early = tokio::time::timeout(std::time::Duration::from_millis(20), conn.read(&mut buffer)).await;
    assert!(early.is_err(), "nobody has written, and nobody has ended: {early:?}");
    let mut writing = fs::OpenOptions::new().write(true).open(&path).unwrap();
    writing.write_all(b"at last").unwrap();
    assert_eq!(get(&mut conn, 7).await, b"at last");
    drop(writing);
    assert_eq!(rest(&mut conn).await.unwrap(), b"");
}
