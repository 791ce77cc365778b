//! Rows as the store keeps them: plain columns and opaque bodies. What a body means is `audit`'s; no JSON is
//! read or written here, save for a row that Postgres refused.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Separates (and surrounds) the elements of a list column.
pub const UNIT_SEPARATOR: char = '\u{1f}';

/// What an entry of the log is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Decision,
    Refusal,
    Release,
    Read,
    /// A decision stopped to ask its caller; it is one only once its own entry follows.
    Part,
}

impl Kind {
    #[must_use]
    pub fn code(self) -> i16 {
        match self {
            Self::Decision => 0,
            Self::Refusal => 1,
            Self::Release => 2,
            Self::Read => 3,
            Self::Part => 4,
        }
    }

    #[must_use]
    pub fn from_code(code: i64) -> Option<Self> {
        [Self::Decision, Self::Refusal, Self::Release, Self::Read, Self::Part]
            .into_iter()
            .find(|kind| i64::from(kind.code()) == code)
    }

    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Refusal => "refusal",
            Self::Release => "release",
            Self::Read => "read",
            Self::Part => "part",
        }
    }
}

/// What an answer waits for. Ordered: a later one is stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Durability {
    /// Queued: lost with the process.
    Memory,
    /// This machine's disk has it.
    Local,
    /// Postgres has committed it.
    Central,
}

impl Durability {
    #[must_use]
    pub fn code(self) -> i16 {
        match self {
            Self::Memory => 0,
            Self::Local => 1,
            Self::Central => 2,
        }
    }

    #[must_use]
    pub fn from_code(code: i64) -> Option<Self> {
        [Self::Memory, Self::Local, Self::Central].into_iter().find(|level| i64::from(level.code()) == code)
    }

    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Local => "local",
            Self::Central => "central",
        }
    }

    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Memory, Self::Local, Self::Central].into_iter().find(|level| level.word() == word)
    }
}

/// A SHA-256.
pub type Hash = [u8; 32];

/// One entry of the log before it has a place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub kind: Kind,
    pub id: Uuid,
    /// Microseconds since 1970.
    pub at_us: i64,
    pub caller: Option<Arc<str>>,
    pub flow: Option<Arc<str>>,
    pub market: Option<Arc<str>>,
    pub outcome: Option<Arc<str>>,
    /// List columns: see [`list`].
    pub reasons: Option<Arc<str>>,
    pub rules: Option<Arc<str>>,
    pub models: Option<Arc<str>>,
    pub reference: Option<Arc<str>>,
    pub subject: Option<Arc<[u8]>>,
    pub revision: Option<Arc<str>>,
    pub degraded: bool,
    pub durable: Durability,
    pub public: Arc<str>,
    /// `None` for entries that have none, and for erased ones.
    pub personal: Option<Arc<str>>,
    pub salt: Option<[u8; 16]>,
    pub commitment: Hash,
    pub leaf: Hash,
    pub key: Option<KeyRow>,
    /// Of which decision this is a part; of a decision that was made in parts, its own id.
    pub decision: Option<Uuid>,
}

impl Row {
    /// The decision that an idempotency key of this entry stands for.
    #[must_use]
    pub fn stands_for(&self) -> Uuid {
        self.decision.unwrap_or(self.id)
    }

    /// About how many bytes this row takes in the queue and on disk.
    #[must_use]
    pub fn size(&self) -> usize {
        const FIXED: usize = 400;
        FIXED
            .saturating_add(self.public.len())
            .saturating_add(self.personal.as_ref().map_or(0, |text| text.len()))
    }
}

/// An idempotency key, recorded with its decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    pub caller: Arc<str>,
    pub flow: Arc<str>,
    pub key: Arc<str>,
    pub request_digest: Hash,
}

/// How long an idempotency key stands for its decision, counted from the decision's time.
pub const KEY_LIFE_US: i64 = 7 * 24 * 3600 * 1_000_000;

/// The decision that a key already stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyHolder {
    pub request_digest: Hash,
    pub decision_id: Uuid,
}

/// The place of an entry in its node's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub node: Uuid,
    /// Counts the starts of the process on this log, from 1.
    pub epoch: i64,
    /// Contiguous within one epoch, from 1.
    pub sequence: i64,
    /// Microseconds since 1970: when the writer took it.
    pub recorded_us: i64,
}

/// An entry with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub row: Row,
    pub position: Position,
    /// Chain hash of the entry before this one; zeros for a node's first.
    pub previous: Hash,
    /// This entry's own, as the writer computed it.
    pub chain: Hash,
    /// Set where another replica answered the same idempotency key first.
    pub duplicate_of: Option<Uuid>,
    /// Order in the local file; 0 when it came from Postgres.
    pub local: i64,
}

impl Stored {
    /// What [`Self::chain`] must be.
    #[must_use]
    pub fn chained(&self) -> Hash {
        chain(&self.previous, &self.position, &self.row.leaf)
    }
}

/// The hash that binds an entry to its place and to every entry before it.
#[must_use]
pub fn chain(previous: &Hash, position: &Position, leaf: &Hash) -> Hash {
    let mut hash = Sha256::new();
    hash.update(b"tollgate-chain-1\0");
    hash.update(previous);
    hash.update(position.node.as_bytes());
    hash.update(position.epoch.to_be_bytes());
    hash.update(position.sequence.to_be_bytes());
    hash.update(position.recorded_us.to_be_bytes());
    hash.update(leaf);
    hash.finalize().into()
}

/// A list column: every element between two separators, so that one `instr` finds an element.
/// Separators inside an element are dropped. `None` for an empty list.
pub fn list<'a>(elements: impl IntoIterator<Item = &'a str>) -> Option<Arc<str>> {
    let mut text = String::new();
    for element in elements {
        if text.is_empty() {
            text.push(UNIT_SEPARATOR);
        }
        text.extend(element.chars().filter(|c| *c != UNIT_SEPARATOR));
        text.push(UNIT_SEPARATOR);
    }
    (!text.is_empty()).then(|| Arc::from(text))
}

/// The elements of a list column.
pub fn elements(list: Option<&str>) -> impl Iterator<Item = &str> {
    list.unwrap_or_default().split(UNIT_SEPARATOR).filter(|element| !element.is_empty())
}

/// Which entries a search wants. Every field narrows it; newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub caller: Option<String>,
    pub flow: Option<String>,
    pub market: Option<String>,
    pub outcome: Option<String>,
    pub reason: Option<String>,
    pub rule: Option<String>,
    pub model: Option<String>,
    pub reference: Option<String>,
    /// Any of these hashes (one per known key).
    pub subject: Option<Vec<Vec<u8>>>,
    pub revision: Option<String>,
    /// Microseconds since 1970, inclusive.
    pub from_us: Option<i64>,
    /// Microseconds since 1970, exclusive.
    pub to_us: Option<i64>,
    pub degraded: Option<bool>,
    /// Only entries older than this one (by id).
    pub before: Option<Uuid>,
    /// How many at most.
    pub limit: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_column_keeps_order_and_finds_whole_elements_only() {
        let column = list(["R201", "R1"]).unwrap();
        assert_eq!(&*column, "\u{1f}R201\u{1f}R1\u{1f}");
        assert_eq!(elements(Some(&column)).collect::<Vec<_>>(), ["R201", "R1"]);
        assert!(!column.contains("\u{1f}R20\u{1f}"));
        assert_eq!(list([]), None);
    }

    #[test]
    fn codes_and_words_come_back() {
        for kind in [Kind::Decision, Kind::Refusal, Kind::Release, Kind::Read, Kind::Part] {
            assert_eq!(Kind::from_code(kind.code().into()), Some(kind));
        }
        for level in [Durability::Memory, Durability::Local, Durability::Central] {
            assert_eq!(Durability::from_code(level.code().into()), Some(level));
            assert_eq!(Durability::from_word(level.word()), Some(level));
        }
        assert_eq!(Kind::from_code(9), None);
    }

    #[test]
    fn the_chain_depends_on_every_part_of_the_place() {
        let position = Position { node: Uuid::from_u128(1), epoch: 1, sequence: 1, recorded_us: 1 };
        let base = chain(&[0; 32], &position, &[1; 32]);
        assert_ne!(base, chain(&[2; 32], &position, &[1; 32]));
        assert_ne!(base, chain(&[0; 32], &position, &[3; 32]));
        assert_ne!(base, chain(&[0; 32], &Position { epoch: 2, ..position }, &[1; 32]));
        assert_ne!(base, chain(&[0; 32], &Position { sequence: 2, ..position }, &[1; 32]));
        assert_ne!(base, chain(&[0; 32], &Position { recorded_us: 2, ..position }, &[1; 32]));
        assert_ne!(base, chain(&[0; 32], &Position { node: Uuid::from_u128(2), ..position }, &[1; 32]));
    }
}
