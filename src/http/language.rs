//! Which language a caller reads reasons in (`Accept-Language`, RFC 9110). Absent on purpose: translation, and
//! refusal: when nothing fits, the reason is in English, else in whatever it was written in.

use std::collections::BTreeMap;

/// Language tags, lower case, best first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Languages(Vec<String>);

impl Languages {
    /// Unreadable parts are skipped; at most 16 are looked at.
    #[must_use]
    pub fn parse(header: &str) -> Self {
        let mut ranked: Vec<(u32, String)> = Vec::new();
        for part in header.split(',').take(16) {
            let (tag, rest) = part.split_once(';').unwrap_or((part, ""));
            let tag = tag.trim().to_ascii_lowercase();
            let known = !tag.is_empty() && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if let Some(weight) = weight(rest)
                && known
                && weight > 0
            {
                ranked.push((weight, tag));
            }
        }
        ranked.sort_by_key(|entry| std::cmp::Reverse(entry.0));
        Self(ranked.into_iter().map(|(_, tag)| tag).collect())
    }

    /// The text to show, and its language; nothing when there is no text at all.
    #[must_use]
    pub fn pick<'a>(&self, texts: &'a BTreeMap<String, String>) -> Option<&'a str> {
        let primary = |tag: &str| tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
        for wanted in &self.0 {
            let exact = texts.iter().find(|(tag, _)| tag.eq_ignore_ascii_case(wanted));
            let near = || texts.iter().find(|(tag, _)| primary(tag) == primary(wanted));
            if let Some((_, text)) = exact.or_else(near) {
                return Some(text);
            }
        }
        texts.get("en").or_else(|| texts.values().next()).map(String::as_str)
    }
}

/// `q=0.8` in thousandths; 1000 when absent; nothing when unreadable.
fn weight(parameters: &str) -> Option<u32> {
    let Some(q) = parameters.split(';').map(str::trim).find_map(|p| p.strip_prefix("q=")) else {
        return Some(1000);
    };
    let (whole, fraction) = q.split_once('.').unwrap_or((q, ""));
    let digits = format!("{fraction:0<3}");
    let thousandths: u32 = digits.get(..3)?.parse().ok()?;
    match whole {
        "1" => Some(1000),
        "0" => Some(thousandths),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_language_that_a_reason_has_is_picked() {
        let texts: BTreeMap<String, String> =
            [("de", "Zu hoch"), ("en", "Too high"), ("pt-BR", "Muito alto")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into();
        for (header, expected) in [
            ("", "Too high"),
            ("de", "Zu hoch"),
            ("de-AT, en;q=0.5", "Zu hoch"),
            ("en;q=0.3, de;q=0.9", "Zu hoch"),
            ("fr, PT-br;q=0.4", "Muito alto"),
            ("pt", "Muito alto"),
            ("de;q=0, fr", "Too high"),
            ("de;q=2", "Too high"),
            ("*", "Too high"),
            ("de;q=é", "Too high"),
        ] {
            assert_eq!(Languages::parse(header).pick(&texts), Some(expected), "{header}");
        }
    }

    #[test]
    fn without_english_any_text_is_better_than_none() {
        let texts = BTreeMap::from([("es".to_owned(), "Alto".to_owned())]);
        assert_eq!(Languages::parse("de").pick(&texts), Some("Alto"));
        assert_eq!(Languages::default().pick(&BTreeMap::new()), None);
    }
}
