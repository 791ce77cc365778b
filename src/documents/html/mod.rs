//! Pages that are written to files: one HTML file that needs nothing else, to be read, printed and sent on. No script,
//! no font, nothing from elsewhere; bright or dark as the reader's screen is. The template escapes everything that is
//! put in.

pub mod chart;

use maud::{DOCTYPE, Markup, PreEscaped, html};

/// What every page looks like. Pages in the repository hold it: what only one kind of page needs goes to `styled`.
const STYLE: &str = include_str!("page.css");

/// A whole page.
#[must_use]
pub fn whole(title: &str, body: &Markup) -> String {
    styled(title, "", body)
}

/// A whole page with rules of its own behind those of every page.
#[must_use]
pub fn styled(title: &str, style: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) (PreEscaped(style)) }
            }
            body { (body) }
        }
    };
    page.into_string()
}
