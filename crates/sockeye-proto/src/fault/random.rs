//! Numbers that look random and are the same again for the same seed, in every version: a seed is printed, and what it
//! led to is to be repeated with it.

use std::fmt;

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014). Nobody may be kept from
/// guessing what it gives.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// The numbers of a seed and of a place, each place its own: which connection, which way, which fault.
    pub(super) fn new(seed: u64, place: [u64; 3]) -> Self {
        place.into_iter().fold(Self(seed), |outer, number| Self(Self(outer.0 ^ number).next()))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Whether something happens that has this chance.
    pub(super) fn happens(&mut self, chance: Chance) -> bool {
        self.below(CERTAIN.into()) < u64::from(chance.0)
    }

    /// A number below `bound`; 0 where that is 0. What is uneven about it is less than one in 2⁶⁴ / `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        let scaled = u128::from(self.next()) * u128::from(bound);
        u64::try_from(scaled >> 64).unwrap_or_default()
    }
}

/// How likely something is: more than 0 and at most 1, in steps of a billionth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chance(u32);

/// The steps of what is certain.
const CERTAIN: u32 = 1_000_000_000;

impl Chance {
    /// Reads `5%`, `0.05` or `1`. `None` for anything else, for 0, and for more than is certain.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (number, digits) = match text.strip_suffix('%') {
            Some(percent) => (percent, 7),
            None => (text, 9),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !is_number(whole) || !is_number(fraction) || whole.len() > 3 || fraction.len() > digits {
            return None;
        }
        let steps: u64 = format!("{whole}{fraction:0<digits$}").parse().ok()?;
        let steps = u32::try_from(steps).ok().filter(|steps| (1..=CERTAIN).contains(steps))?;
        Some(Self(steps))
    }

    pub(super) fn is_certain(self) -> bool {
        self.0 == CERTAIN
    }
}

impl fmt::Display for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_certain() {
            return f.write_str("1");
        }
        let fraction = format!("{:09}", self.0);
        write!(f, "0.{}", fraction.trim_end_matches('0'))
    }
}

/// Something that happens by chance, with numbers of its own.
#[derive(Debug, Clone)]
pub(super) struct Dice {
    chance: Chance,
    random: Random,
}

impl Dice {
    pub(super) fn new(chance: Chance, random: Random) -> Self {
        Self { chance, random }
    }

    /// Whether it happens this time.
    pub(super) fn throw(&mut self) -> bool {
        self.random.happens(self.chance)
    }

    /// Turns one bit of each byte that it falls on; says how many.
    pub(super) fn corrupt<'a>(&mut self, bytes: impl Iterator<Item = &'a mut u8>) -> u64 {
        let mut turned = 0;
        for byte in bytes {
            if self.throw() {
                *byte ^= 1 << self.random.below(8);
                turned += 1;
            }
        }
        turned
    }

    /// A number from 1 to `most`.
    pub(super) fn up_to(&mut self, most: u32) -> u32 {
        u32::try_from(self.random.below(most.into())).unwrap_or_default().saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The first numbers of the published program (splitmix64.c by Sebastiano Vigna) for the seed 1234567.
    #[test]
    fn the_numbers_of_a_seed_are_the_published_ones() {
        let mut random = Random(1_234_567);
        for want in [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ] {
            assert_eq!(random.next(), want);
        }
    }

    /// A seed that was printed by one version is good for the next.
    #[test]
    fn the_numbers_of_a_place_stay_what_they_are() {
        let first = |seed, place| Random::new(seed, place).next();
        assert_eq!(first(1, [1, 0, 0]), FIRST);
        let others = [[2, 0, 0], [0, 1, 0], [1, 1, 0], [1, 0, 1], [0, 0, 1]];
        assert!(others.iter().all(|place| first(1, *place) != FIRST) && first(2, [1, 0, 0]) != FIRST);
    }

    const FIRST: u64 = 2_391_539_541_053_276_776;

    #[test]
    fn a_chance_is_a_percentage_or_a_fraction() {
        for (text, steps) in [
            ("5%", 50_000_000),
            ("0.05", 50_000_000),
            ("100%", CERTAIN),
            ("1", CERTAIN),
            ("1.0", CERTAIN),
            ("0.0000001%", 1),
            ("0.000000001", 1),
            ("12.5%", 125_000_000),
        ] {
            assert_eq!(Chance::read(text), Some(Chance(steps)), "{text}");
        }
        for text in
            ["", "0", "0%", "101%", "1.1", "2", "-1%", "5 %", "%", ".5", "5.", "1e-6", "0.0000000001", "+1%"]
        {
            assert_eq!(Chance::read(text), None, "{text}");
        }
    }

    #[test]
    fn what_happens_with_a_chance_happens_about_as_often() {
        for (text, least, most) in
            [("5%", 4_700, 5_300), ("50%", 49_000, 51_000), ("0.1%", 60, 140), ("1", 100_000, 100_000)]
        {
            for seed in 0..10 {
                let mut dice = Dice::new(Chance::read(text).unwrap(), Random::new(seed, [1, 1, 1]));
                let happened = (0..100_000).filter(|_| dice.throw()).count();
                assert!((least..=most).contains(&happened), "{text}: {happened} of 100,000");
            }
        }
    }

    proptest! {
        #[test]
        fn a_printed_chance_reads_back(steps in 1..=CERTAIN) {
            prop_assert_eq!(Chance::read(&Chance(steps).to_string()), Some(Chance(steps)));
        }

        #[test]
        fn a_number_is_below_its_bound(seed: u64, bound in prop_oneof![any::<u64>(), 0_u64..9]) {
            let number = Random(seed).below(bound);
            prop_assert!(number < bound || (number, bound) == (0, 0));
        }
    }
}
