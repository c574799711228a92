//! TCP: where it listens, which of several addresses is taken, limits, and options that reach the kernel.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use sockeye::{Cause, Conn, Ctx, Endpoint, Family, Kind, Limit, Listening, Op, Resolver};
use tokio::time::Instant;

use crate::lab::{accept, address, dial, get, listen, local, put, soon};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
/// A second address of the loopback interface.
const SECOND: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

fn locals(listening: &Listening) -> Vec<SocketAddr> {
    let inet = |endpoint| match endpoint {
        Endpoint::Inet(address) => address,
        other => panic!("{other}"),
    };
    listening.listener.locals().iter().map(|peer| inet(peer.local)).collect()
}

fn remote(conn: &Conn) -> SocketAddr {
    match conn.peer().remote {
        Endpoint::Inet(address) => address,
        other => panic!("{other}"),
    }
}

/// A world in which `name` has these addresses.
fn knowing(name: &str, ips: &[IpAddr]) -> Ctx {
    let known = Arc::new(HashMap::from([(name.to_owned(), ips.to_vec())]));
    Ctx { resolver: Resolver { known, ..Resolver::default() }, ..Ctx::default() }
}

#[tokio::test]
async fn port_0_is_the_same_port_on_both_families() {
    let ctx = Ctx::default();
    for (word, v4, v6) in
        [("tcp-l:0", V4, V6), ("tcp-l:any:0", Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into())]
    {
        let mut listening = listen(word, &ctx).await;
        let [first, second] = locals(&listening)[..] else { panic!("{word}: {listening:?}") };
        assert_eq!((first.ip(), second.ip()), (v4, v6), "{word}");
        assert!(first.port() == second.port() && first.port() != 0, "{word}: {first} {second}");
        for ip in [V4, V6] {
            let to = SocketAddr::new(ip, first.port());
            let near = dial(&format!("tcp:{to}"), &ctx).await;
            let far = accept(&mut listening).await;
            // Where it listens on every address, the connection knows which one it was.
            assert_eq!((far.peer().local, near.peer().remote), (Endpoint::Inet(to), Endpoint::Inet(to)));
            assert_eq!(far.peer().remote, near.peer().local);
        }
    }
}

#[tokio::test]
async fn one_family_alone_is_listened_on_where_that_is_asked_for() {
    for (family, ip) in [(Family::V4, V4), (Family::V6, V6)] {
        let ctx = Ctx { resolver: Resolver { family, ..Resolver::default() }, ..Ctx::default() };
        let listening = listen("tcp-l:0", &ctx).await;
        assert_eq!(locals(&listening).iter().map(SocketAddr::ip).collect::<Vec<_>>(), [ip]);
    }
    let ctx = Ctx { resolver: Resolver { family: Family::V6, ..Resolver::default() }, ..Ctx::default() };
    let error = sockeye::dial(&address("tcp:127.0.0.1:9"), &ctx).await.unwrap_err();
    assert!(matches!(error.cause(), Cause::OtherFamily), "{error:?}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_and_reuseport_shares_it() {
    let ctx = Ctx::default();
    let listening = listen("tcp-l:127.0.0.1:0,reuseport", &ctx).await;
    let word = local(&listening).replacen(':', "-l:", 1);
    let error = sockeye::listen(&address(&word), &ctx).await.unwrap_err();
    assert_eq!((error.kind(), error.op(), error.address()), (Kind::InUse, Op::Listen, Some(&*word)));
    drop(listen(&format!("{word},reuseport"), &ctx).await);
    drop(listening);
    drop(listen(&word, &ctx).await);
}

#[tokio::test]
async fn a_port_is_listened_on_again_although_an_old_connection_lingers_there() {
    let ctx = Ctx::default();
    let mut listening = listen("tcp-l:127.0.0.1:0", &ctx).await;
    let word = local(&listening);
    let (mut near, far) = (dial(&word, &ctx).await, accept(&mut listening).await);
    // Who ends first keeps the port in TIME_WAIT.
    drop(far);
    assert_eq!(crate::lab::rest(&mut near).await.unwrap(), b"");
    drop((near, listening));
    drop(listen(&word.replacen(':', "-l:", 1), &ctx).await);
}

#[tokio::test]
async fn localhost_falls_back_to_the_family_that_listens() {
    for (listens, other) in [(V4, V6), (V6, V4)] {
        let ctx = knowing("localhost", &[other, listens]);
        let mut listening = listen(&format!("tcp-l:{}", SocketAddr::new(listens, 0)), &ctx).await;
        let port = locals(&listening)[0].port();
        let near = dial(&format!("tcp:localhost:{port}"), &ctx).await;
        assert_eq!(remote(&near), SocketAddr::new(listens, port));
        accept(&mut listening).await;
    }
    // The system's own names have 127.0.0.1 behind whatever else they have.
    let mut listening = listen("tcp-l:127.0.0.1:0", &Ctx::default()).await;
    let port = locals(&listening)[0].port();
    let near = dial(&format!("tcp:localhost:{port}"), &Ctx::default()).await;
    assert_eq!(remote(&near), SocketAddr::new(V4, port));
    accept(&mut listening).await;
}

#[tokio::test]
async fn an_address_that_never_answers_loses_to_the_next() {
    let silent = Silent::at(SECOND);
    let Ok(answers) = TcpListener::bind((V4, silent.port)) else {
        panic!("{} is taken at {V4}", silent.port)
    };
    let ctx = knowing("two.test", &[SECOND, V4]);
    let began = Instant::now();
    let near = dial(&format!("tcp:two.test:{}", silent.port), &ctx).await;
    assert_eq!(remote(&near), SocketAddr::new(V4, silent.port));
    // It had its head start; a second after, the name would have cost more than a refusal does.
    assert!(began.elapsed() >= Duration::from_millis(250), "{:?}", began.elapsed());
    drop(answers);
}

#[tokio::test]
async fn connecting_has_a_limit() {
    let silent = Silent::at(SECOND);
    let ctx = Ctx::default();
    let word = format!("tcp:{SECOND}:{},connect=150ms", silent.port);
    let began = Instant::now();
    let error = soon("the limit", sockeye::dial(&address(&word), &ctx)).await.unwrap_err();
    let limit = Duration::from_millis(150);
    assert!(matches!(error.cause(), Cause::Limit(Limit::Connect, after) if *after == limit), "{error:?}");
    assert_eq!((error.kind(), error.op()), (Kind::TimeLimit, Op::Dial));
    assert_eq!(error.address(), Some(&*format!("tcp:{SECOND}:{}", silent.port)));
    assert!(began.elapsed() >= limit);
}

#[tokio::test]
async fn nobody_there_is_told_at_once_and_in_the_words_of_the_caller() {
    let bound = Bound::at(V4);
    let ctx = knowing("nobody.test", &[V4]);
    for word in [format!("tcp:127.0.0.1:{}", bound.port), format!("tcp:nobody.test:{}", bound.port)] {
        let error =
            soon(&word, sockeye::dial(&address(&format!("{word},nodelay=no")), &ctx)).await.unwrap_err();
        assert_eq!((error.kind(), error.op(), error.address()), (Kind::Refused, Op::Dial, Some(&*word)));
    }
}

#[tokio::test]
async fn bind_chooses_our_own_address_and_port() {
    let ctx = knowing("both.test", &[V6, V4]);
    let mut listening = listen("tcp-l:0", &ctx).await;
    let port = locals(&listening)[0].port();
    for (host, bind, want) in [
        ("127.0.0.1", "127.0.0.2", SECOND),
        ("127.0.0.1", "127.0.0.2:0", SECOND),
        ("[::1]", "::1", V6),
        ("[::1]", "[::1]:0", V6),
        // A family that we are not bound to is passed over.
        ("both.test", "127.0.0.2", SECOND),
        ("both.test", "::1", V6),
    ] {
        let near = dial(&format!("tcp:{host}:{port},bind={bind}"), &ctx).await;
        let far = accept(&mut listening).await;
        assert_eq!(remote(&far).ip(), want, "{host} from {bind}");
        assert_eq!(near.peer().local, far.peer().remote, "{host} from {bind}");
    }
    // A port that is ours at one address is nobody's at the other.
    let ours = Bound::at(V4);
    let near = dial(&format!("tcp:127.0.0.1:{port},bind=127.0.0.2:{}", ours.port), &ctx).await;
    assert_eq!(near.peer().local, Endpoint::Inet(SocketAddr::new(SECOND, ours.port)));
    let error = sockeye::dial(&address(&format!("tcp:127.0.0.1:{port},bind=::1")), &ctx).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(sockeye::parse(&format!("tcp:127.0.0.1:{port},bind=here"), &[]).is_err());
}

/// On loopback TCP connects a socket to itself, where both ends are the same.
#[tokio::test]
async fn nobody_is_taken_for_somebody_else() {
    let ctx = Ctx::default();
    // The port was free a moment ago: whoever has taken it meanwhile makes us try another.
    for _ in 0..20 {
        let port = Bound::at(SECOND).port;
        let word = format!("tcp:{SECOND}:{port},bind={SECOND}:{port}");
        match soon(&word, sockeye::dial(&address(&word), &ctx)).await {
            Err(error) if error.kind() == Kind::InUse => {}
            Err(error) => return assert_eq!(error.kind(), Kind::Refused, "{error:?}"),
            Ok(conn) => panic!("connected to {}", remote(&conn)),
        }
    }
    panic!("no port stays free");
}

#[tokio::test]
async fn options_reach_the_socket_that_is_dialled_and_the_one_that_is_accepted() {
    let ctx = Ctx::default();
    let nodelay = |conn: &Conn| sockopt::tcp_nodelay(conn.bare().unwrap()).unwrap();
    let keepalive = |conn: &Conn| {
        let socket = conn.bare().unwrap();
        let on = sockopt::socket_keepalive(socket).unwrap();
        on.then(|| sockopt::tcp_keepidle(socket).unwrap().as_secs())
    };
    for (options, delays, asks) in [
        ("", true, Some(60)),
        (",nodelay=no", false, Some(60)),
        (",nodelay,keepalive=5s", true, Some(5)),
        (",keepalive=off", true, None),
        (",keepalive=1ms", true, Some(1)),
        (",keepalive=30d", true, Some(32_767)),
    ] {
        let (near, far) = pair(options, &ctx).await;
        for (side, conn) in [("dialled", near), ("accepted", far)] {
            assert_eq!((nodelay(&conn), keepalive(&conn)), (delays, asks), "{side}{options}");
        }
    }
}

#[tokio::test]
async fn buffers_have_the_sizes_that_are_asked_for() {
    let ctx = Ctx::default();
    let sizes = |conn: &Conn| {
        let socket = conn.bare().unwrap();
        let send = sockopt::socket_send_buffer_size(socket).unwrap();
        (send, sockopt::socket_recv_buffer_size(socket).unwrap())
    };
    let (near, far) = pair(",sndbuf=100k,rcvbuf=50000", &ctx).await;
    // The kernel doubles what it is told, for its own records (socket(7)).
    assert_eq!((sizes(&near), sizes(&far)), ((204_800, 100_000), (204_800, 100_000)));
    // Left alone, they are the kernel's to grow.
    let (near, _far) = pair("", &ctx).await;
    assert_ne!(sizes(&near), (204_800, 100_000));
}

/// Two ends whose addresses have both these options.
async fn pair(options: &str, ctx: &Ctx) -> (Conn, Conn) {
    let mut listening = listen(&format!("tcp-l:127.0.0.1:0{options}"), ctx).await;
    let mut near = dial(&format!("{}{options}", local(&listening)), ctx).await;
    let mut far = accept(&mut listening).await;
    put(&mut near, b"x").await.unwrap();
    assert_eq!(get(&mut far, 1).await, b"x");
    (near, far)
}

/// A socket that is bound and does not listen: whoever connects is refused.
struct Bound {
    _socket: std::os::fd::OwnedFd,
    port: u16,
}

impl Bound {
    fn at(ip: IpAddr) -> Self {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &SocketAddr::new(ip, 0)).unwrap();
        let name = SocketAddr::try_from(rustix::net::getsockname(&socket).unwrap()).unwrap();
        Self { _socket: socket, port: name.port() }
    }
}

/// A listener that accepts nobody and whose queue is full: the kernel answers no newcomer.
struct Silent {
    port: u16,
    _listener: std::os::fd::OwnedFd,
    _waiting: Vec<std::os::fd::OwnedFd>,
}

impl Silent {
    fn at(ip: IpAddr) -> Self {
        let Bound { _socket: listener, port } = Bound::at(ip);
        rustix::net::listen(&listener, 0).unwrap();
        let at = SocketAddr::new(ip, port);
        // A queue of no length takes one. Whoever comes behind it is there in case it takes more.
        let first = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::net::connect(&first, &at).unwrap();
        let behind = (0..8).map(|_| {
            let flags = SocketFlags::NONBLOCK;
            let socket =
                rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
            let started = rustix::net::connect(&socket, &at);
            assert!(matches!(started, Ok(()) | Err(Errno::INPROGRESS)), "{started:?}");
            socket
        });
        let waiting = std::iter::once(first).chain(behind).collect();
        Self { port, _listener: listener, _waiting: waiting }
    }
}
