//! Keys in one buffer, and the hash table of numbers that finds them. The hasher has a fixed seed and the table is
//! never gone through, so nothing depends on an order; no key is ever removed.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// Byte strings one after the other.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Keys {
    bytes: Vec<u8>,
    /// Where each ends, and so the next begins.
    ends: Vec<u32>,
}

impl Keys {
    pub fn with_capacity(keys: usize, bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ends: Vec::with_capacity(keys) }
    }

    pub fn push(&mut self, key: &[u8]) {
        self.bytes.extend_from_slice(key);
        self.ends.push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
    }

    pub fn len(&self) -> u32 {
        u32::try_from(self.ends.len()).unwrap_or(u32::MAX)
    }

    pub fn get(&self, key: u32) -> &[u8] {
        let at = usize::try_from(key).unwrap_or(usize::MAX);
        let position = |end: Option<&u32>| end.and_then(|end| usize::try_from(*end).ok()).unwrap_or_default();
        let start = at.checked_sub(1).map_or(0, |before| position(self.ends.get(before)));
        self.bytes.get(start..position(self.ends.get(at))).unwrap_or_default()
    }

    pub fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    pub fn bytes(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<u32>()
    }
}

/// Finds keys by what they are.
pub(super) struct Index {
    /// `None`: the keys are the texts of the list.
    keys: Option<Keys>,
    numbers: HashTable<u32>,
    /// Each length that a key has, ascending.
    lengths: Box<[u16]>,
    hasher: FixedState,
}

/// Number of a key, and of an equal one before it.
type Doubled = Vec<(u32, u32)>;

impl Index {
    /// An index of keys that are kept elsewhere, and the keys that stand there twice.
    pub fn of(keys: &Keys) -> (Self, Doubled) {
        let hasher = FixedState::with_seed(0x7011_9a7e);
        let count = usize::try_from(keys.len()).unwrap_or_default();
        let mut numbers = HashTable::with_capacity(count);
        let mut doubled = Vec::new();
        let mut lengths = std::collections::BTreeSet::new();
        for at in 0..keys.len() {
            let key = keys.get(at);
            lengths.insert(u16::try_from(key.len()).unwrap_or(u16::MAX));
            let entry = numbers.entry(
                hasher.hash_one(key),
                |other| keys.get(*other) == key,
                |other| hasher.hash_one(keys.get(*other)),
            );
            match entry {
                hashbrown::hash_table::Entry::Occupied(earlier) => doubled.push((at, *earlier.get())),
                hashbrown::hash_table::Entry::Vacant(slot) => {
                    slot.insert(at);
                }
            }
        }
        (Self { keys: None, numbers, lengths: lengths.into_iter().collect(), hasher }, doubled)
    }

    /// An index with keys of its own.
    pub fn with_keys(keys: Keys) -> (Self, Doubled) {
        let (index, doubled) = Self::of(&keys);
        (Self { keys: Some(keys), ..index }, doubled)
    }

    /// The number of a key; `texts` are those of the list.
    pub fn find(&self, texts: &Keys, key: &[u8]) -> Option<u32> {
        let keys = self.keys.as_ref().unwrap_or(texts);
        self.numbers.find(self.hasher.hash_one(key), |at| keys.get(*at) == key).copied()
    }

    pub fn lengths(&self) -> &[u16] {
        &self.lengths
    }

    pub fn bytes(&self) -> usize {
        self.keys.as_ref().map_or(0, Keys::bytes) + self.numbers.allocation_size()
    }
}
