//! `tollgate.yaml` as written: each key once, its value checked, every finding with its place. Absent on purpose:
//! defaults (they are where all sources meet).

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{DatabaseUrl, RequireCases, Serving, parse_address, parse_filter, parse_grpc};
use crate::audit::Durability;
use crate::documents::Source;
use crate::documents::yaml::shape::{Keys, Shape};
use crate::documents::yaml::{self, Node};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::place::Place;
use crate::http::access::ModelDoors;
use crate::telemetry::LogFormat;

/// Every key, the inner ones by their own name.
#[cfg(test)]
pub(super) const KEYS: &[&str] = &[
    "http",
    "grpc",
    "data",
    "rules",
    "models",
    "database_url",
    "durable",
    "workers",
    "body_limit",
    "log",
    "filter",
    "format",
    "queue",
    "records",
    "bytes",
    "release",
    "require_cases",
    "retention",
    "shipped_days",
    "local_days",
    "needs",
    "open_days",
    "shutdown_grace_s",
    "models_only",
    "model_doors",
];

/// What the file says; nothing for what it leaves out.
#[derive(Debug, Default)]
pub(super) struct FileSettings {
    pub http: Option<SocketAddr>,
    pub grpc: Option<Option<SocketAddr>>,
    pub data: Option<PathBuf>,
    pub rules: Option<PathBuf>,
    pub models: Option<PathBuf>,
    pub database_url: Option<DatabaseUrl>,
    pub durable: Option<Durability>,
    pub workers: Option<usize>,
    pub body_limit: Option<usize>,
    pub log_filter: Option<String>,
    pub log_format: Option<LogFormat>,
    pub queue_records: Option<usize>,
    pub queue_bytes: Option<usize>,
    pub require_cases: Option<RequireCases>,
    pub shipped_days: Option<u64>,
    pub local_days: Option<u64>,
    pub open_days: Option<u64>,
    pub shutdown_grace_s: Option<u64>,
    pub serving: Option<Serving>,
    pub model_doors: Option<ModelDoors>,
    /// Where a password stands that does not belong in a file.
    pub secret_at: Option<Place>,
}

/// Reads the file, and everything wrong with it.
pub(super) fn read(source: &Source) -> (FileSettings, Vec<Diagnostic>) {
    let mut settings = FileSettings::default();
    let node = match yaml::read(0, source) {
        Ok(node) => node,
        Err(finding) => return (settings, vec![finding]),
    };
    let mut shape = Shape::new(source);
    if !node.is_null()
        && let Some(mut keys) = shape.keys(&node, "the configuration")
    {
        addresses(&mut settings, &mut keys, &mut shape);
        folders(&mut settings, &mut keys, &mut shape);
        limits(&mut settings, &mut keys, &mut shape);
        sections(&mut settings, &mut keys, &mut shape);
        keys.finish(&mut shape);
    }
    (settings, shape.findings)
}

fn given<'n>(keys: &mut Keys<'n>, key: &'static str) -> Option<&'n Node> {
    keys.optional(key).filter(|node| !node.is_null())
}

/// A text that `parse` understands; what it says otherwise becomes a finding.
fn parsed<T>(
    keys: &mut Keys<'_>,
    key: &'static str,
    shape: &mut Shape<'_>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<T> {
    let text = shape.text(given(keys, key)?)?;
    parse(&text.value)
        .map_err(|why| shape.report(Diagnostic::error("Y011", text.place, format!("`{key}` {why}"))))
        .ok()
}

fn whole<T: TryFrom<i64>>(
    keys: &mut Keys<'_>,
    key: &'static str,
    (least, most): (i64, i64),
    shape: &mut Shape<'_>,
) -> Option<T> {
    let number = shape.integer(given(keys, key)?)?;
    let fits = (least..=most).contains(&number.value).then(|| T::try_from(number.value).ok()).flatten();
    if fits.is_none() {
        let message = format!("`{key}` must be a whole number from {least} to {most}");
        shape.report(Diagnostic::error("Y011", number.place, message));
    }
    fits
}

fn addresses(settings: &mut FileSettings, keys: &mut Keys<'_>, shape: &mut Shape<'_>) {
    settings.http = parsed(keys, "http", shape, parse_address);
    settings.grpc = parsed(keys, "grpc", shape, parse_grpc);
    settings.database_url = parsed(keys, "database_url", shape, DatabaseUrl::parse);
    if settings.database_url.as_ref().is_some_and(DatabaseUrl::has_password) {
        // No diagnostic: it would show the line, and the password in it.
        settings.database_url = None;
        settings.secret_at = keys.place_of("database_url");
    }
    let words =
        [("local", Durability::Local), ("central", Durability::Central), ("memory", Durability::Memory)];
    settings.durable = given(keys, "durable").and_then(|node| shape.word(node, &words));
}

fn folders(settings: &mut FileSettings, keys: &mut Keys<'_>, shape: &mut Shape<'_>) {
    let path = |text: &str| Ok(PathBuf::from(text));
    settings.data = parsed(keys, "data", shape, path);
    settings.rules = parsed(keys, "rules", shape, path);
    settings.models = parsed(keys, "models", shape, path);
}

fn limits(settings: &mut FileSettings, keys: &mut Keys<'_>, shape: &mut Shape<'_>) {
    settings.workers = whole(keys, "workers", (1, 1024), shape);
    settings.body_limit = whole(keys, "body_limit", (1024, 64 << 20), shape);
    settings.shutdown_grace_s = whole(keys, "shutdown_grace_s", (0, 3600), shape);
    let models_only = given(keys, "models_only").and_then(|node| shape.boolean(node));
    settings.serving = models_only.map(|yes| if yes { Serving::ModelsOnly } else { Serving::Everything });
    let words = [("keyed", ModelDoors::Keyed), ("open", ModelDoors::Open)];
    settings.model_doors = given(keys, "model_doors").and_then(|node| shape.word(node, &words));
}

fn sections(settings: &mut FileSettings, keys: &mut Keys<'_>, shape: &mut Shape<'_>) {
    if let Some(mut log) = section(keys, "log", shape) {
        settings.log_filter = parsed(&mut log, "filter", shape, parse_filter);
        let words = [("text", LogFormat::Text), ("json", LogFormat::Json)];
        settings.log_format = given(&mut log, "format").and_then(|node| shape.word(node, &words));
        log.finish(shape);
    }
    if let Some(mut queue) = section(keys, "queue", shape) {
        settings.queue_records = whole(&mut queue, "records", (1, 10_000_000), shape);
        settings.queue_bytes = whole(&mut queue, "bytes", (1 << 20, 1 << 40), shape);
        queue.finish(shape);
    }
    if let Some(mut release) = section(keys, "release", shape) {
        let required = given(&mut release, "require_cases").and_then(|node| shape.boolean(node));
        settings.require_cases =
            required.map(|yes| if yes { RequireCases::Refuse } else { RequireCases::Report });
        release.finish(shape);
    }
    if let Some(mut retention) = section(keys, "retention", shape) {
        settings.shipped_days = whole(&mut retention, "shipped_days", (1, 36_500), shape);
        settings.local_days = whole(&mut retention, "local_days", (0, 36_500), shape);
        retention.finish(shape);
    }
    if let Some(mut needs) = section(keys, "needs", shape) {
        settings.open_days = whole(&mut needs, "open_days", (1, 3650), shape);
        needs.finish(shape);
    }
}

fn section<'n>(keys: &mut Keys<'n>, key: &'static str, shape: &mut Shape<'_>) -> Option<Keys<'n>> {
    let node = given(keys, key)?;
    shape.keys(node, format!("`{key}`"))
}
