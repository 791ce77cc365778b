//! Which of the things that two sequences share stand elsewhere: as few as possible.

use std::collections::BTreeMap;

/// Indices into `after` of what moved. Keys are unique within each sequence; what only one of them has is no move.
pub(super) fn moved<K: Ord>(before: &[K], after: &[K]) -> Vec<usize> {
    let places: BTreeMap<&K, usize> = before.iter().enumerate().map(|(index, key)| (key, index)).collect();
    let shared: Vec<(usize, usize)> =
        after.iter().enumerate().filter_map(|(index, key)| Some((index, *places.get(key)?))).collect();
    let stays = longest_increasing(&shared);
    shared.iter().map(|(index, _)| *index).filter(|index| stays.binary_search(index).is_err()).collect()
}

/// Of pairs (index, place), the indices of a longest run whose places increase; in order.
fn longest_increasing(pairs: &[(usize, usize)]) -> Vec<usize> {
    // For each length, the pair that ends a run of it at the smallest place; and each pair's predecessor.
    let mut ends: Vec<usize> = Vec::new();
    let mut previous: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    let place = |at: usize| pairs.get(at).map_or(0, |(_, place)| *place);
    for at in 0..pairs.len() {
        let length = ends.partition_point(|end| place(*end) < place(at));
        previous.push(length.checked_sub(1).and_then(|shorter| ends.get(shorter)).copied());
        match ends.get_mut(length) {
            Some(end) => *end = at,
            None => ends.push(at),
        }
    }
    let mut run = Vec::with_capacity(ends.len());
    let mut next = ends.last().copied();
    while let Some(at) = next {
        run.extend(pairs.get(at).map(|(index, _)| *index));
        next = previous.get(at).copied().flatten();
    }
    run.reverse();
    run
}

#[cfg(test)]
mod tests {
    use super::moved;

    #[test]
    fn as_few_as_possible_have_moved() {
        assert_eq!(moved(&["a", "b", "c", "d"], &["b", "c", "d", "a"]), [3], "a went to the end");
        assert_eq!(moved(&["a", "b", "c"], &["x", "a", "b", "y", "c"]), [] as [usize; 0]);
        assert_eq!(moved(&["a", "b", "c", "d"], &["d", "a", "c"]), [0]);
        assert_eq!(moved(&["a", "b"], &["b", "a"]).len(), 1);
        assert_eq!(moved::<u8>(&[], &[]), [] as [usize; 0]);
    }
}
