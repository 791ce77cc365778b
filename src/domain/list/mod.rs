//! A fixed list: what stands in it, how two writings of one thing are folded, and until when an entry counts. It is
//! asked whether it holds a value and nothing else: it has no order, no length and no text for anybody to read.

mod fold;
mod index;

use std::fmt;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use jiff::civil::Date;

pub use fold::Folding;

use self::fold::folded;
use self::index::{Index, Keys};
use super::expression::operators::Impossible;
use super::expression::words::Moment;
use super::place::Span;
use super::value::Value;

/// How what is looked up meets an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum ListMatch {
    #[default]
    Exact,
    /// The entry is the beginning of what is looked up.
    Prefix,
    /// The entry is the domain, or a parent of the domain, of an address or host name.
    Domain,
}

/// What `lists:` says of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ListOptions {
    pub match_by: ListMatch,
    pub folding: Folding,
}

/// Until when an entry counts: from this moment on it is not listed any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expires {
    /// From the beginning of this day, in the flow's time zone.
    On(Date),
    At(Timestamp),
}

impl Expires {
    fn is_over(self, moment: &Moment) -> bool {
        match self {
            Self::On(date) => date <= moment.today(),
            Self::At(time) => time <= moment.decided_at,
        }
    }
}

/// What entries are read as, where something other than a text is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryType {
    Integer,
    Decimal,
    Number,
    Date,
    Time,
}

impl EntryType {
    /// `an integer`
    #[must_use]
    pub fn article(self) -> &'static str {
        match self {
            Self::Integer => "an integer",
            Self::Decimal => "a decimal",
            Self::Number => "a number",
            Self::Date => "a date like `2026-01-31`",
            Self::Time => "a time with its offset, like `2026-01-31T09:00:00Z`",
        }
    }

    fn read(self, text: &str) -> Option<Value> {
        match self {
            Self::Integer => text.parse().ok().map(Value::Integer),
            Self::Decimal => text.parse().ok().map(Value::Decimal),
            Self::Number => text.parse::<f64>().ok().filter(|n| n.is_finite()).map(Value::Number),
            Self::Date => text.parse().ok().map(Value::Date),
            Self::Time => text.parse().ok().map(Value::Time),
        }
    }
}

/// Entries as they are read, one after the other.
#[derive(Debug, Default)]
pub struct Entries {
    texts: Keys,
    /// Byte of the file at which each entry stands; empty for entries of no file.
    offsets: Vec<u32>,
    expiries: Vec<(u32, Expires)>,
}

impl Entries {
    /// Adds one entry, which stands at this byte of its file.
    pub fn push(&mut self, text: &str, offset: u32, expires: Option<Expires>) {
        if let Some(expires) = expires {
            self.expiries.push((self.texts.len(), expires));
        }
        self.texts.push(text.as_bytes());
        self.offsets.push(offset);
    }

    /// How many there are so far.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.texts.len()
    }

    /// Where an entry stands in its file.
    #[must_use]
    pub fn span(&self, entry: u32) -> Span {
        let at = usize::try_from(entry).unwrap_or(usize::MAX);
        let start = self.offsets.get(at).copied().unwrap_or_default();
        let length = self.texts.get(entry).len();
        Span { start, end: start.saturating_add(u32::try_from(length).unwrap_or(u32::MAX)) }
    }

    /// Makes room for about this many entries.
    #[must_use]
    pub fn with_capacity(entries: usize, bytes: usize) -> Self {
        Self {
            texts: Keys::with_capacity(entries, bytes),
            offsets: Vec::with_capacity(entries),
            expiries: Vec::new(),
        }
    }
}

/// An entry that stands in the list twice, once folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duplicate {
    pub entry: u32,
    pub earlier: u32,
    /// One says another expiry than the other: which of them counts is not clear.
    pub is_contradiction: bool,
}

/// An allow or block list, ready to be asked. Entries lie in one buffer, and a hash table of numbers finds them.
pub struct List {
    /// `sha256:…` of what the list was read from.
    pub digest: Arc<str>,
    pub options: ListOptions,
    entries: Entries,
    texts: Index,
    /// Made when a value of the type is looked up for the first time: when the flow is compiled. `Err`: an entry that
    /// is not of the type.
    integers: OnceLock<Result<Index, u32>>,
    decimals: OnceLock<Result<Index, u32>>,
    numbers: OnceLock<Result<Index, u32>>,
    dates: OnceLock<Result<Index, u32>>,
    times: OnceLock<Result<Index, u32>>,
}

impl List {
    /// A list of these entries, and those that stand in it twice.
    #[must_use]
    pub fn new(digest: Arc<str>, options: ListOptions, mut entries: Entries) -> (Self, Vec<Duplicate>) {
        entries.texts.shrink();
        entries.offsets.shrink_to_fit();
        let as_written = options.match_by != ListMatch::Domain && options.folding == Folding::default();
        let (texts, doubled) = if as_written {
            Index::of(&entries.texts)
        } else {
            let mut keys = Keys::default();
            for at in 0..entries.texts.len() {
                keys.push(entry_key(text_at(&entries.texts, at), options).as_bytes());
            }
            keys.shrink();
            Index::with_keys(keys)
        };
        let list = Self {
            digest,
            options,
            entries,
            texts,
            integers: OnceLock::new(),
            decimals: OnceLock::new(),
            numbers: OnceLock::new(),
            dates: OnceLock::new(),
            times: OnceLock::new(),
        };
        let duplicates = doubled.into_iter().map(|(entry, earlier)| Duplicate {
            entry,
            earlier,
            is_contradiction: list.expiry(entry) != list.expiry(earlier),
        });
        let duplicates = duplicates.collect();
        (list, duplicates)
    }

    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(self.entries.texts.len()).unwrap_or(usize::MAX)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that the list holds, indexes included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let typed = [&self.integers, &self.decimals, &self.numbers, &self.dates, &self.times];
        let typed = typed.iter().filter_map(|made| made.get()?.as_ref().ok()).map(Index::bytes);
        self.entries.texts.bytes()
            + self.entries.offsets.capacity() * size_of::<u32>()
            + self.entries.expiries.capacity() * size_of::<(u32, Expires)>()
            + self.texts.bytes()
            + typed.sum::<usize>()
    }

    /// Where an entry stands in its file.
    #[must_use]
    pub fn span(&self, entry: u32) -> Span {
        self.entries.span(entry)
    }

    /// An entry as written.
    #[must_use]
    pub fn entry(&self, entry: u32) -> &str {
        text_at(&self.entries.texts, entry)
    }

    /// What an entry is found by: folded as the list declares.
    #[must_use]
    pub fn key(&self, entry: u32) -> std::borrow::Cow<'_, str> {
        entry_key(self.entry(entry), self.options)
    }

    /// Makes the list ready for values of a type.
    ///
    /// # Errors
    /// The first entry that is not of the type.
    pub fn typed(&self, as_type: EntryType) -> Result<(), u32> {
        self.index(as_type).map(drop)
    }

    fn index(&self, as_type: EntryType) -> Result<&Index, u32> {
        let made = match as_type {
            EntryType::Integer => &self.integers,
            EntryType::Decimal => &self.decimals,
            EntryType::Number => &self.numbers,
            EntryType::Date => &self.dates,
            EntryType::Time => &self.times,
        };
        made.get_or_init(|| {
            let mut keys = Keys::default();
            for at in 0..self.entries.texts.len() {
                let value = as_type.read(self.entry(at)).ok_or(at)?;
                keys.push(TypedKey::of(&value).ok_or(at)?.bytes());
            }
            keys.shrink();
            Ok(Index::with_keys(keys).0)
        })
        .as_ref()
        .map_err(|entry| *entry)
    }

    /// Whether the list holds a value at this moment.
    ///
    /// # Errors
    /// When a value of this type cannot be looked up here. Never for what the list holds.
    pub fn holds(&self, value: &Value, moment: &Moment) -> Result<bool, Impossible> {
        let as_type = match value {
            Value::Text(text) => return Ok(self.holds_text(text, moment)),
            Value::Integer(_) => EntryType::Integer,
            Value::Decimal(_) => EntryType::Decimal,
            Value::Number(_) => EntryType::Number,
            Value::Date(_) => EntryType::Date,
            Value::Time(_) => EntryType::Time,
            other => {
                let detail = format!("{} cannot be looked up in a list", other.type_word());
                return Err(Impossible::new("wrong_type", detail));
            }
        };
        let wrong = || {
            let detail = format!("the entries of the list are not {}s", value.type_word());
            Impossible::new("wrong_type", detail)
        };
        if self.options.match_by != ListMatch::Exact {
            return Err(wrong());
        }
        let index = self.index(as_type).map_err(|_| wrong())?;
        let Some(key) = TypedKey::of(value) else { return Err(wrong()) };
        Ok(index.find(&self.entries.texts, key.bytes()).is_some_and(|entry| self.counts(entry, moment)))
    }

    fn holds_text(&self, text: &str, moment: &Moment) -> bool {
        let key = item_key(text, self.options);
        let key = key.as_ref();
        let holds = |part: &str| {
            let found = self.texts.find(&self.entries.texts, part.as_bytes());
            found.is_some_and(|entry| self.counts(entry, moment))
        };
        match self.options.match_by {
            ListMatch::Exact => holds(key),
            ListMatch::Prefix => self
                .texts
                .lengths()
                .iter()
                .map_while(|length| key.as_bytes().get(..usize::from(*length)).map(|_| *length))
                .any(|length| key.get(..usize::from(length)).is_some_and(holds)),
            ListMatch::Domain => {
                // What is longer than any entry need not be hashed.
                let longest = self.texts.lengths().last().map_or(0, |length| usize::from(*length));
                let mut rest = Some(key);
                while let Some(domain) = rest {
                    if domain.len() <= longest && holds(domain) {
                        return true;
                    }
                    rest = domain.split_once('.').map(|(_, parent)| parent);
                }
                false
            }
        }
    }

    /// Until when an entry counts; `None`: for good.
    #[must_use]
    pub fn expiry(&self, entry: u32) -> Option<Expires> {
        let found = self.entries.expiries.binary_search_by_key(&entry, |(at, _)| *at).ok()?;
        self.entries.expiries.get(found).map(|(_, expires)| *expires)
    }

    fn counts(&self, entry: u32, moment: &Moment) -> bool {
        self.entries.expiries.is_empty() || !self.expiry(entry).is_some_and(|expires| expires.is_over(moment))
    }
}

impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
            && self.options == other.options
            && self.entries.texts == other.entries.texts
            && self.entries.expiries == other.entries.expiries
    }
}

/// Entries may be of persons and may be a million: none is shown.
impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List")
            .field("digest", &self.digest)
            .field("options", &self.options)
            .field("entries", &self.len())
            .finish_non_exhaustive()
    }
}

fn text_at(texts: &Keys, entry: u32) -> &str {
    std::str::from_utf8(texts.get(entry)).unwrap_or_default()
}

/// What an entry is found by.
fn entry_key(text: &str, options: ListOptions) -> std::borrow::Cow<'_, str> {
    match options.match_by {
        ListMatch::Domain => folded(text.trim_end_matches('.'), options.folding.with_case()),
        ListMatch::Exact | ListMatch::Prefix => folded(text, options.folding),
    }
}

/// What a text is looked up by.
fn item_key(text: &str, options: ListOptions) -> std::borrow::Cow<'_, str> {
    match options.match_by {
        ListMatch::Domain => entry_key(text.rsplit_once('@').map_or(text, |(_, host)| host), options),
        ListMatch::Exact | ListMatch::Prefix => entry_key(text, options),
    }
}

/// A value as bytes that are equal exactly when the values are.
struct TypedKey {
    bytes: [u8; 16],
    length: usize,
}

impl TypedKey {
    fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Integer(n) => Self::new(&n.to_be_bytes()),
            Value::Decimal(d) => Self::new(&d.normalize().serialize()),
            // Minus zero is zero.
            Value::Number(n) => Self::new(&(n + 0.0).to_bits().to_be_bytes()),
            Value::Date(date) => {
                let [high, low] = date.year().to_be_bytes();
                Self::new(&[high, low, date.month().to_be_bytes()[0], date.day().to_be_bytes()[0]])
            }
            Value::Time(time) => Self::new(&time.as_nanosecond().to_be_bytes()),
            _ => return None,
        })
    }

    fn new(bytes: &[u8]) -> Self {
        let mut key = Self { bytes: [0; 16], length: bytes.len() };
        for (slot, byte) in key.bytes.iter_mut().zip(bytes) {
            *slot = *byte;
        }
        key
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
