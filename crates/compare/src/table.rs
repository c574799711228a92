//! The table in Markdown, row by row.

use std::io::{self, Write};

use crate::case::{Case, Figure};
use crate::program::Program;

/// Says what the columns are.
pub(crate) fn head(out: &mut impl Write, programs: &[&Program]) -> io::Result<()> {
    let names: Vec<&str> = programs.iter().map(|program| program.name).collect();
    writeln!(out, "| what | unit | {} |", names.join(" | "))?;
    writeln!(out, "| --- | --- |{}", " ---: |".repeat(programs.len()))
}

/// The rows of a case: one for each of its figures, from `runs`, which has all runs of each program.
pub(crate) fn rows(out: &mut impl Write, case: &Case, runs: &[Vec<Vec<Figure>>]) -> io::Result<()> {
    for (at, unit) in case.units.iter().enumerate() {
        write!(out, "| {} | {unit} |", if at == 0 { case.what } else { "" })?;
        for runs in runs {
            let figures = runs.iter().filter_map(|figures| figures.get(at).copied().flatten()).collect();
            write!(out, " {} |", median(figures).map_or("–".to_owned(), written))?;
        }
        writeln!(out)?;
    }
    out.flush()
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let upper = figures.get(figures.len() / 2)?;
    let lower = figures.get((figures.len() - 1) / 2)?;
    Some(f64::midpoint(*lower, *upper))
}

/// A figure with as many digits as mean something.
fn written(figure: f64) -> String {
    let digits = match figure {
        ..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    let plain = format!("{figure:.digits$}");
    if digits > 0 {
        return plain;
    }
    let mut grouped = String::new();
    for (at, digit) in plain.chars().enumerate() {
        if at > 0 && (plain.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::CASES;

    #[test]
    fn figures_are_written_with_the_digits_that_mean_something() {
        for (figure, text) in [
            (0.1234, "0.12"),
            (9.999, "10.00"),
            (12.34, "12.3"),
            (123.4, "123"),
            (1234.5, "1,234"),
            (1e6, "1,000,000"),
        ] {
            assert_eq!(written(figure), text);
        }
    }

    #[test]
    fn a_row_has_the_median_of_the_runs_of_each_program() {
        let case = CASES.iter().find(|case| case.name == "held").unwrap();
        let runs = [vec![vec![Some(3.0), None], vec![Some(1.0), None], vec![Some(2.0), None]], Vec::new()];
        let mut out = Vec::new();
        rows(&mut out, case, &runs).unwrap();
        let what = case.what;
        let wanted = format!("| {what} | {} | 2.00 | – |\n|  | {} | – | – |\n", case.units[0], case.units[1]);
        assert_eq!(String::from_utf8(out).unwrap(), wanted);
    }

    #[test]
    fn the_median_of_two_is_between_them() {
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }
}
