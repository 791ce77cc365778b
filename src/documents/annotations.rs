//! Findings as GitHub's workflow commands: printed by a job, they stand beside the line in the pull request. Absent on
//! purpose: which findings there are, and other hosts' forms, who read SARIF or JUnit.

use std::fmt::Write as _;

use super::findings::Finding;

/// One line a finding.
#[must_use]
pub fn github(findings: &[Finding]) -> String {
    let mut out = String::new();
    for finding in findings {
        let help = finding.help.as_ref().map_or_else(String::new, |help| format!("\nhelp: {help}"));
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "::{} file={},line={},endLine={},col={},endColumn={},title={}::{}",
            finding.severity,
            property(&finding.file),
            finding.line,
            finding.end_line,
            finding.column,
            finding.end_column,
            property(&finding.code),
            data(&format!("{}{help}", finding.message)),
        );
    }
    out
}

/// What may end a command early is written as a URL would.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_whatever_it_says() {
        let finding = Finding {
            code: "T004".to_owned(),
            severity: "error".to_owned(),
            message: "50 % of\n`a::b`".to_owned(),
            file: "rules/a,b:c.yaml".to_owned(),
            line: 3,
            column: 5,
            end_line: 3,
            end_column: 9,
            help: Some("say `burden`".to_owned()),
        };
        assert_eq!(
            github(&[finding]),
            "::error file=rules/a%2Cb%3Ac.yaml,line=3,endLine=3,col=5,endColumn=9,title=T004::50 %25 of%0A`a::b`%0A\
             help: say `burden`\n"
        );
        assert_eq!(github(&[]), "");
    }
}
