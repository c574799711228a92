//! Numbers over time, drawn with the dots of braille: two beside and four above one another in each place.

use super::length::signed;

/// How wide what stands before the drawing is.
pub(super) const MARGIN: usize = 11;

/// How many numbers fit beside one another in so many columns, all included.
pub(super) fn room(columns: usize) -> usize {
    columns.saturating_sub(MARGIN).max(1) * 2
}

/// Draws lengths of time in nanoseconds, the last ones that have room, in lines of so many columns. One that is missing
/// leaves a gap. The highest and the lowest are written beside the first line and the last.
pub(super) fn draw(values: &[Option<i64>], columns: usize, lines: usize) -> Vec<String> {
    let shown = values.get(values.len().saturating_sub(room(columns))..).unwrap_or_default();
    let known = || shown.iter().copied().flatten();
    let (Some(highest), Some(lowest)) = (known().max(), known().min()) else { return Vec::new() };
    let mut cells = vec![vec![0_u8; shown.len().div_ceil(2)]; lines];
    for (at, value) in shown.iter().enumerate() {
        let Some(value) = value else { continue };
        let dot = place(*value, lowest, highest, lines * 4);
        if let Some(cell) = cells.get_mut(dot / 4).and_then(|line| line.get_mut(at / 2)) {
            *cell |= dots(at % 2, dot % 4);
        }
    }
    let last = lines.saturating_sub(1);
    let line = |(at, cells): (usize, &Vec<u8>)| {
        let label = match at {
            0 => signed(highest),
            at if at == last => signed(lowest),
            _ => String::new(),
        };
        let drawn: String =
            cells.iter().filter_map(|dots| char::from_u32(0x2800 + u32::from(*dots))).collect();
        format!("{label:>width$} │{drawn}", width = MARGIN - 2)
    };
    cells.iter().enumerate().map(line).collect()
}

/// How many dots a number is beneath the highest; in the middle where there is but one height.
fn place(value: i64, lowest: i64, highest: i64, dots: usize) -> usize {
    let (span, below) = (highest.abs_diff(lowest), highest.abs_diff(value));
    if span == 0 {
        return dots / 2;
    }
    let most = u128::try_from(dots.saturating_sub(1)).unwrap_or_default();
    let dot = (u128::from(below) * most + u128::from(span) / 2) / u128::from(span);
    usize::try_from(dot).unwrap_or_default()
}

/// The bit of a dot in a character of braille (Unicode, U+2800 on).
fn dots(column: usize, line: usize) -> u8 {
    match (column, line) {
        (0, 3) => 0x40,
        (0, line) => 1 << line,
        (_, 3) => 0x80,
        (_, line) => 8 << line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rises_is_drawn_rising_and_what_is_missing_is_a_gap() {
        let rising: Vec<_> = (0..8).map(|at| Some(at * 1_000)).collect();
        assert_eq!(draw(&rising, 40, 2), [" +7.00 us │  ⡠⠊", "     0 ns │⡠⠊  "].map(with_blanks));
        let gap = [Some(5), None, None, None, Some(5)];
        assert_eq!(draw(&gap, 40, 1), ["    +5 ns │⠄⠀⠄"]);
        assert!(draw(&[None, None], 40, 2).is_empty() && draw(&[], 40, 2).is_empty());
    }

    fn with_blanks(line: &str) -> String {
        let (label, drawn) = line.split_once('│').unwrap();
        format!("{label}│{}", drawn.replace(' ', "\u{2800}"))
    }

    #[test]
    fn only_the_last_that_have_room_are_drawn_and_no_numbers_panic() {
        let many: Vec<_> = (0..100).map(|at| Some(if at < 90 { i64::MIN } else { at })).collect();
        let lines = draw(&many, MARGIN + 5, 3);
        assert!(lines[0].contains("+99 ns") && lines[2].contains("+90 ns"), "{lines:?}");
        assert_eq!(draw(&[Some(i64::MIN), Some(i64::MAX)], 0, 4).len(), 4);
        assert!(draw(&[Some(1)], 0, 0).is_empty());
    }
}
