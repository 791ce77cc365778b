//! Which rows are held out: a seeded, stratified draw that is the same on every machine.
//! Not a random generator for anything else.

use super::splitmix::SplitMix64;

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
        random.shuffle(&mut rows);
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

/// Deals `rows` into `folds` parts, each class by itself, so that all have the same share of bad ones within a row.
/// Each part is in file order.
pub(super) fn folds(rows: &[usize], is_bad: &[bool], folds: usize, seed: u64) -> Vec<Vec<usize>> {
    // Another stream than the split's, so that the two draws do not depend on each other.
    let mut random = SplitMix64(seed ^ 0x5eed_f01d_5eed_f01d);
    let mut parts = vec![Vec::new(); folds];
    let mut next = 0;
    for class in [true, false] {
        let of_class = |row: &&usize| is_bad.get(**row).copied() == Some(class);
        let mut drawn: Vec<usize> = rows.iter().filter(of_class).copied().collect();
        random.shuffle(&mut drawn);
        for row in drawn {
            if let Some(part) = parts.get_mut(next % folds.max(1)) {
                part.push(row);
            }
            next += 1;
        }
    }
    for part in &mut parts {
        part.sort_unstable();
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn folds_are_parts_of_the_rows_with_equal_shares_of_bad_ones(
            is_bad in proptest::collection::vec(any::<bool>(), 0..200), count in 2..8_usize, seed: u64,
        ) {
            let rows: Vec<usize> = (0..is_bad.len()).filter(|row| row % 3 != 0).collect();
            let parts = folds(&rows, &is_bad, count, seed);
            let mut all = parts.concat();
            all.sort_unstable();
            prop_assert_eq!(all, rows);
            let bad: Vec<usize> = parts.iter().map(|part| part.iter().filter(|row| is_bad[**row]).count()).collect();
            prop_assert!(bad.iter().max().unwrap() - bad.iter().min().unwrap() <= 1);
        }

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
