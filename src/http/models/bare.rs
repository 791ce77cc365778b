//! `NaN`, `Infinity` and `-Infinity` as bare words, which clients of model servers write where JSON has no word: made
//! into what a JSON reader takes. Texts are left as they are.

use std::borrow::Cow;

/// What an infinity is read as: a text that nobody means.
pub(super) const INFINITE: &str = "\0infinite";

/// The same document with `null` for each `NaN` and [`INFINITE`] for each infinity.
pub(super) fn without_bare_words(body: &[u8]) -> Cow<'_, [u8]> {
    // Most documents have no such letter outside a text, and most have none at all.
    if !body.iter().any(|byte| matches!(byte, b'N' | b'I')) {
        return Cow::Borrowed(body);
    }
    let mut out: Vec<u8> = Vec::new();
    let mut copied = 0;
    let mut at = 0;
    let mut in_text = false;
    while let Some(byte) = body.get(at) {
        match byte {
            b'\\' if in_text => at += 1,
            b'"' => in_text = !in_text,
            b'N' | b'I' | b'-' if !in_text => {
                if let Some((word, instead)) = word_at(body, at) {
                    out.extend_from_slice(body.get(copied..at).unwrap_or_default());
                    out.extend_from_slice(instead);
                    at += word.len();
                    copied = at;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    if copied == 0 {
        return Cow::Borrowed(body);
    }
    out.extend_from_slice(body.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

fn word_at(body: &[u8], at: usize) -> Option<(&'static [u8], &'static [u8])> {
    const WORDS: [(&[u8], &[u8]); 4] = [
        (b"NaN", b"null"),
        (b"Infinity", b"\"\\u0000infinite\""),
        (b"-Infinity", b"\"\\u0000infinite\""),
        (b"-NaN", b"null"),
    ];
    let rest = body.get(at..)?;
    WORDS.into_iter().find(|(word, _)| rest.starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_words_become_json_and_texts_stay() {
        let check = |text: &str, wanted: &str| {
            let read = without_bare_words(text.as_bytes());
            assert_eq!(std::str::from_utf8(&read).unwrap(), wanted);
        };
        let infinite = serde_json::to_string(INFINITE).unwrap();
        check("[1, NaN, -Infinity,Infinity]", &format!("[1, null, {infinite},{infinite}]"));
        check(r#"{"a": "NaN", "b\"NaN": [NaN]}"#, r#"{"a": "NaN", "b\"NaN": [null]}"#);
        check(r#"["\\", NaN]"#, r#"["\\", null]"#);
        check("[-1, -2]", "[-1, -2]");
        check(r#"["In"]"#, r#"["In"]"#);
        assert!(matches!(without_bare_words(b"[\"NaN\", -3]"), Cow::Borrowed(_)));
        // Never longer to read than it is long, and no word is split.
        check("NaNNaN", "nullnull");
        check("[Na", "[Na");
    }
}
