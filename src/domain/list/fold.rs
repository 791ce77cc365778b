//! When two writings are one: full case folding and compatibility normal form, each only where a list declares it.
//! Unicode's tables are part of the program, so a replay folds as the decision did.

use std::borrow::Cow;

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;

/// `fold: [case, unicode]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Folding {
    /// Full case folding: `STRASSE` and `straße` are one.
    pub case: bool,
    /// NFKC: full-width digits, ligatures and combined accents are what they look like.
    pub unicode: bool,
}

impl Folding {
    #[must_use]
    pub(super) fn with_case(self) -> Self {
        Self { case: true, ..self }
    }
}

/// The text that stands for all its writings.
pub(super) fn folded(text: &str, folding: Folding) -> Cow<'_, str> {
    if text.is_ascii() {
        let as_it_is = !folding.case || !text.bytes().any(|byte| byte.is_ascii_uppercase());
        return if as_it_is { Cow::Borrowed(text) } else { Cow::Owned(text.to_ascii_lowercase()) };
    }
    match (folding.case, folding.unicode) {
        (false, false) => Cow::Borrowed(text),
        (true, false) => Cow::Owned(text.chars().default_case_fold().collect()),
        (false, true) => Cow::Owned(text.nfkc().collect()),
        // The order of the Unicode standard's compatibility caseless matching (definition D146).
        (true, true) => {
            Cow::Owned(text.nfd().default_case_fold().nfkd().default_case_fold().nfkc().collect())
        }
    }
}
