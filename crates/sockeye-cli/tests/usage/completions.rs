//! Tab in bash, zsh and fish, each with the script that `gen` prints for it.

use std::fs;
use std::path::Path;
use std::process::Command;

use testkit::{LIMIT, Process, Scratch, require, run};

use super::{BINARY, assert_all_wrong_usage, assert_refused, sockeye};

/// A shell at a terminal that was told about sockeye. Ctrl-X P shows the line and begins a new one.
struct Shell {
    process: Process,
    asked: usize,
    scratch: Scratch,
}

impl Shell {
    fn bash(setup: &str) -> Self {
        let rc = format!(
            "{setup}
source <(sockeye gen completions bash)
show() {{ printf 'line<%s>\\n' \"$READLINE_LINE\"; READLINE_LINE=; }}
bind -x '\"\\C-xp\": show'
PS1='ready'\"> \""
        );
        Self::start("rc", &rc, "bash --noprofile --rcfile rc -i")
    }

    fn zsh() -> Self {
        let rc = "
autoload -Uz compinit
compinit -D -u
source <(sockeye gen completions zsh)
show() { print -r -- \"line<$BUFFER>\"; BUFFER= }
zle -N show
bindkey '^Xp' show
PS1='ready'\"> \"";
        Self::start(".zshrc", rc, "ZDOTDIR=. zsh -d -i")
    }

    fn start(file: &str, rc: &str, shell: &str) -> Self {
        let scratch = Scratch::new();
        fs::write(scratch.path(file), rc).unwrap();
        fs::write(scratch.path("some.sock"), "").unwrap();
        let mut command = Command::new(require("script"));
        command.args(["-q", "-c", shell, "/dev/null"]).current_dir(scratch.path(""));
        let process = Process::spawn(command.env("PATH", path()).env("TERM", "dumb"));
        process.wait_stdout(LIMIT, |said| ends_with(said, b"ready> "));
        Self { process, asked: 0, scratch }
    }

    /// What a line becomes by a Tab.
    fn tab(&mut self, line: &str) -> String {
        self.process.write(format!("{line}\t\x18p").as_bytes());
        self.asked += 1;
        let asked = self.asked;
        let shown = |said: &[u8]| {
            let said = String::from_utf8_lossy(said).into_owned();
            let line = said.split("line<").nth(asked)?.split_once('>')?.0.to_owned();
            Some(line)
        };
        let said = self.process.wait_stdout(LIMIT, |said| shown(said).is_some());
        shown(&said).unwrap()
    }

    fn assert_lines(&mut self) {
        for (typed, wanted) in LINES {
            assert_eq!(self.tab(typed), *wanted, "{typed:?}");
        }
        fs::remove_file(self.scratch.path("some.sock")).unwrap();
        assert_eq!(self.tab("sockeye dial unix:some"), "sockeye dial unix:some");
    }
}

fn ends_with(said: &[u8], end: &[u8]) -> bool {
    said.windows(end.len()).any(|window| window == end)
}

/// The search path, with the `sockeye` under test first on it.
fn path() -> String {
    let folder = Path::new(BINARY).parent().unwrap().display();
    format!("{folder}:{}", std::env::var("PATH").unwrap_or_default())
}

/// What can be typed, and what a Tab makes of it.
const LINES: &[(&str, &str)] = &[
    ("sockeye rel", "sockeye relay "),
    ("sockeye dial tc", "sockeye dial tcp:"),
    ("sockeye dial tcp:localh", "sockeye dial tcp:localhost:"),
    ("sockeye listen tcp-l:8080,max-co", "sockeye listen tcp-l:8080,max-conns="),
    ("sockeye dial tcp:localhost:80,eof=h", "sockeye dial tcp:localhost:80,eof=half "),
    ("sockeye dial tcp:localhost:80 -o nodel", "sockeye dial tcp:localhost:80 -o nodelay "),
    (
        "sockeye relay tcp-l:8080,once tcp:localhost:80,user-tim",
        "sockeye relay tcp-l:8080,once tcp:localhost:80,user-timeout=",
    ),
    ("sockeye dial unix:some", "sockeye dial unix:some.sock "),
    ("sockeye dial unix-dgram:x,bind=some", "sockeye dial unix-dgram:x,bind=some.sock "),
    ("sockeye listen tcp:8080,allow=nobod", "sockeye listen tcp:8080,allow=nobody "),
    ("sockeye relay tcp-l:7000 exec:unshar", "sockeye relay tcp-l:7000 exec:unshare "),
    ("sockeye serve ech", "sockeye serve echo "),
    ("sockeye serve echo tcp:7700 upp", "sockeye serve echo tcp:7700 upper "),
    ("sockeye serve reply --te", "sockeye serve reply --text "),
    ("sockeye serve reply --text 'Come in.' tc", "sockeye serve reply --text 'Come in.' tcp:"),
    ("sockeye listen --slow=d", "sockeye listen --slow=drop "),
    ("sockeye listen --log t", "sockeye listen --log text "),
    ("sockeye serve --log fi", "sockeye serve --log file:"),
    ("sockeye serve --log json:some", "sockeye serve --log json:some.sock "),
    ("sockeye serve --log=file:some", "sockeye serve --log=file:some.sock "),
    ("sockeye serve --metrics tc", "sockeye serve --metrics tcp:"),
    ("sockeye serve --metrics unix:some", "sockeye serve --metrics unix:some.sock "),
    ("sockeye serve --config some", "sockeye serve --config some.sock "),
    ("sockeye listen --exec unshar", "sockeye listen --exec unshare "),
    ("true | sockeye  dial   --cr", "true | sockeye  dial   --crlf "),
    ("sockeye gen completions z", "sockeye gen completions zsh "),
    ("sockeye dial nonsense:x,y", "sockeye dial nonsense:x,y"),
];

#[test]
fn a_tab_in_bash_completes_a_line() {
    let mut bash = Shell::bash("");
    bash.assert_lines();
    assert_eq!(bash.tab("sockeye dial tcp:[::1]:80,nodel"), "sockeye dial tcp:[::1]:80,nodelay ");
}

#[test]
fn a_tab_in_bash_with_bash_completion_completes_a_line() {
    let installed = "/usr/share/bash-completion/bash_completion";
    assert!(Path::new(installed).exists(), "bash-completion is not installed; ./test installs it");
    Shell::bash(&format!("source {installed}")).assert_lines();
}

#[test]
fn a_tab_in_zsh_completes_a_line() {
    let mut zsh = Shell::zsh();
    zsh.assert_lines();
    assert_eq!(zsh.tab(r"sockeye dial tcp:\[::1\]:80,nodel"), r"sockeye dial tcp:\[::1\]:80,nodelay ");
}

#[test]
fn fish_shows_what_a_line_may_become_and_what_that_means() {
    let scratch = Scratch::new();
    fs::write(scratch.path("some.sock"), "").unwrap();
    let script = sockeye(&["gen", "completions", "fish"]).stdout;
    fs::write(scratch.path("sockeye.fish"), script).unwrap();
    let shown = |line: &str| {
        let mut fish = Command::new(require("fish"));
        fish.args(["--no-config", "-c", "source sockeye.fish; complete --do-complete=$argv[1]", line]);
        fish.current_dir(scratch.path("")).env("PATH", path());
        let exit = run(&mut fish, b"", LIMIT);
        assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""), "{line}");
        String::from_utf8(exit.stdout).unwrap()
    };
    for (typed, wanted) in LINES {
        let wanted = wanted.rsplit(' ').find(|word| !word.is_empty()).unwrap();
        let shown = shown(typed);
        let is_none = typed.ends_with(wanted);
        assert_eq!(
            shown.split(['\t', '\n']).next(),
            Some(if is_none { "" } else { wanted }),
            "{typed:?}: {shown}"
        );
    }
    assert_eq!(shown("sockeye dial tc"), "tcp:\tTCP; names with several addresses are raced\n");
    assert_eq!(shown("sockeye listen --slow "), "drop\noldest\n");
}

#[test]
fn the_choices_of_a_flag_are_what_it_takes() {
    for flag in ["--log", "--slow"] {
        let exit = sockeye(&["gen", "complete", "--", "listen", flag, ""]);
        let choices = String::from_utf8(exit.stdout).unwrap();
        assert!(choices.lines().count() > 1, "{choices:?}");
        for choice in choices.lines().filter_map(|line| line.split('\t').nth(1)) {
            let path = if choice.ends_with(':') { "/dev/null" } else { "" };
            let exit = sockeye(&["listen", "--plan", "--broker", flag, &format!("{choice}{path}"), "tcp:0"]);
            assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""), "{flag} {choice}");
        }
    }
}

#[test]
fn a_shell_must_be_named_and_known() {
    assert_refused(
        &sockeye(&["gen", "completions"]),
        2,
        &["sockeye: gen completions: for which shell?", "         name one: bash, fish, zsh"],
    );
    assert_all_wrong_usage(&[
        (&["gen", "completions", "zhs"], "sockeye: completions has no \"zhs\"", "         did you mean zsh?"),
        (
            &["gen", "completions", "zsh", "bash"],
            "sockeye: bash: one word too many",
            "         type sockeye gen completions SHELL",
        ),
    ]);
}
