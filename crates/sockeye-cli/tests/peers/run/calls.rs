//! Programs that call `run` as their remote shell, and a terminal that is elsewhere.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use testkit::{LIMIT, Scratch, python};

use super::serving;
use crate::peers::{BINARY, MEBIBYTE, noise, shell};

/// A folder with names and bytes that have gone wrong elsewhere.
fn folder(scratch: &Scratch) -> std::path::PathBuf {
    let folder = scratch.path("from");
    fs::create_dir_all(folder.join("below")).unwrap();
    for (name, bytes) in [
        (&b"plain"[..], noise(1)),
        (b"with space and 'quotes'", b"x".to_vec()),
        (b"\xff\xfe no text", vec![0, 255, 13, 10, 4]),
        (b"below/empty", vec![]),
    ] {
        fs::write(folder.join(std::ffi::OsStr::from_bytes(name)), bytes).unwrap();
    }
    folder
}

#[test]
fn rsync_git_and_tar_go_through_it_and_nothing_is_changed() {
    let scratch = Scratch::new();
    let (_server, address) = serving(&scratch, "s");
    let from = folder(&scratch);
    let script = r#"
        cd "$2"
        rsync -a -e "$0 run --rsh $1" from/ host:"$2/by rsync/"
        rsync -a -l -e "$0 run --rsh $1" me@host:"$2/from/" back
        mkdir by-tar && tar -C from -c . | sockeye run "$1" --cwd "$2/by-tar" -- tar x
        diff -r from 'by rsync' && diff -r from back && diff -r from by-tar
        export GIT_SSH_VARIANT=simple GIT_SSH_COMMAND="$0 run --rsh $1" GIT_CONFIG_GLOBAL=/dev/null
        git init -q there && cp -r from/plain there && git -C there add . 
        git -C there -c user.name=a -c user.email=a@b commit -qm first
        git clone -q "host:$2/there" cloned && cmp cloned/plain from/plain && echo all the same
    "#;
    let root = scratch.path("");
    let mut command = shell(&format!("set -e; {script}"), &[&address, root.to_str().unwrap()]);
    let exit = testkit::run(&mut command, b"", LIMIT);
    assert_eq!(
        (String::from_utf8_lossy(&exit.stdout).as_ref(), exit.code),
        ("all the same\n", Some(0)),
        "{exit:?}"
    );
    assert_eq!(fs::metadata(from.join("plain")).unwrap().len(), u64::try_from(MEBIBYTE).unwrap());
}

/// Plays somebody at a terminal of 100 columns.
const SITTING: &str = r#"
import fcntl, os, pty, select, signal, struct, sys, termios, time
pid, terminal = pty.fork()
if pid == 0:
    time.sleep(0.1)
    os.execv(sys.argv[1], [sys.argv[1], 'run', '--pty', sys.argv[2], '--', 'bash', '--norc', '-i'])
def size(rows, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
size(30, 100)
before = termios.tcgetattr(terminal)
seen = b''
def until(text):
    global seen
    end = time.monotonic() + 15
    while text not in seen:
        if not select.select([terminal], [], [], max(0, end - time.monotonic()))[0]:
            sys.exit('no %r in %r' % (text, seen))
        seen += os.read(terminal, 65536)
    seen = seen.split(text, 1)[1]
def types(text, *answers):
    os.write(terminal, text)
    for answer in answers:
        until(answer)
types(b"PS1='go''on> '; stty size\r", b'30 100', b'goon> ')
assert termios.tcgetattr(terminal) != before, 'not raw'
size(40, 120)
types(b"until [ \"$(stty size)\" = '40 120' ]; do sleep 0.05; done; echo re''sized\r", b'resized', b'goon> ')
types(b'echo be''gin; sleep 60\r', b'begin\r\n')
types(b'\x03', b'goon> ')
types(b'echo "code=$?"\r', b'code=130', b'goon> ')
types(b'echo be''gin; sleep 60\r', b'begin\r\n')
time.sleep(0.2)
types(b'\x1a', b'Stopped', b'goon> ')
types(b'jobs; kill %1; exit 9\r', b'Stopped', b'exit')
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
assert termios.tcgetattr(terminal) == before, 'not as it was'
print(code)
"#;

#[test]
fn a_shell_at_a_terminal_elsewhere_has_its_size_signals_and_jobs_and_ours_is_as_it_was() {
    let scratch = Scratch::new();
    let (_server, address) = serving(&scratch, "s");
    let exit = testkit::run(&mut python(SITTING, &[BINARY, &address]), b"", LIMIT);
    assert_eq!((exit.stdout.as_slice(), exit.code), (&b"9\n"[..], Some(0)), "{exit:?}");
}
