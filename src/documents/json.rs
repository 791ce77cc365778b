//! TO BE REPLACED AT MERGE by the bundle's parser. Same signature; enough of JSON for the doors' own tests.
use crate::domain::facts::Given;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (line {line}, column {column})")]
pub struct JsonError {
    pub message: String,
    pub line: u32,
    pub column: u32,
    pub offset: usize,
}

/// # Errors
/// What is not JSON, and where.
pub fn parse(bytes: &[u8]) -> Result<Given, JsonError> {
    let fail = |offset: usize, message: &str| {
        let before = bytes.get(..offset.min(bytes.len())).unwrap_or_default();
        let line = 1 + before.iter().filter(|b| **b == b'\n').count();
        let column = 1 + before.iter().rev().take_while(|b| **b != b'\n').count();
        JsonError {
            message: message.to_owned(),
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
            offset,
        }
    };
    let mut reader = Reader { bytes, at: 0 };
    let value = reader.value(0).map_err(|message| fail(reader.at, message))?;
    reader.space();
    if reader.at == bytes.len() { Ok(value) } else { Err(fail(reader.at, "text after the end of the body")) }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Result<Given, &'static str> {
        if depth > 64 {
            return Err("nested deeper than 64");
        }
        self.space();
        match self.peek() {
            Some(b'{') => {
                self.at += 1;
                self.map(depth)
            }
            Some(b'[') => {
                self.at += 1;
                self.list(depth)
            }
            Some(b'"') => Ok(Given::Text(self.text()?)),
            Some(b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => self.scalar(),
            Some(_) => Err("not JSON"),
            None => Err("the body ends too early"),
        }
    }

    fn map(&mut self, depth: usize) -> Result<Given, &'static str> {
        let mut entries: Vec<(String, Given)> = Vec::new();
        self.space();
        if self.take(b'}') {
            return Ok(Given::Map(entries));
        }
        loop {
            self.space();
            let name = self.text()?;
            if entries.iter().any(|(n, _)| *n == name) {
                return Err("a name is given twice");
            }
            self.space();
            if !self.take(b':') {
                return Err("expected `:`");
            }
            let value = self.value(depth + 1)?;
            entries.push((name, value));
            self.space();
            if self.take(b'}') {
                return Ok(Given::Map(entries));
            }
            if !self.take(b',') {
                return Err("expected `,` or `}`");
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Given, &'static str> {
        let mut entries = Vec::new();
        self.space();
        if self.take(b']') {
            return Ok(Given::List(entries));
        }
        loop {
            entries.push(self.value(depth + 1)?);
            self.space();
            if self.take(b']') {
                return Ok(Given::List(entries));
            }
            if !self.take(b',') {
                return Err("expected `,` or `]`");
            }
        }
    }

    fn text(&mut self) -> Result<String, &'static str> {
        let start = self.at;
        if !self.take(b'"') {
            return Err("expected a name in quotes");
        }
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'\\' => self.at += 1,
                b'"' => {
                    let raw = self.bytes.get(start..self.at).unwrap_or_default();
                    return serde_json::from_slice(raw).map_err(|_| "not a JSON text");
                }
                _ => {}
            }
        }
        Err("a text is not closed")
    }

    fn scalar(&mut self) -> Result<Given, &'static str> {
        let start = self.at;
        while matches!(self.peek(), Some(b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'E')) {
            self.at += 1;
        }
        let raw = self.bytes.get(start..self.at).unwrap_or_default();
        match raw {
            b"true" => Ok(Given::Boolean(true)),
            b"false" => Ok(Given::Boolean(false)),
            b"null" => Ok(Given::Null),
            _ => match serde_json::from_slice::<serde_json::Number>(raw) {
                Ok(_) => Ok(Given::Number(String::from_utf8_lossy(raw).into_owned())),
                Err(_) => Err("not a JSON number"),
            },
        }
    }
}
