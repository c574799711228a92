//! Alerts by number, and which of them we send (RFC 8446 section 6).

use rustls::Error;

pub(super) const CLOSE_NOTIFY: u8 = 0;
pub(super) const UNEXPECTED_MESSAGE: u8 = 10;
pub(super) const BAD_RECORD_MAC: u8 = 20;
pub(super) const RECORD_OVERFLOW: u8 = 22;
pub(super) const DECODE_ERROR: u8 = 50;
pub(super) const USER_CANCELED: u8 = 90;
pub(super) const NO_RENEGOTIATION: u8 = 100;

/// The level of an alert that ends nothing; closing is one.
pub(super) const WARNING: u8 = 1;
/// The level of one that ends the connection.
pub(super) const FATAL: u8 = 2;

/// What the peer is told of a fault in what it sent.
pub(super) fn of(error: &Error) -> u8 {
    match error {
        Error::DecryptError => BAD_RECORD_MAC,
        Error::InvalidMessage(_) => DECODE_ERROR,
        Error::PeerSentOversizedRecord => RECORD_OVERFLOW,
        _ => UNEXPECTED_MESSAGE,
    }
}
