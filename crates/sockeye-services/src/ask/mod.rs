//! Asking others what time it is: NTP servers, and those that say it as text or in seconds.
//!
//! Nothing here sets a clock.

mod fault;
mod ntp;
mod text;

pub use fault::Fault;
pub use ntp::NtpClient;
pub use text::{format, seconds, text};
