//! `tls`: what others can neither read nor change, with whom a certificate names (RFC 8446, RFC 5246).

mod fault;
mod handshake;
mod held;
mod identity;
mod keys;
mod number;
mod own;
mod post;
mod records;
mod side;
mod stream;
mod verifier;

use std::sync::Arc;

use sockeye_proto::address::{
    Address, Kind, LayerGrammar, OptionGrammar, Pin, Role, Side, StackGrammar, Written,
};
use sockeye_proto::shape::Shape;
use sockeye_proto::sniff::Protocol;

use super::{Layer, Wrap};
use crate::conn::{Conn, Io};
use crate::ctx::Ctx;
use crate::error::{Cause, Error, Op, Result};
use crate::event::{Event, Wants};
use crate::reload::Reloaded;
use crate::service::BoxFuture;
use own::Own;
use side::Ours;
use stream::Stream;

pub(super) static TLS: Layer = Layer {
    grammar: LayerGrammar {
        name: "tls",
        aliases: &[],
        written: Written::InFront,
        rank: 10,
        over: Some(Shape::Bytes),
        gives: Some(Shape::Bytes),
        speaks: Some(Protocol::Tls),
        options: &[
            option("alpn", Side::Both, Kind::Alpn, "a protocol to agree on, best first; may be repeated"),
            option("ca", Side::Dial, PEM, "trust these issuers in place of the system's"),
            option("cert", Side::Both, PEM, "our certificate, and those that vouch for it"),
            option("client-ca", Side::Listen, PEM, "clients must show a certificate of these issuers"),
            option("key", Side::Both, PEM, "the key of cert=, where it stands elsewhere"),
            option("min", Side::Both, Kind::Choice(&["1.2", "1.3"]), "the lowest version; 1.2 unless set"),
            option("pin", Side::Dial, Kind::Pin, "the key to accept, whoever vouches; may be repeated"),
            option("sni", Side::Dial, Kind::Text("a name of a host"), "the name to ask for and check"),
            option("verify", Side::Dial, Kind::Switch, "no: talk to anybody, for a test; yes unless set"),
        ],
    },
    help: "encrypted, with a certificate",
    prepare,
};

const PEM: Kind = Kind::Text("a file in PEM such as /etc/ssl/x.pem");

const fn option(name: &'static str, side: Side, kind: Kind, help: &'static str) -> OptionGrammar {
    OptionGrammar { name, aliases: &[], schemes: &[], side, kind, help }
}

/// `tls:` for `tls+tcp:`.
pub(super) static STACK: StackGrammar =
    StackGrammar { name: "tls", layers: &["tls"], scheme: "tcp", url: None };

fn prepare(address: &Address, place: usize, ctx: &Ctx) -> Result<Arc<dyn Wrap>> {
    let op = if address.role() == Role::Dial { Op::Dial } else { Op::Listen };
    let is_given = address.layers().get(place).is_some_and(|layer| layer.options().value("cert").is_some());
    let is_own = address.role() == Role::Listen && !is_given;
    let (address, name) = (address.clone(), address.bare_word());
    let (clock, own) = (ctx.clock, Own::of(ctx));
    let make = move || {
        let ours = Ours::of(&address, place, clock, &own);
        ours.map_err(|fault| Error::new(op, fault).on(address.bare_word()))
    };
    let ours = ctx.reloads.keep(&name, make)?;
    if ours.now().is_unverified() {
        ctx.events.tell(Wants::Trouble, || Event::Unverified { address: name.into() });
    }
    Ok(Arc::new(Tls { ours, is_own }))
}

struct Tls {
    ours: Arc<Reloaded<Ours>>,
    /// We show a certificate that we made ourselves.
    is_own: bool,
}

impl Wrap for Tls {
    fn wrap<'a>(&'a self, conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
        Box::pin(async move {
            if conn.shape() != Shape::Bytes {
                return Err(
                    Error::new(Op::Handshake, Cause::WrongShape { has: conn.shape() }).on(conn.peer())
                );
            }
            let (conn, made) = handshake::make(&self.ours.now(), conn, &ctx.buffers).await?;
            let told = made.told.clone();
            let layered = conn.layered("tls", None, |io| match io {
                Io::Bytes(beneath) => Io::Bytes(Box::new(Stream::new(beneath, made, &ctx.buffers))),
                messages @ Io::Messages(_) => messages,
            });
            Ok(layered.told(told))
        })
    }

    fn pin(&self) -> Option<Pin> {
        match &*self.ours.now() {
            Ours::Server(_, identity) if self.is_own => verifier::pin(identity.cert.first()?),
            Ours::Server(..) | Ours::Client { .. } => None,
        }
    }
}
