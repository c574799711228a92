//! Who may have a service run or write something: whose connection it is, or a token that was handed out.
//!
//! It decides alone. How a token comes over the wire is for each service to say; which addresses are open to whom is for
//! [`Access::newcomers`] and the listener.

mod tokens;

pub use tokens::{TokenFault, Tokens};

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sockeye::proto::address::{Address, Host, Target};
use sockeye::proto::admission::{Key, Quota};
use sockeye::{Ctx, Endpoint, Error, Newcomers, Op, Peer, Reloaded};
use tokio::time::sleep;

/// What is asked of a peer before a service runs or writes something for it.
#[derive(Debug)]
pub struct Access {
    tokens: Option<Source>,
    /// Wrong tokens that are about to be refused.
    wrong: Mutex<Quota>,
}

#[derive(Debug)]
enum Source {
    /// Read once.
    Fixed(Tokens),
    /// A file, which is read again with all others.
    File(Arc<Reloaded<Tokens>>),
}

/// Why a peer is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Denied {
    /// It has no token, and is not ours.
    NoToken,
    /// Too many wrong tokens of it are being refused already. This one was not looked at.
    TooManyWrong,
    /// Its token is not known.
    Wrong,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoToken => "it is another user's, and has no token",
            Self::TooManyWrong => "too many wrong tokens have come from there",
            Self::Wrong => "its token is not known",
        })
    }
}

/// How long a wrong token waits for its answer.
const PENALTY: Duration = Duration::from_secs(1);
/// Wrong tokens of one peer that may wait at once.
const WRONG_AT_ONCE: u32 = 4;

impl Access {
    /// Our own user and root alone, and whom else the address of the listener names.
    pub fn ours() -> Self {
        Self { tokens: None, wrong: Mutex::new(Quota::new(Some(WRONG_AT_ONCE), None)) }
    }

    /// Our own user, root, and whoever has one of these tokens.
    pub fn with_tokens(tokens: Tokens) -> Self {
        Self { tokens: Some(Source::Fixed(tokens)), ..Self::ours() }
    }

    /// The same with the tokens of a place: `fd:N` for a descriptor that we were started with, `env:NAME` for a variable, else
    /// the path of a file, which is read again with all others (`Ctx::reloads`). It blocks.
    ///
    /// # Errors
    /// A sentence: what is wrong with which place.
    pub fn with_tokens_from(place: &str, ctx: &Ctx) -> Result<Self, String> {
        let source = match place.split_once(':') {
            Some(("fd", number)) => descriptor(number).map(Source::Fixed).map_err(|fault| fault.to_string()),
            Some(("env", name)) => variable(name).map(Source::Fixed).map_err(|fault| fault.to_string()),
            _ => file(place, ctx).map(Source::File).map_err(|error| error.cause().to_string()),
        };
        let tokens = Some(source.map_err(|fault| format!("the tokens of {place}: {fault}"))?);
        Ok(Self { tokens, ..Self::ours() })
    }

    /// Whose connections a service of this access takes at an address.
    ///
    /// # Errors
    /// A sentence: a token would be read there by whoever listens on the way.
    pub fn newcomers(&self, address: &Address) -> Result<Newcomers, String> {
        if self.tokens.is_none() {
            return Ok(Newcomers::Ours);
        }
        let is_sealed = address.layers().iter().any(|layer| layer.grammar().name == "tls");
        if is_sealed || is_this_machines(address.target()) {
            return Ok(Newcomers::Identified);
        }
        Err("beyond this machine tokens need TLS (tls:), or others read them".to_owned())
    }

    /// Whether the peer, who may have sent a token, is to be served.
    ///
    /// Where the listener lets in ours alone ([`Newcomers::Ours`]), it has judged already. Else the peer's user must be ours or
    /// root, who may act as any user anyway, or its token right. A wrong one is answered after a second, and only so many of a
    /// peer are looked at in that time. Cancel safe.
    ///
    /// # Errors
    /// Why not.
    pub async fn admit(&self, peer: &Peer, token: Option<&[u8]>, ctx: &Ctx) -> Result<(), Denied> {
        let us = rustix::process::geteuid().as_raw();
        if ctx.limits.newcomers == Newcomers::Ours || peer.user.is_some_and(|user| user == us || user == 0) {
            return Ok(());
        }
        let (Some(tokens), Some(token)) = (&self.tokens, token) else { return Err(Denied::NoToken) };
        let _guess = Guess::begin(&self.wrong, key(peer)).ok_or(Denied::TooManyWrong)?;
        if tokens.hold(token) {
            return Ok(());
        }
        sleep(PENALTY).await;
        Err(Denied::Wrong)
    }
}

impl Source {
    fn hold(&self, token: &[u8]) -> bool {
        match self {
            Self::Fixed(tokens) => tokens.hold(token),
            Self::File(tokens) => tokens.now().hold(token),
        }
    }
}

/// A token that is being judged.
struct Guess<'a> {
    all: &'a Mutex<Quota>,
    key: Key,
}

impl<'a> Guess<'a> {
    fn begin(all: &'a Mutex<Quota>, key: Key) -> Option<Self> {
        lock(all).admit(key, Duration::ZERO).ok()?;
        Some(Self { all, key })
    }
}

impl Drop for Guess<'_> {
    fn drop(&mut self) {
        lock(self.all).leave(self.key);
    }
}

fn lock(quota: &Mutex<Quota>) -> MutexGuard<'_, Quota> {
    quota.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a peer counts as: its user, where that is known, else where it is.
pub(crate) fn key(peer: &Peer) -> Key {
    match (peer.user, peer.remote) {
        (Some(user), _) => Key::User(user),
        (None, Endpoint::Inet(at) | Endpoint::Raw(_, at)) => at.ip().into(),
        (None, Endpoint::Vsock(machine, _)) => Key::Machine(machine.0),
        // Nobody's number (chown(2)).
        (None, Endpoint::Unix(_) | Endpoint::Unnamed) => Key::User(u32::MAX),
    }
}

/// Whether only what is on this machine reaches a target. Of a name that is not known before it is looked up.
fn is_this_machines(target: &Target) -> bool {
    match target {
        Target::HostPort(Host::Loopback, _) | Target::Abstract(_) | Target::Path(_) => true,
        Target::HostPort(Host::Ip(ip, _), _) => ip.to_canonical().is_loopback(),
        Target::HostPort(Host::Name(name), _) => name == "localhost",
        // The in-process network.
        Target::Name(_) => true,
        Target::HostPort(Host::Any, _)
        | Target::Descriptor(_)
        | Target::Machine(..)
        | Target::Nothing
        | Target::Protocol(..)
        | Target::Word(_) => false,
    }
}

fn file(path: &str, ctx: &Ctx) -> Result<Arc<Reloaded<Tokens>>, Error> {
    let path = PathBuf::from(path);
    let name = format!("--tokens {}", path.display());
    let named = name.clone();
    ctx.reloads.keep(&name, move || {
        let wrong =
            |fault| Error::new(Op::Read, io::Error::new(io::ErrorKind::InvalidData, fault)).on(&named);
        Tokens::load(&path).map_err(wrong)
    })
}

fn descriptor(number: &str) -> Result<Tokens, TokenFault> {
    let number: u32 = number.parse().map_err(|_| TokenFault::NoFile)?;
    let mut text = Vec::new();
    let file = File::open(Path::new("/proc/self/fd").join(number.to_string())).map_err(TokenFault::Io)?;
    file.take(tokens::LARGEST).read_to_end(&mut text).map_err(TokenFault::Io)?;
    Tokens::read(&text)
}

fn variable(name: &str) -> Result<Tokens, TokenFault> {
    let text = std::env::var_os(name).ok_or(TokenFault::NoToken)?;
    Tokens::read(text.as_encoded_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &[u8] = b"0123456789abcdef";

    fn peer(user: Option<u32>) -> Peer {
        let mut peer = Peer::new("tcp");
        peer.user = user;
        peer
    }

    #[tokio::test(start_paused = true)]
    async fn our_user_and_root_need_no_token_and_others_need_a_right_one() {
        let us = rustix::process::geteuid().as_raw();
        let ctx = Ctx::default();
        for (user, token, ours, with_tokens) in [
            (Some(us), None, Ok(()), Ok(())),
            (Some(0), None, Ok(()), Ok(())),
            (Some(us + 1), None, Err(Denied::NoToken), Err(Denied::NoToken)),
            (None, None, Err(Denied::NoToken), Err(Denied::NoToken)),
            (None, Some(TOKEN), Err(Denied::NoToken), Ok(())),
            (Some(us + 1), Some(TOKEN), Err(Denied::NoToken), Ok(())),
            (None, Some(&b"0123456789abcdeF"[..]), Err(Denied::NoToken), Err(Denied::Wrong)),
        ] {
            let peer = peer(user);
            let told = Access::ours().admit(&peer, token, &ctx).await;
            assert_eq!(told, ours, "{user:?} {token:?}");
            let told = Access::with_tokens(Tokens::read(TOKEN).unwrap()).admit(&peer, token, &ctx).await;
            assert_eq!(told, with_tokens, "{user:?} {token:?}");
        }
        let mut judged = Ctx::default();
        judged.limits.newcomers = Newcomers::Ours;
        assert_eq!(Access::ours().admit(&peer(None), None, &judged).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wrong_token_costs_a_second_and_only_so_many_of_a_peer_are_looked_at_meanwhile() {
        let access = Arc::new(Access::with_tokens(Tokens::read(TOKEN).unwrap()));
        let mut guesses = tokio::task::JoinSet::new();
        let began = tokio::time::Instant::now();
        for _ in 0..20 {
            let access = access.clone();
            guesses.spawn(async move {
                let denied = access.admit(&peer(None), Some(b"wrong-wrong-wrong"), &Ctx::default()).await;
                (denied, began.elapsed())
            });
        }
        let told = guesses.join_all().await;
        let of = |why| told.iter().filter(|(denied, _)| *denied == Err(why)).count();
        assert_eq!((of(Denied::Wrong), of(Denied::TooManyWrong)), (4, 16));
        assert!(told.iter().all(|(denied, after)| *denied != Err(Denied::Wrong) || *after >= PENALTY));
        assert_eq!(access.admit(&peer(None), Some(TOKEN), &Ctx::default()).await, Ok(()));
    }

    #[test]
    fn beyond_this_machine_a_token_is_taken_over_tls_alone() {
        let ours = Access::ours();
        let tokens = Access::with_tokens(Tokens::read(TOKEN).unwrap());
        for (address, is_taken) in [
            ("tcp:7000", true),
            ("tcp:127.0.0.5:7000", true),
            ("tcp:localhost:7000", true),
            ("tcp:[::1]:7000", true),
            ("unix:/run/x", true),
            ("mem:x", true),
            ("ws:7000", true),
            ("tls:any:7000", true),
            ("wss:10.0.0.1:7000", true),
            ("tls+vsock-l:any:7000", true),
            ("tcp:any:7000", false),
            ("tcp:10.0.0.1:7000", false),
            ("tcp:example.org:7000", false),
            ("ws:any:7000", false),
            ("vsock-l:any:7000", false),
            ("fd-l:3", false),
        ] {
            let address = sockeye::parse_listener(address, &[]).unwrap();
            assert_eq!(ours.newcomers(&address), Ok(Newcomers::Ours), "{address}");
            assert_eq!(
                tokens.newcomers(&address).ok(),
                is_taken.then_some(Newcomers::Identified),
                "{address}"
            );
        }
    }

    #[test]
    fn tokens_come_from_files_variables_and_descriptors() {
        let told = |place: &str| Access::with_tokens_from(place, &Ctx::default()).map(|_| ());
        assert_eq!(
            told("env:SOCKEYE_NO_SUCH_VARIABLE"),
            Err("the tokens of env:SOCKEYE_NO_SUCH_VARIABLE: it holds no token".to_owned())
        );
        assert!(told("fd:x").unwrap_err().starts_with("the tokens of fd:x: it is no file"));
        assert!(told("/no/such").unwrap_err().starts_with("the tokens of /no/such: No such file"));
    }
}
