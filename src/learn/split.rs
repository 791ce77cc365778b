//! Which rows are held out: a seeded, stratified draw that is the same on every machine.
//! Not a random generator for anything else.

/// Row numbers of the two parts, each in file order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Split {
    pub train: Vec<usize>,
    pub held_out: Vec<usize>,
}

/// Holds out `fraction` of the bad rows and of the good ones, rounded to whole rows.
pub(super) fn stratified(is_bad: &[bool], fraction: f64, seed: u64) -> Split {
    let mut random = SplitMix64(seed);
    let mut held_out = Vec::new();
    for class in [true, false] {
        let mut rows: Vec<usize> =
            is_bad.iter().enumerate().filter(|(_, bad)| **bad == class).map(|(row, _)| row).collect();
        for last in (1..rows.len()).rev() {
            rows.swap(last, random.below(last + 1));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 0 to the number of rows"
        )]
        let count = (rows.len() as f64 * fraction).round() as usize;
        held_out.extend(rows.into_iter().take(count));
    }
    held_out.sort_unstable();
    let train = (0..is_bad.len()).filter(|row| held_out.binary_search(row).is_err()).collect();
    Split { train, held_out }
}

/// Sebastiano Vigna's generator: eight lines that never change, so that a seed means the same rows for ever.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `count - 1`, by the high half of a product: its bias is below 2^-40 for any table of rows.
    fn below(&mut self, count: usize) -> usize {
        let product = u128::from(self.next()) * (count as u128);
        usize::try_from(product >> 64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_seed_means_these_rows() {
        let mut random = SplitMix64(1_234_567);
        let first: Vec<_> = (0..3).map(|_| random.next()).collect();
        // The generator's published first outputs for this seed.
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    proptest! {
        #[test]
        fn every_row_is_in_one_part_and_the_share_of_bad_ones_stays(
            is_bad in proptest::collection::vec(any::<bool>(), 0..300), fraction in 0.05..0.95_f64, seed: u64,
        ) {
            let split = stratified(&is_bad, fraction, seed);
            let mut rows: Vec<_> = split.train.iter().chain(&split.held_out).copied().collect();
            rows.sort_unstable();
            prop_assert_eq!(rows, (0..is_bad.len()).collect::<Vec<_>>());
            let bad = is_bad.iter().filter(|b| **b).count() as f64;
            let held_bad = split.held_out.iter().filter(|row| is_bad[**row]).count() as f64;
            prop_assert!((held_bad - bad * fraction).abs() <= 0.5);
        }
    }
}
