//! Keys after the handshake: new ones, and the tickets that resume a session.

use rustls::client::ClientConnectionData;
use rustls::kernel::KernelConnection;
use rustls::server::ServerConnectionData;
use rustls::{Error, SupportedCipherSuite};

use super::records::{Opener, Sealer};

/// What rustls keeps of a connection whose records it does not open itself.
pub(super) enum Keys {
    Client(Box<KernelConnection<ClientConnectionData>>),
    Server(Box<KernelConnection<ServerConnectionData>>),
}

impl Keys {
    pub(super) fn suite(&self) -> SupportedCipherSuite {
        match self {
            Self::Client(keys) => keys.negotiated_cipher_suite(),
            Self::Server(keys) => keys.negotiated_cipher_suite(),
        }
    }

    /// The next key of the peer (RFC 8446 section 7.2).
    pub(super) fn next_opener(&mut self) -> Result<Opener, Error> {
        let secret = match self {
            Self::Client(keys) => keys.update_rx_secret(),
            Self::Server(keys) => keys.update_rx_secret(),
        };
        Opener::new(self.suite(), secret?)
    }

    /// Our next key.
    pub(super) fn next_sealer(&mut self) -> Result<Sealer, Error> {
        let secret = match self {
            Self::Client(keys) => keys.update_tx_secret(),
            Self::Server(keys) => keys.update_tx_secret(),
        };
        Sealer::new(self.suite(), secret?)
    }

    /// Keeps a ticket; `false` where there is nobody who could have sent one.
    pub(super) fn keep_ticket(&mut self, ticket: &[u8]) -> Result<bool, Error> {
        match self {
            Self::Client(keys) => keys.handle_new_session_ticket(ticket).map(|()| true),
            Self::Server(_) => Ok(false),
        }
    }
}
