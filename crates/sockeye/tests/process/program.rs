//! `Program`: commands that services start, their streams, signals and limits.

use std::time::{Duration, Instant};

use sockeye::process::{Limits, Output, Program, Running, Streams};
use sockeye::{Cause, Ctx, Exit, Kind, Unstarted};

use crate::lab::{alone, assert_same, block_on, numbered, soon};

async fn start(program: Program, ctx: &Ctx) -> Running {
    let started = soon("a start", program.start(ctx)).await;
    started.unwrap_or_else(|error| panic!("{error}: {}", error.cause()))
}

async fn bytes(output: &mut Output) -> Vec<u8> {
    let (mut all, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        match soon("output", output.read(&mut buffer)).await.unwrap() {
            0 => return all,
            read => all.extend_from_slice(&buffer[..read]),
        }
    }
}

async fn rest(output: &mut Output) -> String {
    String::from_utf8(bytes(output).await).unwrap()
}

/// Reads until this was said.
async fn until(output: &mut Output, words: &str) -> String {
    let (mut said, mut buffer) = (String::new(), [0; 4096]);
    while !said.contains(words) {
        let read = soon(words, output.read(&mut buffer)).await.unwrap();
        assert!(read > 0, "{words:?} was not said, but {said:?}");
        said.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    said
}

/// What a program without input says, and how it ended.
async fn outcome(program: Program) -> (String, String, Exit) {
    let program = Program { no_input: true, ..program };
    let Running { input, mut output, errors, mut command } = start(program, &Ctx::default()).await;
    assert!(input.is_none());
    let said = rest(&mut output).await;
    let errors = match errors {
        Some(mut errors) => rest(&mut errors).await,
        None => String::new(),
    };
    (said, errors, soon("the end", command.exit()).await)
}

#[test]
fn each_stream_is_a_pipe_of_its_own_or_goes_with_another() {
    block_on(async {
        let line = "echo out; echo err >&2; echo again; exit 3";
        let apart = outcome(Program::shell(line)).await;
        assert_eq!(apart, ("out\nagain\n".into(), "err\n".into(), Exit::Code(3)));
        let merged = outcome(Program { streams: Streams::Merged, ..Program::shell(line) }).await;
        assert_eq!(merged, ("out\nerr\nagain\n".into(), String::new(), Exit::Code(3)));
    });
}

#[test]
fn what_is_written_is_read_and_its_end_is_told() {
    block_on(async {
        let content = numbered(3 << 20);
        let Running { input, mut output, mut command, .. } =
            start(Program::new(["cat"]), &Ctx::default()).await;
        let mut input = input.unwrap();
        let send = async {
            input.write_all(&content).await.unwrap();
            input.shutdown().await.unwrap();
            assert!(input.write_all(b"x").await.is_err() && input.lend().is_none());
        };
        let ((), came) = soon("all of it", async { tokio::join!(send, bytes(&mut output)) }).await;
        assert_same(&came, &content);
        assert_eq!(command.exit().await, Exit::Code(0));
    });
}

#[test]
fn words_are_what_the_program_gets_and_no_shell_sees_them() {
    block_on(async {
        let words = Program::new(["printf", "%s|", "a b", "$HOME", "", "*"]);
        assert_eq!(outcome(words).await.0, "a b|$HOME||*|");
        let folder = Program { folder: Some("/".into()), ..Program::new(["pwd"]) };
        assert_eq!(outcome(folder).await.0, "/\n");
    });
}

#[test]
fn a_clean_environment_has_no_variable_of_ours() {
    block_on(async {
        let variables = vec![("ONE".into(), "1".into())];
        let all = outcome(Program { variables: variables.clone(), ..Program::new(["env"]) }).await.0;
        assert!(all.contains("CARGO_MANIFEST_DIR=") && all.contains("ONE=1\n"), "{all}");
        let clean = outcome(Program { variables, clean: true, ..Program::new(["env"]) }).await.0;
        assert!(!clean.contains("CARGO") && clean.contains("ONE=1\n") && clean.contains("PATH="), "{clean}");
    });
}

#[test]
fn what_could_not_be_started_is_named_and_why() {
    block_on(async {
        let rows = [
            (Program::new(["no-such", "a"]), Kind::NotFound, "cannot start no-such a"),
            (Program::new(["a\0b"]), Kind::Other, "cannot start a\0b"),
            (Program::new(["true", "a\0b"]), Kind::Other, "cannot start true a\0b"),
            (
                Program { variables: vec![("".into(), "x".into())], ..Program::shell("x") },
                Kind::Other,
                "cannot start x",
            ),
            (
                Program { folder: Some("/no/such".into()), ..Program::shell("true") },
                Kind::NotFound,
                "cannot start true",
            ),
            (Program::default(), Kind::Other, "cannot start "),
        ];
        for (program, kind, said) in rows {
            let error = soon("a failure", program.start(&Ctx::default())).await.unwrap_err();
            assert_eq!((error.kind(), error.to_string()), (kind, said.to_owned()), "{}", error.cause());
            let is_named =
                matches!(error.cause(), Cause::Unstarted(Unstarted::Program(_) | Unstarted::Folder(_), _));
            assert!(is_named, "{}", error.cause());
        }
        let long = Program::new(["no-such".to_owned(), "é".repeat(1000)]);
        let error = soon("a failure", long.start(&Ctx::default())).await.unwrap_err();
        assert!((200..220).contains(&error.to_string().len()), "{error}");
    });
}

#[test]
fn a_signal_reaches_the_whole_group() {
    block_on(async {
        let script = "import os, signal, sys, time
signal.signal(signal.SIGUSR1, lambda *_: print('heard', flush=True))
child = os.fork()
if child == 0:
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    print('ready', flush=True)
    time.sleep(1000)
_, status = os.waitpid(child, 0)
print('gone by', os.WTERMSIG(status), flush=True)
sys.exit(7)";
        let ctx = Ctx::default();
        let Running { mut output, mut command, .. } =
            start(Program::new(["/usr/bin/python3", "-c", script]), &ctx).await;
        until(&mut output, "ready\n").await;
        command.signal(10).unwrap();
        let said = rest(&mut output).await;
        assert!(said.contains("heard\n") && said.contains("gone by 10\n"), "{said}");
        assert_eq!(command.exit().await, Exit::Code(7));
        // It is over: there is nobody to hear it, and nobody else does.
        command.signal(9).unwrap();
        assert!([0, -1, 32, 64, 255].iter().all(|number| command.signal(*number).is_err()));
    });
}

#[test]
fn a_signal_reaches_a_command_in_our_group_alone() {
    block_on(async {
        let program = Program { in_our_session: true, ..Program::new(["sleep", "1000"]) };
        let mut running = start(program, &Ctx::default()).await;
        running.command.signal(15).unwrap();
        assert_eq!(soon("the end", running.command.exit()).await, Exit::Signal(15));
    });
}

#[test]
fn limits_hold() {
    block_on(async {
        let limits = Limits { memory: Some(256 << 20), open_files: Some(77), ..Limits::default() };
        let program = Program { limits, ..Program::shell("ulimit -n; ulimit -c; ulimit -d") };
        assert_eq!(outcome(program).await.0, "77\n0\n262144\n");
        let hungry = "python3 -c 'x = bytearray(512 << 20); print(len(x))'";
        let (said, errors, exit) = outcome(Program { limits, ..Program::shell(hungry) }).await;
        assert_eq!((said.as_str(), exit), ("", Exit::Code(1)), "{errors}");
        assert!(errors.contains("MemoryError"), "{errors}");
        assert_eq!(outcome(Program::shell("ulimit -c")).await.0, "0\n");
    });
}

#[test]
fn a_command_with_too_many_processes_is_killed_with_all_of_them() {
    block_on(async {
        let limits = Limits { processes: Some(20), ..Limits::default() };
        let few = Program::shell("for i in $(seq 18); do sleep 0.3 & done; wait; echo done");
        let mut running = start(Program { limits, ..few }, &Ctx::default()).await;
        assert_eq!(rest(&mut running.output).await, "done\n");
        assert_eq!((running.command.exit().await, running.command.is_crowded()), (Exit::Code(0), false));

        let bomb = Program::shell(
            "trap '' TERM; f() { setsid sh -c 'trap \"\" TERM; sleep 1000' & }; \
            for i in $(seq 40); do f; done; wait; sleep 1000",
        );
        let (ctx, began) = (Ctx::default(), Instant::now());
        let mut running = start(Program { limits, ..bomb }, &ctx).await;
        assert_eq!(rest(&mut running.output).await, "");
        assert_eq!(running.command.exit().await, Exit::Signal(9));
        assert!(running.command.is_crowded() && began.elapsed() < Duration::from_secs(5));
        ctx.tasks.close();
        soon("everybody to be gone", ctx.tasks.wait()).await;
    });
}

#[test]
fn nothing_gets_new_privileges_where_that_is_asked() {
    block_on(async {
        for (no_new_privileges, said) in [(false, "NoNewPrivs:\t0\n"), (true, "NoNewPrivs:\t1\n")] {
            let asks = Program::new(["grep", "NoNewPrivs", "/proc/self/status"]);
            assert_eq!(outcome(Program { no_new_privileges, ..asks }).await.0, said);
        }
    });
}

/// A process to itself, whose descriptors are limited.
#[test]
fn a_command_without_room_fails_alone_and_says_why() {
    alone("process::program::a_command_without_room_fails_alone_and_says_why", || {
        block_on(async {
            let ctx = Ctx::default();
            let mut running = start(Program::new(["cat"]), &ctx).await;
            let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
            let few = rustix::process::Rlimit { current: Some(3), ..limit };
            rustix::process::setrlimit(rustix::process::Resource::Nofile, few).unwrap();
            let error = Program::new(["true"]).start(&ctx).await.unwrap_err();
            assert_eq!(error.to_string(), "cannot start true");
            assert_eq!(error.cause().to_string(), "a process for it: too many open files");
            assert_eq!(error.kind(), Kind::Exhausted);
            drop(running.input.take());
            assert_eq!(running.command.exit().await, Exit::Code(0));
            rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
            assert_eq!(outcome(Program::new(["true"])).await.2, Exit::Code(0));
        });
    });
}

#[test]
fn a_thousand_at_once_all_run_and_leave_nothing() {
    alone("process::program::a_thousand_at_once_all_run_and_leave_nothing", || {
        block_on(async {
            let ctx = Ctx::default();
            let mut all = Vec::new();
            for _ in 0..1000 {
                all.push(start(Program::new(["cat"]), &ctx).await);
            }
            for (number, running) in all.iter_mut().enumerate() {
                let mut input = running.input.take().unwrap();
                input.write_all(format!("{number}\n").as_bytes()).await.unwrap();
            }
            for (number, running) in all.iter_mut().enumerate() {
                assert_eq!(rest(&mut running.output).await, format!("{number}\n"));
                assert_eq!(running.command.exit().await, Exit::Code(0));
            }
            drop(all);
            ctx.tasks.close();
            soon("all guards to be gone", ctx.tasks.wait()).await;
        });
        let children = std::fs::read_dir("/proc/self/task")
            .unwrap()
            .map(|task| std::fs::read_to_string(task.unwrap().path().join("children")).unwrap());
        assert_eq!(children.collect::<String>(), "");
    });
}

#[test]
fn a_shell_at_a_terminal_has_jobs_keys_and_sizes() {
    block_on(async {
        let streams = Streams::Terminal { columns: 81, rows: 25 };
        let variables = vec![("PS1".into(), "> ".into()), ("TERM".into(), "dumb".into())];
        let shell = Program { streams, variables, ..Program::new(["bash", "--norc", "--noprofile", "-i"]) };
        let ctx = Ctx::default();
        let Running { input, mut output, errors, command } = start(shell, &ctx).await;
        let mut input = input.unwrap();
        assert!(errors.is_none());
        until(&mut output, "> ").await;
        // The words that are waited for are in two pieces where they are typed, which is shown, too.
        let works = b"/usr/bin/python3 -c 'import signal as s
tell = lambda words: lambda *_: print(words, flush=True)
s.signal(s.SIGCONT, tell(\"aw\" \"ake\")); s.signal(s.SIGWINCH, tell(\"si\" \"zed\"))
tell(\"rea\" \"dy\")()
while True: s.pause()'\n";
        let steps: [(&[u8], &str); 8] = [
            (b"stty size\n", "25 81"),
            // The keys reach the job in front, and not the shell.
            (b"sh -c 'echo rea\"\"dy; exec sleep 1000'\n", "ready"),
            (b"\x03", "> "),
            (works, "ready"),
            (b"\x1a", "Stopped"),
            (b"fg\n", "awake"),
            (b"\x1a", "Stopped"),
            (works, "ready"),
        ];
        for (typed, said) in steps {
            soon("typing", input.write_all(typed)).await.unwrap();
            until(&mut output, said).await;
        }
        command.resize(100, 30).unwrap();
        until(&mut output, "sized").await;
        command.signal(2).unwrap();
        until(&mut output, "> ").await;
        soon("typing", input.write_all(b"stty size; jobs\n")).await.unwrap();
        let said = until(&mut output, "Stopped").await;
        assert!(said.contains("30 100"), "{said}");
        // It leaves with a job that is stopped, which would hear of no end.
        drop(command);
        ctx.tasks.close();
        soon("everybody to be gone", ctx.tasks.wait()).await;
    });
}

#[test]
fn a_family_that_is_deeper_than_is_looked_through_at_once_is_gone_too() {
    block_on(async {
        let deep = "f='echo $1; [ $1 = 0 ] && sleep 1000; sh -c \"$2\" x $(($1 - 1)) \"$2\"; :'; sh -c \"$f\" x 45 \"$f\"";
        let ctx = Ctx::default();
        let Running { mut output, command, .. } = start(Program::shell(deep), &ctx).await;
        until(&mut output, "\n0\n").await;
        drop(command);
        assert_eq!(rest(&mut output).await, "");
        ctx.tasks.close();
        soon("everybody to be gone", ctx.tasks.wait()).await;
    });
}

#[test]
fn a_dropped_handle_ends_the_command_and_its_streams() {
    block_on(async {
        let ctx = Ctx::default();
        let Running { input, mut output, command, .. } =
            start(Program::shell("trap '' TERM; echo on; setsid sleep 1000 & sleep 1000"), &ctx).await;
        until(&mut output, "on\n").await;
        drop((command, input));
        assert_eq!(rest(&mut output).await, "");
        ctx.tasks.close();
        assert!(tokio::time::timeout(Duration::from_secs(5), ctx.tasks.wait()).await.is_ok());
    });
}
