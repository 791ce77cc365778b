//! `tollgate models …`: what stands in `models/`, and the commands that judge it or move its aliases.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value as Json, json};

use super::drift::DriftOf;
use super::import::Import;
use super::registry::{Compare, Promote, Verify};
use super::say::{Say, Trouble, table};
use crate::config::Settings;
use crate::learn::library::{LibraryModel, LibraryVersion, ModelLibrary, read_models};

/// The models, their versions and cards.
#[derive(Debug, Subcommand)]
pub(super) enum Models {
    /// All models and versions
    List,
    /// One model: its versions, aliases and cards
    Show {
        /// The folder in models/
        model: String,
    },
    /// Bring a model that another library fitted
    Import(Import),
    /// Let an alias name another version
    Promote(Promote),
    /// Ask the recorded predictions again and hold the files against their digests
    Verify(Verify),
    /// Two versions side by side on a data file
    Compare(Compare),
    /// How far the cases of a data file have moved from those that a version was fitted on
    Drift(DriftOf),
}

impl Models {
    pub(super) fn run(self, settings: &Settings, say: &Say) -> Result<ExitCode, Trouble> {
        if let Self::Import(import) = self {
            return import.run(settings, say);
        }
        if !settings.models.is_dir() {
            let what = format!("there is no folder `{}`", settings.models.display());
            return Err(Trouble::new(what).help("`--models DIR` says where the models are"));
        }
        let library = read_models(&settings.models);
        match self {
            Self::List => list(&library, say)?,
            Self::Show { model } => show(&library, &model, say)?,
            // Answered above.
            Self::Import(_) => {}
            Self::Promote(promote) => return promote.run(settings, &library, say),
            Self::Verify(verify) => return verify.run(settings, &library, say),
            Self::Compare(compare) => return compare.run(settings, &library, say),
            Self::Drift(drift) => return drift.run(settings, &library, say),
        }
        for finding in library.findings() {
            say.talk(&format!("{}: {}", finding.path, finding.diagnostic.message));
        }
        Ok(ExitCode::from(u8::from(!library.findings().is_empty())))
    }
}

fn list(library: &ModelLibrary, say: &Say) -> Result<(), Trouble> {
    let models: Vec<Json> = library.models().iter().map(|(name, model)| model_json(name, model)).collect();
    say.result(&json!({ "models": models }), || {
        let rows = library.models().iter().flat_map(|(name, model)| {
            model.versions.values().map(move |version| {
                let state = if version.model.is_ok() { "serves" } else { "refused" };
                let aliases = aliases_of(model, version.version).join(", ");
                [name.to_string(), version.version.to_string(), aliases, auc(version), state.to_owned()]
            })
        });
        table(["model", "version", "aliases", "AUC", "state"], rows)
    })
}

fn show(library: &ModelLibrary, name: &str, say: &Say) -> Result<(), Trouble> {
    let found = library.models().iter().find(|(known, _)| &***known == name);
    let Some((name, model)) = found else {
        let what = format!("there is no model `{name}`");
        return Err(Trouble::new(what).help("`tollgate models list` shows all"));
    };
    say.result(&model_json(name, model), || {
        let versions = model.versions.values().map(|version| {
            let aliases = aliases_of(model, version.version).join(", ");
            let state = match &version.model {
                Ok(_) => String::new(),
                Err(why) => format!("refused: {why}\n"),
            };
            let card = serde_json::to_string_pretty(&version.card).unwrap_or_default();
            format!("{name} version {} [{aliases}]\n{}\n{state}{card}\n", version.version, version.digest)
        });
        versions.collect::<Vec<_>>().join("\n")
    })
}

fn model_json(name: &str, model: &LibraryModel) -> Json {
    let versions = model.versions.values().map(|version| {
        json!({
            "version": version.version,
            "aliases": aliases_of(model, version.version),
            "digest": &*version.digest,
            "serves": version.model.is_ok(),
            "refused": version.model.as_ref().err().map(|why| why.to_string()),
            "card": version.card,
        })
    });
    let aliases: serde_json::Map<String, Json> =
        model.aliases.iter().map(|(alias, version)| (alias.to_string(), json!(version))).collect();
    json!({ "model": name, "aliases": aliases, "versions": versions.collect::<Vec<_>>() })
}

fn aliases_of(model: &LibraryModel, version: u32) -> Vec<String> {
    model.aliases.iter().filter(|(_, v)| **v == version).map(|(alias, _)| alias.to_string()).collect()
}

fn auc(version: &LibraryVersion) -> String {
    let auc = version.card.pointer("/held_out/auc").and_then(Json::as_f64);
    auc.map_or_else(|| "-".to_owned(), |auc| format!("{auc:.4}"))
}
