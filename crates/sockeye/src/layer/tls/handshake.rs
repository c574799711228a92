//! The handshake, which rustls does, and what it comes to.
//!
//! Rustls works on our buffers here, which are lent as all others are, and hands over its keys when it is done: with them
//! [`records`](super::records) opens records where they lie. Rustls itself would put each into an allocation of its own.

use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, UnbufferedStatus};
use rustls::{CommonState, Error as Refusal, ProtocolVersion};
use sockeye_proto::certificate::Certificate;

use super::fault;
use super::held::Held;
use super::keys::Keys;
use super::records::{Opener, Sealer, is_record, is_whole};
use super::side::{Hello, Ours, Trust};
use crate::buffer::Buffers;
use crate::conn::Conn;
use crate::error::{Error, Op, Result, TlsFault};
use crate::peer::Tls;

/// A handshake that is done.
pub(super) struct Made {
    pub(super) opener: Opener,
    pub(super) sealer: Sealer,
    pub(super) keys: Keys,
    /// Records that came with the last of the handshake, and are not opened yet.
    pub(super) incoming: Held,
    /// What was in records that rustls has opened already.
    pub(super) ahead: Held,
    /// The peer has said that it will send no more.
    pub(super) is_ended: bool,
    pub(super) told: Tls,
}

/// Makes it, as long as that takes: who calls has a limit. Where it fails the peer is told why.
pub(super) async fn make(ours: &Ours, mut conn: Conn, buffers: &Buffers) -> Result<(Conn, Made)> {
    let peer = conn.peer().clone();
    let failed = |fault: TlsFault| Error::new(Op::Handshake, fault).on(&peer);
    let mut handshake = Handshake::new(ours, buffers).map_err(|refusal| failed(fault::of(&refusal)))?;
    loop {
        let fault = match handshake.advance() {
            Ok(Step::Again) => continue,
            Ok(Step::Send) => {
                let sent = handshake.send(&mut conn).await;
                // Tickets are for another time: whoever has left already may have said something before.
                if handshake.state().is_handshaking() {
                    sent?;
                }
                continue;
            }
            Ok(Step::Receive) => match handshake.receive(&mut conn).await? {
                0 => TlsFault::Deserted,
                _ => continue,
            },
            Ok(Step::Done) => {
                let made = handshake.finish().map_err(|refusal| failed(fault::of(&refusal)))?;
                return Ok((conn, made));
            }
            Ok(Step::Closed) => TlsFault::Deserted,
            Err(refusal) => handshake.explain(&refusal),
        };
        // What is wrong is known already: whether the alert arrives changes nothing.
        if handshake.put_alert() {
            let _unsent = handshake.send(&mut conn).await;
            let _unsent = conn.shutdown_write().await;
        }
        return Err(failed(fault));
    }
}

struct Handshake {
    session: Session,
    incoming: Held,
    outgoing: Held,
    ahead: Held,
    /// The first bytes of the peer.
    first: Option<Vec<u8>>,
    /// The peer has said that it will send no more.
    is_ended: bool,
    /// What the peer shows is verified, name and all.
    is_vouched: bool,
}

enum Session {
    Client(UnbufferedClientConnection),
    Server(UnbufferedServerConnection, Arc<Hello>),
}

/// What the handshake wants next.
enum Step {
    Again,
    Closed,
    Done,
    Receive,
    Send,
}

impl Handshake {
    fn new(ours: &Ours, buffers: &Buffers) -> std::result::Result<Self, Refusal> {
        let (session, is_vouched) = match ours {
            Ours::Client { config, name, trust } => (
                Session::Client(UnbufferedClientConnection::new(config.clone(), name.clone())?),
                *trust == Trust::Vouched,
            ),
            Ours::Server(config, identity) => {
                // Its own copy, since what the client says is told to this resolver; a copy shares all that is large.
                let (mut config, hello) = (config.clone(), Arc::new(Hello::new(identity.clone())));
                config.cert_resolver = hello.clone();
                (Session::Server(UnbufferedServerConnection::new(Arc::new(config))?, hello), true)
            }
        };
        let [incoming, outgoing, ahead] = [(); 3].map(|()| Held::new(buffers));
        Ok(Self { session, incoming, outgoing, ahead, first: None, is_ended: false, is_vouched })
    }

    fn advance(&mut self) -> std::result::Result<Step, Refusal> {
        let Self { session, incoming, outgoing, ahead, .. } = self;
        let (done, step) = match session {
            Session::Client(session) => take(session.process_tls_records(incoming.bytes()), outgoing, ahead),
            Session::Server(session, _) => {
                take(session.process_tls_records(incoming.bytes()), outgoing, ahead)
            }
        };
        incoming.take(done);
        let is_handshaking = self.state().is_handshaking();
        match step? {
            // Whoever closes at once has not left: what was said before is still to be read, and may be answered.
            Step::Closed if !is_handshaking => {
                self.is_ended = true;
                Ok(Step::Again)
            }
            // A server may write before it has heard the last of the handshake. And a message of which rustls holds a part
            // could not be handed over: the rest of it must come first.
            Step::Done if is_handshaking || (!self.is_ended && is_whole(self.incoming.bytes())) => {
                Ok(Step::Receive)
            }
            step => Ok(step),
        }
    }

    fn state(&self) -> &CommonState {
        match &self.session {
            Session::Client(session) => session,
            Session::Server(session, _) => session,
        }
    }

    async fn send(&mut self, conn: &mut Conn) -> Result<()> {
        let sent = conn.write_all(self.outgoing.bytes()).await;
        self.outgoing.clear();
        sent
    }

    async fn receive(&mut self, conn: &mut Conn) -> Result<usize> {
        // A message of the handshake is at most 64 KiB; a buffer that is full of less than one holds nothing of use.
        let read = match self.incoming.room(1) {
            [] => 0,
            room => conn.read(room).await?,
        };
        self.incoming.add(read);
        if self.first.is_none() && read > 0 {
            self.first = Some(self.incoming.bytes().iter().take(FIRST).copied().collect());
        }
        Ok(read)
    }

    /// Why rustls refused what came.
    fn explain(&self, refusal: &Refusal) -> TlsFault {
        match (&self.first, refusal) {
            (Some(first), Refusal::InvalidMessage(_)) if !is_record(first) => {
                TlsFault::PlainText(first.clone())
            }
            _ => fault::of(refusal),
        }
    }

    /// Puts the alert that tells the peer why into what goes out; `false` where there is none.
    fn put_alert(&mut self) -> bool {
        // As long as there is one, rustls does not look at what came: a second look at what it refused would be a panic.
        while self.state().wants_write() && self.advance().is_ok() {}
        !self.outgoing.is_empty()
    }

    fn finish(self) -> std::result::Result<Made, Refusal> {
        let told = self.told();
        let (secrets, keys) = match self.session {
            Session::Client(session) => {
                let (secrets, keys) = session.dangerous_into_kernel_connection()?;
                (secrets, Keys::Client(Box::new(keys)))
            }
            Session::Server(session, _) => {
                let (secrets, keys) = session.dangerous_into_kernel_connection()?;
                (secrets, Keys::Server(Box::new(keys)))
            }
        };
        Ok(Made {
            opener: Opener::new(keys.suite(), secrets.rx)?,
            sealer: Sealer::new(keys.suite(), secrets.tx)?,
            keys,
            incoming: self.incoming,
            ahead: self.ahead,
            is_ended: self.is_ended,
            told,
        })
    }

    fn told(&self) -> Tls {
        let server_name = match &self.session {
            Session::Client(_) => None,
            Session::Server(_, hello) => hello.name().map(str::to_owned),
        };
        let state = self.state();
        let chain: Vec<Vec<u8>> =
            state.peer_certificates().unwrap_or_default().iter().map(|der| der.to_vec()).collect();
        let own = chain.first().and_then(|der| Certificate::read(der));
        Tls {
            names: own.filter(|_| self.is_vouched).map(|own| own.names()).unwrap_or_default(),
            chain,
            version: if state.protocol_version() == Some(ProtocolVersion::TLSv1_3) { "1.3" } else { "1.2" },
            alpn: state.alpn_protocol().map(<[u8]>::to_vec),
            server_name,
        }
    }
}

/// Does what rustls wants done, and says how much of what came is used up.
fn take<D>(
    status: UnbufferedStatus<'_, '_, D>,
    outgoing: &mut Held,
    ahead: &mut Held,
) -> (usize, std::result::Result<Step, Refusal>) {
    let mut done = status.discard;
    let step = || {
        Ok(match status.state? {
            ConnectionState::EncodeTlsData(mut record) => {
                let put = match record.encode(outgoing.room(1)) {
                    Err(EncodeError::InsufficientSize(size)) => {
                        record.encode(outgoing.room(size.required_size))
                    }
                    put => put,
                };
                outgoing.add(put.map_err(|error| Refusal::General(error.to_string()))?);
                Step::Again
            }
            ConnectionState::TransmitTlsData(sent) => {
                sent.done();
                Step::Send
            }
            ConnectionState::ReadTraffic(mut records) => {
                // At most what one buffer of records holds: nothing is read before this is taken.
                while let Some(record) = records.next_record() {
                    let record = record?;
                    done += record.discard;
                    let room = ahead.room(record.payload.len()).get_mut(..record.payload.len());
                    room.ok_or(Refusal::PeerSentOversizedRecord)?.copy_from_slice(record.payload);
                    ahead.add(record.payload.len());
                }
                Step::Again
            }
            ConnectionState::WriteTraffic(_) => Step::Done,
            ConnectionState::PeerClosed | ConnectionState::Closed => Step::Closed,
            _ => Step::Receive,
        })
    };
    let step = step();
    (done, step)
}

/// How much of what a peer said first is kept, to be shown where that is no TLS.
const FIRST: usize = 64;
