//! Where something was written: a file of the bundle and a range of bytes in it.
//! No text and no line numbers here: those are found when a diagnostic is shown.

/// A range of bytes in one source text, end exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { start: clamp(start), end: clamp(end) }
    }

    /// The same range, seen from a text in which this one begins at byte `offset`.
    #[must_use]
    pub fn shifted(self, offset: u32) -> Self {
        Self { start: self.start.saturating_add(offset), end: self.end.saturating_add(offset) }
    }
}

/// A span in one of the files that a bundle was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place {
    /// Index into the bundle's sources.
    pub file: u32,
    pub span: Span,
}

impl Place {
    /// The place of a part of the text that stands here: `span` counts from this place's start.
    #[must_use]
    pub fn part(self, span: Span) -> Self {
        Self { file: self.file, span: span.shifted(self.span.start) }
    }
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Located<T> {
    pub value: T,
    pub place: Place,
}

impl<T> Located<T> {
    pub fn new(value: T, place: Place) -> Self {
        Self { value, place }
    }
}
