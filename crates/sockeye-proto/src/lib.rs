//! What sockeye decides without sockets, clock or async: bytes and time in, bytes and decisions out.
//!
//! - [`address`]: the text that names one end of a connection, against a vocabulary of rows.
//! - [`admission`]: who may come in, how many of them and how often.
//! - [`certificate`]: whom a certificate is for, and who issued it.
//! - [`crowd`]: the peers of a datagram listener, and who makes room.
//! - [`cut`]: what is typed into messages.
//! - [`diag`]: asking the kernel about a socket, as bytes.
//! - [`dscp`]: the classes of traffic, by name and number.
//! - [`frame`]: messages made of bytes, and bytes of messages.
//! - [`hex`]: bytes in hexadecimal, for people.
//! - [`http`]: the head of a request for one page.
//! - [`newline`]: line feeds into the line ends that old protocols want.
//! - [`openmetrics`]: counts as text that monitoring programs read.
//! - [`pace`]: how soon the next bytes may follow, at so many a second.
//! - [`printable`]: foreign bytes made safe for a terminal.
//! - [`queue`]: what waits for a peer, bounded in bytes, and what becomes of what finds no room.
//! - [`race`]: in which order the addresses of a name are tried.
//! - [`reflect`]: whom a datagram service answers.
//! - [`shape`]: bytes or messages.
//! - [`suggest`]: the name that was meant by one that is not known.
//! - [`mod@unit`]: durations, sizes and modes as people type them.
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
pub mod frame;
pub mod hex;
pub mod http;
pub mod newline;
pub mod openmetrics;
pub mod pace;
pub mod printable;
pub mod queue;
pub mod race;
pub mod reflect;
pub mod shape;
pub mod suggest;
pub mod unit;
pub mod websocket;
pub mod words;
