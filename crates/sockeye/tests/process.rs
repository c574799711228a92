//! Commands: `exec:`, `sh:` and `pty:`, how they are started, what they find, how they end, and that nothing is left.

mod end;
mod found;
mod program;
mod terminal;

use std::fs::Permissions;
use std::future::poll_fn;
use std::os::unix::fs::PermissionsExt as _;

use sockeye::process::check_program;
use sockeye::proto::address::Address;
use sockeye::{Cause, Conn, Ctx, Exit, Kind, Op, Unstarted};

use crate::lab::{assert_same, block_on, numbered, rest, soon};

/// The address of a command with options beside it.
fn address(word: &str, options: &[&str]) -> Address {
    let beside: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
    sockeye::parse(word, &beside).unwrap_or_else(|error| panic!("{error}"))
}

async fn try_dial(word: &str, options: &[&str], ctx: &Ctx) -> sockeye::Result<Conn> {
    soon(word, sockeye::dial(&address(word, options), ctx)).await
}

async fn dial(word: &str, options: &[&str], ctx: &Ctx) -> Conn {
    let dialled = try_dial(word, options, ctx).await;
    dialled.unwrap_or_else(|error| panic!("{error}: {}", error.cause()))
}

/// What a command without input says.
async fn output(word: &str, options: &[&str]) -> String {
    let ctx = Ctx::default();
    let mut conn = dial(word, options, &ctx).await;
    conn.shutdown_write().await.unwrap();
    String::from_utf8(rest(&mut conn).await.unwrap()).unwrap()
}

/// How the command at the other side ended.
async fn exit(conn: &mut Conn) -> Exit {
    soon("the end of the command", poll_fn(|cx| conn.poll_exit(cx))).await.expect("a command")
}

#[test]
fn every_byte_goes_through_and_comes_back() {
    block_on(async {
        let content = numbered(1 << 20);
        for word in ["exec:cat", "sh:cat | cat"] {
            let ctx = Ctx::default();
            let (mut reading, mut writing) = dial(word, &[], &ctx).await.split();
            let send = async {
                writing.write_all(&content).await.unwrap();
                writing.shutdown_write().await.unwrap();
            };
            let receive = async {
                let (mut came, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
                loop {
                    match reading.read(&mut buffer).await.unwrap() {
                        0 => return came,
                        read => came.extend_from_slice(&buffer[..read]),
                    }
                }
            };
            let ((), came) = soon(word, async { tokio::join!(send, receive) }).await;
            assert_same(&came, &content);
        }
    });
}

#[test]
fn the_end_of_each_way_is_the_end_of_that_way_alone() {
    block_on(async {
        let ctx = Ctx::default();
        let mut sorts = dial("exec:sort", &[], &ctx).await;
        sorts.write_all(b"b\na\n").await.unwrap();
        sorts.shutdown_write().await.unwrap();
        assert_eq!(rest(&mut sorts).await.unwrap(), b"a\nb\n");
        assert_eq!(exit(&mut sorts).await, Exit::Code(0));

        let mut counts = dial("sh:echo hi; exec >&-; test $(wc -c) = 5", &[], &ctx).await;
        assert_eq!(rest(&mut counts).await.unwrap(), b"hi\n");
        counts.write_all(b"after").await.unwrap();
        counts.shutdown_write().await.unwrap();
        assert_eq!(exit(&mut counts).await, Exit::Code(0));
    });
}

#[test]
fn who_reads_no_more_still_speaks() {
    block_on(async {
        let ctx = Ctx::default();
        let mut conn = dial("sh:exec <&-; echo closed; sleep 0.2; echo still here", &[], &ctx).await;
        let mut buffer = [0; 7];
        assert_eq!(soon("a word", conn.read(&mut buffer)).await.unwrap(), 7);
        let refused = conn.write_all(b"for nobody").await.unwrap_err();
        assert_eq!((refused.op(), refused.kind()), (Op::Write, Kind::Reset));
        assert_eq!(rest(&mut conn).await.unwrap(), b"still here\n");
        assert_eq!(exit(&mut conn).await, Exit::Code(0));
    });
}

#[test]
fn how_a_command_ended_is_told() {
    block_on(async {
        for (word, ended) in [
            ("exec:true", Exit::Code(0)),
            ("exec:false", Exit::Code(1)),
            ("sh:exit 255", Exit::Code(255)),
            ("sh:kill -KILL $$", Exit::Signal(9)),
            ("sh:kill -TERM $$", Exit::Signal(15)),
        ] {
            let ctx = Ctx::default();
            let mut conn = dial(word, &[], &ctx).await;
            assert_eq!(exit(&mut conn).await, ended, "{word}");
            assert_eq!(exit(&mut conn).await, ended, "{word}, asked again");
        }
    });
}

#[test]
fn what_cannot_be_started_is_named_and_why() {
    let folder = testkit::Scratch::new();
    let script = folder.path("script").display().to_string();
    std::fs::write(&script, "#!/nonexistent/interpreter\n").unwrap();
    std::fs::set_permissions(&script, Permissions::from_mode(0o700)).unwrap();
    block_on(async {
        let rows: &[(&str, &[&str], Kind, &str)] = &[
            ("exec:no-such a b", &[], Kind::NotFound, "the program no-such: no such file or directory"),
            ("exec:/etc/passwd", &[], Kind::NoRight, "the program /etc/passwd: permission denied"),
            ("exec:/", &[], Kind::NoRight, "the program /: permission denied"),
            (
                "exec:/etc/passwd/x",
                &[],
                Kind::NotFound,
                "the program /etc/passwd/x: no such file or directory",
            ),
            (
                "exec:passwd",
                &["env=PATH=/etc:/nonexistent"],
                Kind::NoRight,
                "the program passwd: permission denied",
            ),
            ("exec:./passwd", &["cwd=/etc"], Kind::NoRight, "the program ./passwd: permission denied"),
            (
                "exec:true",
                &["env=PATH=/nonexistent"],
                Kind::NotFound,
                "the program true: no such file or directory",
            ),
            ("sh:true", &["cwd=/no/such"], Kind::NotFound, "the folder /no/such: no such file or directory"),
            ("exec:true", &["cwd=/etc/passwd"], Kind::Other, "the folder /etc/passwd: not a directory"),
            ("exec:true", &["user=no such"], Kind::Usage, "there is no user or group \"no such\""),
            ("pty:true", &["group=no such"], Kind::Usage, "there is no user or group \"no such\""),
            ("pty:no-such", &[], Kind::NotFound, "the program no-such: no such file or directory"),
            ("pty:true", &["link=/"], Kind::Other, "the link /: file exists"),
        ];
        for (word, options, kind, why) in rows {
            let error = try_dial(word, options, &Ctx::default()).await.unwrap_err();
            let said = (error.op(), error.kind(), error.cause().to_string());
            assert_eq!(said, (Op::Dial, *kind, (*why).to_owned()), "{word} {options:?}");
            // Who starts it later is told before, where that is certain.
            let is_certain =
                matches!(error.cause(), Cause::Unstarted(Unstarted::Folder(_) | Unstarted::Program(_), _));
            let before = check_program(&address(word, options)).err();
            let before = before.map(|error| (error.to_string(), error.cause().to_string()));
            let told = (error.to_string(), error.cause().to_string());
            assert_eq!(before, is_certain.then_some(told), "{word} {options:?}");
        }
        // It makes no difference whether the guard hears first of the failure, or of the end that comes with it.
        for _ in 0..50 {
            let error = try_dial("exec:no-such", &[], &Ctx::default()).await.unwrap_err();
            assert_eq!((error.op(), error.kind()), (Op::Dial, Kind::NotFound));
        }
        let script = format!("exec:{script}");
        let error = try_dial(&script, &[], &Ctx::default()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound);
        for runs in [&script, "exec:true", "sh:no-such", "pty:sh", "tcp:localhost:1"] {
            check_program(&address(runs, &["cwd=/"][..usize::from(!runs.starts_with("tcp"))])).unwrap();
        }
    });
}
