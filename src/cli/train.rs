//! `tollgate train MODEL`: the next version from the recipe. Absent on purpose: fitting (learn's).

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::declared;
use super::say::{Say, Trouble};
use crate::bundle;
use crate::config::Settings;
use crate::documents::findings::{self, Colour};
use crate::learn::metrics::Metrics;
use crate::learn::train::{self, Progress, TrainError, TrainOptions, TrainedVersion};

/// Fit the next version.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tollgate train german_credit --algorithm forest

The version gets the next number. No alias moves: `tollgate models promote MODEL VERSION` moves one.")]
pub(super) struct Train {
    /// The folder in models/
    model: String,
    /// One of the recipe's algorithms; the recipe says which if left out
    #[arg(long)]
    algorithm: Option<String>,
}

#[derive(Serialize)]
struct Trained<'a> {
    model: &'a str,
    version: u32,
    algorithm: &'a str,
    digest: &'a str,
    folder: String,
    held_out: Measures,
    training: Measures,
}

#[derive(Serialize)]
struct Measures {
    auc: f64,
    ks: f64,
    gini: f64,
    log_loss: f64,
    brier: f64,
}

impl Measures {
    fn of(metrics: &Metrics) -> Self {
        Self {
            auc: metrics.auc,
            ks: metrics.ks,
            gini: metrics.gini,
            log_loss: metrics.log_loss,
            brier: metrics.brier,
        }
    }
}

impl Train {
    pub(super) fn run(self, settings: &Settings, say: &Say) -> Result<ExitCode, Trouble> {
        let folder = settings.models.join(&self.model);
        let unfit = self.model.is_empty() || self.model.contains(['/', '\\']) || self.model.starts_with('.');
        if unfit || !folder.is_dir() {
            let what = format!("there is no model `{}` in `{}`", self.model, settings.models.display());
            return Err(Trouble::new(what).help("`tollgate models list` shows all"));
        }
        // What is wrong with the recipe is told by the training itself.
        let flow = match train::flow_of(&folder) {
            Ok(Some(name)) => {
                let built = bundle::build(&bundle::read_folder(&settings.rules, &settings.models));
                Some(Arc::clone(&declared::flow(&built, &name)?.flow))
            }
            Ok(None) | Err(_) => None,
        };
        let bar = say.progress(None);
        let options = TrainOptions { algorithm: self.algorithm, flow };
        let trained = train::run(&folder, &options, &mut |progress| {
            if let Progress::Validating { done, of } = progress {
                say.steps(&bar, done as u64, of as u64);
            }
            bar.set_message(told(&progress));
        });
        bar.finish_and_clear();
        match trained {
            Ok(version) => {
                show(&version, say)?;
                Ok(ExitCode::SUCCESS)
            }
            Err(TrainError::Recipe { source_file, diagnostics }) => {
                let shown = findings::rendered(&diagnostics, &[source_file], Colour::for_stderr());
                say.talk(shown.trim_end());
                Ok(ExitCode::from(1))
            }
            Err(error) => Err(Trouble::because("no version was written", &error)),
        }
    }
}

fn told(progress: &Progress) -> String {
    match progress {
        Progress::Read { rows, training, held_out } => {
            format!("{rows} rows: {training} to fit on, {held_out} held out")
        }
        Progress::Validating { done, of } => format!("cross-validation: {done} of {of} fits"),
        Progress::Fitting { algorithm } => format!("fitting `{algorithm}`"),
        Progress::Verified { rows } => format!("served as fitted on all {rows} rows"),
        Progress::Written { version } => format!("version {version}"),
    }
}

fn show(trained: &TrainedVersion, say: &Say) -> Result<(), Trouble> {
    let body = Trained {
        model: &trained.model,
        version: trained.version,
        algorithm: &trained.algorithm,
        digest: &trained.digest,
        folder: trained.folder.display().to_string(),
        held_out: Measures::of(&trained.held_out),
        training: Measures::of(&trained.training),
    };
    say.result(&body, || {
        let Measures { auc, ks, gini, log_loss, brier } = &body.held_out;
        format!(
            "{} version {} ({}) in {}\nheld out: AUC {auc:.4}, KS {ks:.4}, Gini {gini:.4}, log loss {log_loss:.4}, \
             Brier {brier:.4}\ntraining: AUC {:.4}\n{}",
            body.model, body.version, body.algorithm, body.folder, body.training.auc, body.digest
        )
    })
}
