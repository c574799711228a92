//! `--plan` prints what would be done, and does nothing.

use std::net::TcpListener;

use testkit::Scratch;

use super::sockeye;

#[test]
fn a_plan_says_how_an_address_was_understood() {
    for (words, planned) in [
        (
            &["dial", "--plan", "TCP:localhost:http,connect=1.5s", "-o", "tcp-nodelay=no", "-o", "idle=2m"][..],
            &[
                "dial     tcp:localhost:http,connect=1500ms,nodelay=no,idle=120s",
                "         carries  bytes",
                "         layers   none",
                "         limits   connect=1500ms idle=120s",
            ][..],
        ),
        (
            &["listen", "unix:/run/x,mode=660,backlog=3,drain=off", "--plan"],
            &[
                "listen   unix-l:/run/x,mode=0660,backlog=3,drain=off",
                "         carries  bytes",
                "         layers   none",
                "         limits   max-conns=1 handshake=10s idle=off drain=off once",
            ],
        ),
        (
            &["listen", "--broker", "--keep", "unix:/run/x,max-conns=7", "--plan"],
            &[
                "broker   unix-l:/run/x,frame=line,max-message=65536,max-conns=7",
                "         carries  messages",
                "         layers   frame",
                "         limits   max-conns=7 handshake=10s idle=off drain=30s",
            ],
        ),
        (
            &["listen", "--operator", "tcp:0,frame=netstring,max-conns=3", "--plan"],
            &[
                "operator tcp-l:0,frame=netstring,max-conns=3",
                "         carries  messages",
                "         layers   frame",
                "         limits   max-conns=3 handshake=10s idle=off drain=30s",
            ],
        ),
        (
            &["check", "--plan", "tcp:::1:22", "unix:a%2Cb,connect=off"],
            &[
                "check    tcp:[::1]:22",
                "         carries  bytes",
                "         layers   none",
                "         limits   connect=5s idle=off",
                "check    unix:a%2Cb,connect=off",
                "         carries  bytes",
                "         layers   none",
                "         limits   connect=off idle=off",
            ],
        ),
    ] {
        assert_eq!(plan(words).lines().collect::<Vec<_>>(), planned, "{words:?}");
    }
}

#[test]
fn a_plan_of_several_addresses_says_what_each_is_for() {
    for (words, planned) in [
        (
            &["relay", "tcp-l:any:0,max-conns=9,once", "--plan", "unix:@app"][..],
            &[
                "from     tcp-l:any:0,max-conns=9,once",
                "         carries  bytes",
                "         layers   none",
                "         limits   max-conns=9 handshake=10s idle=off drain=30s once",
                "to       unix:@app",
                "         carries  bytes",
                "         layers   none",
                "         limits   connect=30s idle=off",
            ][..],
        ),
        (
            &["serve", "hello", "tcp:0,max-conns=10", "echo", "unix:/run/x,max-conns=1", "--plan"],
            &[
                "hello    tcp-l:0,frame=burst,max-conns=10",
                "         carries  messages",
                "         layers   frame",
                "         limits   max-conns=10 handshake=10s idle=off drain=30s",
                "echo     unix-l:/run/x,max-conns=1",
                "         carries  bytes",
                "         layers   none",
                "         limits   max-conns=1 handshake=10s idle=off drain=30s",
            ],
        ),
        (
            &["listen", "--plan", "--metrics", "tcp:9100,idle=5s", "unix:/run/x"],
            &[
                "listen   unix-l:/run/x",
                "         carries  bytes",
                "         layers   none",
                "         limits   max-conns=1 handshake=10s idle=off drain=30s once",
                "metrics  tcp-l:9100,idle=5s",
                "         carries  bytes",
                "         layers   none",
                "         limits   max-conns=16 handshake=10s idle=5s drain=30s",
            ],
        ),
    ] {
        assert_eq!(plan(words).lines().collect::<Vec<_>>(), planned, "{words:?}");
    }
}

#[test]
fn a_plan_refuses_what_could_not_be_done_beside_its_addresses() {
    for (flag, value, reason) in [
        ("--metrics", "tpc:0", "sockeye: tpc:0: there is no scheme \"tpc\""),
        ("--metrics", "udp:0", "sockeye: --metrics udp-l:0: HTTP goes over bytes"),
        ("--log", "file:", "sockeye: --log file:: no file is named"),
    ] {
        let exit = sockeye(&["serve", "--plan", flag, value, "echo", "tcp:0"]);
        assert_eq!((exit.code, &exit.stdout[..]), (Some(2), &b""[..]), "{exit:?}");
        assert!(exit.stderr.starts_with(reason), "{exit:?}");
    }
}

#[test]
fn an_address_that_a_plan_prints_is_understood_as_the_same() {
    for words in [
        &["dial", "tcp:::1:80,nodelay=no,bind=127.0.0.1"][..],
        &["dial", "unix:/run/a%2Cb c%25d,sndbuf=64k"],
        &["dial", "-,input=no,eof=ignore"],
        &["dial", "file:notes.txt,append"],
        &["listen", "tcp:any:http,reuseport,keepalive=off"],
        &["listen", "unix:@a b,owner=root:adm,mode=7"],
        &["relay", "mem-l:x,idle=250us", "fd:3"],
        &["relay", "tcp-l:0,frame=burst,once", "mem-seq:x"],
        &["check", "tcp:[fe80::1%25lo]:1", "unix:套接字"],
        &["serve", "hello", "tcp:0", "tcp:[::]:0", "reply", "unix:x,handshake=1h,backlog=0"],
    ] {
        let first = plan(&[words, &["--plan"]].concat());
        // A service stands before its address on both lines, and `from` and `to` nowhere.
        let printed = first.lines().filter(|line| !line.starts_with(' '));
        let printed: Vec<&str> = printed
            .flat_map(|line| {
                let (name, address) = line.split_once(' ').unwrap();
                let service = (words[0] == "serve").then_some(name);
                service.into_iter().chain([address.trim_start()])
            })
            .collect();
        let again = plan(&[&[words[0], "--plan"], &printed[..]].concat());
        assert_eq!(again, first, "{words:?}");
    }
}

#[test]
fn a_plan_opens_nothing_makes_nothing_and_calls_nobody() {
    let scratch = Scratch::new();
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    busy.set_nonblocking(true).unwrap();
    let port = busy.local_addr().unwrap().port();
    let path = scratch.path("socket").display().to_string();
    let file = format!("file:{},write", scratch.path("file").display());
    let there = format!("tcp:127.0.0.1:{port}");
    let (here, unix) = (format!("tcp-l:127.0.0.1:{port}"), format!("unix-l:{path},once"));
    for words in [
        &["dial", &there][..],
        &["dial", &file],
        &["listen", &here],
        &["listen", &unix],
        &["relay", &here, &there],
        &["relay", &unix, &file],
        &["check", &there, "unix:/nonexistent"],
        &["serve"],
        &["serve", "echo", &here, "upper", &unix],
    ] {
        plan(&[words, &["--plan"]].concat());
    }
    assert_eq!(std::fs::read_dir(scratch.path("")).unwrap().count(), 0);
    let nobody = busy.accept().unwrap_err();
    assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock, "somebody came");
}

#[test]
fn the_plan_of_serve_alone_names_every_service_and_its_port() {
    let plan = plan(&["serve", "--plan"]);
    let named: Vec<&str> = plan.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(
        named,
        [
            "echo     tcp-l:7700",
            "discard  tcp-l:7701",
            "chargen  tcp-l:7702",
            "daytime  tcp-l:7703",
            "upper    tcp-l:7704",
            "hello    tcp-l:7705,frame=burst",
            "reply    tcp-l:7706,frame=burst",
            "time32   tcp-l:7707",
            "time     tcp-l:7708,frame=line",
            "ntp      udp-l:7710",
        ]
    );
}

#[track_caller]
fn plan(words: &[&str]) -> String {
    let exit = sockeye(words);
    assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""), "{words:?}: {exit:?}");
    String::from_utf8(exit.stdout).unwrap()
}
