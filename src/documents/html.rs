//! Pages that are written to files: one HTML file that needs nothing else, to be read, printed and sent on. No script,
//! no font, nothing from elsewhere. The template escapes everything that is put in.

use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = "
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1c2733; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.2rem; border-bottom: 1px solid #cfd8e0; } h3 { margin-bottom: .2rem; }
table { border-collapse: collapse; margin: .6rem 0; } td, th { padding: .15rem .8rem .15rem 0; text-align: left; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; } .quiet { color: #5d6b78; overflow-wrap: anywhere; }
.charts { display: flex; flex-wrap: wrap; gap: 1rem; } svg { width: 17rem; } svg.wide { width: 100%; max-width: 40rem; }
svg text { font-size: 11px; fill: #44515d; } .frame { fill: none; stroke: #cfd8e0; } .guide { stroke: #9aa7b3; stroke-dasharray: 4 3; }
.line { fill: none; stroke: #1f5fa8; stroke-width: 2; } .dot, .plain { fill: #1f5fa8; } .warn { color: #a03a12; }
.line.good { stroke: #2b8a5b; } .line.bad { stroke: #c0502a; } rect.good { fill: #2b8a5b; } rect.bad { fill: #c0502a; }
";

/// A whole page.
#[must_use]
pub fn whole(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    };
    page.into_string()
}
