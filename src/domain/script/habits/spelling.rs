//! Numbers, quotes and characters as other programs write them, and single words that decide what stands around them.

/// `40%`, `1,000`, `0,5` and `1.000,50` as numbers are written here; `None` for every other text.
#[must_use]
pub fn plain_number(written: &str) -> Option<String> {
    match written.strip_suffix('%') {
        Some(percent) => percentage(percent.trim_end()),
        None => written.contains(',').then(|| grouped(written))?,
    }
}

pub(super) fn percentage(percent: &str) -> Option<String> {
    let is_number = percent.starts_with(|c: char| c.is_ascii_digit());
    let share = percent.parse::<rust_decimal::Decimal>().ok().filter(|_| is_number)?;
    Some((share / rust_decimal::Decimal::ONE_HUNDRED).normalize().to_string())
}

/// `1,000` and `1.000,50` as the numbers that they stand for.
pub(super) fn grouped(written: &str) -> Option<String> {
    let is_digits = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    let is_grouped = |parts: &[&str]| {
        let (first, rest) = parts.split_first()?;
        let whole = is_digits(first) && first.len() <= 3 && rest.iter().all(|p| is_digits(p) && p.len() == 3);
        (whole && !rest.is_empty()).then(|| parts.concat())
    };
    let (head, fraction) = match written.rsplit_once('.') {
        Some((head, fraction)) if head.contains(',') => (head, Some(fraction)),
        _ => (written, None),
    };
    let by_comma: Vec<&str> = head.split(',').collect();
    if let Some(whole) = is_grouped(&by_comma).filter(|_| !head.contains('.')) {
        return Some(fraction.map_or(whole.clone(), |fraction| format!("{whole}.{fraction}")));
    }
    let (head, fraction) = written.split_once(',')?;
    let by_point: Vec<&str> = head.split('.').collect();
    let whole =
        if by_point.len() == 1 && is_digits(head) { Some(head.to_owned()) } else { is_grouped(&by_point) };
    whole.filter(|_| is_digits(fraction)).map(|whole| format!("{whole}.{fraction}"))
}

pub(super) fn narrow(c: char) -> char {
    let wide = ('\u{FF01}'..='\u{FF5E}').contains(&c);
    u32::from(c).checked_sub(0xFEE0).filter(|_| wide).and_then(char::from_u32).unwrap_or(c)
}

pub(super) fn unquoted(quoted: &str) -> &str {
    let mut characters = quoted.chars();
    characters.next();
    let inner = characters.as_str();
    let ends = inner.ends_with(|c: char| "\"'”’“»".contains(c));
    if ends {
        inner.char_indices().next_back().map_or("", |(at, _)| inner.get(..at).unwrap_or_default())
    } else {
        inner
    }
}

pub(super) fn is_null(word: &str) -> bool {
    matches!(word, "null" | "nil" | "none" | "undefined")
}

pub(super) fn is_comparison(symbol: &str) -> bool {
    matches!(symbol, "<" | ">" | "<=" | ">=" | "==" | "!=" | "=" | "in")
}

pub(super) fn is_operand(text: &str) -> bool {
    let is_word = text.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '"');
    is_word && !matches!(text, "if" | "in" | "else" | "while" | "return" | "let" | "switch" | "else if")
}

pub(super) fn starts_operand(text: &str) -> bool {
    let is_joint = matches!(text.to_ascii_lowercase().as_str(), "and" | "or" | "then" | "between" | "is");
    !is_joint
        && text.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '(' || c == '"' || c == '-')
}
