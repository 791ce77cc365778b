//! One file of the bundle in memory, and the way from a byte to the line and column that people count in.
//! No file is opened here: paths are names.

use std::sync::Arc;

/// A text and its name. The path is relative with `/` between its parts, the same on every machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub path: String,
    pub text: Arc<str>,
}

/// Line and column as editors show them: both count from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

impl Source {
    pub fn new(path: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// Where byte `offset` stands; an offset beyond the end is the place just after the last character.
    #[must_use]
    pub fn position(&self, offset: u32) -> Position {
        let before = self.before(offset);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
        Position {
            line: count(before.bytes().filter(|byte| *byte == b'\n').count()),
            column: count(before.get(line_start..).unwrap_or_default().chars().count()),
        }
    }

    /// The line in which byte `offset` stands, without its line break, and the byte at which it starts.
    #[must_use]
    pub fn line_at(&self, offset: u32) -> (&str, usize) {
        let before = self.before(offset);
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let rest = self.text.get(start..).unwrap_or_default();
        let line = rest.split('\n').next().unwrap_or_default();
        (line.strip_suffix('\r').unwrap_or(line), start)
    }

    /// The text up to byte `offset`, cut back to a character's boundary.
    fn before(&self, offset: u32) -> &str {
        let mut end = usize::try_from(offset).unwrap_or(usize::MAX).min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        self.text.get(..end).unwrap_or_default()
    }
}

/// Where each line of a text starts: for many positions in one large file.
#[derive(Debug)]
pub(super) struct Lines<'s> {
    source: &'s Source,
    starts: Vec<usize>,
    /// A column is then a difference, however long the line.
    is_ascii: bool,
}

impl<'s> Lines<'s> {
    pub(super) fn new(source: &'s Source) -> Self {
        let breaks = source.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        Self { source, starts, is_ascii: source.text.is_ascii() }
    }

    /// The position of a byte, its line without the line break, and the byte at which that line starts: what
    /// `Source::position` and `Source::line_at` say.
    pub(super) fn at(&self, offset: u32) -> (Position, &'s str, usize) {
        let before = self.source.before(offset);
        let number = self.starts.partition_point(|start| *start <= before.len());
        let start = number.checked_sub(1).and_then(|line| self.starts.get(line)).copied().unwrap_or_default();
        let end = self.starts.get(number).map_or(self.source.text.len(), |next| next - 1);
        let line = self.source.text.get(start..end).unwrap_or_default();
        let on_line = before.get(start..).unwrap_or_default();
        let column = if self.is_ascii { on_line.len() } else { on_line.chars().count() } + 1;
        let position = Position {
            line: u32::try_from(number).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
        };
        (position, line.strip_suffix('\r').unwrap_or(line), start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_counts_characters_and_an_offset_past_the_end_is_the_end() {
        let source = Source::new("a.yaml", "äö: 1\r\nß: x\n");
        let at = |offset| {
            let Position { line, column } = source.position(offset);
            (line, column)
        };
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(4), (1, 3));
        assert_eq!(at(1), (1, 1), "inside a character is at its start");
        assert_eq!(at(9), (2, 1));
        assert_eq!(at(13), (2, 4));
        assert_eq!(at(9_999), (3, 1));
        assert_eq!(source.line_at(5), ("äö: 1", 0));
        assert_eq!(source.line_at(11), ("ß: x", 9));
        assert_eq!(source.line_at(9_999), ("", 15));
    }

    #[test]
    fn the_index_of_lines_says_the_same_for_every_byte() {
        for text in ["", "a", "\n", "äö: 1\r\nß: x\n\n  y", "a\n\n\nb"] {
            let source = Source::new("a", text);
            let lines = Lines::new(&source);
            for offset in 0..30 {
                let (line, start) = source.line_at(offset);
                assert_eq!(lines.at(offset), (source.position(offset), line, start), "{text:?} {offset}");
            }
        }
    }
}
