//! Addresses that somebody has already, and paths where something else stands: they are left alone.

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};

use testkit::{Scratch, connect, exchange};

use super::{ADDRESS_TAKEN, assert_refused, listening, sockeye};

#[test]
fn an_address_that_is_in_use_is_left_to_who_has_it() {
    let scratch = Scratch::new();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = tcp.local_addr().unwrap().port();
    assert_refused(
        &sockeye(&["listen", &format!("tcp:127.0.0.1:{port}")]),
        1,
        &[
            &format!("sockeye: cannot listen on tcp-l:127.0.0.1:{port}: address already in use"),
            ADDRESS_TAKEN,
        ],
    );
    let path = scratch.path("socket");
    let unix = UnixListener::bind(&path).unwrap();
    assert_refused(
        &sockeye(&["listen", &format!("unix:{}", path.display())]),
        1,
        &[
            &format!("sockeye: cannot listen on unix-l:{}: somebody listens there already", path.display()),
            "         end the program that listens there, or choose another path",
        ],
    );
    let mut client = UnixStream::connect(&path).unwrap();
    client.write_all(b"still here").unwrap();
    drop((tcp, unix));
}

#[test]
fn a_path_on_which_sockeye_listens_is_left_alone_and_so_is_its_lock() {
    let scratch = Scratch::new();
    let path = scratch.path("socket").display().to_string();
    let server = listening(&["serve", "echo", &format!("unix:{path}")]);
    let said = format!("sockeye: cannot listen on unix-l:{path}: another process holds the lock beside it");
    let hint = "         end the program that listens there; the lock is PATH.lock";
    assert_refused(&sockeye(&["serve", "upper", &format!("unix:{path}")]), 1, &[&said, hint]);
    assert_eq!(exchange(&mut connect(&server.address(0)), b"hi"), b"hi");
    assert!(scratch.path("socket.lock").exists());
}

#[test]
fn a_lock_that_somebody_holds_keeps_the_path_free_for_them() {
    let scratch = Scratch::new();
    let path = scratch.path("socket").display().to_string();
    let lock = File::create(scratch.path("socket.lock")).unwrap();
    lock.lock().unwrap();
    let said = format!("sockeye: cannot listen on unix-l:{path}: another process holds the lock beside it");
    let hint = "         end the program that listens there; the lock is PATH.lock";
    assert_refused(&sockeye(&["listen", &format!("unix:{path}")]), 1, &[&said, hint]);
    assert!(!scratch.path("socket").exists());
}

#[test]
fn a_plain_file_at_the_path_stays_as_it_is() {
    let scratch = Scratch::new();
    let path = scratch.path("notes.txt");
    fs::write(&path, "dear diary").unwrap();
    let said =
        format!("sockeye: cannot listen on unix-l:{}: a file is there that is no socket", path.display());
    let hint = "         choose another path; what is no socket is never removed";
    assert_refused(&sockeye(&["listen", &format!("unix:{}", path.display())]), 1, &[&said, hint]);
    assert_eq!(fs::read(&path).unwrap(), b"dear diary");
    assert!(!scratch.path("notes.txt.lock").exists(), "the lock stays");
}

#[test]
fn an_abstract_name_that_is_in_use_is_refused() {
    let name = format!("@sockeye-usage-{}", std::process::id());
    let _server = listening(&["serve", "echo", &format!("unix:{name}")]);
    let said = format!("sockeye: cannot listen on unix-l:{name}: address already in use");
    assert_refused(&sockeye(&["listen", &format!("unix:{name}")]), 1, &[&said, ADDRESS_TAKEN]);
}
