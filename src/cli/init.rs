//! `tollgate init DIR`: a starter to edit, for a binary far from its repository: the sample flows with their cases, a
//! model with its recipe and data, the configuration, and what tries changes in CI. Absent on purpose: overwriting
//! anything.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::say::{Say, Trouble};
use crate::documents::schema::DocumentKind;

/// A starter to edit: sample flows with their cases, a model with its recipe, the configuration, hook and workflows
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tollgate init risk && cd risk && tollgate serve")]
pub(super) struct Init {
    /// Where to write it; made if it is not there
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

macro_rules! starter {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_bytes!(concat!("../../", $path)))),*]
    };
}

/// The sample, as it stands in the repository that this binary was built from.
const STARTER: &[(&str, &[u8])] = starter![
    "config/tollgate.yaml",
    "rules/_shared/blocked_phones.list.csv",
    "rules/_shared/disposable_domains.list.csv",
    "rules/_shared/hours.rhai",
    "rules/_shared/lending.rhai",
    "rules/_shared/reasons.yaml",
    "rules/_shared/shared.yaml",
    "rules/card_payment/action.table.csv",
    "rules/card_payment/action.table.yaml",
    "rules/card_payment/blocked_cards.list.csv",
    "rules/card_payment/blocks.rules.yaml",
    "rules/card_payment/cases/_facts.yaml",
    "rules/card_payment/cases/oddities.yaml",
    "rules/card_payment/cases/payments.yaml",
    "rules/card_payment/flow.rhai",
    "rules/card_payment/flow.yaml",
    "rules/card_payment/oddities.rules.yaml",
    "rules/card_payment/risky_countries.list.csv",
    "rules/card_payment/trusted_devices.list.csv",
    "rules/card_payment/velocity.rules.yaml",
    "rules/consumer_credit/bureau_limits.rules.yaml",
    "rules/consumer_credit/cases/_facts.yaml",
    "rules/consumer_credit/cases/bureau.yaml",
    "rules/consumer_credit/cases/offers.yaml",
    "rules/consumer_credit/cases/points.yaml",
    "rules/consumer_credit/cases/pre_bureau.yaml",
    "rules/consumer_credit/eligibility.rules.yaml",
    "rules/consumer_credit/flow.rhai",
    "rules/consumer_credit/flow.yaml",
    "rules/consumer_credit/offer.table.csv",
    "rules/consumer_credit/offer.table.yaml",
    "rules/consumer_credit/risk.scorecard.yaml",
    "rules/fraud_check/cases/signals.yaml",
    "rules/fraud_check/flow.rhai",
    "rules/fraud_check/flow.yaml",
    "rules/fraud_check/signals.rules.yaml",
    "rules/personal_loan/affordability.rules.yaml",
    "rules/personal_loan/application.scorecard.yaml",
    "rules/personal_loan/blocked_numbers.list.csv",
    "rules/personal_loan/blocked_numbers_at.list.csv",
    "rules/personal_loan/cases/_facts.yaml",
    "rules/personal_loan/cases/affordability.yaml",
    "rules/personal_loan/cases/beside.yaml",
    "rules/personal_loan/cases/knockout.yaml",
    "rules/personal_loan/cases/limits.yaml",
    "rules/personal_loan/cases/markets.yaml",
    "rules/personal_loan/cases/points.yaml",
    "rules/personal_loan/cases/score.yaml",
    "rules/personal_loan/curp_checks.rules.yaml",
    "rules/personal_loan/fees.table.yaml",
    "rules/personal_loan/flow.rhai",
    "rules/personal_loan/flow.yaml",
    "rules/personal_loan/knockout.rules.yaml",
    "rules/personal_loan/markets/at.yaml",
    "rules/personal_loan/markets/mx.yaml",
    "rules/personal_loan/pricing.table.csv",
    "rules/personal_loan/pricing.table.yaml",
    "rules/personal_loan/pricing_mx.table.csv",
    "rules/personal_loan/pricing_mx.table.yaml",
    "models/german_credit/model.yaml",
    "models/german_credit/train.yaml",
    "models/german_credit/data/README.md",
    "models/german_credit/data/german_credit.csv",
    "models/german_credit/1/model.json",
    "models/german_credit/1/card.json",
    "models/german_credit/2/model.json",
    "models/german_credit/2/card.json",
    "models/german_credit/3/model.json",
    "models/german_credit/3/card.json",
    "models/german_credit/3/card.html",
];

macro_rules! ci {
    ($($name:literal),* $(,)?) => {
        &[$((concat!("ci/", $name), include_bytes!(concat!("../../deploy/ci/", $name)))),*]
    };
}

/// The hook and the workflows, to be put where the host of the repository looks for them.
const CI: &[(&str, &[u8])] =
    ci!["README.md", "compare", "github.yml", "gitlab.yml", "install", "pre-commit", "run", "state",];
/// On which applicants changes are tried.
const APPLICANTS: (&str, &[u8]) = (".tollgate-ci", include_bytes!("../../deploy/ci/tollgate-ci"));

#[derive(Serialize)]
struct Written {
    files: Vec<String>,
}

/// Every file: the sample, what tries changes of it, and the schemas that its first lines name.
fn files() -> Vec<(String, Cow<'static, [u8]>)> {
    let sample = STARTER
        .iter()
        .chain(CI)
        .chain([&APPLICANTS])
        .map(|(path, bytes)| ((*path).to_owned(), Cow::Borrowed(*bytes)));
    let schemas = DocumentKind::ALL
        .iter()
        .map(|kind| (format!("config/schemas/{}.json", kind.word()), Cow::Owned(kind.text().into_bytes())));
    sample.chain(schemas).collect()
}

impl Init {
    pub(super) fn run(self, say: &Say) -> Result<ExitCode, Trouble> {
        // Everything is looked at before anything is written: a refusal leaves nothing half-done.
        let files = files();
        if let Some((path, _)) = files.iter().find(|(path, _)| self.dir.join(path).exists()) {
            let what =
                format!("`{}` is there already, and nothing was written", self.dir.join(path).display());
            return Err(
                Trouble::new(what).help("name a folder that has no `rules/`, `models/` and `config/` yet")
            );
        }
        for (path, bytes) in &files {
            write(&self.dir.join(path), bytes)?;
        }
        let files: Vec<String> = files.into_iter().map(|(path, _)| path).collect();
        let (dir, count) = (self.dir.display(), files.len());
        say.result(&Written { files }, || {
            format!("{count} files written to `{dir}`; `cd {dir} && tollgate serve` decides with them")
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Trouble> {
    let failed =
        |error: std::io::Error| Trouble::because(&format!("cannot write `{}`", path.display()), &error);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(path, bytes).map_err(failed)?;
    #[cfg(unix)]
    if bytes.starts_with(b"#!") {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDERS: [&str; 6] = [
        "rules/_shared",
        "rules/card_payment",
        "rules/consumer_credit",
        "rules/fraud_check",
        "rules/personal_loan",
        "models/german_credit",
    ];

    #[test]
    fn the_starter_is_the_whole_sample() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = Vec::new();
        for folder in FOLDERS {
            collect(root, &root.join(folder), &mut found);
        }
        found.push("config/tollgate.yaml".to_owned());
        found.sort();
        let mut starter: Vec<String> = STARTER.iter().map(|(path, _)| (*path).to_owned()).collect();
        starter.sort();
        assert_eq!(starter, found);
        let mut ci = Vec::new();
        collect(root, &root.join("deploy/ci"), &mut ci);
        ci.sort();
        let mut ours: Vec<String> = CI.iter().map(|(path, _)| format!("deploy/{path}")).collect();
        ours.push("deploy/ci/tollgate-ci".to_owned());
        ours.sort();
        assert_eq!(ours, ci);
    }

    fn collect(root: &Path, folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(root, &path, found);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
            }
        }
    }

    #[test]
    fn what_is_there_is_never_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let init = || Init { dir: dir.path().join("risk") };
        let say = Say::new(super::super::Format::Json);
        assert_eq!(init().run(&say).unwrap(), ExitCode::SUCCESS);
        let flow = dir.path().join("risk/rules/personal_loan/flow.yaml");
        std::fs::write(&flow, "mine").unwrap();
        std::fs::remove_file(dir.path().join("risk/config/tollgate.yaml")).unwrap();
        assert!(init().run(&say).is_err());
        assert_eq!(std::fs::read_to_string(&flow).unwrap(), "mine");
        assert!(!dir.path().join("risk/config/tollgate.yaml").exists());
    }
}
