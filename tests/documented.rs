//! Everything that has a name which people meet is documented, and everything documented is there: diagnostic
//! codes, metrics, routes, commands, links between pages. By enumeration from the source. Absent on purpose: problem
//! codes, whose pages are held beside their list in `http::problem`.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn page(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| format!("{path}: {error}"))
}

fn below(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(&path, ending, found);
        } else if path.to_str().is_some_and(|name| name.ends_with(ending)) {
            found.push(path);
        }
    }
    found.sort();
}

fn sources() -> Vec<String> {
    let mut paths = Vec::new();
    below(&root().join("src"), ".rs", &mut paths);
    assert!(paths.len() > 50, "where is the source?");
    paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// The texts in quotes in some code that are wholly accepted.
fn literals(text: &str, accepted: impl Fn(&str) -> bool) -> BTreeSet<String> {
    text.split('"').filter(|part| accepted(part)).map(str::to_owned).collect()
}

fn is_diagnostic(text: &str) -> bool {
    text.len() == 4
        && text.starts_with(['T', 'S', 'Y', 'B', 'M'])
        && text.chars().skip(1).all(|c| c.is_ascii_digit())
}

#[test]
fn every_diagnostic_has_a_page_and_every_page_a_diagnostic() {
    let used: BTreeSet<String> = sources().iter().flat_map(|text| literals(text, is_diagnostic)).collect();
    assert!(used.len() > 50, "{used:?}");
    let mut pages = Vec::new();
    below(&root().join("docs/diagnostics"), ".md", &mut pages);
    let pages: BTreeSet<String> = pages
        .iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "README")
        .collect();
    assert_eq!(
        used, pages,
        "a code of src/ and a page of docs/diagnostics/ go together: write or remove one"
    );
    let listed: BTreeSet<String> = page("docs/diagnostics/README.md")
        .split(['[', ']'])
        .filter(|part| is_diagnostic(part))
        .map(str::to_owned)
        .collect();
    assert_eq!(used, listed, "docs/diagnostics/README.md lists each code once");
    for code in used {
        let text = page(&format!("docs/diagnostics/{code}.md"));
        assert!(text.starts_with(&format!("# {code}: ")), "docs/diagnostics/{code}.md begins `# {code}: …`");
    }
}

#[test]
fn every_metric_is_documented_and_every_documented_one_exists() {
    let is_metric = |text: &str| {
        text.starts_with("tollgate_") && text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    };
    let text = fs::read_to_string(root().join("src/telemetry.rs")).unwrap();
    let (list, _) = text.split_once("mod tests").unwrap();
    let used = literals(list, is_metric);
    assert!(used.len() > 10, "{used:?}");
    let documented: BTreeSet<String> = page("docs/metrics.md")
        .split('`')
        .map(|part| part.split('{').next().unwrap_or_default())
        .filter(|part| is_metric(part))
        .map(str::to_owned)
        .collect();
    assert_eq!(used, documented, "docs/metrics.md has a line for every metric of src/telemetry.rs");
}

/// Names and labels of `docs/metrics.md`, with the kind.
fn documented_metrics() -> BTreeMap<String, (BTreeSet<String>, String)> {
    let text = page("docs/metrics.md");
    let lines = text.lines().filter_map(|line| line.strip_prefix("| `tollgate_"));
    let metric = |line: &str| {
        let (metric, rest) = line.split_once("` | ").unwrap();
        let (name, labels) = metric.split_once('{').unwrap_or((metric, ""));
        let labels = labels.trim_end_matches('}').split(',').filter(|label| !label.is_empty());
        let kind = rest.split(" |").next().unwrap().to_owned();
        (format!("tollgate_{name}"), (labels.map(str::to_owned).collect(), kind))
    };
    lines.map(metric).collect()
}

/// Every place where a text names a metric: the name, and the labels of the selector behind it.
fn metrics_in(text: &str) -> Vec<(String, Vec<String>)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (at, _) in text.match_indices("tollgate_") {
        if text[..at].ends_with(|c: char| is_part(c) || c == '/' || c == ':') {
            continue;
        }
        let name: String = text[at..].chars().take_while(|c| is_part(*c)).collect();
        let behind = &text[at + name.len()..];
        let selector = behind.strip_prefix('{').and_then(|behind| behind.split('}').next()).unwrap_or("");
        // `model=~"…"`, in JSON with a backslash before the quotes.
        let labels =
            selector.split(['=', '!', '~', ',']).map(str::trim).filter(|part| part.chars().all(is_part));
        found.push((name, labels.filter(|label| !label.is_empty()).map(str::to_owned).collect()));
    }
    found
}

#[test]
fn dashboards_and_alerts_name_metrics_and_labels_that_exist() {
    let known = documented_metrics();
    let mut files = Vec::new();
    below(&root().join("deploy/grafana"), ".json", &mut files);
    below(&root().join("deploy/prometheus"), ".yaml", &mut files);
    assert!(files.len() >= 3, "{files:?}");
    let mut used = BTreeSet::new();
    // Of a scrape, of a histogram, and of the dashboard's own.
    let always = ["instance", "job", "le"];
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        for (name, labels) in metrics_in(&text) {
            let plain = ["_bucket", "_sum", "_count"].iter().find_map(|ending| name.strip_suffix(ending));
            let of = known.get(&name).map(|(labels, kind)| {
                assert_ne!(
                    kind,
                    "histogram",
                    "{}: `{name}` has no value but `{name}_bucket`",
                    file.display()
                );
                labels
            });
            let histogram = plain.and_then(|plain| known.get(plain)).filter(|(_, kind)| kind == "histogram");
            let Some(own) = of.or(histogram.map(|(labels, _)| labels)) else {
                panic!("{}: docs/metrics.md has no `{name}`", file.display());
            };
            let strange =
                labels.iter().find(|label| !own.contains(*label) && !always.contains(&label.as_str()));
            assert_eq!(strange, None, "{}: a label that `{name}` has not", file.display());
            used.insert(plain.filter(|_| of.is_none()).unwrap_or(&name).to_owned());
        }
        let labels: BTreeSet<&str> =
            known.values().flat_map(|(labels, _)| labels).map(String::as_str).collect();
        for (at, word) in ["by (", "ignoring (", "on ("].iter().flat_map(|word| text.match_indices(word)) {
            let inside = text[at + word.len()..].split(')').next().unwrap();
            let strange = inside
                .split(',')
                .map(str::trim)
                .find(|label| !labels.contains(label) && !always.contains(label));
            assert_eq!(strange, None, "{}: no metric has this label", file.display());
        }
    }
    for name in known.keys().filter(|name| !name.ends_with("_reference") && !name.contains("build_info")) {
        let is_watched = used.contains(name) || NOT_WATCHED.contains(&name.as_str());
        assert!(is_watched, "neither the dashboard nor an alert shows `{name}`");
    }
}

/// What is there for who looks for it.
const NOT_WATCHED: &[&str] = &["tollgate_log_purged_total", "tollgate_ship_duplicates_total"];

#[test]
fn alerts_say_what_to_do_and_read_sums_that_are_recorded() {
    let (rules, alerts) = (page("deploy/prometheus/rules.yaml"), page("deploy/prometheus/alerts.yaml"));
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    for (text, of) in [
        (&rules, "rules.yaml"),
        (&alerts, "alerts.yaml"),
        (&page("deploy/grafana/tollgate.json"), "tollgate.json"),
    ] {
        for (at, _) in text.match_indices("tollgate:") {
            let name: String = text[at..].chars().take_while(|c| is_name(*c)).collect();
            let is_recorded = rules.contains(&format!("record: {name}\n"));
            assert!(is_recorded, "{of}: nothing records `{name}`");
        }
    }
    let all: Vec<&str> = alerts.split("- alert: ").skip(1).collect();
    assert!(all.len() > 15);
    for alert in all {
        let name = alert.lines().next().unwrap();
        for part in ["expr:", "labels: { severity:", "summary:", "action:"] {
            assert!(alert.contains(part), "{name} has no `{part}`");
        }
    }
}

#[test]
fn every_route_is_documented() {
    let text = fs::read_to_string(root().join("src/http/routes.rs")).unwrap();
    let routes = literals(&text, |part| part.starts_with('/') && !part.contains(' '));
    assert!(routes.len() > 10, "{routes:?}");
    let api = page("docs/api.md");
    let missing: Vec<_> = routes.iter().filter(|route| !api.contains(&format!(" {route}`"))).collect();
    assert!(missing.is_empty(), "docs/api.md says nothing of `METHOD …` for {missing:?}");
}

/// `SomeCommand` → `some-command`, as clap names it.
fn kebab(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// The variants of the enum that derives `Subcommand` in a file, if one does.
fn subcommands(text: &str) -> Vec<String> {
    let Some((_, rest)) = text.split_once("Subcommand)]") else { return Vec::new() };
    let (_, rest) = rest.split_once('{').unwrap();
    let (body, _) = rest.split_once("\n}").unwrap();
    body.lines()
        .filter_map(|line| line.strip_prefix("    ").filter(|l| l.starts_with(char::is_uppercase)))
        .map(|line| kebab(line.split(|c: char| !c.is_alphanumeric()).next().unwrap()))
        .collect()
}

#[test]
fn every_command_is_documented() {
    let cli = page("docs/cli.md");
    let top = subcommands(&fs::read_to_string(root().join("src/cli/mod.rs")).unwrap());
    assert!(top.contains(&"serve".to_owned()) && top.contains(&"keys".to_owned()), "{top:?}");
    let mut missing = Vec::new();
    for command in top {
        let own =
            fs::read_to_string(root().join(format!("src/cli/{}.rs", command.replace('-', "_")))).unwrap();
        let inner = subcommands(&own);
        let lines = match inner.as_slice() {
            [] => vec![format!("tollgate {command}")],
            inner => inner.iter().map(|name| format!("tollgate {command} {name}")).collect(),
        };
        missing.extend(lines.into_iter().filter(|line| !cli.contains(&format!("`{line}"))));
    }
    assert!(missing.is_empty(), "docs/cli.md says nothing of {missing:?}");
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut pages = Vec::new();
    below(&root().join("docs"), ".md", &mut pages);
    for entry in fs::read_dir(root()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "md") {
            pages.push(path);
        }
    }
    let mut broken = Vec::new();
    for path in pages {
        let text = fs::read_to_string(&path).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap();
            let is_elsewhere = target.contains("://") || target.starts_with("mailto:") || file.is_empty();
            if !is_elsewhere && !path.parent().unwrap().join(file).exists() {
                broken.push(format!("{} → {target}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links to nowhere:\n  {}", broken.join("\n  "));
}
