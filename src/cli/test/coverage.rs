//! `tollgate test --coverage`: what the cases reach, as text, JSON, a page and a tracefile. Absent on purpose: counting
//! it (the trial room's).

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;

use super::chosen::Chosen;
use crate::bundle::cases;
use crate::cli::say::Trouble;
use crate::trial::coverage::{self, CoverageBody, FlowCoverage};

/// What is asked about coverage.
#[derive(Debug, Args)]
pub(super) struct CoverageArgs {
    /// Say what of the flows the cases reach, and what no case does
    #[arg(long)]
    coverage: bool,
    /// Write a page with every source marked; no other file is needed to read it
    #[arg(long, value_name = "FILE")]
    coverage_html: Option<PathBuf>,
    /// Write an LCOV tracefile, for CI systems and editors
    #[arg(long, value_name = "FILE")]
    coverage_lcov: Option<PathBuf>,
    /// Exit with 1 where the cases reach less than this share of what there is
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    coverage_min: Option<f64>,
}

/// What the cases reach, and whether that is enough.
pub(super) struct Covered {
    pub body: CoverageBody,
    pub text: String,
    pub is_enough: bool,
}

impl CoverageArgs {
    pub(super) fn is_asked(&self) -> bool {
        self.coverage
            || self.coverage_html.is_some()
            || self.coverage_lcov.is_some()
            || self.coverage_min.is_some()
    }

    /// Counts, and writes the files that were asked for.
    pub(super) fn look(&self, chosen: &Chosen<'_>, now: Timestamp) -> Result<Option<Covered>, Trouble> {
        if !self.is_asked() {
            return Ok(None);
        }
        let sources = &chosen.built.sources;
        let of_flow = |flow: &super::chosen::ChosenFlow<'_>| {
            let runs = cases::prepared(flow.revision, flow.cases.iter().copied(), now);
            FlowCoverage::of(flow.name, flow.revision, &runs)
        };
        let flows: Vec<FlowCoverage> = chosen.flows.iter().map(of_flow).collect();
        if let Some(file) = &self.coverage_html {
            write(file, &coverage::page(&flows, sources))?;
        }
        if let Some(file) = &self.coverage_lcov {
            write(file, &coverage::lcov(&flows, sources))?;
        }
        let reached = coverage::total(&flows).percent();
        let is_enough = self.coverage_min.is_none_or(|least| reached >= least);
        let mut text = coverage::text(&flows, sources);
        if let Some(least) = self.coverage_min.filter(|_| !is_enough) {
            text.push_str(&format!("\ncoverage is below the {least}% that `--coverage-min` asks for"));
        }
        Ok(Some(Covered { body: coverage::body(&flows, sources), text, is_enough }))
    }
}

fn write(file: &Path, text: &str) -> Result<(), Trouble> {
    fs::write(file, text)
        .map_err(|error| Trouble::because(&format!("`{}` cannot be written", file.display()), &error))
}

/// A share of a hundred.
pub(super) fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).parse::<f64>().ok();
    number
        .filter(|number| (0.0..=100.0).contains(number))
        .ok_or_else(|| "a number from 0 to 100 is expected".to_owned())
}
