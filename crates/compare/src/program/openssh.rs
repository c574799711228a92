//! OpenSSH, with keys that are made for the run.

use std::ffi::OsString;
use std::fs;
use std::io;

use super::{Bench, Runner, Running, Work, hosts};
use crate::server::{Port, Server, Transport, command, free_port, words};

/// At how many addresses it can listen (`MAX_LISTEN_SOCKS`).
const ADDRESSES: usize = 16;

pub(super) fn openssh(work: Work, bench: &Bench) -> io::Result<Option<Running>> {
    let Work::RunCommands = work else { return Ok(None) };
    let (port, folder) = (free_port(Transport::Tcp)?, bench.folder.display());
    for key in ["host-key", "user-key"] {
        if !bench.folder.join(key).exists() {
            let made = command(&words(&format!("ssh-keygen -q -t ed25519 -f {folder}/{key} -N")))
                .arg("")
                .output()?;
            if !made.status.success() {
                return Err(io::Error::other("ssh-keygen made no key"));
            }
        }
    }
    if rustix::process::geteuid().is_root() {
        // Where it locks itself in as root; Debian makes it only when the service starts.
        fs::create_dir_all("/run/sshd")?;
    }
    let listens: String = hosts().take(ADDRESSES).map(|host| format!("ListenAddress {host}\n")).collect();
    let settings = format!(
        "Port {port}\n{listens}HostKey {folder}/host-key\nAuthorizedKeysFile {folder}/user-key.pub\nStrictModes no\n\
         UsePAM no\nPermitRootLogin yes\nPidFile none\nMaxStartups 100\n"
    );
    fs::write(bench.folder.join("sshd.conf"), settings)?;
    let server = format!("/usr/sbin/sshd -D -e -f {folder}/sshd.conf");
    let server = Server::start(&words(&server), Port::Given(port, Transport::Tcp))?;
    let client: Vec<OsString> = words(&format!(
        "ssh -F none -i {folder}/user-key -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o \
         UserKnownHostsFile={folder}/known-hosts -o LogLevel=ERROR -p {port}"
    ));
    Ok(Some(Running { runner: Some(Runner::Ssh(client)), ..server.into() }))
}
