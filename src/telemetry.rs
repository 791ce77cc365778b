//! Logs and metrics: set up once for the process. The door to tracing-subscriber and the Prometheus exporter.
//! Absent on purpose: facts' values, keys and addresses' queries, in either; and exporting of traces.

use std::io::IsTerminal as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use metrics::Unit;
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::http::RenderMetrics;

/// Upper bounds of the time histograms, in seconds.
const SECONDS: &[f64] = &[
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
];
/// Histograms hold what was recorded since the last upkeep; without it they would only grow.
const UPKEEP: Duration = Duration::from_secs(5);

/// How the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    /// One JSON object a line.
    Json,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// `info`, or directives such as `info,tollgate::http=debug`.
    pub filter: String,
    pub format: LogFormat,
}

/// What a metric counts or measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    Counter,
    Gauge,
    /// Of seconds.
    Histogram,
}

/// One metric: everything that `/metrics` can show is one of these.
#[derive(Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: MetricKind,
    pub help: &'static str,
}

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Counter, help }
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Gauge, help }
}

const fn histogram(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Histogram, help }
}

/// Every metric, with its help.
pub const METRICS: &[Metric] = &[
    counter("tollgate_decisions_total", "Decisions recorded, by flow, market and outcome."),
    counter("tollgate_needs_total", "Decisions that stopped to ask their caller, by flow, market and need."),
    counter("tollgate_degraded_total", "Decisions in which `on_error` was recorded, by flow and market."),
    histogram("tollgate_evaluation_seconds", "Time of one evaluation, without recording it, by flow."),
    counter("tollgate_http_requests_total", "Requests answered, by route and status."),
    histogram("tollgate_http_request_seconds", "Time from a request's head to its answer, by route."),
    counter("tollgate_batch_lines_total", "Lines of `POST /v1/decisions/batch`, by result."),
    counter("tollgate_grpc_requests_total", "gRPC calls answered, by method and status."),
    histogram("tollgate_grpc_request_seconds", "Time from a call's head to its answer's, by method."),
    counter(
        "tollgate_problems_total",
        "Requests, over REST or gRPC, that got a problem instead of an answer, by code.",
    ),
    gauge("tollgate_build_info", "Always 1; its label is the version."),
    counter("tollgate_unrecorded_reads_total", "Reads of records that could not be entered in the log."),
    counter("tollgate_log_records_total", "Entries committed to the local log."),
    counter("tollgate_log_commit_failures_total", "Commits of the local log that failed."),
    counter("tollgate_log_gaps_total", "Entries that were answered from the queue (`memory`) and then lost."),
    counter("tollgate_log_overloaded_total", "Entries that were refused because too many waited."),
    counter("tollgate_log_purged_total", "Entries that left the local log at the end of their retention."),
    gauge("tollgate_log_waiting", "Entries that wait to be committed."),
    histogram("tollgate_log_commit_seconds", "Time of one group commit, the disk's sync included."),
    gauge("tollgate_disk_used_percent", "How full the disk of the log is."),
    counter("tollgate_ship_records_total", "Entries that Postgres has taken."),
    counter("tollgate_ship_failures_total", "Shipments to Postgres that failed and were tried again."),
    counter(
        "tollgate_ship_duplicates_total",
        "Decisions that another replica had answered under the same key.",
    ),
    counter("tollgate_ship_set_aside_total", "Entries that Postgres refused and that were set aside whole."),
    gauge("tollgate_ship_lag_records", "Entries that Postgres does not have yet."),
    gauge("tollgate_ship_lag_seconds", "Age of the oldest entry that Postgres does not have yet."),
    gauge("tollgate_central_reachable", "1 while Postgres answers, else 0."),
    gauge("tollgate_central_default_partition_rows", "Rows in no partition of their own: make one."),
    counter("tollgate_remote_calls_total", "Questions to models on other servers, by model and result."),
    histogram(
        "tollgate_remote_call_seconds",
        "Time until such a question was answered, retries included, by model.",
    ),
    counter("tollgate_remote_tries_total", "Single tries of them, by model, server and result."),
    counter("tollgate_remote_retries_total", "Tries that followed a failed one, by model."),
    counter(
        "tollgate_remote_ejections_total",
        "Servers that were left alone for a while, by model and server.",
    ),
    gauge(
        "tollgate_remote_in_force",
        "1 while a flow in force asks this version of a model, by model and version.",
    ),
    gauge(
        "tollgate_remote_servers",
        "Servers of a model that are asked, not ready or ejected, by model, version and state.",
    ),
    gauge(
        "tollgate_remote_breaker_open",
        "1 while no answer of a model is awaited as most failed, by model and version.",
    ),
    counter("tollgate_reload_total", "Reloads of rules and models, by result."),
    counter("tollgate_model_requests_total", "Requests to a model itself, by model and version."),
    counter("tollgate_model_failures_total", "Those that got no answer, by model and version."),
    counter("tollgate_model_rows_total", "Rows answered by a model itself, by model and version."),
    histogram("tollgate_model_seconds", "Time that a model took for one request, by model and version."),
    gauge("tollgate_model_available", "1 while this version of a model answers requests of its own, else 0."),
    gauge(
        "tollgate_model_problems",
        "Versions and labels in `models/` that cannot serve as they are written.",
    ),
    counter("tollgate_model_score_bin_total", "Answers of a model by the bin of its reference they fall in."),
    gauge("tollgate_model_score_bin_reference", "Rows of the reference in that bin."),
    counter(
        "tollgate_model_input_bin_total",
        "Values of a model's input by bin, `(missing)` and `(unseen)` too.",
    ),
    gauge("tollgate_model_input_bin_reference", "Rows of the reference in that bin."),
    counter(
        "tollgate_model_input_out_of_range_total",
        "Values beyond the numbers that the model was fitted on, by input.",
    ),
    gauge("tollgate_model_score_psi", "Population stability index of the answers, by window."),
    gauge("tollgate_model_score_psi_limit", "What it stays below in 95 of 100 windows without drift."),
    gauge("tollgate_model_score_mean", "Mean of the answers, by window."),
    gauge("tollgate_model_score_quantile", "Quantiles of the answers, by window."),
    gauge("tollgate_model_input_psi", "Population stability index of an input, by window."),
    gauge("tollgate_model_input_psi_limit", "What it stays below in 95 of 100 windows without drift."),
    gauge("tollgate_model_drift_alarm", "1 while a window has moved by more than chance explains, else 0."),
    gauge("tollgate_reload_failed", "1 while files on disk are not in force because they do not check."),
];

/// Why logs or metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("`{filter}` is no log filter")]
    Filter {
        filter: String,
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    #[error("the metrics' buckets are refused")]
    Buckets(#[source] BuildError),
}

/// Checks a log filter without setting anything up.
///
/// # Errors
/// When it cannot be read.
pub fn check_filter(filter: &str) -> Result<(), TelemetryError> {
    EnvFilter::try_new(filter)
        .map(|_| ())
        .map_err(|source| TelemetryError::Filter { filter: filter.to_owned(), source })
}

/// Starts the log, on stderr. A second start in one process changes nothing.
///
/// # Errors
/// When the filter cannot be read.
pub fn start_logs(settings: &LogSettings) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&settings.filter)
        .map_err(|source| TelemetryError::Filter { filter: settings.filter.clone(), source })?;
    let colours =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    let _already_started = match settings.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}

/// The process's metrics.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Starts the metrics, or gives those that were started before: a process has one set.
///
/// # Errors
/// Never, with the buckets above.
pub fn start_metrics() -> Result<Metrics, TelemetryError> {
    static STARTED: OnceLock<Metrics> = OnceLock::new();
    if let Some(metrics) = STARTED.get() {
        return Ok(metrics.clone());
    }
    let recorder =
        PrometheusBuilder::new().set_buckets(SECONDS).map_err(TelemetryError::Buckets)?.build_recorder();
    let metrics = Metrics { handle: recorder.handle() };
    if metrics::set_global_recorder(recorder).is_ok() {
        describe();
        metrics::gauge!("tollgate_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        return Ok(STARTED.get_or_init(|| metrics).clone());
    }
    Ok(STARTED.get().cloned().unwrap_or(metrics))
}

fn describe() {
    for metric in METRICS {
        match metric.kind {
            MetricKind::Counter => metrics::describe_counter!(metric.name, metric.help),
            MetricKind::Gauge => metrics::describe_gauge!(metric.name, metric.help),
            MetricKind::Histogram => metrics::describe_histogram!(metric.name, Unit::Seconds, metric.help),
        }
    }
}

impl Metrics {
    /// The text of `/metrics`.
    #[must_use]
    pub fn render(&self) -> RenderMetrics {
        let handle = self.handle.clone();
        Arc::new(move || handle.render())
    }

    /// Keeps the histograms small, until the task is dropped.
    #[must_use]
    pub fn spawn_upkeep(&self) -> tokio::task::JoinHandle<()> {
        let handle = self.handle.clone();
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(UPKEEP);
            loop {
                ticks.tick().await;
                handle.run_upkeep();
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    fn sources(folder: &Path, found: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("telemetry.rs") {
                found.push_str(&std::fs::read_to_string(&path).unwrap());
            }
        }
    }

    #[test]
    fn the_list_is_exactly_what_the_code_counts() {
        let mut text = String::from("gauge!(\"tollgate_build_info\"");
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut text);
        let mut used = BTreeSet::new();
        for (kind, word) in [
            (MetricKind::Counter, "counter!("),
            (MetricKind::Gauge, "gauge!("),
            (MetricKind::Histogram, "histogram!("),
        ] {
            for part in text.split(word).skip(1) {
                let Some(rest) = part.trim_start().strip_prefix('"') else { continue };
                let name = rest.split('"').next().unwrap();
                let listed = METRICS.iter().find(|m| m.name == name);
                assert!(listed.is_some_and(|m| m.kind == kind), "{word}\"{name}\" is not in METRICS");
                used.insert(name.to_owned());
            }
        }
        for metric in METRICS {
            assert!(used.contains(metric.name), "nothing counts `{}`", metric.name);
        }
    }

    #[test]
    fn what_is_counted_is_shown_with_its_help_and_buckets() {
        let render = start_metrics().unwrap().render();
        metrics::counter!("tollgate_problems_total", "code" => "unknown_flow").increment(2);
        metrics::histogram!("tollgate_http_request_seconds", "route" => "/livez").record(0.003);
        let text = render();
        assert!(
            text.contains("# HELP tollgate_problems_total Requests, over REST or gRPC, that got a problem"),
            "{text}"
        );
        assert!(text.contains("tollgate_problems_total{code=\"unknown_flow\"}"), "{text}");
        assert!(
            text.contains("tollgate_http_request_seconds_bucket{route=\"/livez\",le=\"0.005\"}"),
            "{text}"
        );
    }

    #[test]
    fn a_filter_is_checked() {
        assert!(check_filter("info,tollgate::http=debug").is_ok());
        assert!(check_filter("tollgate=loud").is_err());
    }
}
