//! The source text beside the parser: what is refused before parsing, positions as byte offsets, and where
//! a token ends (rhai's positions say only where one begins).

use rhai::Position;

use crate::domain::place::Span;

/// Longest script or condition, in bytes.
pub const MAX_SOURCE: usize = 64 * 1024;

/// A text that is being parsed, with the offsets of its lines.
#[derive(Debug)]
pub struct SourceText<'a> {
    pub text: &'a str,
    lines: Vec<usize>,
    /// Where each character begins, unless each takes one byte.
    wide: Option<Vec<u32>>,
}

impl<'a> SourceText<'a> {
    pub fn new(text: &'a str) -> Self {
        let mut lines = vec![0];
        lines.extend(text.match_indices('\n').map(|(at, _)| at + 1));
        let wide = (!text.is_ascii())
            .then(|| text.char_indices().map(|(at, _)| u32::try_from(at).unwrap_or(u32::MAX)).collect());
        Self { text, lines, wide }
    }

    /// Byte offset of a position; the end of the text if it has none.
    pub fn offset(&self, position: Position) -> usize {
        let (Some(line), Some(column)) = (position.line(), position.position()) else {
            return if position.is_none() { self.text.len() } else { self.line_start(position) };
        };
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(self.text.len());
        let Some(wide) = &self.wide else { return (start + column.saturating_sub(1)).min(self.text.len()) };
        let first = wide.partition_point(|at| (*at as usize) < start);
        wide.get(first + column.saturating_sub(1)).map_or(self.text.len(), |at| *at as usize)
    }

    fn line_start(&self, position: Position) -> usize {
        position
            .line()
            .and_then(|line| self.lines.get(line.saturating_sub(1)).copied())
            .unwrap_or(self.text.len())
    }

    /// The lines up to the one in which byte `at` stands, each with the byte at which it begins; blank ones left out.
    pub fn lines_to(&self, at: usize) -> Vec<(usize, &'a str)> {
        let starts = self.lines.iter().copied().take_while(|start| *start <= at);
        let line =
            |start: usize| self.text.get(start..).unwrap_or_default().lines().next().unwrap_or_default();
        starts.map(|start| (start, line(start))).filter(|(_, line)| !line.trim().is_empty()).collect()
    }

    /// The span of the token that begins at `start`: a name, a number, a quoted text, or one symbol.
    pub fn token(&self, start: usize) -> Span {
        let rest = self.text.get(start..).unwrap_or_default();
        Span::new(start, start + token_length(rest))
    }

    /// The end of the closing bracket that follows `from`, if only blanks, commas and brackets stand between.
    pub fn closing(&self, from: usize, bracket: char) -> usize {
        let rest = self.text.get(from..).unwrap_or_default();
        rest.char_indices()
            .find(|(_, c)| !(c.is_whitespace() || *c == ',' || *c == '('))
            .filter(|(_, c)| *c == bracket)
            .map_or(from, |(at, c)| from + at + c.len_utf8())
    }

    pub fn slice(&self, span: Span) -> &'a str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }
}

fn token_length(rest: &str) -> usize {
    let Some(first) = rest.chars().next() else { return 0 };
    let run = |keep: fn(char) -> bool| rest.find(|c| !keep(c)).unwrap_or(rest.len());
    match first {
        c if c.is_alphabetic() || c == '_' => run(|c| c.is_alphanumeric() || c == '_'),
        c if c.is_ascii_digit() => number_length(rest),
        '-' => {
            let blank = 1 + rest.get(1..).map_or(0, |r| r.len() - r.trim_start().len());
            let digits = rest.get(blank..).unwrap_or_default();
            if digits.starts_with(|c: char| c.is_ascii_digit()) { blank + number_length(digits) } else { 1 }
        }
        '"' | '`' | '\'' => quoted_length(rest, first),
        '&' | '|' | '=' | '!' | '<' | '>' | '?' | '.' | '*' | '#'
            if rest.chars().nth(1).is_some_and(|c| "&|=?.*{".contains(c)) =>
        {
            2
        }
        c => c.len_utf8(),
    }
}

fn number_length(rest: &str) -> usize {
    let mut end = 0;
    let mut previous = ' ';
    let mut characters = rest.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let next = characters.peek().map(|(_, c)| *c);
        let goes_on = c.is_ascii_alphanumeric()
            || c == '_'
            || (c == '.' && next.is_some_and(|n| n.is_ascii_digit()))
            || ((c == '-' || c == '+') && (previous == 'e' || previous == 'E'));
        if !goes_on {
            break;
        }
        end = at + c.len_utf8();
        previous = c;
    }
    end
}

/// Bytes of the quoted text at the start of `rest`, quotes included; all of it where the text is not closed.
pub fn quoted_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// What makes a text unfit to be parsed at all, with the offset of it.
pub fn unfit(text: &str) -> Option<(Span, &'static str)> {
    if text.len() > MAX_SOURCE {
        return Some((Span::new(0, 0), "is longer than 64 KiB"));
    }
    text.char_indices().find_map(|(at, c)| {
        let what = match c {
            '\0' => "holds a NUL character",
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}' => {
                "holds an invisible character that changes the direction of text"
            }
            '\u{200B}'..='\u{200D}' | '\u{2060}' | '\u{FEFF}' => "holds an invisible character",
            _ => return None,
        };
        Some((Span::new(at, at + c.len_utf8()), what))
    })
}
