//! All cases, in rounds in which every program has its turn.

use std::fs;
use std::io::{self, StdoutLock, Write};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::case::{Case, Figure};
use crate::identity::Identity;
use crate::options::Options;
use crate::program::{Bench, Program};
use crate::{machine, table};

/// Measures, and prints as it goes. Whether sockeye and the bound did all that was asked of them: what others do not do
/// is only told.
pub(crate) fn compare(options: &Options) -> io::Result<bool> {
    let files = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files })?;
    let folder = std::env::temp_dir().join(format!("compare-{}", std::process::id()));
    fs::create_dir(&folder)?;
    let identity = Identity::make(&folder)?;
    let bench = Bench {
        identity,
        binary: options.binary.clone(),
        folder: folder.clone(),
        held: options.held,
        lasting: options.lasting,
    };
    let is_done = Rounds { options, bench, out: io::stdout().lock(), notes: Vec::new(), is_done: true }.run();
    fs::remove_dir_all(folder)?;
    is_done
}

struct Rounds<'a> {
    options: &'a Options,
    bench: Bench,
    out: StdoutLock<'static>,
    /// What is told below the table.
    notes: Vec<String>,
    is_done: bool,
}

impl Rounds<'_> {
    fn run(mut self) -> io::Result<bool> {
        let present = self.begin()?;
        for case in &self.options.cases {
            let runs = self.measure(case, &present);
            table::rows(&mut self.out, case, &runs)?;
        }
        if !self.notes.is_empty() {
            writeln!(self.out)?;
        }
        for note in &self.notes {
            writeln!(self.out, "- {note}")?;
        }
        Ok(self.is_done)
    }

    /// Says what is measured and on what, and looks who is there.
    fn begin(&mut self) -> io::Result<Vec<&'static Program>> {
        let (mut present, mut versions) = (Vec::new(), Vec::new());
        for program in &self.options.programs {
            match program.version(&self.bench) {
                Some(version) => {
                    present.push(*program);
                    versions.push([program.name, &version].join(" ").trim_end().to_owned());
                }
                None if program.is_rival() => {
                    self.note(program, "all", &format!("it is missing: Debian's {}", program.package));
                }
                None => self.note(program, "all", "it does not run"),
            }
        }
        let Options { rounds, lasting, held, .. } = self.options;
        writeln!(self.out, "On {}: {}.", machine::described(), versions.join(", "))?;
        writeln!(self.out, "Medians of {rounds} runs of {lasting:?} each; {held} idle connections.\n")?;
        if cfg!(debug_assertions) {
            self.notes
                .push("compare itself was built without --release: these figures mean nothing".to_owned());
        }
        table::head(&mut self.out, &present)?;
        Ok(present)
    }

    /// Every run of each program.
    fn measure(&mut self, case: &Case, present: &[&'static Program]) -> Vec<Vec<Vec<Figure>>> {
        let mut runs = vec![Vec::new(); present.len()];
        let mut is_out = vec![false; present.len()];
        for _ in 0..self.options.rounds {
            for ((program, runs), is_out) in present.iter().zip(&mut runs).zip(&mut is_out) {
                if *is_out || (program.is_rival() && !case.has_rivals) {
                    continue;
                }
                match case.run(program, &self.bench) {
                    Ok(Some(figures)) => runs.push(figures),
                    Ok(None) => *is_out = true,
                    Err(error) => {
                        *is_out = true;
                        self.note(program, case.name, &error.to_string());
                    }
                }
            }
        }
        runs
    }

    fn note(&mut self, program: &Program, case: &str, why: &str) {
        self.notes.push(format!("{}, {case}: {why}", program.name));
        self.is_done &= program.is_rival();
    }
}
