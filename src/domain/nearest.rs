//! The name that somebody probably meant.

/// Nobody means a name of at most 64 bytes by a longer text, and the comparison takes time by both lengths.
const LONGEST: usize = 128;

/// The closest of `names`, if one is near enough to be offered.
#[must_use]
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if wanted.len() > LONGEST {
        return None;
    }
    let lowered = wanted.to_lowercase();
    // The distance is at least what the lengths differ by: most names need no closer look.
    let near = |name: &&str| {
        let (most, least) = (name.len().max(wanted.len()), name.chars().count().min(wanted.chars().count()));
        name.chars().count().max(wanted.chars().count()).saturating_sub(least) * 3 <= most
    };
    names
        .into_iter()
        .filter(near)
        .map(|name| (strsim::damerau_levenshtein(&lowered, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance * 3 <= name.len().max(wanted.len()))
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_a_stranger_finds_none() {
        let names = ["burden", "min_age", "amount"];
        assert_eq!(nearest("burdn", names), Some("burden"));
        assert_eq!(nearest("Amount", names), Some("amount"));
        assert_eq!(nearest("x", names), None);
        assert_eq!(nearest("telephone", names), None);
    }
}
