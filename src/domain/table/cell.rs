//! A cell's text → what it asks, before its column's type is known: `-`, `missing`, values, comparisons, intervals.
//! What the words in it stand for is `literal`'s.

use crate::domain::place::Span;

/// What a cell asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    Any,
    Missing,
    OneOf(Vec<Word>),
    /// At least one bound.
    Range {
        low: Option<End>,
        high: Option<End>,
    },
}

/// One end of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    pub word: Word,
    pub is_inclusive: bool,
}

/// One value as written, without its quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    pub text: String,
    /// It stood in `'…'`: a text, whatever it looks like.
    pub is_quoted: bool,
    /// Within the cell.
    pub span: Span,
}

/// Why a cell cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misread {
    pub code: &'static str,
    /// Within the cell.
    pub span: Span,
    pub message: String,
    pub help: String,
}

impl Misread {
    #[must_use]
    pub fn new(code: &'static str, span: Span, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { code, span, message: message.into(), help: help.into() }
    }
}

impl Cell {
    /// Every value that the cell names.
    pub fn words(&self) -> impl Iterator<Item = &Word> {
        let (values, ends): (&[Word], [Option<&End>; 2]) = match self {
            Self::Any | Self::Missing => (&[], [None, None]),
            Self::OneOf(words) => (words, [None, None]),
            Self::Range { low, high } => (&[], [low.as_ref(), high.as_ref()]),
        };
        values.iter().chain(ends.into_iter().flatten().map(|end| &end.word))
    }

    /// Reads the cell of a column that is asked.
    ///
    /// # Errors
    /// The part of the cell that has no meaning, and the way to write it.
    pub fn read(text: &str) -> Result<Self, Misread> {
        let all = Piece::new(text)?;
        match all.text() {
            "" => return Err(empty(all.span())),
            "-" => return Ok(Self::Any),
            "missing" => return Ok(Self::Missing),
            _ => {}
        }
        habit(&all)?;
        for (sign, is_low, is_inclusive) in
            [("<=", false, true), (">=", true, true), ("<", false, false), (">", true, false)]
        {
            if let Some(rest) = all.after(sign) {
                let end = Some(End { word: rest.only_value()?, is_inclusive });
                let (low, high) = if is_low { (end, None) } else { (None, end) };
                return Ok(Self::Range { low, high });
            }
        }
        if let Some(range) = interval(&all)? {
            return Ok(range);
        }
        all.split("|").iter().map(Piece::only_value).collect::<Result<_, _>>().map(Self::OneOf)
    }

    /// Reads the cell of a column that is given: one value, or `None` for `missing`.
    ///
    /// # Errors
    /// As `read`.
    pub fn read_given(text: &str) -> Result<Option<Word>, Misread> {
        let all = Piece::new(text)?;
        match all.text() {
            "" => Err(empty(all.span())),
            "missing" => Ok(None),
            "-" => {
                let message = "`-` stands for any value, and a row gives one";
                Err(Misread::new("T042", all.span(), message, "write the value, or `missing` for none"))
            }
            _ => {
                habit(&all)?;
                all.word().map(Some)
            }
        }
    }

    /// Reads the codes of a `-> reason` cell: `R101`, or `R101|R204`; none for `missing`.
    ///
    /// # Errors
    /// As `read`.
    pub fn read_codes(text: &str) -> Result<Vec<Word>, Misread> {
        let all = Piece::new(text)?;
        match all.text() {
            "missing" => Ok(Vec::new()),
            "" | "-" => Self::read_given(text).map(|word| word.into_iter().collect()),
            _ => all.split("|").iter().map(Piece::word).collect(),
        }
    }
}

fn empty(span: Span) -> Misread {
    Misread::new("T043", span, "this cell is empty", "write `-` for any value, or `missing` for none")
}

/// What people write from habit and what spreadsheets make of a dash.
fn habit(all: &Piece<'_>) -> Result<(), Misread> {
    let text = all.text();
    let wrong = |message: String, help: String| Err(Misread::new("T042", all.span(), message, help));
    if matches!(text, "–" | "—" | "−") {
        return wrong(format!("`{text}` is not `-`"), "write the plain `-`".to_owned());
    }
    for (sign, plain) in [("≤", "<="), ("≥", ">="), ("=<", "<="), ("=>", ">="), ("!=", ""), ("<>", "")] {
        if text.starts_with(sign) {
            let help = match plain {
                "" => "list the other values (`a|b`), or put a row for this one above".to_owned(),
                plain => format!("write `{plain}`"),
            };
            return wrong(format!("`{sign}` is not known in cells"), help);
        }
    }
    if let Some(rest) = text.strip_prefix("==").or_else(|| text.strip_prefix('=')) {
        let help = format!("write the value alone: `{}`", rest.trim());
        return wrong("a value needs no `=` before it".to_owned(), help);
    }
    Ok(())
}

/// `a..b`, `[a..b]`, `[a..b)`, `(a..b]`, `(a..b)`.
fn interval(all: &Piece<'_>) -> Result<Option<Cell>, Misread> {
    let wrong = |message: &str, help: &str| Err(Misread::new("T042", all.span(), message, help));
    let opened = all.after("[").map(|rest| (rest, true)).or_else(|| all.after("(").map(|rest| (rest, false)));
    let (inner, low_inclusive, high_inclusive) = match opened {
        Some((rest, low)) if rest.has("..") => match (rest.before("]"), rest.before(")")) {
            (Some(inner), _) => (inner, low, true),
            (None, Some(inner)) => (inner, low, false),
            (None, None) => return wrong("this interval is not closed", "close it with `]` or `)`"),
        },
        _ if all.text().starts_with(']') && all.has("..") => {
            return wrong("an interval begins with `[` or `(`", "write `(a..b)` where the ends do not count");
        }
        _ => (all.clone(), true, false),
    };
    let ends = inner.split("..");
    let (low, high) = match ends.as_slice() {
        [_] => return Ok(None),
        [low, high] if !high.text().starts_with(['.', '=']) => (low, high),
        _ => return wrong("an interval has two ends and `..` between them", "write `[a..b]` or `a..b`"),
    };
    if low.text().is_empty() || high.text().is_empty() {
        return wrong("an interval has two ends", "write `>= a` or `< b` where there is only one");
    }
    let low = End { word: low.only_value()?, is_inclusive: low_inclusive };
    let high = End { word: high.only_value()?, is_inclusive: high_inclusive };
    Ok(Some(Cell::Range { low: Some(low), high: Some(high) }))
}

/// A trimmed part of a cell, and which of its bytes stand in quotes.
#[derive(Clone)]
struct Piece<'t> {
    whole: &'t str,
    from: usize,
    to: usize,
    /// For each byte of the whole.
    quoted: Vec<bool>,
}

impl<'t> Piece<'t> {
    fn new(whole: &'t str) -> Result<Self, Misread> {
        let mut quoted = vec![false; whole.len()];
        let mut opened: Option<usize> = None;
        let mut may_open = true;
        let mut characters = whole.char_indices().peekable();
        while let Some((at, c)) = characters.next() {
            match (opened, c) {
                (None, '\'') if may_open => opened = Some(at),
                // Twice is the quote itself.
                (Some(_), '\'') if characters.next_if(|(_, next)| *next == '\'').is_none() => opened = None,
                (None, c) => may_open = c.is_whitespace() || "|.<>=[(".contains(c),
                _ => {}
            }
            let end = characters.peek().map_or(whole.len(), |(next, _)| *next);
            if opened.is_some()
                && let Some(bytes) = quoted.get_mut(at..end)
            {
                bytes.fill(true);
            }
        }
        if let Some(at) = opened {
            let help = "close it with `'`, or write `''` for the quote itself";
            return Err(Misread::new("T042", Span::new(at, whole.len()), "this quote is not closed", help));
        }
        Ok(Self { whole, from: 0, to: whole.len(), quoted }.trimmed())
    }

    fn text(&self) -> &'t str {
        self.whole.get(self.from..self.to).unwrap_or_default()
    }

    fn span(&self) -> Span {
        Span::new(self.from, self.to)
    }

    fn trimmed(mut self) -> Self {
        let text = self.text();
        self.from += text.len() - text.trim_start().len();
        self.to = self.from + text.trim().len();
        self
    }

    fn part(&self, from: usize, to: usize) -> Self {
        Self { from, to, ..self.clone() }.trimmed()
    }

    fn after(&self, start: &str) -> Option<Self> {
        self.text().starts_with(start).then(|| self.part(self.from + start.len(), self.to))
    }

    fn before(&self, end: &str) -> Option<Self> {
        self.text().ends_with(end).then(|| self.part(self.from, self.to - end.len()))
    }

    /// Where something stands outside of quotes.
    fn places(&self, wanted: &str) -> Vec<usize> {
        let found = self.text().match_indices(wanted).map(|(at, _)| self.from + at);
        found.filter(|at| self.quoted.get(*at) != Some(&true)).collect()
    }

    fn has(&self, wanted: &str) -> bool {
        !self.places(wanted).is_empty()
    }

    fn split(&self, at: &str) -> Vec<Self> {
        let mut parts = Vec::new();
        let mut from = self.from;
        for place in self.places(at) {
            parts.push(self.part(from, place));
            from = place + at.len();
        }
        parts.push(self.part(from, self.to));
        parts
    }

    /// A single value, and nothing that has a meaning only alone.
    fn only_value(&self) -> Result<Word, Misread> {
        let text = self.text();
        if matches!(text, "-" | "missing") || text.starts_with(['<', '>']) || self.has("|") || self.has("..")
        {
            let message = format!("`{text}` stands alone in a cell");
            return Err(Misread::new("T042", self.span(), message, "write a row for each, or quote a text"));
        }
        if text.is_empty() {
            return Err(Misread::new(
                "T042",
                self.span(),
                "a value is missing here",
                "write it, or remove the sign",
            ));
        }
        self.word()
    }

    fn word(&self) -> Result<Word, Misread> {
        let text = self.text();
        let double = ['"', '‘', '’', '“', '”'];
        if text.starts_with(double) && text.ends_with(double) && text.len() > 1 {
            let help = format!("write `'{}'`, or the text alone", text.trim_matches(double));
            return Err(Misread::new("T042", self.span(), "texts stand in `'…'` in cells", help));
        }
        if !text.starts_with('\'') {
            return Ok(Word { text: text.to_owned(), is_quoted: false, span: self.span() });
        }
        let whole = (self.from..self.to).all(|at| self.quoted.get(at) == Some(&true) || at + 1 == self.to);
        let inner = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
        match inner {
            Some(inner) if whole => {
                Ok(Word { text: inner.replace("''", "'"), is_quoted: true, span: self.span() })
            }
            _ => {
                let help = "quote all of it, or write `''` for the quote itself";
                Err(Misread::new("T042", self.span(), "something follows the closing quote", help))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was read, in one line: `[a..b)`, `a|'b'`.
    fn shown(text: &str) -> String {
        let word = |word: &Word| if word.is_quoted { format!("'{}'", word.text) } else { word.text.clone() };
        match Cell::read(text) {
            Ok(Cell::Any) => "any".to_owned(),
            Ok(Cell::Missing) => "none".to_owned(),
            Ok(Cell::OneOf(words)) => words.iter().map(word).collect::<Vec<_>>().join("|"),
            Ok(Cell::Range { low, high }) => {
                let side = |end: &Option<End>| end.as_ref().map_or(String::new(), |end| word(&end.word));
                let is_inclusive = |end: &Option<End>| end.as_ref().is_some_and(|end| end.is_inclusive);
                let open = if is_inclusive(&low) { '[' } else { '(' };
                let close = if is_inclusive(&high) { ']' } else { ')' };
                format!("{open}{}..{}{close}", side(&low), side(&high))
            }
            Err(misread) => {
                let Span { start, end } = misread.span;
                format!("{} {start}-{end} {}", misread.code, misread.message)
            }
        }
    }

    #[test]
    fn every_form_of_a_cell_is_read() {
        for (text, expected) in [
            ("-", "any"),
            (" - ", "any"),
            ("missing", "none"),
            ("'missing'", "'missing'"),
            ("'-'", "'-'"),
            ("none", "none"),
            ("a|b | c", "a|b|c"),
            ("'a|b'|c", "'a|b'|c"),
            ("O'Brien", "O'Brien"),
            ("'it''s'", "'it's'"),
            ("credit-card", "credit-card"),
            ("(unknown)", "(unknown)"),
            ("-5", "-5"),
            ("< 0.05", "(..0.05)"),
            ("<=0.05", "(..0.05]"),
            ("> max_dti", "(max_dti..)"),
            (">= 2026-01-31", "[2026-01-31..)"),
            ("0.05..0.15", "[0.05..0.15)"),
            ("-5..-1", "[-5..-1)"),
            ("[1..2]", "[1..2]"),
            ("[ 1 .. 2 )", "[1..2)"),
            ("(1..2]", "(1..2]"),
            ("(1..2)", "(1..2)"),
            ("'a..b'..'c'", "['a..b'..'c')"),
            ("2026-01-31T09:00:00Z..2026-02-01T00:00:00Z", "[2026-01-31T09:00:00Z..2026-02-01T00:00:00Z)"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn what_has_no_meaning_is_said_with_its_place() {
        for (text, expected) in [
            ("", "T043 0-0 this cell is empty"),
            ("  ", "T043 2-2 this cell is empty"),
            ("= 5", "T042 0-3 a value needs no `=` before it"),
            ("≤ 5", "T042 0-5 `≤` is not known in cells"),
            ("!= 5", "T042 0-4 `!=` is not known in cells"),
            ("–", "T042 0-3 `–` is not `-`"),
            ("1..", "T042 0-3 an interval has two ends"),
            ("1...2", "T042 0-5 an interval has two ends and `..` between them"),
            ("1..=2", "T042 0-5 an interval has two ends and `..` between them"),
            ("[1..2", "T042 0-5 this interval is not closed"),
            ("]1..2[", "T042 0-6 an interval begins with `[` or `(`"),
            ("a||b", "T042 2-2 a value is missing here"),
            ("<", "T042 1-1 a value is missing here"),
            ("a|missing", "T042 2-9 `missing` stands alone in a cell"),
            ("< 5|> 9", "T042 2-7 `5|> 9` stands alone in a cell"),
            ("'a", "T042 0-2 this quote is not closed"),
            ("'a'b", "T042 0-4 something follows the closing quote"),
            ("\"a\"", "T042 0-3 texts stand in `'…'` in cells"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn what_a_row_gives_is_one_value() {
        assert_eq!(Cell::read_given("missing"), Ok(None));
        assert_eq!(Cell::read_given("-").unwrap_err().code, "T042");
        assert_eq!(Cell::read_given("").unwrap_err().code, "T043");
        assert_eq!(Cell::read_given("-0.5").unwrap().unwrap().text, "-0.5");
        let codes = Cell::read_codes("R1 | R2").unwrap();
        assert_eq!(codes.iter().map(|word| word.text.as_str()).collect::<Vec<_>>(), ["R1", "R2"]);
        assert_eq!(Cell::read_codes("missing").unwrap(), []);
    }
}
