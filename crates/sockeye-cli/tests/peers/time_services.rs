//! Services that tell the time, and Python; and `sockeye time`, which asks them and what Python programs make of them.

use testkit::{LIMIT, run};

use super::python::{python, python_server};
use super::{listening, sockeye};

#[test]
fn every_format_makes_what_the_c_library_makes() {
    let server = listening(&["serve", "time", "udp:127.0.0.1:0"]);
    // The clocks move on meanwhile: what both make must be the same in one of two neighbouring seconds.
    let program = r"
conn = connect(sys.argv[1])
def ask(text):
    conn.send(text.encode())
    return conn.recv(2048).decode()
formats = ['%' + flag + width + letter
    for flag in ['', '_', '-', '0', '^', '#', '^_'] for width in ['', '7', '25']
    for letter in 'aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYZ%']
formats += ['%E' + letter for letter in 'cCxXyY'] + ['%O' + letter for letter in 'deHImMSuUVwWy']
formats += ['%z', '%_z', '%-z', '', '%Y年%m月%d日', 'plain', 'é%dé' * 20]
for text in formats:
    for attempt in range(5):
        before = time.strftime(text or '%Y-%m-%d %X')
        got = ask(text)
        if got in (before, time.strftime(text or '%Y-%m-%d %X')):
            break
    else:
        raise AssertionError((text, got, before))
assert ask('%Q') == '%Q is no conversion of strftime; %% is a percent sign'
assert ask('%1000000Y') == 'this format makes more than 1024 bytes'
conn.send(b'\xff')
assert conn.recv(99) == b'this is not UTF-8'
os.environ['TZ'] = 'Asia/Kolkata'
time.tzset()
assert ask('TZ=Asia/Kolkata %d %H %Z %z') == time.strftime('%d %H %Z %z')
";
    let exit = python(program, &[&server.address(0)]).wait(LIMIT);
    assert_eq!(exit.code, Some(0), "{exit:?}");
}

#[test]
fn over_a_stream_each_line_is_a_format() {
    let server = listening(&["serve", "time", "tcp:127.0.0.1:0", "--tz", "Asia/Tokyo"]);
    let typed = b"%Z%%\r\nTZ=UTC %Z\n%H%n%M\n%%\n";
    let exit =
        run(&mut super::shell("nc.openbsd -N 127.0.0.1 $1", &[&server.port(0).to_string()]), typed, LIMIT);
    assert_eq!(
        String::from_utf8_lossy(&exit.stdout),
        "JST%\nUTC\na message with a line end inside cannot go as frame=line\n%\n"
    );
}

#[test]
fn the_time_protocol_counts_from_1900_over_both() {
    let server = listening(&["serve", "time32", "udp:127.0.0.1:0", "tcp:127.0.0.1:0"]);
    let program = "
for address in sys.argv[1:]:
    conn = connect(address)
    if address.startswith('udp'):
        conn.send(b'')
    said = conn.recv(99)
    assert len(said) == 4 and abs(int.from_bytes(said, 'big') - 2208988800 - time.time()) < 5, said
    assert address.startswith('udp') or conn.recv(9) == b''
";
    let exit = python(program, &[&server.address(0), &server.address(1)]).wait(LIMIT);
    assert_eq!(exit.code, Some(0), "{exit:?}");
}

#[test]
fn our_own_services_tell_us_the_time_over_everything() {
    let server = listening(&[
        "serve",
        "time",
        "udp:127.0.0.1:0",
        "tcp:[::1]:0",
        "daytime",
        "udp:127.0.0.1:0",
        "tcp:127.0.0.1:0",
        "time32",
        "udp:127.0.0.1:0",
        "tcp:127.0.0.1:0",
    ]);
    let protocols = ["", "", "daytime+", "daytime+", "time32+", "time32+"];
    for (place, protocol) in protocols.into_iter().enumerate() {
        let word = format!("{protocol}{}", server.address(place));
        let format: &[&str] = if protocol.is_empty() { &["--format", "it is %Y: né"] } else { &[] };
        let exit = run(sockeye(&["time", &word]).args(format), b"", LIMIT);
        let text = String::from_utf8_lossy(&exit.stdout).into_owned();
        assert_eq!(
            (exit.code, exit.stderr.as_str(), text.lines().count()),
            (Some(0), "", 1),
            "{word}: {exit:?}"
        );
        assert!(text.contains("20") && (!protocol.is_empty() || text.ends_with(": né\n")), "{word}: {text}");
    }
}

#[test]
fn a_server_of_a_tutorial_that_loses_what_is_sent_is_asked_again() {
    let program = "
conn = new_socket('udp:127.0.0.1:0')
conn.bind(('127.0.0.1', 0))
conn.settimeout(None)
print(f'listening on udp:127.0.0.1:{conn.getsockname()[1]}', file=sys.stderr, flush=True)
while True:
    conn.recvfrom(1024)
    data, client = conn.recvfrom(1024)
    conn.sendto(time.strftime(data.decode()).encode(), client)
";
    let (_server, address) = python_server(program, &[]);
    let exit = run(&mut sockeye(&["time", &address, "--format", "%%|%Y"]), b"", LIMIT);
    let text = String::from_utf8_lossy(&exit.stdout).into_owned();
    assert!(exit.code == Some(0) && text.starts_with("%|20") && text.len() == 7, "{exit:?}");
}

#[test]
fn who_ends_without_the_time_has_not_told_it() {
    for (program, protocol, code, want) in [
        ("accept('tcp:127.0.0.1:0').close()", "time32", 1, "it ended without a word"),
        ("accept('tcp:127.0.0.1:0').send(b'xy')", "time32", 1, "it said 2 bytes, where the time has 4"),
        ("accept('tcp:127.0.0.1:0').recv(9)", "daytime", 124, "no answer within 700ms"),
    ] {
        let (_server, address) = python_server(program, &[]);
        let exit =
            run(&mut sockeye(&["time", "--timeout", "700ms", &format!("{protocol}+{address}")]), b"", LIMIT);
        assert_eq!((exit.code, exit.stderr.contains(want)), (Some(code), true), "{program}: {exit:?}");
    }
}
