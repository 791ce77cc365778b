//! `tollgate models drift`: the rows of a file beside a version's reference, by the code that watches a running
//! service. Absent on purpose: what a service was asked (that is its `/v1/models/{model}/drift`).

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::registry::{RowsOf, here, read};
use super::say::{Say, Trouble, table};
use crate::config::Settings;
use crate::drift::{Moved, Report, Watch};
use crate::http::Compared;
use crate::learn::answers::{self, Answers};
use crate::learn::library::ModelLibrary;

/// How far the cases of a data file have moved from those that a version was fitted on.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tollgate models drift credit_history@champion --data applicants_of_october.csv

Exits 1 when the score or an input has moved by more than chance explains. On the rows that a model was fitted on its
scores are surer than on others, and that is told as drift, too.")]
pub(super) struct DriftOf {
    /// The version, as a flow would name it: german_credit@champion
    #[arg(id = "number", value_name = "MODEL")]
    version: String,
    #[command(flatten)]
    rows: RowsOf,
}

impl DriftOf {
    pub(super) fn run(
        self,
        settings: &Settings,
        library: &ModelLibrary,
        say: &Say,
    ) -> Result<ExitCode, Trouble> {
        let nothing = "nothing was compared";
        let rows = self.rows.file(settings)?;
        let separator = self.rows.separator()?;
        let (model, found) = here(library, &self.version, (nothing, "ask for its drift there"))?;
        let watch = Watch::new(&model, found);
        let monitor = watch.monitor.as_ref().map_err(|why| Trouble::because(nothing, why))?;
        let (data, sample) = (read(&rows)?, monitor.sample());
        let answers = answers::ask(&model, (&data, separator), |row, answer| sample.row(row, answer))
            .map_err(|error| Trouble::because(nothing, &error))?;
        let report = sample.report();
        let body = json!({
            "model": &*model.name,
            "version": model.version,
            "digest": &*model.digest,
            "rows": answers.rows,
            "refused": answers.refused,
            "reference": found.measured_on(),
            "compared": Compared::from(&report),
        });
        let against = found.measured_on().map(|on| format!("\nmeasured against {on}")).unwrap_or_default();
        say.result(&body, || text(&report, &answers) + &against)?;
        Ok(ExitCode::from(u8::from(report.is_alarm)))
    }
}

fn text(report: &Report, answers: &Answers) -> String {
    let number = |number: Option<f64>| number.map_or_else(|| "-".to_owned(), |number| format!("{number:.4}"));
    let share = |count: Option<u64>| {
        let share = count.filter(|_| report.rows > 0).map(|count| count as f64 * 100.0 / report.rows as f64);
        share.map_or_else(|| "-".to_owned(), |share| format!("{share:.2} %"))
    };
    let line = |name: &str, moved: &Moved, rates: [Option<u64>; 3]| {
        let word = if moved.is_alarm { "moved" } else { "" };
        let [missing, unseen, beyond] = rates.map(share);
        [name.to_owned(), number(moved.psi), number(moved.limit), word.to_owned(), missing, unseen, beyond]
    };
    let score = line("score", &report.score.moved, [None; 3]);
    let inputs = report.inputs.iter().map(|input| {
        let rates = [Some(input.missing), Some(input.unseen), input.out_of_range];
        line(&input.input, &input.moved, rates)
    });
    let lines = table(
        ["", "PSI", "limit", "", "missing", "unseen", "out of range"],
        std::iter::once(score).chain(inputs),
    );
    let refused: Vec<String> =
        answers.refused.iter().map(|(code, rows)| format!("{rows} refused: {code}")).collect();
    let refused = if refused.is_empty() { String::new() } else { format!(" ({})", refused.join(", ")) };
    let alarm = if report.is_alarm { "drift: more has moved than chance explains" } else { "no drift" };
    format!(
        "{} of {} rows are answered{refused}, mean score {}\n\n{lines}\n{alarm}",
        report.rows,
        answers.rows,
        number(report.score.mean)
    )
}
