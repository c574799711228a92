//! Every option of the kernel: set on a socket of each scheme that has it, in each role and family, and read back.
//!
//! The sockets are in a network of their own, where ports are free and this process has most rights.

use sockeye::proto::address::{Role, Side};
use sockeye::{Cause, Ctx, Held, OptionRow, Phase, held, inspect};

use crate::lab::{
    abstract_name, accept, address, alone_in_a_network, alone_without_rights, block_on, dial, get, listen,
    local, put, receive, soon,
};

/// What an option is set to, which is not what it is by itself, and what the kernel then has.
fn case(row: &OptionRow, at: &Place) -> (&'static str, &'static str) {
    let listens = at.role == Role::Listen;
    match row.grammar.name {
        "abort" => ("yes", "yes"),
        "backlog" if at.scheme == "tcp" => ("7", "7"),
        // Unix sockets do not tell.
        "backlog" => ("7", "-"),
        "bind" if at.host == "[::1]" => ("[::1]:4567", "[::1]:4567"),
        "bind" => ("127.0.0.7:4567", "127.0.0.7:4567"),
        "broadcast" => ("yes", "yes"),
        "busy-poll" => ("50us", "50us"),
        "congestion" => ("reno", "reno"),
        "defer-accept" => ("7s", "7s"),
        "device" => ("lo", "lo"),
        "dscp" => ("af41", "34"),
        "fastopen" => ("9", "9"),
        "fastopen-connect" => ("yes", "yes"),
        "freebind" => ("yes", "yes"),
        // IPv4 has none.
        "ipv6-only" => ("no", if at.host == "[::]" { "no" } else { "-" }),
        "keepalive" => ("7s", "7s"),
        "keepalive-count" => ("3", "3"),
        "keepalive-interval" => ("4s", "4s"),
        "mark" => ("0x10", "16"),
        "mptcp" => ("yes", "yes"),
        // Of a connection it is what is left beside the timestamps of each packet.
        "mss" => ("1000", if listens { "1000" } else { "988" }),
        "multicast-loop" => ("no", "no"),
        "multicast-ttl" => ("7", "7"),
        "nodelay" => ("no", "no"),
        "notsent-lowat" => ("16k", "16384"),
        "passcred" => ("yes", "yes"),
        "priority" => ("5", "5"),
        "quickack" => ("no", "no"),
        // The kernel doubles it, for what it keeps beside the bytes (socket(7)).
        "rcvbuf" | "sndbuf" => ("32k", "65536"),
        "reuseaddr" if at.scheme == "tcp" && listens => ("no", "no"),
        "reuseaddr" | "reuseport" => ("yes", "yes"),
        // SO_NO_CHECK.
        "sockopt" => ("socket:11:1", "socket:11:1"),
        "source-port" => ("4568", "4568"),
        "timestamps" => ("yes", "yes"),
        "tos" => ("0x08", "8"),
        "transparent" => ("yes", "yes"),
        "ttl" => ("7", "7"),
        "user-timeout" => ("7s", "7s"),
        other => panic!("no case for option {other}: say what it is set to, and what the kernel then has"),
    }
}

/// Where an option is tried.
#[derive(Debug)]
struct Place {
    scheme: &'static str,
    role: Role,
    /// Of IP sockets.
    host: &'static str,
}

/// Everywhere that the row is for.
fn places(row: &OptionRow) -> Vec<Place> {
    let mut all = Vec::new();
    // Few machines have a place where vsock listens, and raw sockets are those of UDP but for their names.
    for scheme in row.grammar.schemes.iter().filter(|scheme| !["raw", "vsock"].contains(scheme)) {
        let hosts = match (*scheme, row.grammar.name) {
            // One that is bound to a single address has but one family anyway.
            ("tcp" | "udp", "ipv6-only") => &["127.0.0.1", "[::]"][..],
            ("tcp" | "udp", _) => &["127.0.0.1", "[::1]"],
            _ => &[""],
        };
        for role in [Role::Dial, Role::Listen].into_iter().filter(|role| row.grammar.side.includes(*role)) {
            all.extend(hosts.iter().map(|host| Place { scheme, role, host }));
        }
    }
    all
}

impl Place {
    /// An address to listen on there.
    fn listening(&self) -> String {
        match self.host {
            "" => format!("{}-l:{}", self.scheme, abstract_name("options")),
            host => format!("{}-l:{host}:0", self.scheme),
        }
    }

    /// What the kernel then has of the option, on a socket of an address with these options, and where it is listened
    /// on, on what is accepted there.
    async fn kept(&self, options: &str, row: &OptionRow, ctx: &Ctx) -> (String, Option<String>) {
        if self.role == Role::Dial {
            let far = listen(&self.listening(), ctx).await;
            let word = format!("{}{options}", local(&far));
            let inspected = soon(&word, inspect(&address(&word), ctx)).await;
            return match inspected {
                Ok(inspected) => (shown(&inspected[0].options, row), None),
                Err(error) => (error.cause().to_string(), None),
            };
        }
        let word = address(&format!("{}{options}", self.listening()));
        let mut listening = match sockeye::listen(&word, ctx).await {
            Ok(listening) => listening,
            Err(error) => return (error.cause().to_string(), None),
        };
        let own = shown(&held(listening.listener.sockets()[0], &word), row);
        if !matches!(self.scheme, "tcp" | "unix" | "unix-seq") {
            return (own, None);
        }
        let mut near = dial(&local(&listening), ctx).await;
        // Who defers accepting waits for it.
        put(&mut near, b"x").await.unwrap();
        let conn = accept(&mut listening).await;
        let accepted = shown(&held(conn.socket().unwrap(), &word), row);
        (own, Some(accepted))
    }
}

/// What is wrong with an option there.
async fn fault(row: &OptionRow, at: &Place, ctx: &Ctx) -> Option<String> {
    let (set, has) = case(row, at);
    let option = format!("{}={set}", row.grammar.name);
    let (before, _) = at.kept("", row, ctx).await;
    let (own, accepted) = at.kept(&format!(",{option}"), row, ctx).await;
    // A socket that listens has no connection yet.
    let is_own = row.phase() != Some(Phase::Connected) || at.role == Role::Dial;
    if is_own && (own != has || (before == has && has != "-")) {
        return Some(format!("{option} at {at:?}: {own}, which was {before}, and not {has}"));
    }
    // What is of listeners alone is nothing that a connection has.
    let accepted = accepted.filter(|_| row.grammar.side == Side::Both && row.phase() != Some(Phase::Made))?;
    let has = if row.grammar.name == "mss" { "988" } else { has };
    (accepted != has).then(|| format!("{option} at {at:?}: {accepted} of what is accepted, and not {has}"))
}

fn shown(options: &[Held], row: &OptionRow) -> String {
    let held = options.iter().find(|held| held.row.grammar.name == row.grammar.name);
    match held.map(|held| &held.has) {
        Some(Ok(Some(value))) => value.to_string(),
        Some(Ok(None)) | None => "-".to_owned(),
        Some(Err(refused)) => refused.to_string(),
    }
}

#[test]
fn every_option_of_the_kernel_is_kept_by_every_socket_that_it_is_for() {
    alone_in_a_network("options::every_option_of_the_kernel_is_kept_by_every_socket_that_it_is_for", || {
        block_on(async {
            let (ctx, mut wrong) = (Ctx::default(), Vec::new());
            for row in sockeye::options().filter(|row| row.phase().is_some()) {
                for at in places(row) {
                    wrong.extend(fault(row, &at, &ctx).await);
                }
            }
            assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        });
    });
}

#[test]
fn a_vanished_peer_of_tcp_is_noticed_after_two_minutes() {
    block_on(async {
        let ctx = Ctx::default();
        let listening = listen("tcp-l:127.0.0.1:0", &ctx).await;
        let near = dial(&local(&listening), &ctx).await;
        let word = address(&local(&listening));
        let options = held(near.socket().unwrap(), &word);
        let of =
            |name: &str| shown(&options, sockeye::options().find(|row| row.grammar.name == name).unwrap());
        let after = ["keepalive", "keepalive-interval", "keepalive-count"].map(of);
        assert_eq!(after, ["60s", "10s", "6"]);
    });
}

#[test]
fn an_option_that_takes_a_right_names_it() {
    alone_without_rights("options::an_option_that_takes_a_right_names_it", || {
        block_on(async {
            let ctx = Ctx::default();
            for option in ["mark=1", "transparent", "priority=7"] {
                let word = format!("udp:127.0.0.1:9,{option}");
                let error = sockeye::dial(&address(&word), &ctx).await.unwrap_err();
                assert_eq!(error.kind(), sockeye::Kind::NoRight);
                let Cause::Option(refused) = error.cause() else { panic!("{:?}", error.cause()) };
                let name = option.split('=').next().unwrap();
                assert_eq!((refused.option, refused.lacks), (name, Some("cap_net_admin")));
                assert_eq!(refused.to_string(), format!("{name}: operation not permitted"));
            }
        });
    });
}

#[test]
fn what_the_kernel_does_not_know_is_named() {
    block_on(async {
        let ctx = Ctx::default();
        for (option, told) in [
            ("congestion=nonsense", "congestion: no such file or directory"),
            ("device=nonsense", "device: no such device"),
            ("sockopt=socket:9999:1", "sockopt: protocol not available"),
        ] {
            let word = address(&format!("tcp-l:127.0.0.1:0,{option}"));
            let error = sockeye::listen(&word, &ctx).await.unwrap_err();
            assert_eq!(
                (error.cause().to_string().as_str(), error.to_string().as_str()),
                (told, "cannot listen on tcp-l:127.0.0.1:0")
            );
        }
    });
}

#[test]
fn closing_a_connection_that_aborts_resets_it() {
    block_on(async {
        let ctx = Ctx::default();
        for aborts in ["near", "far"] {
            let option = |end| if aborts == end { ",abort" } else { "" };
            let mut listening = listen(&format!("tcp-l:127.0.0.1:0{}", option("far")), &ctx).await;
            let near = dial(&format!("{}{}", local(&listening), option("near")), &ctx).await;
            let far = accept(&mut listening).await;
            let (closes, mut stays) = if aborts == "near" { (near, far) } else { (far, near) };
            drop(closes);
            let read = soon("the end", stays.read(&mut [0; 8])).await;
            assert_eq!(read.unwrap_err().kind(), sockeye::Kind::Reset, "{aborts}");
        }
    });
}

#[test]
fn a_listener_on_all_of_ipv6_can_hear_ipv4() {
    block_on(async {
        let ctx = Ctx::default();
        let mut listening = listen("tcp-l:any:0,ipv6-only=no", &ctx).await;
        let locals = listening.listener.locals();
        assert_eq!(locals.len(), 1, "{locals:?}");
        let port = local(&listening).rsplit_once(':').unwrap().1.to_owned();
        for host in ["127.0.0.1", "[::1]"] {
            let mut near = dial(&format!("tcp:{host}:{port}"), &ctx).await;
            let mut far = accept(&mut listening).await;
            assert!(far.peer().to_string().starts_with(&format!("tcp:{host}:")), "{}", far.peer());
            put(&mut near, b"hello").await.unwrap();
            assert_eq!(get(&mut far, 5).await, b"hello");
        }
    });
}

#[test]
fn a_connection_can_begin_with_its_first_bytes() {
    alone_in_a_network("options::a_connection_can_begin_with_its_first_bytes", || {
        std::fs::write("/proc/sys/net/ipv4/tcp_fastopen", "3").unwrap();
        block_on(async {
            let ctx = Ctx::default();
            let mut listening = listen("tcp-l:127.0.0.1:0,fastopen=9", &ctx).await;
            let word = format!("{},fastopen-connect", local(&listening));
            // The first brings back what the second is known by.
            for round in 0..3 {
                let mut near = dial(&word, &ctx).await;
                put(&mut near, b"hello").await.unwrap();
                let mut far = accept(&mut listening).await;
                assert_eq!(get(&mut far, 5).await, b"hello", "{round}");
                put(&mut far, b"back").await.unwrap();
                assert_eq!(get(&mut near, 4).await, b"back", "{round}");
                assert_eq!(near.peer().reached(), local(&listening), "{round}");
            }
            let counts = std::fs::read_to_string("/proc/net/netstat").unwrap();
            let mut lines = counts.lines().filter_map(|line| line.strip_prefix("TcpExt: "));
            let (names, numbers) = (lines.next().unwrap(), lines.next().unwrap());
            let of = |name: &str| {
                let at = names.split(' ').position(|known| known == name).unwrap();
                numbers.split(' ').nth(at).unwrap().parse::<u32>().unwrap()
            };
            assert_eq!((of("TCPFastOpenActive"), of("TCPFastOpenPassive")), (2, 2));
        });
    });
}

#[test]
fn mptcp_carries_bytes_both_ways_and_falls_back_to_tcp() {
    block_on(async {
        let ctx = Ctx::default();
        for (here, there) in [(",mptcp", ",mptcp"), (",mptcp", ""), ("", ",mptcp")] {
            let mut listening = listen(&format!("tcp-l:127.0.0.1:0{there}"), &ctx).await;
            let mut near = dial(&format!("{}{here}", local(&listening)), &ctx).await;
            let mut far = accept(&mut listening).await;
            put(&mut near, b"hello").await.unwrap();
            assert_eq!(get(&mut far, 5).await, b"hello");
            far.shutdown_write().await.unwrap();
            assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 0);
        }
    });
}

#[test]
fn datagrams_tell_when_they_came_where_that_is_asked_for() {
    block_on(async {
        let ctx = Ctx::default();
        for (near_has, far_has) in [("", ""), (",timestamps", ""), ("", ",timestamps")] {
            let mut listening = listen(&format!("udp-l:127.0.0.1:0{far_has}"), &ctx).await;
            let mut near = dial(&format!("{}{near_has}", local(&listening)), &ctx).await;
            put(&mut near, b"hello").await.unwrap();
            let mut far = accept(&mut listening).await;
            assert_eq!(receive(&mut far).await.at.is_some(), !far_has.is_empty());
            put(&mut far, b"back").await.unwrap();
            assert_eq!(receive(&mut near).await.at.is_some(), !near_has.is_empty());
        }
    });
}
