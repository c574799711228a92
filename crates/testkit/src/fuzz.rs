//! The bodies of the fuzz targets: what must hold for any bytes at all.
//!
//! They are ordinary functions, so that stable Rust builds them and a test replays the seeds. The shells that a
//! fuzzer starts are in `fuzz/`, and add nothing.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use sockeye::proto::address::{Address, ParseError};
use sockeye::proto::admission::{Refusal, Rule, Rules, Whom};
use sockeye::proto::certificate::Certificate;
use sockeye::proto::cut::{Cutter, Piece, TooLong};
use sockeye::proto::diag::{self, Found, Transport};
use sockeye::proto::exec::parts::{self, Answerer, Datagram, Requester};
use sockeye::proto::exec::{FromClient, FromServer, MAX_MESSAGE};
use sockeye::proto::fault::{FAULTS, Fault, Step, Stream, Traffic};
use sockeye::proto::frame::{Decoder, FRAMINGS, FrameError, Framing};
use sockeye::proto::http::{Asked, asked};
use sockeye::proto::newline::ToCrlf;
use sockeye::proto::ntp::{self, Burst, Heard, Packet, Plan, Sample};
use sockeye::proto::printable::{self, Printable};
use sockeye::proto::sniff::{self, sniff as told};
use sockeye::proto::strftime::{MAX_TEXT, Moment, strftime as format_time};
use sockeye::proto::unit;
use sockeye::proto::way::Way;
use sockeye::proto::websocket::handshake::{self, Answer, Ask, Request};
use sockeye::proto::websocket::{
    self as web, Encoded, Item, Key, MAX_CONTROL, Opcode, Party, WebSocketError,
};
use sockeye::proto::words;

/// A body: it panics when what must hold does not.
pub type Body = fn(&[u8]);

/// Every target: its name, which is also that of its shell and of the folder of its seeds, and its body.
pub const TARGETS: &[(&str, Body)] = &[
    ("address", address),
    ("admission", admission),
    ("certificate", certificate),
    ("cut", cut),
    ("diag", diag),
    ("exec", exec),
    ("exec_parts", exec_parts),
    ("fault", fault),
    ("frame", frame),
    ("http", http),
    ("newline", newline),
    ("ntp", ntp),
    ("ntp_client", ntp_client),
    ("printable", printable),
    ("sniff", sniff),
    ("strftime", strftime),
    ("unit", unit),
    ("websocket", websocket),
    ("websocket_handshake", websocket_handshake),
    ("words", words),
];

/// An address of the real vocabulary: the word, and each option beside it behind a zero byte.
///
/// What is taken gives the same address when it is printed and parsed again, with or without a frame on top. What is
/// refused has its span inside the text that was at fault.
pub fn address(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let mut pieces = text.split('\0');
    let word = pieces.next().unwrap_or_default();
    let beside: Vec<String> = pieces.map(str::to_owned).collect();
    for read in [sockeye::parse, sockeye::parse_listener] {
        match read(word, &beside) {
            Ok(mut address) => {
                survives_print(&address, read);
                let before = address.clone();
                match address.insert("frame=burst", sockeye::vocabulary()) {
                    Ok(()) => survives_print(&address, read),
                    Err(error) => {
                        points_into(&error, &["frame=burst".to_owned()]);
                        assert_eq!(address, before, "a layer that does not fit has changed the address");
                    }
                }
            }
            Err(error) => points_into(&error, &[&beside[..], &[word.to_owned()]].concat()),
        }
    }
}

/// A certificate: what is read of it is out of it, and a byte behind it changes nothing.
pub fn certificate(data: &[u8]) {
    let Some(read) = Certificate::read(data) else { return };
    assert!(data.windows(read.key().len()).any(|part| part == read.key()), "the key is not in it");
    assert!(read.names().iter().all(|name| name.len() <= 3 * data.len()), "{:?}", read.names());
    assert_eq!(read.is_self_issued(), read.is_self_issued() && read.issuer() == read.subject());
    assert_eq!(Certificate::read(&[data, &[0]].concat()).map(|more| more.names()), Some(read.names()));
}

/// A command: its words, each put in single quotes, are split into the same words again, and are no longer than the
/// text.
pub fn words(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(words) = words::split(text) else { return };
    assert!(!words.is_empty(), "no word in {text:?}");
    assert!(words.iter().map(String::len).sum::<usize>() <= text.len(), "{words:?} out of {text:?}");
    let quoted: Vec<String> = words.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
    assert_eq!(words::split(&quoted.join(" ")), Ok(words), "{quoted:?}");
}

/// Whom rules name, a zero byte between them: what is taken reads back as it is printed, and a range has its own first
/// address and none of the other family. All rules together refuse whom a deny names.
pub fn admission(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let mut rules = Rules::default();
    let mut named: Vec<IpAddr> = Vec::new();
    for (at, text) in text.split('\0').enumerate() {
        let Ok(whom) = Whom::read(text) else { continue };
        let printed = whom.to_string();
        assert_eq!(Whom::read(&printed), Ok(whom.clone()), "{text:?} is printed as {printed}");
        let rule = match whom {
            Whom::Network(network) => {
                let first = printed.split('/').next().and_then(|first| first.parse().ok());
                let first: IpAddr = first.expect("a range begins with an address");
                assert!(network.contains(first), "{printed}");
                let other = if first.is_ipv4() { "::1" } else { "127.0.0.1" };
                assert!(!network.contains(other.parse().expect("an address")), "{printed} has {other}");
                named.push(first);
                Rule::Network(network)
            }
            Whom::Certificate(name) => Rule::Certificate(name),
            Whom::Uid(user) => Rule::User(user),
            Whom::User(_) => continue,
        };
        if at % 2 == 0 { rules.allow.push(rule) } else { rules.deny.push(rule) }
    }
    for ip in named {
        let denied = rules.deny.iter().any(|rule| matches!(rule, Rule::Network(range) if range.contains(ip)));
        let decided = rules.decide(Some(ip), None, None);
        assert_eq!(decided == Err(Refusal::Denied), denied, "{ip} by {rules:?}");
    }
}

/// What the kernel says of a socket: whatever comes is read or refused, and a user comes only from an answer to the very
/// question, with an inode.
pub fn diag(data: &[u8]) {
    let own: SocketAddr = ([127, 0, 0, 1], 4000).into();
    let other: SocketAddr = ([127, 0, 0, 1], 80).into();
    for transport in [Transport::Tcp, Transport::Udp] {
        let read = |number| diag::answer(data, transport, own, other, number);
        let said = data.get(8..12).and_then(|number| number.try_into().ok()).map(u32::from_ne_bytes);
        let Some(number) = said else {
            assert_eq!(read(0), None, "an answer without a number");
            continue;
        };
        assert_eq!(read(number.wrapping_add(1)), None, "the answer to another question");
        if let Some(Found::Of { .. }) = read(number) {
            assert!(data.len() >= diag::ANSWER, "{} bytes", data.len());
            assert_ne!(data.get(84..88), Some(&[0; 4][..]), "an orphan has no user");
        }
    }
}

/// A message of those who run commands on other machines, of either side.
///
/// What is taken is encoded as a message that says the same.
pub fn exec(data: &[u8]) {
    let mut again = Vec::new();
    if let Ok((command, said)) = FromClient::decode(data) {
        said.encode(command, &mut again).expect("what was decoded is not too long");
        assert_eq!(FromClient::decode(&again), Ok((command, said)));
    }
    again.clear();
    if let Ok((command, said)) = FromServer::decode(data) {
        said.encode(command, &mut again).expect("what was decoded is not too long");
        assert_eq!(FromServer::decode(&again), Ok((command, said)));
    }
    assert!(again.len() <= MAX_MESSAGE);
}

/// A datagram of a command's wire: what is read is written as what reads the same, and neither side of that command is
/// harmed by it, whatever it says.
pub fn exec_parts(data: &[u8]) {
    let Ok((id, datagram)) = Datagram::read(data) else { return };
    let bytes = datagram.bytes(&id);
    assert_eq!(Datagram::read(&bytes), Ok((id, datagram)));
    assert_eq!(bytes.len(), data.len());
    let now = Duration::from_secs(1);
    let (mut answerer, mut requester) = (Answerer::new(id, now), Requester::new(id, b"", b"", now));
    answerer.push(b"first");
    assert!(answerer.transmit().is_some());
    answerer.end(b"last");
    if let Datagram::Ack(ack) = datagram {
        answerer.hear(ack, now);
        answerer.hear(ack, now);
    }
    assert!(!answerer.is_over(), "what never left has arrived");
    let heard = requester.hear(data, now);
    assert_eq!(heard.is_err(), datagram == Datagram::Gone);
    if let Some(message) = requester.take(now) {
        assert_eq!(datagram, Datagram::Part { number: 0, message: &message });
    }
    for _ in 0..=parts::WINDOW {
        assert!(answerer.transmit().is_none_or(|bytes| Datagram::read(bytes).is_ok()));
        assert!(requester.transmit(now).is_ok());
    }
    assert!(answerer.transmit().is_none() && requester.transmit(now) == Ok(None));
}

/// Faults, a comma between them, and behind a zero byte what comes under them: as bytes, each in a read, and as messages
/// with a zero byte between them.
///
/// What is taken reads back as it is printed. Bytes that are neither turned nor cut off come out as they went in, and of
/// messages as many as are not lost, and twice those that are doubled.
pub fn fault(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let Some(Ok(text)) = parts.next().map(str::from_utf8) else { return };
    let sent = parts.next().unwrap_or_default();
    let faults: Vec<Fault> = text.split(',').filter_map(|text| Fault::read(text).ok()).collect();
    for fault in &faults {
        let printed = fault.to_string();
        assert_eq!(Fault::read(&printed), Ok(*fault), "{printed}");
        assert!(FAULTS.iter().any(|row| row.name == fault.name()), "{printed} is of no row");
    }

    let (mut way, mut came) = (Stream::new(&faults, Way::In, 1, 1), Vec::new());
    sent.iter().for_each(|byte| way.push(&[*byte], Duration::ZERO));
    way.end(Duration::ZERO);
    let last = drained(&mut way, Stream::step, |way, most, now| {
        let first = way.first(most).to_vec();
        assert!(!first.is_empty() && first.len() <= most, "{first:?} of {most}");
        way.passed(first.len(), now);
        came.extend(first);
    });
    assert!(came.len() == sent.len() || last != Step::End || way.deeds().cut > 0, "{last:?} of {sent:?}");
    assert!(way.deeds().turned > 0 || sent.starts_with(&came), "{came:?} of {sent:?}");

    let messages: Vec<&[u8]> = sent.split(|byte| *byte == 0).collect();
    let (mut way, mut came) = (Traffic::new(&faults, Way::In, 1, 1), 0);
    messages.iter().for_each(|message| way.push(message.to_vec(), (), Duration::ZERO));
    way.end(Duration::ZERO);
    let last = drained(&mut way, Traffic::step, |way, _, now| came += u64::from(way.pop(now).is_some()));
    let deeds = way.deeds();
    let most = messages.len() as u64 - deeds.lost - deeds.too_large + deeds.duplicated;
    assert!(came == most || came < most && last != Step::End || deeds.cut > 0, "{came} of {most}: {deeds:?}");
}

/// Passes on what goes on, at the first moment that it may, until nothing more does.
fn drained<W>(
    way: &mut W,
    step: impl Fn(&mut W, Duration) -> Step,
    mut pass: impl FnMut(&mut W, usize, Duration),
) -> Step {
    let mut now = Duration::ZERO;
    loop {
        match step(way, now) {
            Step::Pass(most) => pass(way, most, now),
            Step::Wait(Some(until)) => {
                assert!(until > now, "a wait for what was");
                now = until;
            }
            last => return last,
        }
    }
}

/// Messages in a stream: the first byte says which framing, the second how large a message may be, the third in what
/// pieces the stream comes.
///
/// The messages are the same when it comes byte by byte, and none is too large. The stream itself, sent as a message,
/// arrives as that one message, but for a line end at its end, or is refused.
pub fn frame(data: &[u8]) {
    let [framing, most, size, stream @ ..] = data else { return };
    let texts = FRAMINGS.iter().flat_map(|row| [row.name.to_owned(), format!("{}=3", row.name)]);
    let framings: Vec<Framing> = texts.filter_map(|text| Framing::read(&text)).collect();
    let framing = framings[usize::from(*framing) % framings.len()];
    let most = usize::from(*most);
    let came = decoded(framing, most, stream.chunks(usize::from(*size).max(1)));
    if framing != (Framing::Burst { silence: None }) {
        assert_eq!(came, decoded(framing, most, stream.chunks(1)), "{framing}, byte by byte");
    }

    let Ok(encoded) = framing.encode(stream, most) else { return };
    let mut wire = vec![0; encoded.size()];
    assert_eq!(encoded.fill(stream, 0, &mut wire), wire.len(), "{framing}");
    let (messages, ended) = decoded(framing, most, [&wire[..]]);
    assert_eq!((messages.len(), ended), (1, Ok(())), "{framing}: {}", wire.escape_ascii());
    let end = stream.strip_prefix(&messages[0][..]).expect("a message that arrives is the one that was sent");
    let is_line = matches!(framing, Framing::Delimited(_));
    assert!(end.is_empty() || is_line && matches!(end, b"\r" | b"\n" | b"\r\n"), "{framing} loses {end:?}");
}

/// Bytes made safe for a terminal: text, without what acts on it, however the input is cut.
pub fn printable(data: &[u8]) {
    let whole = pushed([data]);
    assert!(whole.len() <= 4 * data.len(), "{} bytes have become {}", data.len(), whole.len());
    assert_eq!(pushed(data.chunks(1)), whole, "byte by byte");
    let first = data.first().copied().unwrap_or_default();
    assert_eq!(pushed(data.chunks(usize::from(first).max(1))), whole, "in pieces of {first}");
    assert_eq!(acting(&whole.replace("\r\n", "")), None, "in {whole:?}");
    if let Ok(text) = str::from_utf8(data)
        && text.chars().all(is_harmless)
    {
        assert_eq!(whole, text, "harmless text is changed");
    }

    let line = printable::line(data);
    assert_eq!(line.find(['\n', '\r', '\t']), None, "more than one line: {line:?}");
    assert_eq!(acting(&line), None, "in {line:?}");
}

/// Line feeds into CR LF: the first byte says in what pieces the others come.
pub fn newline(data: &[u8]) {
    let Some((size, data)) = data.split_first() else { return };
    let mut expected = Vec::new();
    for byte in data {
        if *byte == b'\n' && expected.last() != Some(&b'\r') {
            expected.push(b'\r');
        }
        expected.push(*byte);
    }
    let mut to_crlf = ToCrlf::default();
    let mut output = Vec::new();
    for piece in data.chunks(usize::from(*size).max(1)) {
        let mut buffer = [piece, &vec![b'.'; piece.len()][..]].concat();
        let length = to_crlf.expand(&mut buffer, piece.len());
        output.extend_from_slice(&buffer[..length]);
    }
    assert_eq!(output.escape_ascii().to_string(), expected.escape_ascii().to_string());
}

/// Messages of at most as many bytes as the second byte says: lines, or all as one, as the plain rule has it, however the
/// input is cut.
pub fn cut(data: &[u8]) {
    let [size, most, data @ ..] = data else { return };
    let (chunks, most) = (data.chunks(usize::from(*size).max(1)), usize::from(*most));
    let lines = data.split_inclusive(|byte| *byte == b'\n').map(|line| match line {
        [line @ .., b'\r', b'\n'] | [line @ .., b'\n'] | line => line.to_vec(),
    });
    let whole = (!data.is_empty()).then(|| data.to_vec());
    for (piece, wanted) in [(Piece::Line, lines.collect::<Vec<_>>()), (Piece::Whole, Vec::from_iter(whole))] {
        match messages(piece, chunks.clone(), most) {
            Ok(messages) => assert_eq!(messages, wanted, "{piece:?}"),
            Err(_) => assert!(wanted.iter().any(|message| message.len() > most), "{piece:?} of {wanted:?}"),
        }
    }
}

fn messages<'a>(
    piece: Piece,
    chunks: impl Iterator<Item = &'a [u8]>,
    most: usize,
) -> Result<Vec<Vec<u8>>, TooLong> {
    let (mut cutter, mut messages) = (Cutter::new(piece), Vec::new());
    for mut chunk in chunks {
        while !chunk.is_empty() {
            let (taken, is_whole) = cutter.take(chunk, most)?;
            chunk = &chunk[taken..];
            messages.extend(is_whole.then(|| cutter.message()));
        }
    }
    messages.extend(cutter.finish(most)?.then(|| cutter.message()));
    assert!(messages.iter().all(|message| message.len() <= most), "more than {most} bytes in {messages:?}");
    Ok(messages)
}

/// The head of a request: whatever comes in pieces is understood as soon as its head has ended, and as the whole is.
pub fn http(data: &[u8]) {
    let whole = asked(data);
    let first = (0..=data.len()).map(|end| asked(&data[..end])).find(|asked| *asked != Asked::Unfinished);
    assert_eq!(first.unwrap_or(Asked::Unfinished), whole);
    if let Asked::Wants { method, path } = whole {
        assert!(!method.is_empty() && path.starts_with('/') && !path.contains([' ', '?', '\n']), "{whole:?}");
    }
}

/// Datagrams of 48 bytes that come to a client of NTP: its question is the number 7.
///
/// Only what answers that is believed, once, and whatever it says can be reckoned with.
pub fn ntp_client(data: &[u8]) {
    let limit = Duration::from_secs(5);
    let mut burst = Burst::new(Plan { samples: 1, spacing: Duration::ZERO, limit });
    let (now, sent) = (Duration::ZERO, SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 31));
    burst.ask(now, sent, 7);
    let mut answers = 0;
    for datagram in data.chunks(48) {
        if let Heard::Answer(sample) = burst.hear(datagram, sent + limit, limit) {
            answers += 1;
            assert!(datagram[24..32] == [0, 0, 0, 0, 0, 0, 0, 7] && sample.delay_ns >= 0);
        }
    }
    assert!(answers <= 1 && burst.reading(limit).is_some() == (answers == 1));
}

/// A format of strftime(3), and what it makes: no more than there is room for, or nothing.
pub fn strftime(data: &[u8]) {
    let Ok(format) = str::from_utf8(data) else { return };
    let (month, day) = (2, 29);
    let (hour, minute, second, weekday, day_of_year) = (23, 59, 60, 4, 60);
    let (year, offset, zone, unix) = (2024, -1, "LMT", i64::MIN);
    let moment = Moment { year, month, day, hour, minute, second, weekday, day_of_year, offset, zone, unix };
    let mut text = String::new();
    let made = format_time(format, &moment, &mut text);
    assert!(text.len() <= MAX_TEXT && (made.is_ok() || text.is_empty()));
    assert!(made.is_err() || format.contains('%') || text == format);
}

/// Frames of a WebSocket: the first byte says which side we are and how the stream is cut, the second how large a message may
/// be.
///
/// What comes is the same when it comes byte by byte, none is too large, and text is text. What is left of it, sent as a
/// message, arrives as that one message.
pub fn websocket(data: &[u8]) {
    let [size, most, stream @ ..] = data else { return };
    let party = if size % 2 == 0 { Party::Client } else { Party::Server };
    let most = usize::from(*most);
    let came = items(party, most, stream.chunks(usize::from(*size).max(1)));
    assert_eq!(came, items(party, most, stream.chunks(1)), "byte by byte");
    for (item, payload) in came.0 {
        assert!(payload.len() <= most.max(MAX_CONTROL), "{item:?} of {} bytes", payload.len());
        assert!(item != Item::Text || str::from_utf8(&payload).is_ok(), "{}", payload.escape_ascii());
    }
    let key = (party == Party::Client).then_some(Key([1, 2, 3, *size]));
    let encoded = Encoded::new(Opcode::Binary, stream.len(), key);
    let mut wire = vec![0; encoded.size()];
    assert_eq!(encoded.fill(stream, 0, &mut wire), wire.len());
    let other = if party == Party::Client { Party::Server } else { Party::Client };
    assert_eq!(items(other, stream.len(), [&wire[..]]), (vec![(Item::Binary, stream.to_vec())], Ok(())));
}

/// Items, each with what it carries, and how the stream ended.
type Items = (Vec<(Item, Vec<u8>)>, Result<(), WebSocketError>);

/// Everything that a stream of frames holds up to a Close.
fn items<'a>(party: Party, most: usize, pieces: impl IntoIterator<Item = &'a [u8]>) -> Items {
    let (mut decoder, mut items, mut payload) = (web::Decoder::new(party, most), Vec::new(), Vec::new());
    for mut piece in pieces {
        loop {
            match decoder.decode(&mut piece, &mut payload) {
                Ok(Some(item @ (Item::Text | Item::Binary))) => {
                    items.push((item, std::mem::take(&mut payload)))
                }
                Ok(Some(item @ Item::Close(_))) => {
                    items.push((item, Vec::new()));
                    return (items, Ok(()));
                }
                Ok(Some(item)) => items.push((item, decoder.control().to_vec())),
                Ok(None) => break,
                Err(error) => return (items, Err(error)),
            }
        }
        assert!(piece.is_empty(), "{piece:?} is left");
        assert!(decoder.capacity() <= most, "room for {}", decoder.capacity());
    }
    (items, Ok(()))
}

/// The handshake of a WebSocket, as a server and as a client reads it: whatever comes in pieces is understood as soon as
/// its head has ended, and as the whole is. What a server agrees to, a client that asked for it understands.
pub fn websocket_handshake(data: &[u8]) {
    let (ask, key) = (Ask { path: "/".into(), host: "a".into(), ..Ask::default() }, handshake::key([7; 16]));
    let whole = Request::read(data);
    let first = (0..=data.len()).map(|end| Request::read(&data[..end])).find(|read| *read != Ok(None));
    assert_eq!(first.unwrap_or(Ok(None)), whole);
    if let Ok(Some(request)) = &whole {
        assert!(request.target.starts_with('/') && request.length <= data.len(), "{request:?}");
        let answer = request.accept(request.subprotocols.first().copied());
        assert!(Answer::read(&answer, &ask, &key).is_err(), "an answer to another key");
    } else if let Err(error) = &whole {
        assert!(handshake::refusal(error).starts_with(b"HTTP/1.1 4"), "{error}");
    }
    let whole = Answer::read(data, &ask, &key);
    let first =
        (0..=data.len()).map(|end| Answer::read(&data[..end], &ask, &key)).find(|read| *read != Ok(None));
    assert_eq!(first.unwrap_or(Ok(None)), whole);
}

/// A packet of NTP, and what a server makes of it: it is written as it came, and its answer is no longer than it and is not
/// answered in turn. Its times are moments that say the same of themselves whatever time it is.
pub fn ntp(data: &[u8]) {
    let Some(packet) = Packet::read(data) else { return assert!(data.len() < ntp::SIZE) };
    assert!(data.starts_with(&packet.bytes()), "{packet:?}");
    let (status, now) = (packet.status(), SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 31));
    if let Some(answer) = status.answer(&packet, packet.receive, packet.reference) {
        assert_eq!((answer.version, answer.origin), (packet.version, packet.transmit));
        assert_eq!(status.answer(&answer, packet.receive, packet.reference), None, "{answer:?}");
        assert_eq!(status.answer(&answer.into_rate_kiss(), packet.receive, packet.reference), None);
    }
    for time in [packet.reference, packet.origin, packet.receive, packet.transmit] {
        let Some(moment) = time.near(now) else { continue };
        assert!(time.nanos_since(ntp::Timestamp::of(moment)).abs() <= 1, "{time:?} is {moment:?}");
        assert_eq!(ntp::Timestamp::of(moment).near(moment), Some(moment));
    }
    let sample = Sample::of(&packet, now, now, Duration::ZERO);
    assert!(sample.delay_ns >= 0, "{sample:?}");
    let text = packet.reference_id.text(packet.stratum);
    assert!(text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '), "{text:?}");
}

/// The first bytes of a connection: what a few of them tell, more of them tell too, and so many always tell something.
pub fn sniff(data: &[u8]) {
    let first = (0..=data.len()).map(|end| told(&data[..end])).find(Option::is_some).flatten();
    assert_eq!(first, told(data));
    assert!(first.is_some() || data.len() < sniff::MOST, "{} bytes tell nothing", data.len());
}

/// Times, sizes and modes as they are typed: what is taken is within bounds, and reads back where it is printed.
pub fn unit(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Some(time) = unit::duration(text) {
        assert!(time <= unit::LONGEST, "{text:?} is {time:?}");
        let printed = unit::print_duration(time);
        assert_eq!(unit::duration(&printed), Some(time), "{text:?} is printed as {printed}");
    }
    if let Some(size) = unit::size(text) {
        assert_eq!(unit::size(&size.to_string()), Some(size), "{text:?}");
    }
    if let Some(mode) = unit::mode(text) {
        assert!(mode <= 0o7777, "{text:?} is {mode:o}");
        assert_eq!(unit::mode(&format!("{mode:04o}")), Some(mode), "{text:?}");
    }
}

/// All messages of a stream, and how it ended.
fn decoded<'a>(
    framing: Framing,
    most: usize,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Vec<u8>>, Result<(), FrameError>) {
    let (mut decoder, mut messages, mut message) = (Decoder::new(framing, most), Vec::new(), Vec::new());
    for mut piece in pieces {
        loop {
            match decoder.decode(&mut piece, &mut message) {
                Ok(true) => messages.push(std::mem::take(&mut message)),
                Ok(false) => break,
                Err(error) => return (messages, Err(error)),
            }
        }
        assert!(piece.is_empty(), "{framing} leaves {piece:?}");
        assert!(decoder.capacity() <= most + 1, "{framing} has room for {}", decoder.capacity());
    }
    let finished = decoder.finish(&mut message);
    if finished == Ok(true) {
        messages.push(message);
    }
    assert!(messages.iter().all(|message| message.len() <= most), "{framing}: over {most} in {messages:?}");
    (messages, finished.map(|_| ()))
}

type Read = fn(&str, &[String]) -> Result<Address, ParseError>;

fn survives_print(address: &Address, read: Read) {
    let again = read(&address.word(), &address.options_beside());
    assert_eq!(again.as_ref(), Ok(address), "printed as {address}");
}

fn points_into(error: &ParseError, texts: &[String]) {
    assert!(texts.iter().any(|text| text == error.text()), "{error:?} is about none of {texts:?}");
    assert!(error.text().get(error.span()).is_some(), "{error:?} points out of its text");
    assert!(!error.reason().is_empty() && !error.to_string().is_empty(), "{error:?} says nothing");
}

fn pushed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
    let (mut printable, mut out) = (Printable::default(), Vec::new());
    pieces.into_iter().for_each(|piece| printable.push(piece, &mut out));
    printable.finish(&mut out);
    String::from_utf8(out).expect("what is printable is text")
}

/// The first character that acts on a terminal, or turns the direction of what stands beside it.
fn acting(text: &str) -> Option<char> {
    let turns = |character| matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .find(|character| turns(*character) || (character.is_control() && !matches!(character, '\n' | '\t')))
}

/// Letters, digits and pictures.
fn is_harmless(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '\u{1f300}'..='\u{1faff}')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
    }

    /// The names in a folder, without what stands behind a dot.
    fn names(folder: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let stem = |entry: fs::DirEntry| entry.path().file_stem().unwrap().to_str().unwrap().to_owned();
        entries.map(|entry| stem(entry.unwrap())).collect()
    }

    #[test]
    fn every_seed_passes_through_the_body_of_its_target() {
        for (name, body) in TARGETS {
            let seeds = folder().join("seeds").join(name);
            let files: Vec<PathBuf> =
                fs::read_dir(&seeds).unwrap().map(|entry| entry.unwrap().path()).collect();
            assert!(files.len() >= 12, "{name} has only {} seeds", files.len());
            for file in files {
                let seed = fs::read(&file).unwrap();
                if let Err(panic) = std::panic::catch_unwind(|| body(&seed)) {
                    let why = panic.downcast_ref::<String>().map_or("", String::as_str);
                    panic!("{name} fails on {}: {why}", file.display());
                }
            }
        }
    }

    #[test]
    fn every_target_has_a_shell_a_manifest_entry_and_a_folder_of_seeds() {
        let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(names(&folder().join("seeds")), targets);
        assert_eq!(names(&folder().join("fuzz_targets")), targets);
        let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
        for name in targets {
            let path = format!("fuzz_targets/{name}.rs");
            assert!(manifest.contains(&format!("\npath = \"{path}\"\n")), "{path} is not built");
            let shell = fs::read_to_string(folder().join(&path)).unwrap();
            assert!(shell.contains(&format!("testkit::fuzz::{name}(")), "{path} calls another body");
        }
    }
}
