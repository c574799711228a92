//! A certificate, its key and who vouches for it, in files that can be exchanged under a running program.

use std::fs;

use crate::{Authority, Scratch};

/// The three files. They are gone with it.
#[derive(Debug)]
pub struct Credentials(Scratch);

impl Credentials {
    /// Those of a new authority, which has issued a certificate for that name.
    pub fn of(name: &str) -> Self {
        let credentials = Self(Scratch::new());
        credentials.exchange(name);
        credentials
    }

    /// Puts those of another authority in their place.
    pub fn exchange(&self, name: &str) {
        let authority = Authority::new();
        let issued = authority.issue(&format!("DNS:{name}"));
        for (from, to) in [(issued.certificate, "cert"), (issued.key, "key"), (authority.certificate(), "ca")]
        {
            fs::copy(from, self.0.path(to)).expect("a copy of a small file");
        }
    }

    /// The path of `cert`, `key` or `ca`, or of another file beside them.
    pub fn path(&self, file: &str) -> String {
        self.0.path(file).display().to_string()
    }

    /// The certificate and its key as options of an address.
    pub fn shown(&self) -> String {
        format!("cert={},key={}", self.path("cert"), self.path("key"))
    }
}
