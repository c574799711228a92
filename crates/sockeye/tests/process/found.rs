//! What a command finds when it is started: variables, folder, user, streams, limits, signals.

use std::sync::Arc;

use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};
use sockeye::{Ctx, Endpoint, Event, Limits, Peer, Wants};

use super::{dial, exit, output, try_dial};
use crate::lab::{alone, block_on, event, rest};

#[test]
fn folder_and_variables_are_as_the_options_say() {
    block_on(async {
        assert_eq!(output("exec:pwd", &["cwd=/usr"]).await, "/usr\n");
        let told = output("sh:echo $A-$B", &["env=A=1", "env=B=x=y z"]).await;
        assert_eq!(told, "1-x=y z\n");
        // The other variables are ours.
        assert_eq!(output("sh:test -n \"$PATH\" && echo yes", &[]).await, "yes\n");
        assert_eq!(output("exec:printf '%s|' 'a b' \"c\" d", &[]).await, "a b|c|d|");
    });
}

#[test]
fn who_it_is_run_for_is_told_and_nothing_else_is_believed() {
    block_on(async {
        let mut peer = Peer::new("tcp");
        peer.remote = Endpoint::Inet("127.0.0.1:4000".parse().unwrap());
        peer.local = Endpoint::Inet("127.0.0.1:80".parse().unwrap());
        let ctx = Ctx { caller: Some(Arc::new(peer)), ..Ctx::default() };
        let mut conn = dial("sh:echo $SOCKEYE_PEER $SOCKEYE_LOCAL ${SOCKEYE_UID-unset}", &[], &ctx).await;
        assert_eq!(rest(&mut conn).await.unwrap(), b"tcp:127.0.0.1:4000 tcp:127.0.0.1:80 unset\n");
    });
}

#[test]
fn standard_error_goes_where_it_is_asked_to() {
    block_on(async {
        let merged = output("sh:echo out; echo err >&2", &["stderr=merge"]).await;
        assert_eq!(merged, "out\nerr\n");

        let mut ctx = Ctx::default();
        let mut events = ctx.events.subscribe(16, Wants::Trouble);
        let mut conn = dial("sh:echo out; printf 'one\\ntwo' >&2", &["stderr=log"], &ctx).await;
        assert_eq!(rest(&mut conn).await.unwrap(), b"out\n");
        for line in [&b"one"[..], b"two"] {
            let said = event(&mut events, |event| match event {
                Event::Said { command, line, .. } => Some((command, line)),
                _ => None,
            });
            let (command, said) = said.await;
            assert_eq!((&*command, &*said), ("sh:echo out; printf 'one\\ntwo' >&2", line));
        }
    });
}

/// A process to itself: what its parent left open, and the limit, would be those of other tests too.
#[test]
fn nothing_of_ours_is_left_to_it() {
    alone("process::found::nothing_of_ours_is_left_to_it", || {
        let maximum = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: Some(500), maximum }).unwrap();
        let (_reading, left_open) = rustix::pipe::pipe().unwrap();
        block_on(async {
            // Without a descriptor of the shell's own, which a list of the folder would have.
            let open = "sh:for n in $(seq 0 499); do test -e /proc/$$/fd/$n && echo $n; done; ulimit -Sn; ulimit -Hn";
            let ctx = Ctx { limits: Limits { open_files: Some(123), ..Limits::default() }, ..Ctx::default() };
            let mut conn = dial(open, &[], &ctx).await;
            let said = String::from_utf8(rest(&mut conn).await.unwrap()).unwrap();
            let hard = maximum.map_or("unlimited".to_owned(), |most| most.to_string());
            assert_eq!(said, format!("0\n1\n2\n123\n{hard}\n"));

            let signals = output("exec:grep -E '^Sig(Ign|Blk)' /proc/self/status", &[]).await;
            for line in signals.lines() {
                assert!(line.ends_with("\t0000000000000000"), "{signals}");
            }
            assert_eq!(signals.lines().count(), 2);
        });
        drop(left_open);
    });
}

#[test]
fn it_leads_a_session_unless_it_is_told_not_to() {
    block_on(async {
        let told = "sh:cut -d' ' -f5,6 /proc/$$/stat; echo $$ $$";
        let lines = |text: String| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let own = lines(output(told, &[]).await);
        assert_eq!(own[0], own[1]);
        // Read like this since those who are started from outside of their namespace have neither (both are 0).
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let ours = fields.split(' ').skip(2).take(2).collect::<Vec<_>>().join(" ");
        assert_eq!(lines(output(told, &["setsid=no"]).await)[0], ours);
    });
}

#[test]
fn it_runs_as_another_user_where_there_is_the_right_to() {
    block_on(async {
        if !geteuid().is_root() {
            let refused = try_dial("exec:id", &["user=nobody"], &Ctx::default()).await.unwrap_err();
            assert_eq!(refused.cause().to_string(), "as another user or group: operation not permitted");
            return;
        }
        let who = "sh:id -un; id -gn; id -G; echo $USER; cat /proc/$$/status | grep -E '^(Uid|Gid)'";
        let said = output(who, &["user=nobody", "cwd=/"]).await;
        let nobody = "nobody\nnogroup\n65534\nnobody\nUid:\t65534\t65534\t65534\t65534\nGid:\t65534\t65534\t65534\t65534\n";
        assert_eq!(said, nobody);
        assert_eq!(output("sh:id -u; id -G", &["group=nogroup", "cwd=/"]).await, "0\n65534\n");
        assert_eq!(
            output("sh:id -u; id -G", &["user=12345", "group=54321", "cwd=/"]).await,
            "12345\n54321\n"
        );
        assert_eq!(output("sh:echo anew >/dev/stdout", &["user=nobody"]).await, "anew\n");
        // It has no way back, and none into what is ours.
        let mut conn = dial("sh:cat /etc/shadow", &["user=nobody", "stderr=merge"], &Ctx::default()).await;
        assert!(rest(&mut conn).await.unwrap().ends_with(b"Permission denied\n"));
        assert!(!exit(&mut conn).await.is_success());
    });
}
