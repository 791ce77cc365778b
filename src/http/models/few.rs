//! A list that cannot be long: read to its end and kept as far as one may be, so that a body of empty entries takes no
//! more memory than its bytes. Absent on purpose: what the entries are.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};

/// Most tensors that a request may name: four times what a model may read.
pub(super) const MOST_TENSORS: usize = 4 * 1000;

/// The first entries of a list; null is an empty one.
#[derive(Debug)]
pub(super) struct Few<T> {
    pub listed: Vec<T>,
    /// Whether there were more.
    pub is_too_long: bool,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { listed: Vec::new(), is_too_long: false }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reading(PhantomData))
    }
}

struct Reading<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Reading<T> {
    type Value = Few<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<Few<T>, E> {
        Ok(Few::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Few<T>, A::Error> {
        let mut few = Few::default();
        while few.listed.len() < MOST_TENSORS {
            let Some(next) = list.next_element()? else { return Ok(few) };
            few.listed.push(next);
        }
        while list.next_element::<IgnoredAny>()?.is_some() {
            few.is_too_long = true;
        }
        Ok(few)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_kept_as_far_as_it_may_go() {
        let read = |count: usize| {
            serde_json::from_str::<Few<u8>>(&format!("[{}]", vec!["7"; count].join(","))).unwrap()
        };
        for (count, kept, is_too_long) in
            [(0, 0, false), (3, 3, false), (4000, 4000, false), (4001, 4000, true)]
        {
            let few = read(count);
            assert_eq!((few.listed.len(), few.is_too_long), (kept, is_too_long));
        }
        assert!(serde_json::from_str::<Few<u8>>("null").unwrap().listed.is_empty());
        assert!(serde_json::from_str::<Few<u8>>("[7, \"x\"]").is_err());
    }
}
