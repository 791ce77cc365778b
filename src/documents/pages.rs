//! The pages of `docs/diagnostics/`, in the program: `tollgate check --explain` shows one, SARIF carries them. What
//! they say is tried by `tests/diagnostic_pages.rs`.

use include_dir::{Dir, include_dir};

static PAGES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/docs/diagnostics");

/// One page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    pub code: &'static str,
    /// The whole page, in Markdown.
    pub text: &'static str,
}

/// The page of a code, however its letter is written.
#[must_use]
pub fn page(code: &str) -> Option<Page> {
    let code = code.to_ascii_uppercase();
    all().find(|page| page.code == code)
}

/// Every page, by code.
pub fn all() -> impl Iterator<Item = Page> {
    PAGES.files().filter_map(|file| {
        let code = file.path().file_name()?.to_str()?.strip_suffix(".md")?;
        let is_code = code.len() == 4 && code.chars().skip(1).all(|c| c.is_ascii_digit());
        Some(Page { code, text: file.contents_utf8()? }).filter(|_| is_code)
    })
}

impl Page {
    /// `an unknown name`
    #[must_use]
    pub fn title(&self) -> &'static str {
        let first = self.text.lines().next().unwrap_or_default();
        first.split_once(": ").map_or(first, |(_, title)| title)
    }

    /// What stands between the title and the first heading, as one paragraph a line.
    #[must_use]
    pub fn description(&self) -> String {
        let body = self.text.split_once('\n').map_or("", |(_, body)| body);
        let before = body.split("\n## ").next().unwrap_or_default();
        let paragraphs = before.trim().split("\n\n").map(|paragraph| paragraph.replace('\n', " "));
        paragraphs.collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_found_and_says_what_it_is_about() {
        let found = page("t004").unwrap();
        assert_eq!((found.code, found.title()), ("T004", "an unknown name"));
        assert!(found.description().starts_with("An error: the flow does not come into force.\nA condition"));
        assert!(!found.description().contains("Wrong"));
        assert!(page("T9").is_none() && page("README").is_none());
        assert!(all().count() > 60 && all().all(|page| !page.title().is_empty()));
    }
}
