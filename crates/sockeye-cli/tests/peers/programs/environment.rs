//! What a program finds of its peer in its environment.

use std::os::unix::net::UnixStream;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, connect, socket};
use rustix::process::geteuid;
use testkit::{Stream, read_to_end};

use super::servers::{Program, each_of_ours};

/// Without quotes: what is in the variable becomes words, and patterns of files.
const TELL: Program = Program::Shell("echo $SOCKEYE_PEER $SOCKEYE_LOCAL $SOCKEYE_UID");

fn told(stream: Stream) -> String {
    let mut stream = stream;
    String::from_utf8(read_to_end(&mut stream)).unwrap()
}

#[test]
fn a_program_finds_who_its_peer_is_and_where_it_came_to() {
    let us = geteuid().as_raw();
    each_of_ours(|kind| {
        let serving = kind.start(TELL, "");
        let stream = testkit::connect(&serving.address);
        let peer = match &stream {
            Stream::Tcp(stream) => format!("tcp:{}", stream.local_addr().unwrap()),
            Stream::Unix(_) => serving.address.clone(),
        };
        assert_eq!(told(stream), format!("{peer} {} {us}\n", serving.address));
    });
}

#[test]
fn what_a_peer_calls_itself_is_one_harmless_word() {
    for name in ["() { :; }; echo hacked", "$(touch /tmp/hacked)\n*\x1b[31m\u{1}'\"`\\"] {
        each_of_ours(|kind| {
            let serving = kind.start(TELL, "");
            let Some(path) = serving.address.strip_prefix("unix:") else { return };
            let stream = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
            // The kernel's names are open to all: that of our program keeps the runs of this test apart.
            let name = format!("{name}{path}");
            bind(&stream, &SocketAddrUnix::new_abstract_name(name.as_bytes()).unwrap()).unwrap();
            connect(&stream, &SocketAddrUnix::new(path).unwrap()).unwrap();
            let told = told(Stream::Unix(UnixStream::from(stream)));
            let words: Vec<&str> = told.trim_end_matches('\n').split(' ').collect();
            let [peer, local, _] = words[..] else { panic!("not three words: {told:?}") };
            assert_eq!(local, serving.address);
            assert!(peer.starts_with("unix:@%"), "{peer:?}");
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"%.:/@_-[]".contains(&byte);
            assert!(peer.bytes().all(is_plain), "{peer:?}");
        });
    }
}
