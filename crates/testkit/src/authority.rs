//! Certificates for tests, made anew each time by the openssl command.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{LIMIT, Scratch, require, run};

/// Somebody who issues certificates. The files are gone with it.
#[derive(Debug)]
pub struct Authority {
    folder: Scratch,
    /// How many certificates it has issued.
    issued: AtomicU32,
}

/// A certificate and its key, as paths.
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
        let authority = Self { folder: Scratch::new(), issued: AtomicU32::new(0) };
        authority.make("ca", &["-subj", "/O=Sockeye/CN=Test Authority"]);
        authority
    }

    /// The path of its own certificate.
    pub fn certificate(&self) -> String {
        self.path("ca.pem")
    }

    /// A certificate for names such as `DNS:localhost,IP:127.0.0.1`.
    pub fn issue(&self, names: &str) -> Issued {
        let (ca, key) = (self.certificate(), self.path("ca.key"));
        self.issued(
            "issued",
            names,
            &["-CA", &ca, "-CAkey", &key, "-addext", "basicConstraints=critical,CA:FALSE"],
        )
    }

    /// The same, which vouches for itself.
    pub fn self_signed(&self, names: &str) -> Issued {
        self.issued("alone", names, &[])
    }

    /// The pin of a certificate's key, as openssl tells it.
    pub fn pin(&self, certificate: &str) -> String {
        let script = "openssl x509 -in \"$0\" -pubkey -noout | openssl pkey -pubin -outform DER | \
                      openssl dgst -sha256 -binary | openssl base64";
        let told = run(Command::new("sh").args(["-c", script, certificate]), b"", LIMIT);
        format!("sha256/{}", String::from_utf8_lossy(&told.stdout).trim())
    }

    fn issued(&self, name: &str, names: &str, by: &[&str]) -> Issued {
        let number = self.issued.fetch_add(1, Ordering::Relaxed);
        let (subject, names) = (format!("/CN={name}"), format!("subjectAltName={names}"));
        let file = format!("{name}-{number}");
        self.make(&file, &[&["-subj", &subject, "-addext", &names], by].concat());
        Issued { certificate: self.path(format!("{file}.pem")), key: self.path(format!("{file}.key")) }
    }

    fn make(&self, name: &str, args: &[&str]) {
        let mut command = Command::new(require("openssl"));
        command.args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30".split(' '));
        command.args([
            "-out",
            &self.path(format!("{name}.pem")),
            "-keyout",
            &self.path(format!("{name}.key")),
        ]);
        let made = run(command.args(args), b"", LIMIT);
        assert!(made.code == Some(0), "openssl {args:?}: {made:?}");
    }

    fn path(&self, name: impl AsRef<Path>) -> String {
        self.folder.path(name).display().to_string()
    }
}
