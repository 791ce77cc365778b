//! How commands speak: results on stdout, as text or JSON; everything else on stderr. Absent on purpose: colours
//! and bars when nobody watches, or when `NO_COLOR` asks for none.

use std::error::Error;
use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::Format;
use crate::config::ConfigErrors;

/// Why a command could not run.
#[derive(Debug)]
pub(super) enum Trouble {
    Config(ConfigErrors),
    /// What was attempted, why it failed, and the way out if there is one.
    Failed {
        what: String,
        help: Option<String>,
    },
    /// Whoever read stdout has gone: nothing to say, and nobody to say it to.
    StdoutGone,
}

impl Trouble {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self::Failed { what: what.into(), help: None }
    }

    /// What was attempted, and the error with its causes.
    pub(super) fn because(what: &str, error: &(dyn Error + 'static)) -> Self {
        Self::new(format!("{what}: {}", with_causes(error)))
    }

    pub(super) fn help(self, help: impl Into<String>) -> Self {
        match self {
            Self::Failed { what, .. } => Self::Failed { what, help: Some(help.into()) },
            other => other,
        }
    }
}

/// An error and its causes in one line, without saying anything twice.
pub(super) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}

/// Where a command's words go.
#[derive(Debug)]
pub(super) struct Say {
    format: Format,
}

impl Say {
    pub(super) fn new(format: Format) -> Self {
        Self { format }
    }

    pub(super) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    pub(super) fn is_sarif(&self) -> bool {
        self.format == Format::Sarif
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// A result: the text, or the same as one JSON document.
    pub(super) fn result(&self, json: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Trouble> {
        let shown = match self.format {
            Format::Json | Format::Sarif => serde_json::to_string_pretty(json)
                .map_err(|error| Trouble::because("the result cannot be written as JSON", &error))?,
            _ => text(),
        };
        self.line(shown.trim_end())
    }

    /// One line (or text) of data.
    #[expect(clippy::unused_self, reason = "all words of a command go through one place")]
    pub(super) fn line(&self, text: &str) -> Result<(), Trouble> {
        writeln!(io::stdout().lock(), "{text}").map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Trouble::StdoutGone,
            _ => Trouble::because("stdout cannot be written", &error),
        })
    }

    /// Talk: what is going on, for people.
    #[expect(clippy::unused_self, reason = "all words of a command go through one place")]
    pub(super) fn talk(&self, text: &str) {
        let _nobody_reads = writeln!(io::stderr().lock(), "{text}");
    }

    pub(super) fn trouble(&self, trouble: &Trouble) {
        match trouble {
            Trouble::Config(errors) => self.talk(errors.to_string().trim_end()),
            Trouble::Failed { what, help } => {
                self.talk(&format!("error: {what}"));
                if let Some(help) = help {
                    self.talk(&format!("help: {help}"));
                }
            }
            Trouble::StdoutGone => {}
        }
    }

    /// A bar (or a spinner, for work of unknown length) on stderr, only where someone can see it.
    #[expect(clippy::unused_self, reason = "all words of a command go through one place")]
    pub(super) fn progress(&self, length: Option<u64>) -> ProgressBar {
        let target = if io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = match length {
            Some(length) => ProgressBar::with_draw_target(Some(length), target).with_style(steps_style()),
            None => ProgressBar::with_draw_target(None, target),
        };
        bar.enable_steady_tick(std::time::Duration::from_millis(100));
        bar
    }

    /// A bar for rows of a file, which are counted in its message and measured by how far the file was read.
    pub(super) fn rows(&self, length: Option<u64>) -> ProgressBar {
        let bar = self.progress(length);
        match ProgressStyle::with_template("{msg} {wide_bar} {percent} % {eta}") {
            Ok(style) if length.is_some() => bar.with_style(style),
            _ => bar,
        }
    }

    /// Turns a spinner into a bar once the number of steps is known, and moves it.
    #[expect(clippy::unused_self, reason = "all words of a command go through one place")]
    pub(super) fn steps(&self, bar: &ProgressBar, done: u64, of: u64) {
        if bar.length() != Some(of) {
            bar.set_length(of);
            bar.set_style(steps_style());
        }
        bar.set_position(done);
    }
}

fn steps_style() -> ProgressStyle {
    ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Columns under headings, two spaces apart, without lines: readable, and easy to cut.
pub(super) fn table<const N: usize>(
    headings: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut all = vec![headings.map(str::to_owned)];
    all.extend(rows);
    let mut widths = [0; N];
    for row in &all {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; N]| {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    all.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_plain_columns() {
        let shown = table(["name", "role"], [["shop".to_owned(), "caller".to_owned()]]);
        assert_eq!(shown, "name  role\nshop  caller\n");
    }

    #[test]
    fn causes_are_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("the key cannot be made")]
        struct Outer(#[source] io::Error);
        let error = Outer(io::Error::other("disk full"));
        assert_eq!(with_causes(&error), "the key cannot be made: disk full");
    }
}
