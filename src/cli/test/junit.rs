//! Results as JUnit XML, for CI systems: a suite for each flow, a test for each case in each market. The door to
//! quick-junit.

use std::collections::BTreeMap;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::found::Found;
use super::properties;
use crate::bundle::BASE;
use crate::bundle::cases::{self, CaseResult};
use crate::cli::say::Trouble;
use crate::documents::Source;
use crate::trial::properties::PropertyResult;

/// The whole report.
pub(super) fn report(found: &Found, sources: &[Source]) -> Result<String, Trouble> {
    let mut report = Report::new("tollgate test");
    report.set_time(found.elapsed);
    let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
    for result in &found.results {
        suites
            .entry(&result.flow)
            .or_insert_with(|| TestSuite::new(&*result.flow))
            .add_test_case(case(result));
    }
    for result in &found.properties {
        let suite = suites.entry(&result.flow).or_insert_with(|| TestSuite::new(&*result.flow));
        suite.add_test_case(property(result, sources));
    }
    for flow in &found.broken {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_type("check").set_message("the flow does not check, so its cases could not run");
        status.set_description("`tollgate check` says what is wrong with it");
        let suite = suites.entry(flow).or_insert_with(|| TestSuite::new(flow.as_str()));
        suite.add_test_case(TestCase::new("the flow checks", status));
    }
    report.add_test_suites(suites.into_values());
    report.to_string().map_err(|error| Trouble::because("the results cannot be written as XML", &error))
}

fn property(result: &PropertyResult, sources: &[Source]) -> TestCase {
    let (file, line) = properties::place(result, sources);
    let name = match &*result.market {
        BASE => result.property.clone(),
        market => format!("{} [{market}]", result.property),
    };
    let status = if result.holds() {
        TestCaseStatus::success()
    } else {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_type("property").set_message("the property does not hold");
        status.set_description(properties::rendered(result, sources));
        status
    };
    let mut test = TestCase::new(name, status);
    test.set_classname(format!("rules.{}.properties", result.flow));
    test.extra.insert("file".into(), file.into());
    test.extra.insert("line".into(), line.to_string().into());
    test
}

fn case(result: &CaseResult) -> TestCase {
    let name = match &*result.market {
        BASE => result.case.clone(),
        market => format!("{} [{market}]", result.case),
    };
    let status = if result.holds() {
        TestCaseStatus::success()
    } else {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        let parts: Vec<&str> = result.differences.iter().map(|difference| difference.part.as_str()).collect();
        status.set_type("case").set_message(format!("came out otherwise: {}", parts.join(", ")));
        status.set_description(cases::rendered_one(result));
        status
    };
    let mut test = TestCase::new(name, status);
    test.set_classname(result.file.trim_end_matches(".yaml").replace('/', "."));
    test.extra.insert("file".into(), result.file.as_str().into());
    test.extra.insert("line".into(), result.line.to_string().into());
    test
}
