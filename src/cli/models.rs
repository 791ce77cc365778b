//! `tollgate models …`: what stands in `models/`, and the commands that judge it or move its aliases.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value as Json, json};

use super::drift::DriftOf;
use super::import::Import;
use super::reference::Reference;
use super::registry::{Compare, Promote, Verify};
use super::say::{Say, Trouble, table};
use crate::config::Settings;
use crate::domain::model::Model;
use crate::domain::nearest::nearest;
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
    /// Measure what drift of a version is held against, from rows given now
    Reference(Reference),
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
            Self::Reference(reference) => return reference.run(settings, &library, say),
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
        let mut rows: Vec<[String; 6]> = Vec::new();
        for (name, model) in library.models() {
            if model.remote.is_some() {
                let none = || "-".to_owned();
                rows.push([
                    name.to_string(),
                    none(),
                    String::new(),
                    "on other servers".to_owned(),
                    none(),
                    none(),
                ]);
            }
            rows.extend(model.versions.values().map(|version| {
                let state = if version.model.is_ok() { "serves" } else { "refused" };
                let aliases = aliases_of(model, version.version).join(", ");
                let number = version.version.to_string();
                [name.to_string(), number, aliases, fitted(version), auc(version), state.to_owned()]
            }));
        }
        table(["model", "version", "aliases", "what it is", "AUC", "state"], rows)
    })
}

fn show(library: &ModelLibrary, name: &str, say: &Say) -> Result<(), Trouble> {
    let found = library.models().iter().find(|(known, _)| &***known == name);
    let Some((name, model)) = found else {
        let near = nearest(name, library.models().keys().map(|known| &**known));
        let what = format!("there is no model `{name}`");
        let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        return Err(Trouble::new(what).help(format!("{near}`tollgate models list` shows all")));
    };
    say.result(&model_json(name, model), || {
        let versions = model.versions.values().map(|version| version_text(name, model, version));
        versions.collect::<Vec<_>>().join("\n")
    })
}

/// What matters of a version, in a few lines; its card has all of it.
fn version_text(name: &str, model: &LibraryModel, version: &LibraryVersion) -> String {
    let card = &version.card;
    let text = |at: &str| card.pointer(at).and_then(Json::as_str).map(str::to_owned);
    let aliases = aliases_of(model, version.version);
    let aliases = if aliases.is_empty() { String::new() } else { format!(" ({})", aliases.join(", ")) };
    let mut lines = vec![format!("{name} version {}{aliases}: {}", version.version, fitted(version))];
    let mut add = |what: &str, says: Option<String>| {
        if let Some(says) = says.filter(|says| !says.is_empty()) {
            lines.push(format!("  {what:<10} {says}"));
        }
    };
    add("refused", version.model.as_ref().err().map(|why| why.to_string()));
    add("title", text("/title"));
    add("digest", Some(version.digest.to_string()));
    add("from", text("/imported_from/file"));
    add("data", data_text(card));
    add("held out", measured(card));
    add("answers", version.model.as_ref().ok().map(|model| answers(model)));
    add("reads", version.model.as_ref().ok().map(|model| inputs(model)));
    add("left out", Some(left_out(card)));
    add("verified", text("/verified"));
    add("drift", version.measured_on().map(|on| format!("measured against {on}")));
    for limit in card.pointer("/known_limits").and_then(Json::as_array).into_iter().flatten() {
        add("limit", limit.as_str().map(str::to_owned));
    }
    lines.join("\n") + "\n"
}

fn data_text(card: &Json) -> Option<String> {
    let data = card.get("data")?;
    let rate = data.get("bad_rate")?.as_f64()? * 100.0;
    let (file, rows, target) =
        (data.get("file")?.as_str()?, data.get("rows")?, data.get("target")?.as_str()?);
    Some(format!("{file}, {rows} rows, {rate:.1} % bad ({target})"))
}

fn measured(card: &Json) -> Option<String> {
    let held_out = card.get("held_out")?;
    let figure = |name: &str, key: &str| Some(format!("{name} {:.4}", held_out.get(key)?.as_f64()?));
    let named =
        [("AUC", "auc"), ("Gini", "gini"), ("KS", "ks"), ("log loss", "log_loss"), ("Brier", "brier")];
    let figures: Vec<String> = named.into_iter().filter_map(|(name, key)| figure(name, key)).collect();
    Some(format!("{} rows: {}", held_out.get("rows")?, figures.join(", ")))
}

fn answers(model: &Model) -> String {
    let what = if model.gives_probability() { "a probability" } else { "a number" };
    let explained = match model.explains_in() {
        Ok(space) => format!("explained in {}", space.replace('_', "-")),
        Err(why) => format!("not explained: {why}"),
    };
    format!("{what}, {explained}")
}

fn inputs(model: &Model) -> String {
    let names: Vec<&str> = model.inputs.iter().map(|input| &*input.name).collect();
    names.join(", ")
}

fn left_out(card: &Json) -> String {
    let groups = card.pointer("/left_out").and_then(Json::as_array).into_iter().flatten();
    let columns = groups.filter_map(|group| group.get("columns")?.as_array()).flatten();
    columns.filter_map(Json::as_str).collect::<Vec<_>>().join(", ")
}

/// `random_forest, smartcore 0.7.0`, as the card says.
fn fitted(version: &LibraryVersion) -> String {
    let text = |key: &str| version.card.get(key).and_then(Json::as_str).unwrap_or("-");
    format!("{}, {}", text("algorithm"), text("fitted_with"))
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
