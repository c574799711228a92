//! The library without async, against the sockets of the standard library.

use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use sockeye::blocking::{self, Runtime};
use sockeye::{Cause, Ctx, Endpoint, Exit, Kind, Message, Rows};
use testkit::wait_until;

use crate::lab::LIMIT;

const SHORT: Duration = Duration::from_millis(20);

/// A listener, and where it listens as the standard library writes it.
fn listen(word: &str) -> (blocking::Listener, String) {
    let mut listener = blocking::listen(word).unwrap();
    listener.set_timeout(Some(LIMIT));
    let local = listener.locals()[0].local.to_string();
    (listener, local)
}

fn dial(word: &str) -> blocking::Conn {
    let mut conn = blocking::dial(word).unwrap();
    conn.set_timeout(Some(LIMIT));
    conn
}

#[test]
fn bytes_are_read_and_written_and_each_direction_ends_for_itself() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut conn = dial(&format!("tcp:{}", listener.local_addr().unwrap()));
    let (mut peer, from) = listener.accept().unwrap();
    assert_eq!(conn.as_async().peer().local, Endpoint::Inet(from));

    conn.write_all(b"a request").unwrap();
    conn.shutdown_write().unwrap();
    let mut said = String::new();
    peer.read_to_string(&mut said).unwrap();
    assert_eq!(said, "a request");
    peer.write_all(b"one\ntwo\n").unwrap();
    drop(peer);
    let lines: Vec<String> = BufReader::new(conn).lines().map(Result::unwrap).collect();
    assert_eq!(lines, ["one", "two"]);
}

#[test]
fn connections_come_one_after_the_other_until_a_stop() {
    let ctx = Ctx::default();
    let mut listener =
        Runtime::new(Rows::default(), &ctx).unwrap().listen("tcp:127.0.0.1:0,frame=line").unwrap();
    listener.set_timeout(Some(LIMIT));
    let to = listener.locals()[0].local.to_string();
    let asking = thread::spawn(move || {
        for number in ["1", "2", "3"] {
            let mut peer = TcpStream::connect(&to).unwrap();
            writeln!(peer, "{number}").unwrap();
            let mut answer = String::new();
            peer.read_to_string(&mut answer).unwrap();
            assert_eq!(answer, format!("{number}{number}\n"));
        }
        ctx.stop.drain();
    });
    let mut came = 0;
    for conn in listener.incoming() {
        let (mut conn, mut message) = (conn.unwrap(), Message::default());
        assert!(conn.receive(&mut message).unwrap());
        conn.send(&message.payload.repeat(2)).unwrap();
        came += 1;
    }
    assert_eq!(came, 3);
    asking.join().unwrap();
}

#[test]
fn a_call_ends_at_its_limit_and_nothing_is_lost_by_that() {
    let (mut listener, to) = listen("tcp:127.0.0.1:0");
    listener.set_timeout(Some(SHORT));
    assert_eq!(listener.accept().unwrap_err().kind(), Kind::TimeLimit);
    let mut peer = TcpStream::connect(to).unwrap();
    listener.set_timeout(Some(LIMIT));
    let mut conn = listener.accept().unwrap();
    assert_eq!(conn.timeout(), None);
    conn.set_timeout(Some(SHORT));
    let mut said = [0; 4];
    let error = conn.read(&mut said).unwrap_err();
    let from = format!("cannot read from tcp:{}", peer.local_addr().unwrap());
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::TimedOut, from));
    let inside = error.get_ref().unwrap().downcast_ref::<sockeye::Error>().unwrap();
    assert_eq!(inside.cause().to_string(), "not done within 20ms");

    peer.write_all(b"late").unwrap();
    conn.set_timeout(Some(LIMIT));
    conn.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"late");
    conn.set_timeout(Some(SHORT));
    // The peer does not read.
    let unread = vec![0; 64 << 20];
    assert_eq!(conn.write_all(&unread).unwrap_err().kind(), ErrorKind::TimedOut);
}

#[test]
fn messages_are_whole_and_tell_their_sender() {
    let (mut listener, to) = listen("udp:127.0.0.1:0");
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.send_to(b"first", &to).unwrap();
    let mut conn = listener.accept().unwrap();
    conn.set_timeout(Some(LIMIT));
    let mut message = Message::default();
    assert!(conn.receive(&mut message).unwrap());
    assert_eq!(message.payload, b"first");
    assert_eq!(message.from, Endpoint::Inet(peer.local_addr().unwrap()));
    conn.send(b"an answer").unwrap();
    peer.set_read_timeout(Some(LIMIT)).unwrap();
    let mut answer = [0; 64];
    assert_eq!(peer.recv(&mut answer).unwrap(), 9);

    let error = conn.read(&mut answer).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "datagrams are no stream");
}

#[test]
fn datagrams_are_taken_from_the_socket_while_nobody_waits_for_them() {
    let (mut listener, to) = listen("udp:127.0.0.1:0");
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.send_to(b"0", &to).unwrap();
    let mut conn = listener.accept().unwrap();
    conn.set_timeout(Some(LIMIT));
    for number in 1..50 {
        peer.send_to(number.to_string().as_bytes(), &to).unwrap();
    }
    let port: u16 = to.rsplit_once(':').unwrap().1.parse().unwrap();
    wait_until(LIMIT, "an empty queue in the kernel", || queued(port) == 0);
    let mut message = Message::default();
    for number in 0..50 {
        assert!(conn.receive(&mut message).unwrap());
        assert_eq!(message.payload, number.to_string().as_bytes());
    }
}

/// How many bytes wait in the kernel for the socket at that port of 127.0.0.1 (proc_net_udp(5)).
fn queued(port: u16) -> u64 {
    let table = fs::read_to_string("/proc/net/udp").unwrap();
    let own = format!("0100007F:{port:04X}");
    let line = table.lines().find(|line| line.split_whitespace().nth(1) == Some(&own)).unwrap();
    let queues = line.split_whitespace().nth(4).unwrap();
    u64::from_str_radix(queues.split_once(':').unwrap().1, 16).unwrap()
}

#[test]
fn one_thread_reads_while_another_writes() {
    let (mut listener, to) = listen("tcp:127.0.0.1:0");
    let (mut reading, mut writing) = dial(&format!("tcp:{to}")).split();
    let mut far = listener.accept().unwrap();
    let waiting = thread::spawn(move || {
        let mut said = String::new();
        reading.read_to_string(&mut said).unwrap();
        said
    });
    writing.write_all(b"ping").unwrap();
    let mut said = [0; 4];
    far.read_exact(&mut said).unwrap();
    far.write_all(b"pong").unwrap();
    far.shutdown_write().unwrap();
    assert_eq!((&said, waiting.join().unwrap().as_str()), (b"ping", "pong"));
}

#[test]
fn what_one_runtime_opened_meets_in_its_memory() {
    let runtime = Runtime::new(Rows::default(), &Ctx::default()).unwrap();
    let mut listener = runtime.listen("mem-seq:here").unwrap();
    let mut near = runtime.dial("mem-seq:here").unwrap();
    let mut far = listener.accept().unwrap();
    near.send(b"hello").unwrap();
    let mut message = Message::default();
    assert!(far.receive(&mut message).unwrap());
    assert_eq!(message.payload, b"hello");
}

#[test]
fn a_command_tells_how_it_ended_and_none_outlives_its_connection() {
    let mut command = dial("sh:cat; exit 3");
    command.write_all(b"through").unwrap();
    command.shutdown_write().unwrap();
    let mut said = String::new();
    command.read_to_string(&mut said).unwrap();
    assert_eq!((said.as_str(), command.exit().unwrap()), ("through", Some(Exit::Code(3))));

    let mut endless = BufReader::new(dial("sh:echo $$; exec sleep 1000"));
    let mut pid = String::new();
    endless.read_line(&mut pid).unwrap();
    let process = format!("/proc/{}", pid.trim());
    assert!(fs::exists(&process).unwrap());
    drop(endless);
    assert!(!fs::exists(&process).unwrap());
}

#[test]
fn a_hurry_ends_what_waits_without_a_limit() {
    let ctx = Ctx::default();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let runtime = Runtime::new(Rows::default(), &ctx).unwrap();
    let mut conn = runtime.dial(&format!("tcp:{}", listener.local_addr().unwrap())).unwrap();
    let waiting = thread::spawn(move || conn.read(&mut [0]));
    ctx.stop.hurry();
    let error = waiting.join().unwrap().unwrap_err();
    let inside = error.get_ref().unwrap().downcast_ref::<sockeye::Error>().unwrap();
    assert!(matches!(inside.cause(), Cause::Stopped), "{error}");
}

#[test]
fn what_cannot_be_opened_says_why() {
    let error = blocking::dial("tpc:localhost:1").unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (Kind::Usage, "cannot connect to tpc:localhost:1")
    );
    assert!(error.cause().to_string().contains("did you mean \"tcp\"?"), "{}", error.cause());
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = blocking::dial(&format!("tcp:{unused}")).unwrap_err();
    assert_eq!(error.errno(), Some(rustix::io::Errno::CONNREFUSED.raw_os_error()));
    assert_eq!(blocking::listen("exec:cat").unwrap_err().kind(), Kind::Usage);
}
