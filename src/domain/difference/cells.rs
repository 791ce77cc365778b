//! Cells of a table by their meaning: blanks, quotes without a use and a number's digits make no difference.

use crate::domain::script::by_value;

/// Signs that give a cell's text a meaning of its own, unless it stands in quotes.
const SIGNS: &[char] = &['|', '<', '>', '-', '[', ']', '(', ')', '\''];

/// The cell in one spelling.
pub(super) fn meaning(cell: &str, is_decimal_comma: bool) -> String {
    let pieces = pieces(cell.trim());
    let pieces: Vec<String> = pieces.into_iter().map(|piece| atom(piece.trim(), is_decimal_comma)).collect();
    pieces.join("|")
}

/// What stands between `|`s outside of quotes.
fn pieces(cell: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (at, c) in cell.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            '|' if !quoted => {
                found.extend(cell.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    found.extend(cell.get(start..));
    found
}

fn atom(text: &str, comma: bool) -> String {
    if let Some(quoted) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        let means_itself = !quoted.contains(SIGNS)
            && !quoted.contains("..")
            && quoted.trim() == quoted
            && number(quoted, comma) == quoted
            && !quoted.starts_with(|c: char| c.is_ascii_digit())
            && !matches!(quoted, "" | "missing" | "otherwise");
        return if means_itself { quoted.to_owned() } else { text.to_owned() };
    }
    for sign in ["<=", ">=", "<", ">"] {
        if let Some(bound) = text.strip_prefix(sign) {
            return format!("{sign} {}", number(bound.trim(), comma));
        }
    }
    if let Some((low, high)) = text.split_once("..") {
        let (open, low) = match low.trim().strip_prefix(['[', '(']) {
            Some(rest) if low.trim().starts_with('(') => ("(", rest),
            Some(rest) => ("[", rest),
            None => ("[", low),
        };
        let (close, high) = match high.trim().strip_suffix([']', ')']) {
            Some(rest) if high.trim().ends_with(']') => ("]", rest),
            Some(rest) => (")", rest),
            None => (")", high),
        };
        return format!("{open}{}..{}{close}", number(low.trim(), comma), number(high.trim(), comma));
    }
    number(text, comma)
}

fn number(text: &str, comma: bool) -> String {
    let point = if comma { text.replace(',', ".") } else { text.to_owned() };
    if point.starts_with(|c: char| c.is_ascii_digit() || c == '-') && point.len() > 1 || point.len() == 1 {
        by_value(&point)
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::meaning;

    #[test]
    fn a_cell_means_the_same_however_it_is_written() {
        for (one, other) in [
            ("< 0.05", "<0.050"),
            ("0.05..0.15", "[0.05 .. 0.150)"),
            (" own|rent ", "own | rent"),
            ("'own'", "own"),
            ("1.50", "1.5"),
            ("-", " - "),
        ] {
            assert_eq!(meaning(one, false), meaning(other, false), "{one} {other}");
        }
        assert_eq!(meaning("0,129", true), meaning("0.129", true));
        for (one, other) in
            [("< 5", "<= 5"), ("[1..2]", "[1..2)"), ("'-'", "-"), ("'1'", "1"), ("'missing'", "missing")]
        {
            assert_ne!(meaning(one, false), meaning(other, false), "{one} {other}");
        }
    }
}
