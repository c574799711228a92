//! Unix sockets: what is done to a path, and never done to one that is not ours; abstract names; options.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::net::sockopt;
use sockeye::{Cause, Conn, Ctx, Endpoint, Error, Kind, Limit, Listening, Op, PathTaken};
use testkit::Scratch;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::lab::{Server, abstract_name, accept, address, dial, echo, get, listen, put, rest, soon};

/// A path that nothing stands at yet, and what listens there.
struct Place {
    _scratch: Scratch,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let scratch = Scratch::new();
        let path = scratch.path("socket");
        Self { _scratch: scratch, path }
    }

    fn word(&self) -> String {
        format!("unix:{}", self.path.display())
    }

    async fn listen(&self, options: &str) -> sockeye::Result<Listening> {
        let word = format!("unix-l:{}{options}", self.path.display());
        soon(&word, sockeye::listen(&address(&word), &Ctx::default())).await
    }

    /// Why nobody can listen here.
    async fn taken(&self, options: &str) -> Error {
        let error = self.listen(options).await.unwrap_err();
        assert_eq!(error.op(), Op::Listen);
        assert_eq!(error.address(), Some(&*self.word().replacen(':', "-l:", 1)));
        error
    }

    fn lock(&self) -> PathBuf {
        self.path.with_extension("lock")
    }

    fn mode(&self) -> u32 {
        fs::symlink_metadata(&self.path).unwrap().permissions().mode() & 0o7777
    }
}

#[track_caller]
fn assert_taken(error: &Error, why: PathTaken) {
    assert!(matches!(error.cause(), Cause::PathTaken(taken) if *taken == why), "{error:?}");
    assert_eq!(error.kind(), Kind::InUse);
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

#[tokio::test]
async fn a_path_is_made_for_us_alone_and_goes_with_its_listener() {
    let place = Place::new();
    let mut listening = place.listen("").await.unwrap();
    assert_eq!(place.mode(), 0o600);
    assert!(place.lock().exists());
    assert_eq!(listening.listener.locals()[0].local, Endpoint::path(&place.path));
    let near = dial(&place.word(), &Ctx::default()).await;
    let far = accept(&mut listening).await;
    assert_eq!(
        (near.peer().remote, far.peer().local),
        (Endpoint::path(&place.path), Endpoint::path(&place.path))
    );
    drop(listening);
    assert!(!exists(&place.path) && !exists(&place.lock()));
}

#[tokio::test]
async fn the_path_goes_when_a_stop_begins_and_those_inside_stay() {
    let place = Place::new();
    let ctx = Ctx::default();
    let listening = listen(&place.word().replacen(':', "-l:", 1), &ctx).await;
    let mut server = Server::start(listening, echo(), &ctx);
    let mut inside = dial(&place.word(), &ctx).await;
    put(&mut inside, b"1").await.unwrap();
    assert_eq!(get(&mut inside, 1).await, b"1");
    ctx.stop.drain();
    while exists(&place.path) || exists(&place.lock()) {
        tokio::task::yield_now().await;
    }
    let error = sockeye::dial(&address(&place.word()), &ctx).await.unwrap_err();
    assert_eq!((error.kind(), error.op()), (Kind::NotFound, Op::Dial));
    put(&mut inside, b"2").await.unwrap();
    assert_eq!(get(&mut inside, 1).await, b"2");
    drop(inside);
    assert_eq!(server.served().await.accepted, 1);
}

#[tokio::test]
async fn mode_and_owner_are_what_is_asked_for() {
    let place = Place::new();
    for (option, mode) in
        [(",mode=0666", 0o666), (",mode=660", 0o660), (",mode=0000", 0), (",mode=0755", 0o755)]
    {
        let _listening = place.listen(option).await.unwrap();
        assert_eq!(place.mode(), mode, "{option}");
    }
    // Only root gives things away; everybody else may give them to themselves.
    let ours = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let (user, group) = if ours.0 == 0 { (43_210, 54_321) } else { ours };
    let owner = |option: String| {
        let place = &place;
        async move {
            let _listening = place.listen(&option).await.unwrap();
            let made = fs::symlink_metadata(&place.path).unwrap();
            assert_eq!(place.mode(), 0o600);
            (made.uid(), made.gid())
        }
    };
    assert_eq!(owner(format!(",owner={user}:{group}")).await, (user, group));
    assert_eq!(owner(format!(",owner={user}")).await, (user, ours.1));
    assert_eq!(owner(format!(",owner=:{group}")).await, (ours.0, group));
    for unknown in ["nobody-has-this-name", ":nobody-has-this-name", ":"] {
        let error = place.taken(&format!(",owner={unknown}")).await;
        assert_eq!(error.kind(), Kind::Usage, "{error:?}");
        assert!(!exists(&place.path) && !exists(&place.lock()), "{unknown}");
    }
}

#[tokio::test]
async fn a_dead_socket_of_ours_is_replaced() {
    let place = Place::new();
    drop(UnixListener::bind(&place.path).unwrap());
    assert!(UnixStream::connect(&place.path).is_err());
    let mut listening = place.listen("").await.unwrap();
    let mut near = dial(&place.word(), &Ctx::default()).await;
    put(&mut near, b"x").await.unwrap();
    assert_eq!(get(&mut accept(&mut listening).await, 1).await, b"x");
}

#[tokio::test]
async fn a_live_socket_is_left_alone() {
    let place = Place::new();
    let theirs = UnixListener::bind(&place.path).unwrap();
    assert_taken(&place.taken("").await, PathTaken::Answered);
    assert!(!exists(&place.lock()), "what was not taken needs no lock");
    assert!(theirs.accept().is_ok(), "somebody asked");
    UnixStream::connect(&place.path).unwrap();
    assert!(theirs.accept().is_ok());

    // One that answers in another way is alive too.
    let place = Place::new();
    let _theirs = std::os::unix::net::UnixDatagram::bind(&place.path).unwrap();
    assert_taken(&place.taken("").await, PathTaken::Answered);
    assert!(exists(&place.path));
}

#[tokio::test]
async fn whoever_holds_the_lock_has_the_path() {
    let place = Place::new();
    let lock = fs::File::create(place.lock()).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    assert_taken(&place.taken("").await, PathTaken::Locked);
    assert!(!exists(&place.path) && exists(&place.lock()));
    drop(lock);
    // A lock file that nobody holds is left over, and is no obstacle.
    drop(place.listen("").await.unwrap());

    let first = place.listen("").await.unwrap();
    assert_taken(&place.taken("").await, PathTaken::Locked);
    let near = dial(&place.word(), &Ctx::default()).await;
    drop((near, first));
    drop(place.listen("").await.unwrap());
}

#[tokio::test]
async fn what_is_no_socket_is_left_alone() {
    let place = Place::new();
    fs::write(&place.path, "precious").unwrap();
    assert_taken(&place.taken("").await, PathTaken::NotASocket);
    assert_eq!(fs::read_to_string(&place.path).unwrap(), "precious");
    assert!(!exists(&place.lock()));

    // Nor is what a link leads to.
    let beside = place.path.with_file_name("link");
    symlink(&place.path, &beside).unwrap();
    let error = sockeye::listen(&address(&format!("unix-l:{}", beside.display())), &Ctx::default()).await;
    assert_taken(&error.unwrap_err(), PathTaken::NotASocket);
    assert_eq!(fs::read_to_string(&beside).unwrap(), "precious");

    // A link to a dead socket is no dead socket.
    fs::remove_file(&place.path).unwrap();
    drop(UnixListener::bind(&place.path).unwrap());
    let error = sockeye::listen(&address(&format!("unix-l:{}", beside.display())), &Ctx::default()).await;
    assert_taken(&error.unwrap_err(), PathTaken::NotASocket);
    assert!(exists(&beside) && exists(&place.path));

    let folder = Place::new();
    fs::create_dir(&folder.path).unwrap();
    assert_taken(&folder.taken("").await, PathTaken::NotASocket);
    assert!(folder.path.is_dir());
}

#[tokio::test]
async fn the_lock_is_not_taken_through_a_link() {
    let place = Place::new();
    let precious = place.path.with_file_name("precious");
    symlink(&precious, place.lock()).unwrap();
    let error = place.taken("").await;
    assert!(matches!(error.cause(), Cause::Io(_)), "{error:?}");
    assert!(!exists(&precious) && !exists(&place.path));
}

/// Only root can make a socket that is somebody else's.
#[tokio::test]
async fn a_dead_socket_of_another_user_is_left_alone() {
    let place = Place::new();
    drop(UnixListener::bind(&place.path).unwrap());
    let given = std::os::unix::fs::chown(&place.path, Some(43_210), None);
    if rustix::process::geteuid().is_root() {
        given.unwrap();
        assert_taken(&place.taken("").await, PathTaken::OtherOwner);
        assert!(exists(&place.path) && !exists(&place.lock()));
    } else {
        assert_eq!(given.unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
    }
}

#[tokio::test]
async fn a_path_that_was_replaced_is_left_to_who_replaced_it() {
    let place = Place::new();
    let listening = place.listen("").await.unwrap();
    fs::remove_file(&place.path).unwrap();
    fs::write(&place.path, "precious").unwrap();
    drop(listening);
    assert_eq!(fs::read_to_string(&place.path).unwrap(), "precious");
    fs::remove_file(&place.path).unwrap();

    let first = place.listen("").await.unwrap();
    fs::remove_file(&place.path).unwrap();
    let theirs = UnixListener::bind(&place.path).unwrap();
    drop(first);
    assert!(UnixStream::connect(&place.path).is_ok());
    drop(theirs);
}

/// Somebody cleaned up behind a listener that still runs, and another has begun there.
#[tokio::test]
async fn a_lock_that_was_replaced_is_left_to_who_replaced_it() {
    let place = Place::new();
    let first = place.listen("").await.unwrap();
    fs::remove_file(&place.path).unwrap();
    fs::remove_file(place.lock()).unwrap();
    let second = place.listen("").await.unwrap();
    drop(first);
    assert!(exists(&place.path), "the path of the second");
    assert!(exists(&place.lock()), "the lock of the second");
    drop(second);
    assert!(!exists(&place.path) && !exists(&place.lock()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_race_for_a_path_exactly_one_wins() {
    let place = Arc::new(Place::new());
    for round in 0..50 {
        if round % 2 == 1 {
            drop(UnixListener::bind(&place.path).unwrap());
        }
        let (start, mut tasks) = (Arc::new(Barrier::new(2)), JoinSet::new());
        for _ in 0..2 {
            let (start, place) = (start.clone(), place.clone());
            tasks.spawn(async move {
                start.wait().await;
                place.listen("").await
            });
        }
        let (won, lost): (Vec<_>, Vec<_>) =
            soon("both", tasks.join_all()).await.into_iter().partition(Result::is_ok);
        assert_eq!((won.len(), lost.len()), (1, 1), "round {round}: {lost:?}");
        for error in lost.into_iter().map(Result::unwrap_err) {
            let taken = matches!(error.cause(), Cause::PathTaken(PathTaken::Locked | PathTaken::Answered));
            assert!(taken, "round {round}: {error:?}");
        }
        dial(&place.word(), &Ctx::default()).await;
        drop(won);
        assert!(!exists(&place.path) && !exists(&place.lock()), "round {round}");
    }
}

#[tokio::test]
async fn an_abstract_name_is_taken_once_and_leaves_nothing() {
    let (name, ctx) = (abstract_name("taken"), Ctx::default());
    let (near, far) = (format!("unix:{name}"), format!("unix-l:{name}"));
    let mut listening = listen(&far, &ctx).await;
    assert_eq!(listening.listener.locals()[0].to_string(), near);
    let error = sockeye::listen(&address(&far), &ctx).await.unwrap_err();
    assert_eq!((error.kind(), error.op(), error.address()), (Kind::InUse, Op::Listen, Some(&*far)));
    let mut conn = dial(&near, &ctx).await;
    put(&mut conn, b"x").await.unwrap();
    assert_eq!(get(&mut accept(&mut listening).await, 1).await, b"x");
    drop(listening);
    assert_eq!(sockeye::dial(&address(&near), &ctx).await.unwrap_err().kind(), Kind::Refused);
    drop(listen(&far, &ctx).await);
}

#[tokio::test]
async fn who_dials_waits_for_room_in_the_queue_and_no_longer_than_its_limit() {
    let (name, ctx) = (abstract_name("queue"), Ctx::default());
    let mut listening = listen(&format!("unix-l:{name},backlog=1"), &ctx).await;
    let mut waiting = Vec::new();
    let error = loop {
        match soon("room or the limit", sockeye::dial(&address(&format!("unix:{name},connect=100ms")), &ctx))
            .await
        {
            Ok(conn) => waiting.push(conn),
            Err(error) => break error,
        }
        assert!(waiting.len() < 10, "the queue has no bound");
    };
    assert!(matches!(error.cause(), Cause::Limit(Limit::Connect, _)), "{error:?}");

    let word = format!("unix:{name}");
    let (mut near, mut far) = tokio::join!(dial(&word, &ctx), async {
        for _ in 0..waiting.len() {
            accept(&mut listening).await;
        }
        accept(&mut listening).await
    });
    put(&mut near, b"at last").await.unwrap();
    assert_eq!(get(&mut far, 7).await, b"at last");
}

#[tokio::test]
async fn buffers_have_the_sizes_that_are_asked_for() {
    let (name, ctx) = (abstract_name("buffers"), Ctx::default());
    let options = ",sndbuf=100k,rcvbuf=50000";
    let sizes = |conn: &Conn| {
        let socket = conn.bare().unwrap();
        let send = sockopt::socket_send_buffer_size(socket).unwrap();
        (send, sockopt::socket_recv_buffer_size(socket).unwrap())
    };
    let mut listening = listen(&format!("unix-l:{name}{options}"), &ctx).await;
    let near = dial(&format!("unix:{name}{options}"), &ctx).await;
    let far = accept(&mut listening).await;
    // The kernel doubles what it is told, for its own records (socket(7)).
    assert_eq!(sizes(&near), (204_800, 100_000), "dialled");
    assert_eq!(sizes(&far), (204_800, 100_000), "accepted");
}

#[tokio::test]
async fn who_left_before_it_was_accepted_has_still_been_heard() {
    let (name, ctx) = (abstract_name("gone"), Ctx::default());
    let mut listening = listen(&format!("unix-l:{name}"), &ctx).await;
    let mut near = dial(&format!("unix:{name}"), &ctx).await;
    put(&mut near, b"bye").await.unwrap();
    drop(near);
    assert_eq!(rest(&mut accept(&mut listening).await).await.unwrap(), b"bye");
    let nobody = timeout(Duration::from_millis(20), sockeye::accept(&mut *listening.listener)).await;
    assert!(nobody.is_err(), "{nobody:?}");
}
