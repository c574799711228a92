//! A program for each peer that carries messages: what makes bytes of them, and messages of bytes.

use testkit::{LIMIT, Scratch};

use crate::peers::listening;
use crate::peers::python::python;

#[test]
fn each_peer_of_messages_has_one_program_that_remembers() {
    let scratch = Scratch::new();
    let path = |name: &str| scratch.path(name).display().to_string();
    let count = r#"n=0; while read -r word; do n=$((n + 1)); echo "$n $word"; done"#;
    let addresses = [
        "udp:127.0.0.1:0".to_owned(),
        format!("unix-dgram:{}", path("d")),
        format!("unix-seq:{}", path("s")),
    ];
    for address in addresses {
        let server = listening(&["listen", "--sh", count, "--lines", &address]);
        let program = "
peers = [connect(sys.argv[1]) for _ in range(2)]
for number, word in enumerate(('a', 'b', 'c'), 1):
    for who, peer in enumerate(peers):
        peer.send(f'{word}{who}'.encode())
        came = peer.recv(100)
        assert came == f'{number} {word}{who}'.encode(), came
say('all')
";
        let exit = python(program, &[&server.address(0)]).wait(LIMIT);
        assert_eq!(exit.stdout, b"all\n", "{address}: {exit:?}\n{server:?}");
    }
}

#[test]
fn with_a_frame_messages_of_any_bytes_go_through_a_program() {
    for frame in ["len32", "netstring"] {
        let server = listening(&["listen", "--exec", "cat", "--frame", frame, "udp:127.0.0.1:0"]);
        let program = r"
peer = connect(sys.argv[1])
for asked in b'two\nlines\n', b'', bytes(range(256)), b'x' * 60000:
    peer.send(asked)
    assert peer.recv(100000) == asked, asked[:10]
say('all')
";
        let exit = python(program, &[&server.address(0)]).wait(LIMIT);
        assert_eq!(exit.stdout, b"all\n", "{frame}: {exit:?}\n{server:?}");
    }
}
