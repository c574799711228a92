//! Certificates for tests, made anew each time by the openssl command.

use std::path::Path;
use std::process::Command;

use crate::{LIMIT, Scratch, require, run};

/// Somebody who issues certificates. The files are gone with it.
#[derive(Debug)]
pub struct Authority {
    folder: Scratch,
}

/// A certificate and its key, as options of an address and as paths for other programs.
#[derive(Debug)]
pub struct Issued {
    /// The path of the certificate, in PEM.
    pub certificate: String,
    /// The path of its key.
    pub key: String,
}

impl Authority {
    /// An authority that nobody else knows.
    #[expect(clippy::new_without_default, reason = "a default value makes no files")]
    pub fn new() -> Self {
        let authority = Self { folder: Scratch::new() };
        authority.make("ca", &["-subj", "/O=Sockeye/CN=Test Authority"]);
        authority
    }

    /// The path of its own certificate.
    pub fn certificate(&self) -> String {
        self.path("ca.pem")
    }

    /// A certificate for names such as `DNS:localhost,IP:127.0.0.1`.
    pub fn issue(&self, names: &str) -> Issued {
        let names = format!("subjectAltName={names}");
        self.issued("issued", &["-subj", "/CN=issued", "-addext", &names], true)
    }

    /// The same, which vouches for itself.
    pub fn self_signed(&self, names: &str) -> Issued {
        let names = format!("subjectAltName={names}");
        self.issued("alone", &["-subj", "/CN=alone", "-addext", &names], false)
    }

    /// The pin of a certificate's key, as openssl tells it.
    pub fn pin(&self, certificate: &str) -> String {
        let script = "openssl x509 -in \"$0\" -pubkey -noout | openssl pkey -pubin -outform DER | \
                      openssl dgst -sha256 -binary | openssl base64";
        let told = run(Command::new("sh").args(["-c", script, certificate]), b"", LIMIT);
        format!("sha256/{}", String::from_utf8_lossy(&told.stdout).trim())
    }

    fn issued(&self, name: &str, args: &[&str], is_vouched: bool) -> Issued {
        let (ca, key) = (self.certificate(), self.path("ca.key"));
        let by = ["-CA", &ca, "-CAkey", &key, "-addext", "basicConstraints=critical,CA:FALSE"];
        let args: Vec<&str> =
            args.iter().chain(&by).copied().take(args.len() + if is_vouched { 6 } else { 0 }).collect();
        self.make(name, &args);
        Issued { certificate: self.path(&format!("{name}.pem")), key: self.path(&format!("{name}.key")) }
    }

    fn make(&self, name: &str, args: &[&str]) {
        let mut command = Command::new(require("openssl"));
        command.args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30".split(' '));
        command.args([
            "-out",
            &self.path(&format!("{name}.pem")),
            "-keyout",
            &self.path(&format!("{name}.key")),
        ]);
        let made = run(command.args(args), b"", LIMIT);
        assert!(made.code == Some(0), "openssl {args:?}: {made:?}");
    }

    fn path(&self, name: impl AsRef<Path>) -> String {
        self.folder.path(name).display().to_string()
    }
}
