//! JSON from callers, read once into a tree that keeps the text of every number. Duplicate names, broken
//! Unicode and anything after the value are refused with the place. No types: a flow's inputs give those.

use std::collections::HashSet;

use crate::domain::facts::Given;

/// How much one body may hold. Its length is capped by whoever reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonLimits {
    /// Nested lists and maps.
    pub depth: usize,
    /// Values of any kind in the whole body.
    pub values: usize,
    /// Characters of one number.
    pub number_length: usize,
}

impl Default for JsonLimits {
    fn default() -> Self {
        Self { depth: 64, values: 100_000, number_length: 1_024 }
    }
}

/// What is wrong with a body, and where. The text never repeats what was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at line {line}, column {column}")]
pub struct JsonError {
    pub problem: JsonProblem,
    /// Bytes before it.
    pub offset: usize,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonProblem {
    #[error("the body is empty")]
    Empty,
    #[error("the body starts with a byte order mark")]
    ByteOrderMark,
    #[error("the body is not UTF-8")]
    NotUtf8,
    #[error("there is something after the value")]
    TrailingText,
    #[error("the body ends too early")]
    UnexpectedEnd,
    #[error("expected a value")]
    ExpectedValue,
    #[error("expected a name in double quotes")]
    ExpectedName,
    #[error("expected `:` after a name")]
    ExpectedColon,
    #[error("expected `,` or the closing bracket")]
    ExpectedComma,
    #[error("a number is not written as JSON writes it")]
    BadNumber,
    #[error("a number is too long")]
    NumberTooLong,
    #[error("a text holds a control character that is not escaped")]
    ControlCharacter,
    #[error("an escape in a text is not one of JSON's")]
    BadEscape,
    #[error("a text holds half of a surrogate pair")]
    LoneSurrogate,
    #[error("a text holds the character NUL")]
    Nul,
    #[error("a name stands twice in one object")]
    DuplicateName,
    #[error("lists and objects are nested too deeply")]
    TooDeep,
    #[error("there are too many values")]
    TooManyValues,
}

/// Reads one whole body.
///
/// # Errors
/// The first thing that is not JSON, not unambiguous or over a limit, with its place.
pub fn parse(bytes: &[u8], limits: JsonLimits) -> Result<Given, JsonError> {
    let fail = |(problem, offset): (JsonProblem, usize)| located(bytes, problem, offset);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // UTF-16 lands here or at its first NUL: both say where.
        Err(error) => return Err(fail((JsonProblem::NotUtf8, error.valid_up_to()))),
    };
    if text.starts_with('\u{feff}') {
        return Err(fail((JsonProblem::ByteOrderMark, 0)));
    }
    let mut parser = Parser { text, bytes, at: 0, limits, values: 0 };
    parser.skip_space();
    if parser.at == bytes.len() {
        return Err(fail((JsonProblem::Empty, parser.at)));
    }
    let value = parser.value(0).map_err(fail)?;
    parser.skip_space();
    if parser.at < bytes.len() {
        return Err(fail((JsonProblem::TrailingText, parser.at)));
    }
    Ok(value)
}

/// From this many members on, names already seen are looked up in a set instead of one by one.
const MANY_MEMBERS: usize = 24;

type Step<T> = Result<T, (JsonProblem, usize)>;

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    limits: JsonLimits,
    values: usize,
}

impl Parser<'_> {
    fn value(&mut self, depth: usize) -> Step<Given> {
        self.values += 1;
        if self.values > self.limits.values {
            return Err((JsonProblem::TooManyValues, self.at));
        }
        match self.peek() {
            Some(b'"') => self.string().map(Given::Text),
            Some(b'{') => self.map(depth + 1),
            Some(b'[') => self.list(depth + 1),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Given::Boolean(true)),
            Some(b'f') => self.word("false", Given::Boolean(false)),
            Some(b'n') => self.word("null", Given::Null),
            Some(_) => Err((JsonProblem::ExpectedValue, self.at)),
            None => Err((JsonProblem::UnexpectedEnd, self.at)),
        }
    }

    fn word(&mut self, word: &str, value: Given) -> Step<Given> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            Err((JsonProblem::ExpectedValue, self.at))
        }
    }

    fn map(&mut self, depth: usize) -> Step<Given> {
        self.enter(depth)?;
        let mut members: Vec<(String, Given)> = Vec::new();
        let mut seen: HashSet<String> = HashSet::new();
        if self.eat(b'}') {
            return Ok(Given::Map(members));
        }
        loop {
            self.skip_space();
            let name_at = self.at;
            match self.peek() {
                Some(b'"') => {}
                Some(_) => return Err((JsonProblem::ExpectedName, self.at)),
                None => return Err((JsonProblem::UnexpectedEnd, self.at)),
            }
            let name = self.string()?;
            if is_repeated(&members, &mut seen, &name) {
                return Err((JsonProblem::DuplicateName, name_at));
            }
            if !self.eat(b':') {
                return Err(self.expected(JsonProblem::ExpectedColon));
            }
            self.skip_space();
            let value = self.value(depth)?;
            members.push((name, value));
            if self.eat(b',') {
                continue;
            }
            if self.eat(b'}') {
                return Ok(Given::Map(members));
            }
            return Err(self.expected(JsonProblem::ExpectedComma));
        }
    }

    fn list(&mut self, depth: usize) -> Step<Given> {
        self.enter(depth)?;
        let mut items = Vec::new();
        if self.eat(b']') {
            return Ok(Given::List(items));
        }
        loop {
            self.skip_space();
            items.push(self.value(depth)?);
            if self.eat(b',') {
                continue;
            }
            if self.eat(b']') {
                return Ok(Given::List(items));
            }
            return Err(self.expected(JsonProblem::ExpectedComma));
        }
    }

    /// Steps over the opening bracket, if it may be opened.
    fn enter(&mut self, depth: usize) -> Step<()> {
        if depth > self.limits.depth {
            return Err((JsonProblem::TooDeep, self.at));
        }
        self.at += 1;
        Ok(())
    }

    fn number(&mut self) -> Step<Given> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) {
            self.at += 1;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        if text.len() > self.limits.number_length {
            return Err((JsonProblem::NumberTooLong, start));
        }
        if is_number(text) {
            Ok(Given::Number(text.to_owned()))
        } else {
            Err((JsonProblem::BadNumber, start))
        }
    }

    fn string(&mut self) -> Step<String> {
        self.at += 1;
        let mut whole = String::new();
        loop {
            let start = self.at;
            while self.peek().is_some_and(|byte| byte != b'"' && byte != b'\\' && byte >= b' ') {
                self.at += 1;
            }
            let run = self.text.get(start..self.at).unwrap_or_default();
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    if whole.is_empty() {
                        return Ok(run.to_owned());
                    }
                    whole.push_str(run);
                    return Ok(whole);
                }
                Some(b'\\') => {
                    whole.push_str(run);
                    whole.push(self.escape()?);
                }
                Some(_) => return Err((JsonProblem::ControlCharacter, self.at)),
                None => return Err((JsonProblem::UnexpectedEnd, self.at)),
            }
        }
    }

    fn escape(&mut self) -> Step<char> {
        let start = self.at;
        let letter = *self.bytes.get(start + 1).ok_or((JsonProblem::UnexpectedEnd, start))?;
        self.at += 2;
        match letter {
            b'"' => Ok('"'),
            b'\\' => Ok('\\'),
            b'/' => Ok('/'),
            b'b' => Ok('\u{8}'),
            b'f' => Ok('\u{c}'),
            b'n' => Ok('\n'),
            b'r' => Ok('\r'),
            b't' => Ok('\t'),
            b'u' => self.unicode(start),
            _ => Err((JsonProblem::BadEscape, start)),
        }
    }

    fn unicode(&mut self, start: usize) -> Step<char> {
        let first = self.four_digits(start)?;
        let code = match first {
            0 => return Err((JsonProblem::Nul, start)),
            0xD800..=0xDBFF => {
                let pair = self.bytes.get(self.at..self.at + 2);
                if pair != Some(b"\\u".as_slice()) {
                    return Err((JsonProblem::LoneSurrogate, start));
                }
                self.at += 2;
                let second = self.four_digits(start)?;
                if !(0xDC00..=0xDFFF).contains(&second) {
                    return Err((JsonProblem::LoneSurrogate, start));
                }
                0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)
            }
            code => code,
        };
        char::from_u32(code).ok_or((JsonProblem::LoneSurrogate, start))
    }

    fn four_digits(&mut self, start: usize) -> Step<u32> {
        let digits = self.bytes.get(self.at..self.at + 4).ok_or((JsonProblem::UnexpectedEnd, start))?;
        let mut code = 0;
        for digit in digits {
            let value = char::from(*digit).to_digit(16).ok_or((JsonProblem::BadEscape, start))?;
            code = code * 16 + value;
        }
        self.at += 4;
        Ok(code)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn expected(&self, problem: JsonProblem) -> (JsonProblem, usize) {
        let problem = if self.at == self.bytes.len() { JsonProblem::UnexpectedEnd } else { problem };
        (problem, self.at)
    }
}

fn is_repeated(members: &[(String, Given)], seen: &mut HashSet<String>, name: &str) -> bool {
    if members.len() < MANY_MEMBERS {
        return members.iter().any(|(earlier, _)| earlier == name);
    }
    if seen.is_empty() {
        seen.extend(members.iter().map(|(earlier, _)| earlier.clone()));
    }
    !seen.insert(name.to_owned())
}

/// Whether a text is a number as JSON writes it: `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`.
#[must_use]
pub fn is_number(text: &str) -> bool {
    let rest = text.strip_prefix('-').unwrap_or(text);
    let (integer, rest) = split_digits(rest);
    if integer.is_empty() || (integer.len() > 1 && integer.starts_with('0')) {
        return false;
    }
    let rest = match rest.strip_prefix('.') {
        None => rest,
        Some(after) => match split_digits(after) {
            ("", _) => return false,
            (_, rest) => rest,
        },
    };
    let Some(exponent) = rest.strip_prefix(['e', 'E']) else { return rest.is_empty() };
    let (digits, rest) = split_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
    !digits.is_empty() && rest.is_empty()
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

#[cold]
fn located(bytes: &[u8], problem: JsonProblem, offset: usize) -> JsonError {
    let before = bytes.get(..offset).unwrap_or(bytes);
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    // Bytes that continue a UTF-8 character are not counted.
    let in_line = before.get(line_start..).unwrap_or_default();
    let column = in_line.iter().filter(|byte| **byte & 0xC0 != 0x80).count() + 1;
    JsonError { problem, offset, line, column }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
