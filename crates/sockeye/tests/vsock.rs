//! `vsock:`. Not every kernel has it, and few have a way from a machine to itself: what the kernel says to a program in
//! Python decides what must be heard here.

use std::io;

use sockeye::{Cause, Ctx, Endpoint, Error, Kind, Newcomers, Op};
use testkit::python;

use crate::lab::{LIMIT, accept, address, dial, get, listen, local, put, rest};

/// A machine that no host has.
const NOBODY: u32 = 0x7fff_fff0;

/// Tries one call, and prints what the kernel says to it.
const ASK: &str = "
import errno, fcntl, socket, struct, sys
call, cid = sys.argv[1], int(sys.argv[2])
try:
    conn = socket.socket(socket.AF_VSOCK)
    conn.settimeout(0.3)
    if call == 'connect':
        conn.connect((cid, 1024))
    elif call == 'own':
        with open('/dev/vsock') as device:
            own = fcntl.ioctl(device, socket.IOCTL_VM_SOCKETS_GET_LOCAL_CID, bytes(4))
        sys.exit(print(struct.unpack('I', own)[0]))
    else:
        conn.bind((cid, 0xffffffff))
        conn.listen()
    print('done')
except TimeoutError:
    print('timeout')
except OSError as error:
    print(errno.errorcode[error.errno])
";

fn kernel_says(call: &str, cid: u32) -> String {
    let exit = testkit::run(&mut python(ASK, &[call, &cid.to_string()]), b"", LIMIT);
    assert_eq!(exit.code, Some(0), "{exit:?}");
    String::from_utf8(exit.stdout).unwrap().trim().to_owned()
}

/// What of an error goes on to people: what it means, and its cause.
fn told(error: &Error) -> (Kind, String) {
    (error.kind(), error.cause().to_string())
}

const ABSENT: (Kind, &str) = (Kind::Other, "the kernel has no vsock: its module is missing");

#[tokio::test]
async fn what_keeps_us_from_a_machine_is_told_in_words() {
    // The kernel has less patience than the first asks for.
    let ours = kernel_says("own", 0).parse().ok();
    for (cid, limit) in [(Some(NOBODY), "2500ms"), (Some(1), "300ms"), (ours, "300ms")] {
        let Some(cid) = cid else { continue };
        let address = address(&format!("vsock:{cid}:1024,connect={limit},rcvbuf=64k"));
        let dialled = sockeye::dial(&address, &Ctx::default()).await.map(drop);
        let (kind, cause) = match kernel_says("connect", cid).as_str() {
            "EAFNOSUPPORT" => ABSENT,
            "ECONNRESET" => (Kind::Refused, "connection refused"),
            "ENODEV" => (Kind::NotFound, "nothing leads to this CID"),
            "ENETUNREACH" => (Kind::Unreachable, "network unreachable"),
            "timeout" | "ETIMEDOUT" => (Kind::TimeLimit, &*format!("no answer within {limit}")),
            other => panic!("{cid}: {other}, and {dialled:?}"),
        };
        let error = dialled.unwrap_err();
        assert_eq!((error.op(), told(&error)), (Op::Dial, (kind, cause.to_owned())), "{cid}");
    }
}

#[tokio::test]
async fn a_listener_is_where_the_kernel_lets_it_be() {
    for (word, cid) in [("vsock-l:0", 1), ("vsock-l:any:0,backlog=7,rcvbuf=1M", u32::MAX)] {
        let listening = sockeye::listen(&address(word), &Ctx::default()).await;
        let (kind, cause) = match (kernel_says("listen", cid).as_str(), listening) {
            ("done", Ok(listening)) => {
                let Endpoint::Vsock(at, port) = listening.listener.locals()[0].local else {
                    panic!("{word}")
                };
                assert_eq!(at.0, cid);
                assert!(port > 1023 && port < u32::MAX, "{port}");
                let printed = if cid == 1 { "vsock:1:" } else { "vsock:any:" };
                assert_eq!(local(&listening), format!("{printed}{port}"));
                continue;
            }
            ("EAFNOSUPPORT", Err(error)) => (ABSENT, error),
            ("EADDRNOTAVAIL", Err(error)) => ((Kind::NotFound, "cannot assign requested address"), error),
            (other, listening) => panic!("{word}: {other}, and {:?}", listening.map(drop)),
        };
        assert_eq!(told(&cause), (kind.0, kind.1.to_owned()), "{word}");
    }
}

#[tokio::test]
async fn who_runs_commands_does_not_listen_for_other_machines() {
    for (cid, address) in [(1, address("vsock-l:0")), (u32::MAX, address("vsock-l:any:0"))] {
        let mut ctx = Ctx::default();
        ctx.limits.newcomers = Newcomers::Ours;
        let error = sockeye::listen(&address, &ctx).await.map(drop).unwrap_err();
        match kernel_says("listen", cid).as_str() {
            "done" => assert!(matches!(error.cause(), Cause::NoUsers), "{error:?}"),
            _ => assert!(matches!(error.cause(), Cause::Io(_)), "{error:?}"),
        }
    }
}

#[tokio::test]
async fn a_machine_talks_to_itself_where_the_kernel_has_a_way() {
    let ctx = Ctx::default();
    if kernel_says("listen", 1) != "done" {
        let error = sockeye::listen(&address("vsock-l:0"), &ctx).await.map(drop).unwrap_err();
        assert!(
            matches!(error.cause(), Cause::Io(error) if error.kind() != io::ErrorKind::Other),
            "{error:?}"
        );
        return;
    }
    let mut listening = listen("vsock-l:0,max-per-peer=1", &ctx).await;
    let mut near = dial(&local(&listening), &ctx).await;
    let mut far = accept(&mut listening).await;
    assert!(matches!(far.peer().remote, Endpoint::Vsock(..)), "{:?}", far.peer());
    put(&mut near, b"hello").await.unwrap();
    near.shutdown_write().await.unwrap();
    assert_eq!(rest(&mut far).await.unwrap(), b"hello");
    put(&mut far, b"an answer").await.unwrap();
    assert_eq!(get(&mut near, 9).await, b"an answer");
}
