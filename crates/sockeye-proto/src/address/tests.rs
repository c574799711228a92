//! The grammar against a vocabulary that has one row of each kind.

use super::*;
use crate::shape::Shape;
use proptest::prelude::*;

const fn option(name: &'static str, side: Side, kind: Kind) -> OptionGrammar {
    OptionGrammar { name, aliases: &[], schemes: &[], side, kind, help: "" }
}

static MODE: [OptionGrammar; 1] = [option("mode", Side::Listen, Kind::Mode)];
static TLS_OPTIONS: [OptionGrammar; 2] = [
    option("min", Side::Both, Kind::Choice(&["1.2", "1.3"])),
    option("label", Side::Both, Kind::Text("a name")),
];
static WS_OPTIONS: [OptionGrammar; 2] = [
    option("path", Side::Both, Kind::Text("a path")),
    option("min", Side::Both, Kind::Count { least: 0, most: 9 }),
];
static FRAME_OPTIONS: [OptionGrammar; 2] =
    [option("frame", Side::Both, Kind::Frame), option("max-message", Side::Both, Kind::Size)];
static SHARED: [OptionGrammar; 9] = [
    option("sockopt", Side::Both, Kind::SocketOption),
    option("env", Side::Both, Kind::Variable),
    option("bind", Side::Dial, Kind::Address),
    OptionGrammar {
        aliases: &["tcp-nodelay"],
        schemes: &["tcp"],
        ..option("nodelay", Side::Both, Kind::Switch)
    },
    option("idle", Side::Listen, Kind::Time),
    option("connect", Side::Dial, Kind::Time),
    option("allow", Side::Listen, Kind::Whom),
    option("label", Side::Both, Kind::Text("a name")),
    OptionGrammar { schemes: &["udp"], ..option("join", Side::Both, Kind::Group) },
];

const fn scheme(name: &'static str, target: Form, shape: Shape) -> SchemeGrammar {
    SchemeGrammar { name, aliases: &[], target, shape, dials: true, listens: true, options: &[] }
}

const HOST_PORT: Form = Form::HostPort { default_port: None };
static SCHEMES: [SchemeGrammar; 13] = [
    scheme("tcp", HOST_PORT, Shape::Bytes),
    scheme("udp", HOST_PORT, Shape::Messages),
    scheme("ntp", Form::HostPort { default_port: Some(123) }, Shape::Messages),
    SchemeGrammar { options: &MODE, ..scheme("unix", Form::SocketPath, Shape::Bytes) },
    scheme("vsock", Form::Machine, Shape::Bytes),
    scheme("raw", Form::ProtocolHost, Shape::Messages),
    scheme("mem", Form::Name, Shape::Bytes),
    scheme("mem-l", Form::Name, Shape::Bytes),
    SchemeGrammar { listens: false, ..scheme("fd", Form::Descriptor, Shape::Bytes) },
    SchemeGrammar { listens: false, ..scheme("file", Form::Path, Shape::Bytes) },
    SchemeGrammar { listens: false, ..scheme("exec", Form::Words, Shape::Bytes) },
    SchemeGrammar { listens: false, ..scheme("sh", Form::Word, Shape::Bytes) },
    SchemeGrammar { listens: false, ..scheme("-", Form::Nothing, Shape::Bytes) },
];

const fn layer(
    name: &'static str,
    rank: u8,
    gives: Shape,
    options: &'static [OptionGrammar],
) -> LayerGrammar {
    LayerGrammar {
        name,
        aliases: &[],
        written: Written::InFront,
        rank,
        over: Some(Shape::Bytes),
        gives: Some(gives),
        speaks: None,
        options,
    }
}

static LAYERS: [LayerGrammar; 3] = [
    layer("tls", 20, Shape::Bytes, &TLS_OPTIONS),
    layer("ws", 30, Shape::Messages, &WS_OPTIONS),
    LayerGrammar { written: Written::AsOption, ..layer("frame", 40, Shape::Messages, &FRAME_OPTIONS) },
];
static STACKS: [StackGrammar; 3] = [
    StackGrammar { name: "tls", layers: &["tls"], scheme: "tcp", url: None },
    StackGrammar { name: "ws", layers: &["ws"], scheme: "tcp", url: Some(Url { port: 80, path: "path" }) },
    StackGrammar {
        name: "wss",
        layers: &["ws", "tls"],
        scheme: "tcp",
        url: Some(Url { port: 443, path: "path" }),
    },
];

fn vocabulary() -> Vocabulary {
    Vocabulary {
        schemes: SCHEMES.iter().collect(),
        layers: LAYERS.iter().collect(),
        stacks: STACKS.iter().collect(),
        options: SHARED.iter().collect(),
    }
}

fn read(word: &str) -> Result<Address, ParseError> {
    parse(word, &[], &vocabulary())
}

/// What is typed, and how it is printed.
const FORMS: &[(&str, &str)] = &[
    ("tcp:host:80", "tcp:host:80"),
    ("TCP-LISTEN:80", "tcp-l:80"),
    ("tcp-l:any:80", "tcp-l:any:80"),
    ("tcp-l:0", "tcp-l:0"),
    ("tcp-l:http", "tcp-l:http"),
    ("tcp:host:http,tcp-nodelay=no", "tcp:host:http,nodelay=no"),
    ("tcp:host:80,nodelay,connect=1.5s", "tcp:host:80,nodelay,connect=1500ms"),
    ("tcp:h:1,bind=::1", "tcp:h:1,bind=::1"),
    ("tcp:h:1,bind=[::1]", "tcp:h:1,bind=::1"),
    ("tcp:h:1,bind=[::1]:9", "tcp:h:1,bind=[::1]:9"),
    ("tcp:h:1,bind=1.2.3.4:9", "tcp:h:1,bind=1.2.3.4:9"),
    ("tcp:::1:80", "tcp:[::1]:80"),
    ("tcp:[fe80::1%eth0]:80", "tcp:[fe80::1%eth0]:80"),
    ("tcp:[fe80::1%25e]:80", "tcp:[fe80::1%e]:80"),
    ("ntp:host", "ntp:host:123"),
    ("ntp:[::1]", "ntp:[::1]:123"),
    ("ntp:[::1]:9", "ntp:[::1]:9"),
    ("unix:/run/x%2Cy,label=a%2Cb%2525", "unix:/run/x%2Cy,label=a%2Cb%2525"),
    ("unix:@name", "unix:@name"),
    ("unix-l:/run/x,mode=660", "unix-l:/run/x,mode=0660"),
    ("vsock:2:1024", "vsock:2:1024"),
    ("vsock:host:01", "vsock:2:1"),
    ("vsock:local:4294967294", "vsock:1:4294967294"),
    ("vsock:4294967294:1", "vsock:4294967294:1"),
    ("vsock-l:0", "vsock-l:1:0"),
    ("vsock-l:any:1024,idle=off", "vsock-l:any:1024,idle=off"),
    ("raw:icmp:host", "raw:icmp:host"),
    ("raw:ICMP:127.0.0.1", "raw:ICMP:127.0.0.1"),
    ("raw:0253:::1", "raw:253:[::1]"),
    ("raw:ipv6-icmp:[fe80::1%25e]", "raw:ipv6-icmp:[fe80::1%e]"),
    ("raw:icmpv6:fe80::1%e", "raw:icmpv6:[fe80::1%e]"),
    ("raw-l:icmp", "raw-l:icmp"),
    ("raw-l:253:127.0.0.2", "raw-l:253:127.0.0.2"),
    ("mem-l:name", "mem-l:name"),
    ("fd:3", "fd:3"),
    ("-", "-"),
    ("-,label=x", "-,label=x"),
    ("exec:a b,c=d", "exec:a b,c=d"),
    ("tls:host:443", "tls+tcp:host:443"),
    ("tls-l:443", "tls+tcp-l:443"),
    ("tls+unix:/run/x", "tls+unix:/run/x"),
    ("ws-l:80", "ws+tcp-l:80"),
    ("ws://host/chat?a=1,b%2C", "ws+tcp:host:80,path=/chat?a=1%2Cb%252C"),
    ("wss://[::1]", "ws+tls+tcp:[::1]:443,path=/"),
    ("ws+unix:/run/x,path=/chat", "ws+unix:/run/x,path=/chat"),
    ("wss://host,min=3", "host is refused below"),
    ("ws+tls:host:1,tls.min=1.3,min=4", "ws+tls+tcp:host:1,min=4,tls.min=1.3"),
    ("tcp:host:1,idle=off", "idle is refused below"),
    ("tcp-l:1,idle=off", "tcp-l:1,idle=off"),
    ("tcp:host:1,max-message=9,frame=burst", "tcp:host:1,max-message=9,frame=burst"),
    ("tcp:host:1,frame=fixed=0512", "tcp:host:1,frame=fixed=512"),
    ("tcp:host:1,frame=burst=50", "tcp:host:1,frame=burst=50"),
    ("tcp-l:1,allow=::1,idle=off,allow=uid:07,allow=::1", "tcp-l:1,allow=::1,idle=off,allow=uid:7,allow=::1"),
    ("udp-l:1,join=[ff02::1]@eth0", "udp-l:1,join=ff02::1@eth0"),
    ("tls:host:1,tcp.label=a,label=b", "tls+tcp:host:1,label=b,tcp.label=a"),
];

#[test]
fn each_form_is_read_and_printed_in_its_own_way() {
    for (typed, printed) in FORMS {
        match read(typed) {
            Ok(address) => assert_eq!(&address.word(), printed, "{typed}"),
            Err(error) => assert!(printed.ends_with("below"), "{error}"),
        }
    }
}

/// What is typed, the part of it that is at fault, and what is said.
const WRONG: &[(&str, &str, &str)] = &[
    ("tpc:host:80", "tpc", "there is no scheme \"tpc\"; did you mean \"tcp\"?"),
    ("host:80", "host", "there is no scheme \"host\"; for TCP write tcp:host:80"),
    ("/run/x", "/run/x", "there is no scheme \"/run/x\"; for a Unix socket write unix:/run/x"),
    ("", "", "expected a scheme; an address is SCHEME:TARGET, such as tcp:localhost:80"),
    ("tcp", "", "expected a colon and a target"),
    ("tcp:80", "80", "expected HOST:PORT; localhost:80 is this machine"),
    ("tcp:host", "host", "the port is missing; write host:PORT"),
    ("tcp-l:1.2.3.4", "1.2.3.4", "the port is missing; write 1.2.3.4:PORT"),
    ("tcp-l::80", ":80", "expected a host before the port; 80 alone is loopback, any:80 every address"),
    ("tcp-l:any", "any", "the port is missing; write any:PORT"),
    ("tcp:fe80::1", "fe80::1", "the port is missing; write [fe80::1]:PORT"),
    ("tcp:::1", "::1", "the port is missing; write [::1]:PORT"),
    ("ntp:fe80::1%e", "fe80::1%e", "an IPv6 address without brackets may end in a port; write [fe80::1%e]"),
    ("tcp-l:80,idle=0", "idle=0", "idle: expected a time such as 1.5s, 250ms or 2m, or off"),
    ("tcp:host:65536", "65536", "port 65536 is out of range: 0 to 65535"),
    ("tcp:host:0", "0", "port 0 can be listened on, but not dialled"),
    ("tcp:host:", "", "the port is missing behind the colon"),
    ("tcp:/x", "/x", "\"/x\" is not the name of a host"),
    ("tcp:any:80", "any:80", "any can be listened on, but not dialled; name a host"),
    ("tcp-l:*:80", "*:80", "\"*\" is not a host; any is every address"),
    ("tcp:1.2.3:80", "1.2.3:80", "\"1.2.3\" is not an IPv4 address"),
    ("tcp:a b:80", "a b:80", "\"a b\" is not the name of a host"),
    ("tcp:[::1:80", "[::1:80", "the bracket of the IPv6 address is not closed; write [ADDRESS]:PORT"),
    ("tcp:x::y:80", "x::y:80", "\"x::y\" is not an IPv6 address"),
    ("ntp:::1", "::1", "an IPv6 address without brackets may end in a port; write [::1]"),
    ("vsock:", "", "expected CID:PORT; 2:PORT is the host, and guests have CIDs from 3 on"),
    ("vsock:1024", "1024", "expected CID:PORT; 2:PORT is the host, and guests have CIDs from 3 on"),
    ("vsock-l:", "", "expected PORT or CID:PORT; any:PORT is reached by others"),
    ("vsock:2:", "", "the port is missing behind the colon"),
    ("vsock:2:http", "http", "\"http\" is not a port number"),
    ("vsock:2:0", "0", "port 0 can be listened on, but not dialled"),
    ("vsock-l:4294967295", "4294967295", "port 4294967295 is out of range: 0 to 4294967294"),
    ("vsock:x:1", "x:1", "\"x\" is no CID: a number up to 4294967294, host or local"),
    ("vsock-l:+3:1", "+3:1", "\"+3\" is no CID: a number up to 4294967294, host, local or any"),
    (
        "vsock:4294967295:1",
        "4294967295:1",
        "\"4294967295\" is no CID: a number up to 4294967294, host or local",
    ),
    (
        "vsock:any:1",
        "any:1",
        "any can be listened on, but not dialled; 2 is the host, and guests have CIDs from 3 on",
    ),
    ("raw:", "", "expected PROTOCOL:HOST; such as icmp:localhost"),
    ("raw:icmp", "icmp", "expected PROTOCOL:HOST; such as icmp:localhost"),
    ("raw-l:", "", "expected PROTOCOL:ADDRESS; such as 253:127.0.0.1"),
    ("raw:icmp:", "icmp:", "the host is missing behind the colon"),
    ("raw:256:host", "256:host", "protocol 256 is out of range: 0 to 255"),
    (
        "raw:+1:host",
        "+1:host",
        "\"+1\" is neither the number nor the name of a protocol; such as icmp, icmpv6 or 253",
    ),
    ("raw:udp:host:53", "host:53", "raw sockets have no ports; write udp:host"),
    ("raw:udp:[::1]:53", "[::1]:53", "raw sockets have no ports; write udp:[::1]"),
    ("raw:icmp:any", "any", "any can be listened on, but not dialled; name a host"),
    (
        "raw-l:icmp:any",
        "any",
        "a listener on every address would hear its own words, too; name one of this machine's: ip addr",
    ),
    (
        "raw-l:icmp:[::]",
        "[::]",
        "a listener on every address would hear its own words, too; name one of this machine's: ip addr",
    ),
    ("fd:x", "x", "expected the number of an open descriptor"),
    ("fd-l:3", "fd", "fd cannot be listened on"),
    ("unix:", "", "expected a path, or @ and an abstract name"),
    ("tcp:host:80,nodelya", "nodelya", "tcp has no option \"nodelya\"; did you mean \"nodelay\"?"),
    ("tcp:host:80,fraem=line", "fraem=line", "tcp has no option \"fraem\"; did you mean \"frame\"?"),
    ("tcp:host:80,,nodelay", "", "expected an option between the commas"),
    ("tcp:host:80,nodelay,nodelay", "nodelay", "nodelay is set twice"),
    (
        "tcp-l:80,allow=10.1.2.3/8",
        "allow=10.1.2.3/8",
        "allow: 10.1.2.3/8 has bits behind its prefix: write 10.0.0.0/8 or 10.1.2.3",
    ),
    ("tcp:host:80,allow=::1", "allow=::1", "allow is for addresses that are listened on"),
    ("tcp:host:80,nodelay=1", "nodelay=1", "nodelay: expected yes or no"),
    ("tcp:host:80,idle=3", "idle=3", "idle is for addresses that are listened on"),
    ("tcp-l:80,connect=3", "connect=3", "connect is for addresses that are dialled"),
    (
        "tcp:host:80,connect=fast",
        "connect=fast",
        "connect: expected a time such as 1.5s, 250ms or 2m, or off",
    ),
    (
        "tcp:h:80,bind=h",
        "bind=h",
        "bind: expected an IP address, with or without a port, such as 127.0.0.1 or [::1]:4000",
    ),
    (
        "udp:h:80,join=10.0.0.1",
        "join=10.0.0.1",
        "join: expected a multicast group such as 239.1.2.3, ff02::1 or 239.1.2.3@eth0",
    ),
    ("tcp:h:80,join=239.1.2.3", "join=239.1.2.3", "tcp has no option \"join\""),
    ("tcp:host:80,tls.min=1.3", "tls.min=1.3", "there is no \"tls\" on this address to set \"min\" of"),
    ("frame+tcp:host:80", "frame", "frame is written as an option, behind the target; write ,frame=…"),
    ("tcp+tls:host:80", "tcp", "tcp is a scheme: it stands last, and alone"),
    ("tsl+tcp:host:80", "tsl", "there is no layer \"tsl\"; did you mean \"tls\"?"),
    ("tls+ws+tcp:host:80", "tls", "tls cannot stand on ws; ws belongs on tls, not beneath it"),
    ("tls+tls:host:80", "tls", "tls is on this address twice"),
    ("tls+udp:host:80", "tls", "tls needs bytes beneath it, and udp carries messages"),
    ("udp:host:80,frame=line", "frame=line", "frame needs bytes beneath it, and udp carries messages"),
    ("ws:host:80,frame=line", "frame=line", "frame needs bytes beneath it, and ws carries messages"),
    (
        "tcp:h:1,frame=lien",
        "frame=lien",
        "frame: expected one of line crlf nul len8 len16 len32 len16le len32le varint netstring fixed=N burst \
         burst=MS; did you mean \"line\"?",
    ),
    (
        "tcp:h:1,frame=fixed=0",
        "frame=fixed=0",
        "frame: expected one of line crlf nul len8 len16 len32 len16le len32le varint netstring fixed=N burst \
         burst=MS",
    ),
    ("tcp:h:1,frame=line,frame=line", "frame=line", "frame is set twice"),
    (
        "ws://u:p@host/",
        "//u:p@host/",
        "a URL may not carry credentials: any user can see them; leave them out",
    ),
    ("exec:", "", "expected a program"),
    ("exec:grep 'a b", "grep 'a b", "a quote ' is not closed"),
    ("sh:", "", "expected a command"),
    ("tcp:h:1,env=A=1,env=A=2", "env=A=2", "env=A is set twice"),
    ("tcp:h:1,sockopt=tcp:1:1,sockopt=tcp:1:x00", "sockopt=tcp:1:x00", "sockopt=tcp:1 is set twice"),
    ("ws-l://host/", "//host/", "a URL is dialled; to listen, write a port"),
];

#[test]
fn what_is_wrong_is_named_with_its_place_and_what_to_try() {
    for (typed, fault, said) in WRONG {
        let error = read(typed).expect_err(typed);
        assert_eq!(error.text().get(error.span()), Some(*fault), "{error}");
        let typed = if typed.is_empty() { "\"\"" } else { typed };
        assert_eq!(error.to_string(), format!("{typed}: {said}"));
    }
}

#[test]
fn a_socket_path_that_the_kernel_cannot_hold_is_refused() {
    assert!(read(&format!("unix:/{}", "a".repeat(106))).is_ok());
    let error = read(&format!("unix:/{}", "a".repeat(107))).unwrap_err();
    assert_eq!(error.reason(), "108 bytes are too long for a Unix socket, which takes 107");
    assert!(read(&format!("unix:@{}", "a".repeat(107))).is_ok());
    assert!(read(&format!("unix:@{}", "a".repeat(108))).is_err());
}

#[test]
fn options_beside_the_word_are_taken_as_they_are() {
    let beside = ["label=a,b%2C".to_owned(), "connect=3s".to_owned()];
    let address = parse("exec:cat -n", &beside, &vocabulary()).unwrap();
    assert_eq!(address.options().value("label"), Some(&Value::Text("a,b%2C".into())));
    assert_eq!(address.word(), "exec:cat -n");
    assert_eq!(address.options_beside(), ["label=a,b%2C", "connect=3s"]);
    let error = parse("exec:cat", &["lable=x".to_owned()], &vocabulary()).unwrap_err();
    assert_eq!((error.text(), error.span()), ("lable=x", 0..7));
}

#[test]
fn a_variable_may_be_set_beside_others() {
    let beside = ["env=A=1".to_owned(), "env=B=x=y, z".to_owned()];
    let address = parse("exec:env", &beside, &vocabulary()).unwrap();
    let variable = |name: &str, value: &str| Value::Variable(name.into(), value.into());
    let set: Vec<_> = address.options().values("env").cloned().collect();
    assert_eq!(set, [variable("A", "1"), variable("B", "x=y, z")]);
    assert_eq!(address.options_beside(), beside);
}

#[test]
fn a_listener_need_not_say_so() {
    let vocabulary = vocabulary();
    let address = parse_listener("tcp:80", &[], &vocabulary).unwrap();
    assert_eq!(address.word(), "tcp-l:80");
    assert_eq!(address, read("tcp-l:80").unwrap());
    assert_eq!(parse_listener("-", &[], &vocabulary).unwrap_err().reason(), "- cannot be listened on");
}

#[test]
fn a_layer_can_be_put_on_later_and_only_where_it_fits() {
    let mut address = read("tls:host:1").unwrap();
    address.insert("frame=burst", &vocabulary()).unwrap();
    assert_eq!(address.word(), "tls+tcp:host:1,frame=burst");
    assert_eq!(address.shape(), Shape::Messages);
    let before = address.clone();
    assert!(address.insert("frame=line", &vocabulary()).is_err());
    assert_eq!(address, before);
}

fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z][a-z0-9.-]{0,9}",
        any::<std::net::Ipv4Addr>().prop_map(|ip| ip.to_string()),
        any::<std::net::Ipv6Addr>().prop_map(|ip| format!("[{ip}]")),
        any::<std::net::Ipv6Addr>().prop_map(|ip| ip.to_string()),
        Just("[fe80::1%eth0]".to_owned()),
        Just("any".to_owned()),
    ]
}

fn word() -> impl Strategy<Value = String> {
    let port = prop_oneof!["[0-9]{1,5}", "[a-z]{1,6}"];
    let role = || prop_oneof![Just(""), Just("-l")];
    let stack =
        prop_oneof![Just("tcp"), Just("tls"), Just("wss"), Just("tls+tcp"), Just("ws+tls"), Just("udp")];
    let inet = (stack, role(), host(), port)
        .prop_map(|(stack, role, host, port)| format!("{stack}{role}:{host}:{port}"));
    let base = prop_oneof![
        4 => inet,
        1 => "unix(-l)?:@?[^,\0]{1,40}",
        1 => "mem:[^,\0]{1,20}",
        1 => "vsock(-l)?:((any|host|local|[0-9]{1,10}):)?[0-9]{1,10}",
        1 => (role(), "[a-z0-9-]{1,6}", host()).prop_map(|(role, protocol, host)| format!("raw{role}:{protocol}:{host}")),
        1 => "(exec|sh):[^\0]{1,20}",
        1 => "file:[^,\0]{1,20}",
        1 => Just("-".to_owned()),
    ];
    let option = prop_oneof![
        "label=[^,\0]{1,12}".boxed(),
        "tcp\\.label=[^,\0]{1,6}".boxed(),
        "allow=([a-z][a-z0-9.-]{0,8}|uid:[0-9]{1,6}|10\\.0\\.0\\.0/[89]|::/[0-9]|\\[::1\\]|::ffff:1\\.2\\.3\\.4)".boxed(),
        "(idle|connect)=([0-9]{1,5}(ms|s|us|m)?|off)".boxed(),
        "nodelay(=yes|=no)?".boxed(),
        "env=[A-Z]=[^,\0]{0,9}".boxed(),
        "(tls\\.)?min=(1\\.3|4)".boxed(),
        "frame=(burst|line|len32le|fixed=[1-9][0-9]{0,8}|burst=[1-9][0-9]{0,5})".boxed(),
        "max-message=[0-9]{1,5}k?".boxed(),
        "mode=0?[0-7]{3}".boxed(),
        "sockopt=(tcp|socket|41):[0-9]{1,3}:(-?[0-9]{1,4}|x0a(ff)?)".boxed(),
        any::<std::net::SocketAddr>().prop_map(|at| format!("bind={at}")).boxed(),
        "join=(239\\.[1-9]\\.2\\.3|ff0[0-9a-f]::[1-9]|\\[ff02::1\\])(@[^,\0]{0,16})?".boxed(),
    ];
    (base, prop::collection::vec(option, 0..4)).prop_map(|(base, options)| {
        options
            .into_iter()
            .fold(base, |word, option| if word.starts_with(['e', 's']) { word } else { word + "," + &option })
    })
}

/// Printing and parsing gives the same address; what is refused has its span inside the text.
fn law(word: &str, beside: &[String]) -> Result<bool, TestCaseError> {
    let vocabulary = vocabulary();
    match parse(word, beside, &vocabulary) {
        Ok(address) => {
            let again = parse(&address.word(), &address.options_beside(), &vocabulary);
            prop_assert_eq!(again.as_ref(), Ok(&address), "printed as {}", address);
            Ok(true)
        }
        Err(error) => {
            prop_assert!(error.text().get(error.span()).is_some(), "{:?}", error);
            Ok(false)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn printing_and_parsing_gives_the_same_address(word in word(), beside in "(label|connect)=[0-9a-z%,]{1,9}") {
        law(&word, &[])?;
        law(&word, &[beside])?;
    }

    #[test]
    fn any_text_is_taken_or_refused_in_words(word in "\\PC{0,30}") {
        law(&word, &[])?;
    }
}

#[test]
fn the_words_of_the_property_are_often_addresses() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let taken =
        (0..500).filter(|_| law(&word().new_tree(&mut runner).unwrap().current(), &[]).unwrap()).count();
    assert!(taken > 150, "only {taken} of 500 are addresses: the property tests little");
}
