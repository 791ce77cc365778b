//! `tollgate models promote|verify|compare`: what changes an alias, what says that a version is whole, and what puts
//! two side by side. Absent on purpose: the work itself (learn's).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value as Json, json};

use super::say::{Say, Trouble, table};
use crate::config::Settings;
use crate::domain::model::Model;
use crate::learn::artefact;
use crate::learn::compare::{self, Asked, Cell, Comparison};
use crate::learn::library::{CHAMPION, LibraryModel, LibraryVersion, ModelLibrary};
use crate::learn::metrics::CalibrationBin;
use crate::learn::promote;
use crate::learn::verify::{self, Check, Found};

/// Let an alias name another version.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tollgate models promote german_credit 2 --alias challenger

Edits models/MODEL/model.yaml where the number stands, comments and all. A version that does not verify is refused, and
nothing is changed; a running service takes the change over by itself.")]
pub(super) struct Promote {
    /// The folder in models/
    model: String,
    /// The number of the version
    #[arg(id = "number", value_name = "VERSION")]
    version: u32,
    /// The name that flows use: german_credit@champion
    #[arg(long, default_value = CHAMPION)]
    alias: String,
}

/// Ask the recorded predictions again and hold the files against their digests.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tollgate models verify german_credit@2

Exits 1 when something is wrong. A change in the training data is told and is not wrong.")]
pub(super) struct Verify {
    /// A model, or one version of it (german_credit@2); all of them if left out
    model: Option<String>,
}

/// Two versions on the same rows: metrics, calibration, agreement, and who would be approved by only one.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tollgate models compare german_credit@1 german_credit@2 --data models/german_credit/data/german_credit.csv --cut 0.45

On the rows that a model was fitted on it looks better than it is: compare on others.")]
pub(super) struct Compare {
    /// The first, as a flow would name it: german_credit@champion
    first: String,
    /// The second
    second: String,
    #[command(flatten)]
    rows: RowsOf,
    /// The column with the outcome; the first model's target if left out and the file has it
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// The value of that column that is bad; the first model's if left out
    #[arg(long, value_name = "VALUE")]
    bad: Option<String>,
    /// Rows are approved up to this probability
    #[arg(long, default_value_t = 0.5, value_name = "PROBABILITY")]
    cut: f64,
    /// Write the comparison as one page, too
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Applicants in a file of one's own.
#[derive(Debug, Args)]
pub(super) struct RowsOf {
    /// A CSV with a header line and a column for each input; `--data FILE` says the same here
    #[arg(long, value_name = "FILE")]
    rows: Option<PathBuf>,
    /// What stands between the cells
    #[arg(long, default_value = ",", value_name = "CHARACTER")]
    separator: char,
}

fn named<'l>(library: &'l ModelLibrary, name: &str) -> Result<&'l LibraryModel, Trouble> {
    let found = library.models().iter().find(|(known, _)| &***known == name).map(|(_, model)| model);
    found.ok_or_else(|| {
        Trouble::new(format!("there is no model `{name}`")).help("`tollgate models list` shows all")
    })
}

impl RowsOf {
    /// The file with the rows. Every command takes `--data`, and these keep no records: a file there can only be the
    /// rows.
    pub(super) fn file(&self, settings: &Settings) -> Result<PathBuf, Trouble> {
        let given = self.rows.clone().or_else(|| settings.data.is_file().then(|| settings.data.clone()));
        given.ok_or_else(|| {
            Trouble::new("no rows to compare on")
                .help("`--data FILE` names a CSV with a column for each input")
        })
    }

    pub(super) fn separator(&self) -> Result<u8, Trouble> {
        let separator = u8::try_from(self.separator).ok().filter(u8::is_ascii);
        separator.ok_or_else(|| Trouble::new("`--separator` is not an ASCII character"))
    }
}

pub(super) fn read(rows: &Path) -> Result<Vec<u8>, Trouble> {
    fs::read(rows).map_err(|error| Trouble::because(&format!("`{}` cannot be read", rows.display()), &error))
}

/// A version whose files are here; else what was not done, and what to do `instead`.
pub(super) fn here<'l>(
    library: &'l ModelLibrary,
    version: &str,
    (nothing, instead): (&str, &str),
) -> Result<(Arc<Model>, &'l LibraryVersion), Trouble> {
    let model = library.resolve(version).map_err(|error| Trouble::because(nothing, &error))?;
    let found = library.models().get(&model.name).and_then(|found| found.versions.get(&model.version));
    let elsewhere = || Trouble::new(format!("`{version}` answers on another server")).help(instead);
    found.map(|found| (model, found)).ok_or_else(elsewhere)
}

impl Promote {
    pub(super) fn run(
        self,
        settings: &Settings,
        library: &ModelLibrary,
        say: &Say,
    ) -> Result<ExitCode, Trouble> {
        let model = named(library, &self.model)?;
        let folder = settings.models.join(&self.model);
        let promoted = promote::promote(&folder, model, self.version, &self.alias)
            .map_err(|error| Trouble::because("no alias was moved", &error))?;
        let body = json!({
            "model": self.model, "alias": promoted.alias, "before": promoted.before, "version": promoted.version,
        });
        say.result(&body, || {
            let before = match promoted.before {
                Some(before) if before == promoted.version => "as before".to_owned(),
                Some(before) => format!("before: version {before}"),
                None => "a new alias".to_owned(),
            };
            format!("{}@{} is version {} ({before})", self.model, promoted.alias, promoted.version)
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Verify {
    pub(super) fn run(
        self,
        settings: &Settings,
        library: &ModelLibrary,
        say: &Say,
    ) -> Result<ExitCode, Trouble> {
        let (wanted, number) = match self.model.as_deref().map(|wanted| wanted.split_once('@')) {
            None => (None, None),
            Some(None) => (self.model.as_deref(), None),
            Some(Some((name, which))) => (Some(name), Some(which)),
        };
        if let Some(name) = wanted {
            named(library, name)?;
        }
        let mut versions = Vec::new();
        for (name, model) in library.models() {
            if wanted.is_some_and(|wanted| wanted != &**name) {
                continue;
            }
            for version in model.versions.values() {
                let is_wanted = number.is_none_or(|which| {
                    let aliased = model.aliases.get(which).copied();
                    which == version.version.to_string() || aliased == Some(version.version)
                });
                if is_wanted {
                    let checks = verify::verify(&settings.models.join(&**name), version);
                    versions.push((name.to_string(), version.version, version.digest.clone(), checks));
                }
            }
        }
        if let (true, Some(name), Some(which)) = (versions.is_empty(), wanted, number) {
            let what = format!("model `{name}` has no version or alias `{which}`");
            return Err(Trouble::new(what).help(format!("`tollgate models show {name}` shows all")));
        }
        let wrong = |checks: &[Check]| checks.iter().any(|check| matches!(check.found, Found::Wrong(_)));
        let failed = versions.iter().filter(|(_, _, _, checks)| wrong(checks)).count();
        let of = |(name, version, digest, checks): &(String, u32, std::sync::Arc<str>, Vec<Check>)| {
            json!({
                "model": name, "version": version, "digest": &**digest, "verifies": !wrong(checks),
                "checks": checks.iter().map(check_json).collect::<Vec<_>>(),
            })
        };
        let body = json!({ "versions": versions.iter().map(of).collect::<Vec<_>>(), "failed": failed });
        say.result(&body, || {
            let rows = versions.iter().flat_map(|(name, version, _, checks)| {
                checks.iter().map(move |check| {
                    let (state, text) = told(&check.found);
                    [format!("{name}@{version}"), check.what.to_owned(), state.to_owned(), text.to_owned()]
                })
            });
            table(["version", "what", "state", "found"], rows)
        })?;
        Ok(ExitCode::from(u8::from(failed > 0)))
    }
}

fn told(found: &Found) -> (&'static str, &str) {
    match found {
        Found::Fine(text) => ("fine", text),
        Found::Note(text) => ("note", text),
        Found::Wrong(text) => ("wrong", text),
    }
}

fn check_json(check: &Check) -> Json {
    let (state, text) = told(&check.found);
    json!({ "what": check.what, "state": state, "found": text })
}

impl Compare {
    pub(super) fn run(
        self,
        settings: &Settings,
        library: &ModelLibrary,
        say: &Say,
    ) -> Result<ExitCode, Trouble> {
        let rows = self.rows.file(settings)?;
        if !(0.0..=1.0).contains(&self.cut) {
            return Err(Trouble::new("`--cut` is not from 0 to 1").help("a probability, such as 0.45"));
        }
        let separator = self.rows.separator()?;
        let resolve = |name: &String| {
            let model =
                library.resolve(name).map_err(|error| Trouble::because("nothing to compare", &error))?;
            Ok::<_, Trouble>((name.clone(), model))
        };
        let models = [resolve(&self.first)?, resolve(&self.second)?];
        let data = read(&rows)?;
        let [(_, first), _] = &models;
        let version = library.models().get(&first.name).and_then(|model| model.versions.get(&first.version));
        let target = version.and_then(|version| artefact::target(&version.artefact));
        let label = self.label(target, &data, separator)?;
        let fitted_on = models.each_ref().map(|(_, model)| is_fitted_on(library, model, &data));
        let asked = Asked { models, fitted_on, data: &data, separator, label, cut_off: self.cut };
        let comparison =
            compare::compare(&asked).map_err(|error| Trouble::because("nothing was compared", &error))?;
        if let Some(path) = &self.html {
            let name = rows.file_name().map_or_else(|| rows.to_string_lossy(), |name| name.to_string_lossy());
            fs::write(path, compare::page(&comparison, &name)).map_err(|error| {
                Trouble::because(&format!("`{}` cannot be written", path.display()), &error)
            })?;
        }
        say.result(&comparison, || text(&comparison))?;
        Ok(ExitCode::SUCCESS)
    }

    /// The outcome's column and bad value: what was asked for, else the model's own if the file has it.
    fn label(
        &self,
        target: Option<artefact::TargetStored>,
        data: &[u8],
        separator: u8,
    ) -> Result<Option<(String, String)>, Trouble> {
        let bad = self.bad.clone().or_else(|| target.as_ref().map(|target| target.bad.clone()));
        match (&self.label, bad, target) {
            (Some(column), Some(bad), _) => Ok(Some((column.clone(), bad))),
            (Some(_), None, _) => {
                Err(Trouble::new("which value of the label is bad is not known")
                    .help("`--bad VALUE` says it"))
            }
            (None, Some(bad), Some(target)) => {
                Ok(compare::has_column(data, separator, &target.column).then_some((target.column, bad)))
            }
            (None, _, _) => Ok(None),
        }
    }
}

/// Whether the card says that these bytes are what the version was fitted on.
fn is_fitted_on(library: &ModelLibrary, model: &Model, data: &[u8]) -> bool {
    let version = library.models().get(&model.name).and_then(|known| known.versions.get(&model.version));
    let said = version.and_then(|version| version.card.pointer("/data/digest")).and_then(Json::as_str);
    said.is_some_and(|said| said == &*artefact::digest(data))
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

fn text(comparison: &Comparison) -> String {
    let [first, second] = &comparison.models;
    let mut rows: Vec<[String; 3]> = Vec::new();
    let mut add = |name: &str, one: String, other: String| rows.push([name.to_owned(), one, other]);
    add(
        "mean probability",
        format!("{:.4}", first.mean_probability),
        format!("{:.4}", second.mean_probability),
    );
    add(
        &format!("approved up to {}", comparison.cut_off),
        percent(first.approval_rate),
        percent(second.approval_rate),
    );
    if let (Some(one), Some(other)) = (&first.metrics, &second.metrics) {
        for (name, one, other) in [
            ("AUC", one.auc, other.auc),
            ("KS", one.ks, other.ks),
            ("Gini", one.gini, other.gini),
            ("log loss", one.log_loss, other.log_loss),
            ("Brier", one.brier, other.brier),
        ] {
            add(name, format!("{one:.4}"), format!("{other:.4}"));
        }
        let bin = |bin: &CalibrationBin| format!("{:.3} → {:.3}", bin.mean_probability, bin.bad_rate);
        for (at, (one, other)) in one.calibration.iter().zip(&other.calibration).enumerate() {
            add(&format!("tenth {}: mean → bad rate", at + 1), bin(one), bin(other));
        }
    }
    for side in [first, second] {
        for (code, count) in &side.refused {
            let cell = |own: &str| if own == side.model { count.to_string() } else { String::new() };
            add(&format!("refused: {code}"), cell(&first.model), cell(&second.model));
        }
    }
    let sides = table(["", first.model.as_str(), second.model.as_str()], rows);
    let swap = &comparison.swap_set;
    let cell = |name: &str, cell: &Cell| {
        let bad_rate = cell.bad_rate.map_or_else(|| "-".to_owned(), percent);
        [name.to_owned(), cell.rows.to_string(), percent(cell.share), bad_rate]
    };
    let swaps = table(
        ["approved by", "rows", "share", "bad rate"],
        [
            cell("both", &swap.both_approve),
            cell(&format!("{} only", first.model), &swap.only_first_approves),
            cell(&format!("{} only", second.model), &swap.only_second_approves),
            cell("neither", &swap.neither_approves),
        ],
    );
    let agreement = &comparison.agreement;
    let notes: String = comparison.notes.iter().map(|note| format!("\nnote: {note}")).collect();
    let rank = agreement.rank_correlation.map_or_else(|| "none".to_owned(), |rank| format!("{rank:.4}"));
    format!(
        "{} of {} rows are answered by both\n\n{sides}\n{swaps}\nsame side of the cut {}, rank correlation {rank}, mean \
         absolute difference {:.4}, largest {:.4}{notes}",
        comparison.compared,
        comparison.rows,
        percent(agreement.same_side),
        agreement.mean_absolute_difference,
        agreement.largest_absolute_difference
    )
}
