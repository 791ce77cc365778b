//! Which language a caller reads reasons in (`Accept-Language`, RFC 9110). Absent on purpose: the texts themselves,
//! and refusal: when nothing fits, the engine falls back to English, else to any text.

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

    /// For the engine: it knows which texts a reason has.
    #[must_use]
    pub fn into_tags(self) -> Vec<String> {
        self.0
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
    fn tags_are_ranked_by_weight_and_then_as_written() {
        for (header, expected) in [
            ("", ""),
            ("de", "de"),
            ("de-AT, en;q=0.5", "de-at en"),
            ("en;q=0.3, de;q=0.9", "de en"),
            ("fr, PT-br;q=0.4, es", "fr es pt-br"),
            ("de;q=0, fr", "fr"),
            ("de;q=2, en;q=1.0", "en"),
            ("*, en", "en"),
            ("de;q=é, <b>", ""),
        ] {
            assert_eq!(Languages::parse(header).into_tags().join(" "), expected, "{header}");
        }
    }
}
