//! What sockeye decides without sockets, clock or async: bytes and time in, bytes and decisions out.
//!
//! - [`address`]: the text that names one end of a connection, against a vocabulary of rows.
//! - [`admission`]: who may come in, how many of them and how often.
//! - [`certificate`]: whom a certificate is for, and who issued it.
//! - [`crowd`]: the peers of a datagram listener, and who makes room.
//! - [`cut`]: what is typed into messages.
//! - [`diag`]: asking the kernel about a socket, as bytes.
//! - [`dscp`]: the classes of traffic, by name and number.
//! - [`encoding`]: text as bytes, in the encodings of the Web.
//! - [`exec`]: messages that have commands run on another machine.
//! - [`fault`]: what a bad network does, decided by a seed.
//! - [`frame`]: messages made of bytes, and bytes of messages.
//! - [`hex`]: bytes in hexadecimal, for people.
//! - [`http`]: the head of a request for one page.
//! - [`newline`]: line feeds into the line ends that old protocols want.
//! - [`ntp`]: asking for the time, and telling it.
//! - [`openmetrics`]: counts as text that monitoring programs read.
//! - [`pace`]: how soon the next bytes may follow, at so many a second.
//! - [`pcapng`]: what went over a connection, as packets in a capture.
//! - [`printable`]: foreign bytes made safe for a terminal.
//! - [`queue`]: what waits for a peer, bounded in bytes, and what becomes of what finds no room.
//! - [`race`]: in which order the addresses of a name are tried.
//! - [`ranges`]: ranges of numbers in a text, which stand for as many texts.
//! - [`reflect`]: whom a datagram service answers.
//! - [`retry`]: when to try again what failed.
//! - [`shape`]: bytes or messages.
//! - [`sniff`]: which protocol a peer speaks, by its first bytes.
//! - [`mod@strftime`]: times as text, in the formats of C.
//! - [`suggest`]: the name that was meant by one that is not known.
//! - [`tries`]: when to ask again what may be lost.
//! - [`mod@unit`]: durations, sizes and modes as people type them.
//! - [`way`]: in or out.
//! - [`websocket`]: frames and handshakes of WebSocket.
//! - [`words`]: a program and its arguments out of one text.
//!
//! Nothing here may open a socket, read a clock or wait: the caller does, and passes in what it saw.
#![forbid(unsafe_code)]

pub mod address;
pub mod admission;
pub mod certificate;
pub mod crowd;
pub mod cut;
pub mod diag;
pub mod dscp;
pub mod encoding;
pub mod exec;
pub mod fault;
pub mod frame;
pub mod hex;
pub mod http;
pub mod newline;
pub mod ntp;
pub mod openmetrics;
pub mod pace;
pub mod pcapng;
pub mod printable;
pub mod queue;
pub mod race;
pub mod ranges;
pub mod reflect;
pub mod retry;
pub mod shape;
pub mod sniff;
pub mod strftime;
pub mod suggest;
pub mod tries;
pub mod unit;
pub mod way;
pub mod websocket;
pub mod words;
