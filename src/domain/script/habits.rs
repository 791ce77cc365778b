//! What people type from SQL, Python, spreadsheets and word processors, and what it is here: the whole line is written
//! anew and tried, so that the way out can be copied. Only texts that the parser refused come here.

mod spelling;

pub use self::spelling::plain_number;
use self::spelling::{
    grouped, is_comparison, is_null, is_operand, narrow, percentage, starts_operand, unquoted,
};
use super::text::SourceText;
use crate::domain::place::Span;

/// A habit in a text that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Habit {
    pub span: Span,
    pub message: String,
    /// How it is written here, in general.
    pub advice: String,
}

/// What was written, anew; and the habits in it, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    pub text: String,
    pub habits: Vec<Habit>,
}

/// What the text is: `=` assigns in a script and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Condition,
    Script,
}

#[derive(Debug, Clone, Copy)]
struct Token<'t> {
    text: &'t str,
    start: usize,
}

/// A piece of the new text, with the blanks before it.
#[derive(Debug, Clone)]
struct Piece {
    gap: String,
    text: String,
}

/// Characters of word processors and other keyboards that stand for one of ours.
const LOOKALIKES: &[(char, &str)] = &[
    ('≥', ">="),
    ('≤', "<="),
    ('≠', "!="),
    ('×', "*"),
    ('÷', "/"),
    ('–', "-"),
    ('−', "-"),
    ('—', "-"),
    ('\u{a0}', " "),
    ('\u{2007}', " "),
    ('\u{202f}', " "),
    ('\u{3000}', " "),
];

/// Opening quotes that are not ours, and what closes them.
const QUOTES: &[(char, &str)] =
    &[('“', "”\""), ('”', "”\""), ('„', "“”\""), ('‘', "’'"), ('’', "’'"), ('«', "»"), ('\'', "'")];

/// Writes a text anew; `None` when there is no habit in it.
#[must_use]
pub fn rewritten(text: &str, kind: Kind) -> Option<Rewritten> {
    let source = SourceText::new(text);
    let tokens = tokens(&source);
    let (pieces, habits, open) = (Vec::new(), Vec::new(), Vec::new());
    let mut rewriter = Rewriter { text, kind, tokens: &tokens, next: 0, pieces, habits, open };
    while rewriter.step() {}
    let Rewriter { pieces, habits, .. } = rewriter;
    let text: String = pieces.into_iter().flat_map(|piece| [piece.gap, piece.text]).collect();
    (!habits.is_empty()).then(|| Rewritten { text: text.trim().to_owned(), habits })
}

fn tokens<'t>(source: &SourceText<'t>) -> Vec<Token<'t>> {
    let text = source.text;
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(first) = rest.chars().next() else { break };
        let length = if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        } else if first.is_whitespace() && !LOOKALIKES.iter().any(|(c, _)| *c == first) {
            at += first.len_utf8();
            continue;
        } else if let Some((_, closing)) = QUOTES.iter().find(|(open, _)| *open == first) {
            let end = rest.char_indices().skip(1).find(|(_, c)| closing.contains(*c) || *c == '\n');
            end.map_or(rest.len(), |(end, c)| if c == '\n' { end } else { end + c.len_utf8() })
        } else {
            let span = source.token(at);
            (span.end.saturating_sub(span.start) as usize).max(first.len_utf8())
        };
        found.push(Token { text: rest.get(..length).unwrap_or_default(), start: at });
        at += length;
    }
    found
}

struct Rewriter<'t> {
    text: &'t str,
    kind: Kind,
    tokens: &'t [Token<'t>],
    next: usize,
    pieces: Vec<Piece>,
    habits: Vec<Habit>,
    /// What each open bracket becomes, and whether commas separate things in it.
    open: Vec<(&'static str, bool)>,
}

impl<'t> Rewriter<'t> {
    fn peek(&self, ahead: usize) -> &'t str {
        self.tokens.get(self.next + ahead).map_or("", |token| token.text)
    }

    fn word(&self, ahead: usize) -> String {
        self.peek(ahead).to_ascii_lowercase()
    }

    /// Whether no blank stands between this token and the one behind it.
    fn touches(&self, ahead: usize) -> bool {
        let (this, then) = (self.tokens.get(self.next + ahead), self.tokens.get(self.next + ahead + 1));
        matches!((this, then), (Some(a), Some(b)) if a.start + a.text.len() == b.start)
    }

    /// Takes tokens, and puts a text in their place.
    fn put(&mut self, count: usize, text: impl Into<String>) {
        let from = match self.next.checked_sub(1).and_then(|at| self.tokens.get(at)) {
            Some(before) => before.start + before.text.len(),
            None => 0,
        };
        let start = self.tokens.get(self.next).map_or(from, |token| token.start);
        let gap = self.text.get(from..start).unwrap_or_default().to_owned();
        self.pieces.push(Piece { gap, text: text.into() });
        self.next += count;
    }

    fn follows(&self, word: &str) -> bool {
        self.pieces.iter().any(|piece| piece.text == word || piece.text == "else if" && word == "if")
    }

    fn habit(&mut self, count: usize, message: impl Into<String>, advice: &str) {
        let first = self.tokens.get(self.next);
        let last = self.tokens.get(self.next + count.max(1) - 1).or(first);
        if let (Some(first), Some(last)) = (first, last) {
            let span = Span::new(first.start, last.start + last.text.len());
            self.habits.push(Habit { span, message: message.into(), advice: advice.to_owned() });
        }
    }

    /// Takes the last operand (`employer.since`, `f(x)`, `(a + b)`) back out of what was written.
    fn take_operand(&mut self) -> Option<(String, String)> {
        let mut from = self.pieces.len();
        let mut depth = 0;
        while let Some(piece) = from.checked_sub(1).and_then(|at| self.pieces.get(at)) {
            let text = piece.text.as_str();
            match text {
                ")" | "]" => depth += 1,
                "(" | "[" => depth -= 1,
                _ if depth > 0 => {}
                "." => {}
                _ if is_operand(text) => {
                    let before = from.checked_sub(2).and_then(|at| self.pieces.get(at));
                    if before.is_none_or(|before| before.text != ".") {
                        from -= 1;
                        break;
                    }
                }
                _ => break,
            }
            if depth < 0 {
                break;
            }
            from -= 1;
            let before = from.checked_sub(1).and_then(|at| self.pieces.get(at));
            let goes_on = depth > 0
                || text == "."
                || text == "(" && before.is_some_and(|piece| is_operand(&piece.text))
                || before.is_some_and(|piece| piece.text == ".");
            if !goes_on {
                break;
            }
        }
        let taken = self.pieces.split_off(from);
        let gap = taken.first()?.gap.clone();
        let text: String = taken.into_iter().enumerate().fold(String::new(), |text, (at, piece)| {
            text + if at == 0 { "" } else { &piece.gap } + &piece.text
        });
        Some((gap, text))
    }

    /// How many tokens the operand has that begins so many tokens ahead.
    fn operand(&self, ahead: usize) -> usize {
        let mut at = ahead + usize::from(self.peek(ahead) == "-");
        if self.peek(at) != "(" {
            at += 1;
        }
        while self.peek(at) == "." {
            at += 2;
        }
        if self.peek(at) == "(" {
            let mut depth = 0;
            loop {
                match self.peek(at) {
                    "(" => depth += 1,
                    ")" => depth -= 1,
                    "" => break,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    break;
                }
            }
        }
        at - ahead
    }

    /// The text of tokens ahead, written anew where they hold habits themselves.
    fn ahead(&self, from: usize, count: usize) -> String {
        let first = self.tokens.get(self.next + from);
        let last = self.tokens.get(self.next + from + count.max(1) - 1).or(self.tokens.last());
        let (Some(first), Some(last)) = (first, last) else { return String::new() };
        let text = self.text.get(first.start..last.start + last.text.len()).unwrap_or_default();
        rewritten(text, Kind::Condition).map_or_else(|| text.to_owned(), |new| new.text)
    }

    fn step(&mut self) -> bool {
        if self.next >= self.tokens.len() {
            return false;
        }
        if !(self.word_habit() || self.symbol_habit() || self.number_habit() || self.bracket()) {
            let text = self.peek(0).to_owned();
            self.put(1, text);
        }
        true
    }

    fn word_habit(&mut self) -> bool {
        let written = self.peek(0);
        match self.word(0).as_str() {
            "and" => self.plain("&&", format!("`{written}` is not an operator here"), "write `&&`"),
            "or" => self.plain("||", format!("`{written}` is not an operator here"), "write `||`"),
            "not" => self.negation(),
            "between" => self.between(),
            "like" => self.like(),
            "is" => self.is(),
            "elif" | "elseif" | "elsif" => {
                self.plain("else if", format!("`{written}` is not a word here"), "write `else if`")
            }
            "then" if self.peek(1) != "{" => {
                self.plain("{", "`then` is not a word here", "write `if … { … }`")
            }
            "true" | "false" if !matches!(written, "true" | "false") => {
                let lower = written.to_lowercase();
                self.plain(&lower, format!("`{written}` is not a value here"), &format!("write `{lower}`"))
            }
            "in" if self.peek(1) == "(" => {
                self.habit(2, "a list is in square brackets here", "write `x in [a, b]`");
                self.put(1, "in");
                self.put(1, "[");
                self.open.push(("]", true));
                true
            }
            _ => false,
        }
    }

    fn plain(&mut self, new: &str, message: impl Into<String>, advice: &str) -> bool {
        self.habit(1, message, advice);
        self.put(1, new);
        true
    }

    /// `not x`, `x not in [..]`
    fn negation(&mut self) -> bool {
        self.habit(1, format!("`{}` is not an operator here", self.peek(0)), "write `!(…)`");
        if self.word(1) == "in"
            && let Some((gap, item)) = self.take_operand()
        {
            let closing = self.matching(2);
            let list = self.ahead(1, closing);
            self.next += 1 + closing;
            let list = list.replacen("in (", "in [", 1);
            self.pieces.push(Piece { gap, text: format!("!({item} {list})") });
            return true;
        }
        let mut count = self.operand(1);
        if is_comparison(self.peek(1 + count)) || is_comparison(&self.word(1 + count)) {
            count += 1 + self.operand(2 + count);
        }
        let text = self.ahead(1, count);
        let is_whole = text.starts_with('(') || !text.contains(' ');
        self.put(1 + count, if is_whole { format!("!{text}") } else { format!("!({text})") });
        true
    }

    /// Tokens up to and with the bracket that closes the one so many ahead, counted from the token before it.
    fn matching(&self, ahead: usize) -> usize {
        let mut depth = 0;
        let mut at = ahead;
        loop {
            match self.peek(at) {
                "(" | "[" => depth += 1,
                ")" | "]" => depth -= 1,
                "" => return at - ahead + 1,
                _ => {}
            }
            at += 1;
            if depth == 0 {
                return at - ahead + 1;
            }
        }
    }

    /// `x between a and b`
    fn between(&mut self) -> bool {
        let low = self.operand(1);
        let is_whole = self.word(1 + low) == "and" || self.peek(1 + low) == "&&";
        self.habit(1, "`between` is not an operator here", "write `x >= low && x <= high`");
        let Some((gap, item)) = self.take_operand().filter(|_| is_whole) else {
            self.put(1, "between");
            return true;
        };
        let high = self.operand(2 + low);
        let (from, to) = (self.ahead(1, low), self.ahead(2 + low, high));
        self.next += 2 + low + high;
        self.pieces.push(Piece { gap, text: format!("{item} >= {from} && {item} <= {to}") });
        true
    }

    /// `x like 'abc%'`
    fn like(&mut self) -> bool {
        let pattern = unquoted(self.peek(1)).to_owned();
        self.habit(
            1,
            "`like` is not an operator here",
            "write `starts_with(x, \"…\")`, `ends_with` or `contains`",
        );
        let Some((gap, item)) = self.take_operand() else {
            self.put(1, "like");
            return true;
        };
        let inner = pattern.trim_matches('%').replace('"', "\\\"");
        let text = match (pattern.starts_with('%'), pattern.ends_with('%')) {
            (true, true) => format!("contains({item}, \"{inner}\")"),
            (true, false) => format!("ends_with({item}, \"{inner}\")"),
            (false, true) => format!("starts_with({item}, \"{inner}\")"),
            (false, false) => format!("{item} == \"{inner}\""),
        };
        self.next += 2;
        self.pieces.push(Piece { gap, text });
        true
    }

    /// `x is null`, `x is not null`, `x is y`
    fn is(&mut self) -> bool {
        let not = usize::from(self.word(1) == "not");
        if is_null(&self.word(1 + not)) {
            return self.null(2 + not, not == 0);
        }
        let advice = "write `==`, `is_given(x)` or `is_missing(x)`";
        self.habit(1, "`is` is not an operator here", advice);
        self.put(1 + not, if not == 1 { "!=" } else { "==" });
        true
    }

    /// A comparison with null of so many tokens.
    fn null(&mut self, count: usize, is_missing: bool) -> bool {
        self.habit(count, "there is no null here", "write `is_missing(x)` or `is_given(x)`");
        let word = if is_missing { "is_missing" } else { "is_given" };
        match self.take_operand() {
            Some((gap, item)) => {
                self.next += count;
                self.pieces.push(Piece { gap, text: format!("{word}({item})") });
            }
            None => self.put(count, word),
        }
        true
    }

    fn symbol_habit(&mut self) -> bool {
        let written = self.peek(0);
        let pair = (written, if self.touches(0) { self.peek(1) } else { "" });
        let (count, symbol) = match pair {
            ("<", ">") => (2, "!="),
            ("=", ">") => (2, ">="),
            ("=", "<") => (2, "<="),
            ("==", "=") => (2, "=="),
            ("!=", "=") => (2, "!="),
            ("=", _) => (1, "=="),
            _ => (0, written),
        };
        let compares = self.kind == Kind::Condition || self.follows("if") || self.follows("while");
        let count = if written == "=" && (!compares || self.follows("switch")) { 0 } else { count };
        let is_equality = matches!(symbol, "==" | "!=");
        if is_equality && is_null(&self.word(count.max(1))) {
            return self.null(count.max(1) + 1, symbol == "==");
        }
        if count > 0 {
            let typed: String = [written, if count == 2 { pair.1 } else { "" }].concat();
            let message = match symbol {
                _ if typed == "=" => "`=` does not compare".to_owned(),
                _ => format!("`{typed}` is not an operator here"),
            };
            self.habit(count, message, &format!("write `{symbol}`"));
            self.put(count, symbol);
            return true;
        }
        self.lookalike(written)
    }

    /// Quotes and characters that only look like ours.
    fn lookalike(&mut self, written: &str) -> bool {
        let Some(first) = written.chars().next() else { return false };
        if QUOTES.iter().any(|(open, _)| *open == first) && written.chars().count() > 1 {
            let text = format!("\"{}\"", unquoted(written).replace('"', "\\\""));
            let advice = format!("write texts in double quotes: `{text}`");
            self.habit(1, format!("`{written}` is not a text here"), &advice);
            self.put(1, text);
            return true;
        }
        let wide = u32::from(first).checked_sub(0xFEE0).filter(|c| (0x21..=0x7E).contains(c));
        let wide = wide.and_then(char::from_u32).filter(|_| ('\u{FF01}'..='\u{FF5E}').contains(&first));
        let ours = LOOKALIKES.iter().find(|(c, _)| *c == first).map(|(_, ours)| (*ours).to_owned());
        let Some(ours) = ours.or(wide.map(String::from)) else { return false };
        let shown = if ours == " " { "a plain space".to_owned() } else { format!("`{ours}`") };
        let message = format!("the character U+{:04X} has no meaning here", u32::from(first));
        self.habit(1, message, &format!("write {shown}"));
        let rest: String = written.chars().skip(1).map(narrow).collect();
        self.put(1, ours + &rest);
        true
    }

    /// `40%`, `1,000`, `1.000,50`
    fn number_habit(&mut self) -> bool {
        let written = self.peek(0);
        if !written.starts_with(|c: char| c.is_ascii_digit()) {
            return false;
        }
        if self.peek(1) == "%" && !starts_operand(self.peek(2)) {
            let Some(share) = percentage(written) else { return false };
            self.habit(2, format!("`{written}%` is not a number here"), &format!("write `{share}`"));
            self.put(2, share);
            return true;
        }
        if self.open.last().is_some_and(|(_, has_commas)| *has_commas) {
            return false;
        }
        let (mut count, mut whole) = (1, written.to_owned());
        while self.peek(count) == "," && self.touches(count - 1) && self.touches(count) {
            whole.push(',');
            whole.push_str(self.peek(count + 1));
            count += 2;
        }
        let Some(number) = grouped(&whole).filter(|_| count > 1) else { return false };
        self.habit(count, format!("`{whole}` is not a number here"), &format!("write `{number}`"));
        self.put(count, number);
        true
    }

    fn bracket(&mut self) -> bool {
        let text = self.peek(0);
        match text {
            "(" => {
                let is_call = self.pieces.last().is_some_and(|piece| is_operand(&piece.text));
                self.open.push((")", is_call));
            }
            "[" | "#{" => self.open.push((if text == "[" { "]" } else { "}" }, true)),
            "{" => self.open.push(("}", false)),
            ")" | "]" | "}" => {
                let closing = self.open.pop().map_or(text, |(closing, _)| closing);
                self.put(1, closing);
                return true;
            }
            _ => return false,
        }
        self.put(1, text);
        true
    }
}

#[cfg(test)]
mod tests;
