//! chrony, which tells the time as it finds it on this machine, and does not set the clock.

use std::fs;
use std::io;

use super::{Bench, Running, Work, other};
use crate::server::{Transport, free_port};

pub(super) fn chrony(work: Work, bench: &Bench) -> io::Result<Option<Running>> {
    let Work::TellTime = work else { return Ok(None) };
    let port = free_port(Transport::Udp)?;
    let (settings, pid) = (bench.folder.join("chrony.conf"), bench.folder.join("chrony.pid"));
    let text = format!(
        "local stratum 10\nallow 127.0.0.0/8\nbindaddress 127.0.0.1\nport {port}\ncmdport 0\npidfile {}\n",
        pid.display()
    );
    fs::write(&settings, text)?;
    let user = rustix::process::geteuid().as_raw();
    let user = if user == 0 { "-u root " } else { "" };
    other(Transport::Udp, port, &format!("chronyd -d -x {user}-f {}", settings.display()))
}
