//! The services that sockeye brings: a row each.
//!
//! Each stands on the library alone, and none on another. What several of them do in the same way is in `session`, in
//! `exchange` where peers are sent what others say, in [`access`] who may have something run or written, in [`ask`] how
//! others are asked for the time, and in [`exec_client`] how they are asked to run something.
#![forbid(unsafe_code)]

pub mod access;
pub mod ask;
mod broker;
mod chargen;
mod daytime;
mod discard;
mod echo;
mod exchange;
mod exec;
pub mod exec_client;
mod hello;
mod ntp;
mod reply;
mod session;
mod teller;
mod time;
mod time32;
mod upper;

use sockeye::ServiceRow;

pub use broker::Broker;
pub use exchange::{Mailbox, Payload, Posted, ROOM, exchange};

/// Every service, in the order of the ports that `serve` without arguments gives them.
pub static ALL: &[&ServiceRow] = &[
    &echo::ECHO,
    &discard::DISCARD,
    &chargen::CHARGEN,
    &daytime::DAYTIME,
    &upper::UPPER,
    &hello::HELLO,
    &reply::REPLY,
    &time32::TIME32,
    &time::TIME,
    &exec::EXEC,
    &ntp::NTP,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_names_ports_and_examples_of_their_own() {
        for (at, row) in ALL.iter().enumerate() {
            assert!(
                ALL.iter().skip(at + 1).all(|other| other.name != row.name && other.port != row.port),
                "{}",
                row.name
            );
            assert_eq!(usize::from(row.port), 7700 + at, "{}", row.name);
            assert!(row.example.contains("PORT") && row.help.len() <= 60, "{}", row.name);
            assert!(row.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{}", row.name);
        }
    }
}
