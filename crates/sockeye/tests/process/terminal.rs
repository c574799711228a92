//! `pty:`: what a program finds at a terminal of its own, and how that ends.

use rustix::process::geteuid;
use sockeye::{Conn, Ctx, Exit, Kind, Op};
use testkit::Scratch;

use super::{dial, exit, try_dial};
use crate::lab::{assert_same, block_on, get, numbered, rest};

async fn says(conn: &mut Conn) -> String {
    String::from_utf8(rest(conn).await.unwrap()).unwrap()
}

#[test]
fn a_program_finds_a_terminal_that_controls_its_session() {
    block_on(async {
        let script =
            "pty:sh -c 'test -t 0 && test -t 1 && test -t 2 && stty size && tty && : </dev/tty && echo ours'";
        let mut conn = dial(script, &["size=132x43"], &Ctx::default()).await;
        let said = says(&mut conn).await;
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!((lines[0], lines[2]), ("43 132", "ours"), "{said}");
        assert!(lines[1].starts_with("/dev/pts/"), "{said}");
        assert_eq!(exit(&mut conn).await, Exit::Code(0));
    });
}

#[test]
fn a_terminal_makes_lines_and_tells_the_end_of_them() {
    block_on(async {
        for (typed, got) in [("one\ntwo\n", "one\ntwo\n"), ("one\ntwo", "one\ntwo"), ("", "")] {
            let folder = Scratch::new();
            let file = folder.path("typed");
            let mut conn =
                dial(&format!("pty:sh -c 'cat >{}; exit 5'", file.display()), &[], &Ctx::default()).await;
            if !typed.is_empty() {
                conn.write_all(typed.as_bytes()).await.unwrap();
            }
            assert!(conn.half_close());
            conn.shutdown_write().await.unwrap();
            // It shows what is typed.
            assert_eq!(says(&mut conn).await.replace('\r', "").trim_end(), typed.trim_end());
            assert_eq!(exit(&mut conn).await, Exit::Code(5));
            assert_eq!(std::fs::read_to_string(file).unwrap(), got);
        }
    });
}

#[test]
fn a_raw_terminal_passes_every_byte_and_has_no_end() {
    block_on(async {
        let content = numbered(1 << 16);
        let (mut reading, mut writing) = {
            let conn = dial("pty:cat", &["raw"], &Ctx::default()).await;
            assert!(!conn.half_close());
            conn.split()
        };
        let mut came = vec![0; content.len()];
        let receive = async {
            let mut read = 0;
            while read < came.len() {
                read += reading.read(&mut came[read..]).await.unwrap();
            }
        };
        let (sent, ()) = tokio::join!(writing.write_all(&content), receive);
        sent.unwrap();
        assert_same(&came, &content);
    });
}

#[test]
fn a_link_leads_to_the_terminal_for_as_long_as_that_is_there() {
    block_on(async {
        let folder = Scratch::new();
        let (link, option) = (folder.path("tty"), format!("link={}", folder.path("tty").display()));
        let mut conn = dial("pty:cat", &[&option, "raw"], &Ctx::default()).await;
        std::fs::write(&link, "by its link").unwrap();
        assert_eq!(get(&mut conn, 11).await, b"by its link");
        drop(conn);
        assert!(!link.is_symlink());

        std::fs::write(&link, "a file").unwrap();
        let refused = try_dial("pty:cat", &[&option], &Ctx::default()).await.unwrap_err();
        assert_eq!((refused.op(), refused.kind()), (Op::Dial, Kind::Other));
        assert_eq!(std::fs::read_to_string(&link).unwrap(), "a file");
    });
}

#[test]
fn another_user_may_open_its_terminal_anew() {
    if !geteuid().is_root() {
        // Who may not become another user is told so: see `found`.
        return;
    }
    block_on(async {
        let word = "pty:sh -c 'id -un; echo anew >$(tty)'";
        let mut conn = dial(word, &["user=nobody", "cwd=/"], &Ctx::default()).await;
        assert_eq!(says(&mut conn).await, "nobody\r\nanew\r\n");
    });
}
