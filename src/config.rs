//! How it runs: as written (flags, environment, `tollgate.yaml`) → as meant, with every problem at once. A flag
//! beats an environment variable, which beats the file, which beats the default. Absent on purpose: secrets in the
//! file, and passwords in any message.

mod file;
mod secret;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use secret::DatabaseUrl;

use crate::audit::{Durability, QueueLimits};
use crate::documents::Source;
use crate::documents::findings::{self, Colour};
use crate::domain::diagnostic::Diagnostic;
use crate::http::HttpSettings;
pub use crate::http::Serving;
use crate::http::access::ModelDoors;
use crate::telemetry::{LogFormat, LogSettings, check_filter};

/// Where the file is looked for when nobody says where; it may be missing there.
pub const DEFAULT_FILE: &str = "config/tollgate.yaml";
/// Connections that all workers together hold open.
const CONNECTIONS: usize = 16_384;

/// Everything as meant.
#[derive(Debug, Clone)]
pub struct Settings {
    pub http: SocketAddr,
    /// `None`: no gRPC.
    pub grpc: Option<SocketAddr>,
    pub data: PathBuf,
    pub rules: PathBuf,
    pub models: PathBuf,
    pub database_url: Option<DatabaseUrl>,
    pub durable: Durability,
    pub workers: usize,
    /// Bytes.
    pub body_limit: usize,
    pub log: LogSettings,
    pub queue: QueueSettings,
    pub require_cases: RequireCases,
    pub retention: Retention,
    /// How long a decision that asked its caller for more may be continued.
    pub open_for: Duration,
    pub shutdown_grace: Duration,
    pub serving: Serving,
    pub model_doors: ModelDoors,
}

/// What may wait to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueSettings {
    pub records: usize,
    pub bytes: usize,
}

/// Whether cases decide about a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequireCases {
    /// They are run and reported after the switch.
    Report,
    /// A reload whose cases fail is refused.
    Refuse,
}

/// How long the local log keeps records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Once Postgres has them.
    pub shipped: Duration,
    /// When there is no Postgres; `None` for ever.
    pub local: Option<Duration>,
}

impl Settings {
    #[must_use]
    pub fn http_settings(&self) -> HttpSettings {
        HttpSettings {
            body_limit: self.body_limit,
            workers: self.workers,
            shutdown_grace: self.shutdown_grace,
            max_connections: (CONNECTIONS / self.workers.max(1)).max(256),
            serving: self.serving,
        }
    }
}

/// What flags say, as written. Each has an environment variable of the same name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    pub config: Option<String>,
    pub http: Option<String>,
    pub grpc: Option<String>,
    pub data: Option<String>,
    pub rules: Option<String>,
    pub models: Option<String>,
    pub database_url: Option<String>,
    pub durable: Option<String>,
    /// Said or not: there is no way to say no but to leave it out.
    pub models_only: bool,
    pub model_doors: Option<String>,
}

/// One value as written, and who wrote it: for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Written {
    text: String,
    by: String,
}

/// Everything wrong with how it should run.
#[derive(Debug, Default)]
pub struct ConfigErrors {
    /// In flags and environment variables, and about files that cannot be read.
    pub messages: Vec<String>,
    /// In the file; places are in `source`.
    pub diagnostics: Vec<Diagnostic>,
    pub source: Option<Source>,
}

impl ConfigErrors {
    fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.diagnostics.is_empty()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for message in &self.messages {
            writeln!(f, "error: {message}")?;
        }
        let sources: Vec<Source> = self.source.iter().cloned().collect();
        f.write_str(&findings::rendered(&self.diagnostics, &sources, Colour::for_stderr()))
    }
}

impl std::error::Error for ConfigErrors {}

/// Reads flags, environment and file.
///
/// # Errors
/// Everything wrong with any of them.
pub fn gather(flags: &Flags, environment: &dyn Fn(&str) -> Option<String>) -> Result<Settings, ConfigErrors> {
    let mut errors = ConfigErrors::default();
    let file = read_file(flags, environment, &mut errors);
    let written = |flag: Option<&String>, name: &str, option: &str| {
        let by_flag = flag.map(|text| Written { text: text.clone(), by: format!("`{option}`") });
        by_flag.or_else(|| {
            let text = environment(name).filter(|text| !text.is_empty())?;
            Some(Written { text, by: format!("`{name}`") })
        })
    };
    let http = written(flags.http.as_ref(), "TOLLGATE_HTTP", "--http");
    let grpc = written(flags.grpc.as_ref(), "TOLLGATE_GRPC", "--grpc");
    let durable = written(flags.durable.as_ref(), "TOLLGATE_DURABLE", "--durable");
    let database = written(flags.database_url.as_ref(), "TOLLGATE_DATABASE_URL", "--database-url");
    let models_only = flags.models_only.then(|| "true".to_owned());
    let models_only = written(models_only.as_ref(), "TOLLGATE_MODELS_ONLY", "--models-only");
    let model_doors = written(flags.model_doors.as_ref(), "TOLLGATE_MODEL_DOORS", "--model-doors");
    let log_filter = written(None, "TOLLGATE_LOG", "");
    let log_format = written(None, "TOLLGATE_LOG_FORMAT", "");
    let folder = |flag: Option<&String>, name: &str, from_file: Option<PathBuf>, default: &str| {
        let outside = written(flag, name, "").map(|w| PathBuf::from(w.text));
        outside.or(from_file).unwrap_or_else(|| PathBuf::from(default))
    };
    let settings = Settings {
        http: settle(http, parse_address, file.http, loopback(8080), &mut errors),
        grpc: settle(grpc, parse_grpc, file.grpc, Some(loopback(8081)), &mut errors),
        durable: settle(durable, parse_durable, file.durable, Durability::Local, &mut errors),
        database_url: settle(
            database,
            |t| DatabaseUrl::parse(t).map(Some),
            file.database_url.map(Some),
            None,
            &mut errors,
        ),
        data: folder(flags.data.as_ref(), "TOLLGATE_DATA", file.data, "data"),
        rules: folder(flags.rules.as_ref(), "TOLLGATE_RULES", file.rules, "rules"),
        models: folder(flags.models.as_ref(), "TOLLGATE_MODELS", file.models, "models"),
        workers: file.workers.unwrap_or_else(cores),
        body_limit: file.body_limit.unwrap_or(256 * 1024),
        log: LogSettings {
            filter: settle(
                log_filter,
                parse_filter,
                file.log_filter,
                "info,actix_server=warn".to_owned(),
                &mut errors,
            ),
            format: settle(log_format, parse_log_format, file.log_format, LogFormat::Text, &mut errors),
        },
        queue: QueueSettings {
            records: file.queue_records.unwrap_or(QueueLimits::default().records),
            bytes: file.queue_bytes.unwrap_or(QueueLimits::default().bytes),
        },
        require_cases: file.require_cases.unwrap_or(RequireCases::Report),
        retention: Retention {
            shipped: days(file.shipped_days.unwrap_or(1)),
            local: file.local_days.filter(|n| *n > 0).map(days),
        },
        open_for: days(file.open_days.unwrap_or(7)),
        shutdown_grace: Duration::from_secs(file.shutdown_grace_s.unwrap_or(30)),
        serving: settle(models_only, parse_models_only, file.serving, Serving::Everything, &mut errors),
        model_doors: settle(model_doors, parse_model_doors, file.model_doors, ModelDoors::Keyed, &mut errors),
    };
    if settings.durable == Durability::Central && settings.database_url.is_none() {
        errors.messages.push(
            "`durable: central` waits for Postgres, and no address is given; set `TOLLGATE_DATABASE_URL`"
                .to_owned(),
        );
    }
    if errors.is_empty() { Ok(settings) } else { Err(errors) }
}

fn read_file(
    flags: &Flags,
    environment: &dyn Fn(&str) -> Option<String>,
    errors: &mut ConfigErrors,
) -> file::FileSettings {
    let named =
        flags.config.clone().or_else(|| environment("TOLLGATE_CONFIG").filter(|text| !text.is_empty()));
    let path = PathBuf::from(named.clone().unwrap_or_else(|| DEFAULT_FILE.to_owned()));
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => {
            return file::FileSettings::default();
        }
        Err(error) => {
            errors.messages.push(format!("the configuration `{}` cannot be read: {error}", path.display()));
            return file::FileSettings::default();
        }
    };
    let source = Source::new(path.display().to_string(), text);
    let (settings, diagnostics) = file::read(&source);
    if let Some(place) = settings.secret_at {
        let line = source.position(place.span.start).line;
        errors.messages.push(format!(
            "`database_url` in `{}`, line {line}, holds a password, which does not belong in a file; \
             set `TOLLGATE_DATABASE_URL`",
            source.path
        ));
    }
    errors.diagnostics = diagnostics;
    errors.source = Some(source);
    settings
}

fn settle<T>(
    written: Option<Written>,
    parse: impl Fn(&str) -> Result<T, String>,
    from_file: Option<T>,
    default: T,
    errors: &mut ConfigErrors,
) -> T {
    let Some(written) = written else {
        return from_file.unwrap_or(default);
    };
    match parse(&written.text) {
        Ok(value) => value,
        Err(why) => {
            errors.messages.push(format!("{} {why}", written.by));
            from_file.unwrap_or(default)
        }
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, NonZeroUsize::get)
}

fn days(n: u64) -> Duration {
    Duration::from_secs(n.saturating_mul(86_400))
}

/// `127.0.0.1:8080`, `[::1]:0`, `localhost:8080`.
fn parse_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let wanted = || format!("must be an address and a port, such as `127.0.0.1:8080`; it is `{text}`");
    let (host, port) = text.rsplit_once(':').ok_or_else(wanted)?;
    if host.is_empty() || port.parse::<u16>().is_err() {
        return Err(wanted());
    }
    let mut found =
        text.to_socket_addrs().map_err(|_| format!("names a host that is not known: `{host}`"))?;
    found.next().ok_or_else(|| format!("names a host without an address: `{host}`"))
}

/// An address, or `off`.
fn parse_grpc(text: &str) -> Result<Option<SocketAddr>, String> {
    if text == "off" { Ok(None) } else { parse_address(text).map(Some) }
}

fn parse_durable(text: &str) -> Result<Durability, String> {
    match text {
        "local" => Ok(Durability::Local),
        "central" => Ok(Durability::Central),
        "memory" => Ok(Durability::Memory),
        _ => Err(format!("must be `local`, `central` or `memory`; it is `{text}`")),
    }
}

fn parse_models_only(text: &str) -> Result<Serving, String> {
    match text {
        "true" | "1" => Ok(Serving::ModelsOnly),
        "false" | "0" => Ok(Serving::Everything),
        _ => Err(format!("must be `true` or `false`; it is `{text}`")),
    }
}

fn parse_model_doors(text: &str) -> Result<ModelDoors, String> {
    match text {
        "keyed" => Ok(ModelDoors::Keyed),
        "open" => Ok(ModelDoors::Open),
        _ => Err(format!("must be `keyed` or `open`; it is `{text}`")),
    }
}

fn parse_filter(text: &str) -> Result<String, String> {
    check_filter(text).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

fn parse_log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("must be `text` or `json`; it is `{text}`")),
    }
}

/// DIR of the commands that take one: it holds `rules/` and `models/`. Flags for either still win.
#[must_use]
pub fn within(dir: Option<&Path>, mut flags: Flags) -> Flags {
    if let Some(dir) = dir {
        let part = |name: &str| Some(dir.join(name).display().to_string());
        flags.rules = flags.rules.or_else(|| part("rules"));
        flags.models = flags.models.or_else(|| part("models"));
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(_: &str) -> Option<String> {
        None
    }

    fn with_file(
        text: &str,
        flags: Flags,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Settings, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tollgate.yaml");
        std::fs::write(&path, text).unwrap();
        let flags = Flags { config: Some(path.display().to_string()), ..flags };
        gather(&flags, environment)
            .map_err(|errors| errors.to_string().replace(&folder.path().display().to_string(), ""))
    }

    #[test]
    fn the_shipped_file_changes_nothing_and_names_every_key() {
        let shipped = include_str!("../config/tollgate.yaml");
        let defaults = with_file("{}", Flags::default(), &nothing).unwrap();
        let read = with_file(shipped, Flags::default(), &nothing).unwrap();
        assert_eq!(format!("{read:?}"), format!("{defaults:?}"));
        let uncommented: String = shipped
            .lines()
            .map(|l| match l.trim_start().strip_prefix('#') {
                Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => {
                    l.replacen('#', "", 1) + "\n"
                }
                _ => l.to_owned() + "\n",
            })
            .collect();
        let read = with_file(&uncommented, Flags::default(), &nothing).unwrap();
        assert_eq!(format!("{read:?}"), format!("{defaults:?}"), "the documented defaults are the defaults");
        for key in file::KEYS {
            assert!(uncommented.lines().any(|l| l.trim_start().starts_with(&format!("{key}:"))), "{key}");
        }
    }

    #[test]
    fn a_flag_beats_the_environment_which_beats_the_file() {
        let file = "http: 127.0.0.1:1\ndata: from_file\nrules: from_file\ndurable: memory\n";
        let environment = |name: &str| match name {
            "TOLLGATE_HTTP" => Some("127.0.0.1:2".to_owned()),
            "TOLLGATE_DATA" => Some("from_environment".to_owned()),
            _ => None,
        };
        let flags = Flags { http: Some("127.0.0.1:3".into()), ..Flags::default() };
        let settings = with_file(file, flags, &environment).unwrap();
        assert_eq!(settings.http.port(), 3);
        assert_eq!(settings.data, Path::new("from_environment"));
        assert_eq!(settings.rules, Path::new("from_file"));
        assert_eq!(settings.models, Path::new("models"));
        assert_eq!(settings.durable, Durability::Memory);
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let file = "htp: 127.0.0.1:1\nworkers: many\nbody_limit: 3\nlog:\n  format: xml\n\
                    database_url: postgres://tollgate:hunter2@db/x\n";
        let flags = Flags { http: Some("8080".into()), durable: Some("disk".into()), ..Flags::default() };
        let shown = with_file(file, flags, &nothing).unwrap_err();
        assert!(!shown.contains("hunter2"), "{shown}");
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn a_file_that_was_asked_for_must_be_there() {
        let flags = Flags { config: Some("/nowhere/tollgate.yaml".into()), ..Flags::default() };
        let shown = gather(&flags, &nothing).unwrap_err().to_string();
        assert!(shown.contains("`/nowhere/tollgate.yaml` cannot be read"), "{shown}");
    }

    #[test]
    fn central_needs_a_database() {
        let flags = Flags { durable: Some("central".into()), ..Flags::default() };
        let shown = with_file("{}", flags, &nothing).unwrap_err();
        assert!(shown.contains("TOLLGATE_DATABASE_URL"), "{shown}");
    }

    #[test]
    fn a_directory_stands_for_its_rules_and_models() {
        let flags = within(Some(Path::new("x")), Flags { models: Some("m".into()), ..Flags::default() });
        assert_eq!((flags.rules.as_deref(), flags.models.as_deref()), (Some("x/rules"), Some("m")));
    }
}
