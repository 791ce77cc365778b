//! How an explanation is shown: as a tree in the terminal, and the way that a decision took as a picture. Absent on
//! purpose: drawing it up (the domain's) and putting it into words (the trial's).

use std::path::Path;

use super::say::{Say, Trouble};
use crate::bundle::FlowRevision;
use crate::documents::findings::Colour;
use crate::documents::outline as pictures;
use crate::domain::explanation::Explanation;
use crate::domain::outline::Outline;
use crate::trial::explain;

/// What a picture is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Picture {
    Svg,
    Mermaid,
}

impl Picture {
    /// By the ending of the file that it is to be written to.
    pub(super) fn of(file: &Path) -> Result<Self, Trouble> {
        match file.extension().and_then(|ending| ending.to_str()) {
            Some("svg") => Ok(Self::Svg),
            Some("mmd" | "mermaid") => Ok(Self::Mermaid),
            _ => Err(Trouble::new(format!("`{}` is no name of a picture", file.display()))
                .help("end it with `.svg`, or with `.mmd` for Mermaid")),
        }
    }
}

/// The tree, in colours where somebody sees them.
pub(super) fn text(explanation: &Explanation, flow: &FlowRevision, colour: Colour) -> String {
    let reason = |code: &str| flow.flow.reason_text(code, &[]).map(str::to_owned);
    explain::tree(explanation, &reason, colour)
}

/// The flow's picture with the way that was taken.
pub(super) fn picture(
    explanation: &Explanation,
    flow: &FlowRevision,
    kind: Picture,
) -> Result<String, Trouble> {
    let outline = Outline::of(&flow.declaration)
        .map_err(|_| Trouble::new(format!("the script of `{}` cannot be read", flow.flow.name)))?;
    Ok(match kind {
        Picture::Svg => pictures::svg_with_path(&outline, &explanation.path),
        Picture::Mermaid => pictures::mermaid_with_path(&outline, &explanation.path),
    })
}

/// Writes a text to a file and says so.
pub(super) fn write(file: &Path, text: &str, say: &Say) -> Result<(), Trouble> {
    let text = format!("{}\n", text.trim_end());
    std::fs::write(file, text)
        .map_err(|error| Trouble::because(&format!("cannot write `{}`", file.display()), &error))?;
    say.talk(&format!("written to `{}`", file.display()));
    Ok(())
}
