//! What the network, the kernel or the peer refuses: exit code 1, or 124 for a limit in time; what failed on what,
//! why, and what to try.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixListener;

use rustix::net::sockopt::set_socket_linger;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, connect, getsockname, listen, socket};
use testkit::{LIMIT, Process, Scratch, run};

use super::namespace::Namespace;
use super::{assert_refused, command, sockeye, wait_for_newcomer};

#[test]
fn where_nobody_listens_the_dial_is_refused() {
    let scratch = Scratch::new();
    let (taken, port) = tcp_port();
    let tcp = format!("tcp:127.0.0.1:{port}");
    let named = format!("tcp:localhost:{port}");
    let dead = scratch.path("dead");
    drop(UnixListener::bind(&dead).unwrap());
    let unix = format!("unix:{}", dead.display());
    let hint = "         nobody listens there: is the server up, and the address right?";
    for word in [tcp, named, unix] {
        let said = format!("sockeye: cannot connect to {word}: connection refused");
        assert_refused(&sockeye(&["dial", &word]), 1, &[&said, hint]);
    }
    drop(taken);
}

#[test]
fn what_is_not_there_is_named_with_its_address() {
    let scratch = Scratch::new();
    let missing = scratch.path("missing").display().to_string();
    let folder = scratch.path("").display().to_string();
    for (words, said, hint) in [
        (
            ["dial", &format!("unix:{missing}")],
            format!("cannot connect to unix:{missing}: no such file or directory"),
            "check what is named there, or start what listens there first",
        ),
        (
            ["dial", &format!("file:{missing}")],
            format!("cannot connect to file:{missing}: no such file or directory"),
            "check what is named there, or start what listens there first",
        ),
        (
            ["dial", "fd:9999"],
            "cannot connect to fd:9999: bad file descriptor".to_owned(),
            "open it in the shell: sockeye ... 3<FILE",
        ),
        (
            ["listen", &format!("unix:{missing}/socket")],
            format!("cannot listen on unix-l:{missing}/socket: no such file or directory"),
            "listen on an address of this machine (ip addr), in a folder that exists",
        ),
        (
            ["listen", "tcp:192.0.2.1:0"],
            "cannot listen on tcp-l:192.0.2.1:0: cannot assign requested address".to_owned(),
            "listen on an address of this machine (ip addr), in a folder that exists",
        ),
        (
            ["dial", "tcp:127.0.0.1:1,bind=192.0.2.1"],
            "cannot connect to tcp:127.0.0.1:1: cannot assign requested address".to_owned(),
            "bind= takes an address of this machine (ip addr), of the family that is dialled",
        ),
        (
            ["dial", "tcp:127.0.0.1:frobnicate"],
            "cannot connect to tcp:127.0.0.1:frobnicate: there is no service of that name".to_owned(),
            "write the port as a number; getent services lists the names",
        ),
    ] {
        assert_refused(&sockeye(&words), 1, &[&format!("sockeye: {said}"), &format!("         {hint}")]);
    }
    let exit = sockeye(&["dial", &format!("file:{folder}")]);
    assert_refused(&exit, 1, &[&format!("sockeye: cannot read from file:{folder}: is a directory")]);
}

#[test]
fn a_host_that_has_no_address_is_told_apart_from_a_network_that_is_down() {
    let namespace = Namespace::new();
    let look_up = |sources: &str| {
        let script = "echo \"hosts: $0\" >../nsswitch && mount --bind ../nsswitch /etc/nsswitch.conf &&
            exec sockeye dial tcp:name.invalid:80";
        run(&mut namespace.command(&["sh", "-c", script, sources]), b"", LIMIT)
    };
    assert_refused(
        &look_up("files"),
        1,
        &[
            "sockeye: cannot connect to tcp:name.invalid:80: name or service not known",
            "         check the spelling; with -n only numbers are taken",
        ],
    );
    // The name servers are beyond this network, which has nothing but loopback.
    assert_refused(
        &look_up("dns"),
        1,
        &[
            "sockeye: cannot connect to tcp:name.invalid:80: temporary failure in name resolution",
            "         check the network, or the name server: ip route; cat /etc/resolv.conf",
        ],
    );
    let exit = run(&mut namespace.command(&["sockeye", "dial", "tcp:192.0.2.1:80"]), b"", LIMIT);
    assert_refused(
        &exit,
        1,
        &[
            "sockeye: cannot connect to tcp:192.0.2.1:80: network is unreachable",
            "         check the network, or the name server: ip route; cat /etc/resolv.conf",
        ],
    );
}

#[test]
fn a_name_is_not_looked_up_where_only_numbers_or_the_other_family_are_wanted() {
    assert_refused(
        &sockeye(&["dial", "-n", "tcp:localhost:80"]),
        1,
        &[
            "sockeye: cannot connect to tcp:localhost:80: name or service not known",
            "         check the spelling; with -n only numbers are taken",
        ],
    );
    assert_refused(
        &sockeye(&["dial", "-6", "tcp:127.0.0.1:80"]),
        1,
        &[
            "sockeye: cannot connect to tcp:127.0.0.1:80: it has no address of the family that was asked for",
            "         try without -4 or -6",
        ],
    );
}

#[test]
fn a_peer_that_breaks_off_is_told_after_what_it_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp:{}", listener.local_addr().unwrap());
    let mut dial = Process::spawn(&mut command(&["dial", &address]));
    wait_for_newcomer(&listener);
    let (mut peer, _) = listener.accept().unwrap();
    peer.write_all(b"part").unwrap();
    dial.wait_stdout(LIMIT, |bytes| bytes == b"part");
    // Closing without a moment of lingering resets the connection.
    set_socket_linger(&peer, Some(std::time::Duration::ZERO)).unwrap();
    drop(peer);
    let exit = dial.wait(LIMIT);
    assert_eq!((exit.code, exit.stdout.as_slice()), (Some(1), &b"part"[..]), "{exit:?}");
    let said = format!(
        "sockeye: cannot read from {address}: connection reset by peer\n         \
         the peer broke off: what came before may not be all\n"
    );
    assert_eq!(exit.stderr, said);
}

#[test]
fn a_peer_that_reads_no_more_is_told() {
    let scratch = Scratch::new();
    let path = scratch.path("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let address = format!("unix:{}", path.display());
    let mut dial = Process::spawn(&mut command(&["dial", &address]));
    wait_for_newcomer(&listener);
    drop(listener.accept().unwrap());
    dial.write(&vec![b'x'; 1 << 20]);
    dial.close_stdin();
    let exit = dial.wait(LIMIT);
    assert_eq!((exit.code, exit.stdout.as_slice()), (Some(1), &b""[..]), "{exit:?}");
    let said = format!(
        "sockeye: cannot write to {address}: broken pipe\n         \
         the peer no longer reads: what was sent last may not have arrived\n"
    );
    assert_eq!(exit.stderr, said);
}

/// Without the right to override them, root is bound by permissions as everybody is.
#[test]
fn what_one_may_not_is_told() {
    let namespace = Namespace::new();
    let scratch = Scratch::new();
    let locked = scratch.path("locked");
    fs::DirBuilder::new().mode(0o000).create(&locked).unwrap();
    let locked = locked.display().to_string();
    for (words, said, hint) in [
        (
            ["listen", "tcp:127.0.0.1:80"],
            "cannot listen on tcp-l:127.0.0.1:80: permission denied".to_owned(),
            "choose a port from 1024 on or a folder of yours, or run as root",
        ),
        (
            ["listen", &format!("unix:{locked}/socket")],
            format!("cannot listen on unix-l:{locked}/socket: permission denied"),
            "choose a port from 1024 on or a folder of yours, or run as root",
        ),
        (
            ["dial", &format!("unix:{locked}/socket")],
            format!("cannot connect to unix:{locked}/socket: permission denied"),
            "check who may use it: ls -l, id",
        ),
        (
            ["dial", &format!("file:{locked}/notes.txt")],
            format!("cannot connect to file:{locked}/notes.txt: permission denied"),
            "check who may use it: ls -l, id",
        ),
    ] {
        // The folder lies beneath the old /tmp; only the network has to be the test's own.
        let [verb, address] = words;
        let mut unprivileged = namespace.command_in_network(&[
            "setpriv",
            "--bounding-set=-all",
            "--inh-caps=-all",
            "--",
            super::BINARY,
            verb,
            address,
        ]);
        let exit = run(&mut unprivileged, b"", LIMIT);
        assert_refused(&exit, 1, &[&format!("sockeye: {said}"), &format!("         {hint}")]);
    }
}

#[test]
fn a_connection_that_is_not_taken_in_time_ends_at_its_limit() {
    let scratch = Scratch::new();
    let path = scratch.path("socket");
    let unix = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    let unix_name = SocketAddrUnix::new(&path).unwrap();
    bind(&unix, &unix_name).unwrap();
    listen(&unix, 0).unwrap();
    let first = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    connect(&first, &unix_name).unwrap();

    let (tcp, port) = tcp_port();
    listen(&tcp, 0).unwrap();
    let second = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();

    for word in [format!("unix:{}", path.display()), format!("tcp:127.0.0.1:{port}")] {
        assert_refused(
            &sockeye(&["dial", &format!("{word},connect=100ms")]),
            124,
            &[
                &format!("sockeye: cannot connect to {word}: no answer within 100ms"),
                "         is the host up, and no firewall between? connect= sets the limit",
            ],
        );
        let exit = sockeye(&["check", &format!("{word},connect=100ms")]);
        assert_eq!((exit.code, exit.stderr.as_str()), (Some(124), ""), "{exit:?}");
        let exit = sockeye(&["check", &format!("{word},connect=100ms"), "unix:/nonexistent"]);
        assert_eq!((exit.code, exit.stderr.as_str()), (Some(1), ""), "{exit:?}");
    }
    drop((first, second));
}

#[test]
fn a_silent_peer_is_left_when_the_idle_limit_runs_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp:{}", listener.local_addr().unwrap());
    let mut dial = Process::spawn(&mut command(&["dial", &format!("{address},idle=100ms")]));
    wait_for_newcomer(&listener);
    let peer = listener.accept().unwrap();
    assert_refused(
        &dial.wait(LIMIT),
        124,
        &[
            &format!("sockeye: cannot relay to {address}: idle for 100ms"),
            "         idle= sets how long nothing may go over it",
        ],
    );
    drop(peer);
}

/// A socket that has a port, so that nobody else gets it, and does not listen.
fn tcp_port() -> (OwnedFd, u16) {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
    let local = SocketAddrV4::try_from(getsockname(socket.as_fd()).unwrap()).unwrap();
    (socket, local.port())
}
