//! Findings as SARIF 2.1.0, which code hosts and editors show beside the line. Only what the standard asks for and
//! what we know: no project address is made up, so each rule carries its page instead of a link to it.

use serde::Serialize;

use super::findings::Finding;
use super::pages;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

#[derive(Debug, Serialize)]
pub struct Sarif {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    /// Columns count characters, not UTF-16 units.
    column_kind: &'static str,
    results: Vec<Outcome>,
}

#[derive(Debug, Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<Rule>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    short_description: Message,
    full_description: Message,
    help: Help,
}

#[derive(Debug, Serialize)]
struct Help {
    text: &'static str,
    markdown: &'static str,
}

#[derive(Debug, Serialize)]
struct Message {
    text: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    rule_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_index: Option<usize>,
    /// `error` or `warning`: SARIF has the same words.
    level: String,
    message: Message,
    locations: [Location; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: Physical,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    region: Region,
}

#[derive(Debug, Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
    start_column: u32,
    end_line: u32,
    /// Exclusive.
    end_column: u32,
}

/// All findings in one run.
#[must_use]
pub fn sarif(findings: &[Finding]) -> Sarif {
    let mut rules: Vec<Rule> = Vec::new();
    for finding in findings {
        let Some(page) = pages::page(&finding.code) else { continue };
        if !rules.iter().any(|rule| rule.id == page.code) {
            rules.push(Rule {
                id: page.code,
                short_description: Message { text: page.title().to_owned() },
                full_description: Message { text: page.description() },
                help: Help { text: page.text, markdown: page.text },
            });
        }
    }
    rules.sort_by_key(|rule| rule.id);
    let results = findings.iter().map(|finding| outcome(finding, &rules)).collect();
    let driver = Driver { name: "tollgate", semantic_version: env!("CARGO_PKG_VERSION"), rules };
    let run = Run { tool: Tool { driver }, column_kind: "unicodeCodePoints", results };
    Sarif { schema: SCHEMA, version: "2.1.0", runs: [run] }
}

fn outcome(finding: &Finding, rules: &[Rule]) -> Outcome {
    let text = match &finding.help {
        Some(help) => format!("{}\nhelp: {help}", finding.message),
        None => finding.message.clone(),
    };
    let region = Region {
        start_line: finding.line,
        start_column: finding.column,
        end_line: finding.end_line,
        end_column: finding.end_column,
    };
    let artifact_location = Artifact { uri: uri(&finding.file) };
    Outcome {
        rule_id: finding.code.clone(),
        rule_index: rules.iter().position(|rule| rule.id == finding.code),
        level: finding.severity.clone(),
        message: Message { text },
        locations: [Location { physical_location: Physical { artifact_location, region } }],
    }
}

/// A path as a relative reference: what may not stand in one is escaped.
fn uri(path: &str) -> String {
    let mut escaped = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn finding(code: &str, file: &str) -> Finding {
        Finding {
            code: code.to_owned(),
            severity: "error".to_owned(),
            message: "rule `a` reads an unknown name `burdn`".to_owned(),
            file: file.to_owned(),
            line: 15,
            column: 11,
            end_line: 15,
            end_column: 16,
            help: Some("this flow has a feature `burden`".to_owned()),
        }
    }

    #[test]
    fn a_run_has_the_shape_that_the_standard_asks_for() {
        let all = [finding("T005", "rules/a b/ä.yaml"), finding("T004", "rules/x.yaml")];
        let shown = serde_json::to_value(sarif(&all)).unwrap();
        assert_eq!(shown["version"], "2.1.0");
        let run = &shown["runs"][0];
        let ids: Vec<&Value> =
            run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|rule| &rule["id"]).collect();
        assert_eq!(ids, ["T004", "T005"]);
        for rule in run["tool"]["driver"]["rules"].as_array().unwrap() {
            for part in ["shortDescription", "fullDescription", "help"] {
                assert!(!rule[part]["text"].as_str().unwrap().is_empty(), "{rule}");
            }
        }
        assert_eq!(run["columnKind"], "unicodeCodePoints");
        let result = &run["results"][0];
        assert_eq!((&result["ruleId"], &result["ruleIndex"]), (&json!("T005"), &json!(1)));
        assert_eq!(result["level"], "error");
        let expected = json!({
            "artifactLocation": { "uri": "rules/a%20b/%C3%A4.yaml" },
            "region": { "startLine": 15, "startColumn": 11, "endLine": 15, "endColumn": 16 },
        });
        assert_eq!(result["locations"][0]["physicalLocation"], expected);
        assert!(result["message"]["text"].as_str().unwrap().ends_with("`burden`"));
    }

    #[test]
    fn no_findings_are_a_run_without_results() {
        let shown = serde_json::to_value(sarif(&[])).unwrap();
        assert_eq!(shown["runs"][0]["results"], json!([]));
    }
}
