//! `tollgate diff A [B]`: what differs in meaning between two folders, revisions or markets. Absent on purpose:
//! comparing (the domain's), and lines of text.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value as Json, json};

use super::say::{Say, Trouble};
use super::{check, declared};
use crate::bundle::{
    self, Built, FlowDifference, FlowRevision, Flows, flow_difference, flows_difference, market_difference,
};
use crate::config::Settings;
use crate::documents::difference as shown;
use crate::documents::findings::Colour;
use crate::domain::difference::ChangeKind;
use crate::domain::nearest::nearest;
use crate::domain::value::Name;

/// What differs in meaning: thresholds, rules, rows, bins, reasons, models, statements; not lines of text.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate diff ../risk-on-main                          a folder with rules/ and models/, and the rules here
  tollgate diff sha256:1f2e sha256:9c0a                  two revisions that decided
  tollgate diff sha256:1f2e --format json                a revision and the rules here
  tollgate diff personal_loan@base personal_loan@mx      two markets

A revision may be shortened as long as it stays the only one that begins like that.
Exit codes: 0 the same, 1 differences, 2 could not compare")]
pub(super) struct Diff {
    /// A folder, a revision (`sha256:…`), or FLOW@MARKET
    before: String,
    /// The same; the rules here (of FLOW@MARKET: its `base`) if left out
    after: Option<String>,
    /// Only this flow
    #[arg(long)]
    flow: Option<String>,
    /// As it is in this market; base and what markets have of their own if left out
    #[arg(long)]
    market: Option<String>,
}

/// What one of the two is.
enum Side<'a> {
    Here,
    Folder(&'a str),
    Revision(&'a str),
    Market { flow: &'a str, market: &'a str },
}

impl<'a> Side<'a> {
    fn of(text: &'a str) -> Self {
        match text.split_once('@') {
            _ if text.starts_with("sha256:") => Self::Revision(text),
            Some((flow, market)) if !Path::new(text).exists() => Self::Market { flow, market },
            _ => Self::Folder(text),
        }
    }
}

impl Diff {
    pub(super) async fn run(self, settings: &Settings, say: &Say) -> Result<ExitCode, Trouble> {
        let before = Side::of(&self.before);
        let found = match (&before, self.after.as_deref().map(Side::of)) {
            (Side::Market { flow, market }, None) => {
                self.markets(settings, (flow, "base"), (flow, market))?
            }
            (Side::Market { flow, market }, Some(Side::Market { flow: other, market: in_market })) => {
                self.markets(settings, (flow, market), (other, in_market))?
            }
            (Side::Market { .. }, _) | (_, Some(Side::Market { .. })) => {
                return Err(Trouble::new("a FLOW@MARKET is compared with another FLOW@MARKET")
                    .help("name a market on both sides, or use `--flow` and `--market`"));
            }
            (before, after) => {
                let after = after.unwrap_or(Side::Here);
                let was = self.flows(before, settings).await?;
                let is = self.flows(&after, settings).await?;
                self.check_flow(&was, &is)?;
                self.compared(&was, &is)?
            }
        };
        let (was, is) = match (&before, self.after.as_deref()) {
            (Side::Market { flow, .. }, None) => (format!("{flow}@base"), self.before.clone()),
            (_, after) => (self.before.clone(), after.unwrap_or("the rules here").to_owned()),
        };
        if say.is_json() || !found.is_empty() {
            say.result(&body(&was, &is, &found), || text(&found))?;
        }
        if found.is_empty() {
            say.talk("no difference");
        }
        Ok(ExitCode::from(u8::from(!found.is_empty())))
    }

    fn markets(
        &self,
        settings: &Settings,
        (flow, market): (&str, &str),
        (other, in_market): (&str, &str),
    ) -> Result<Vec<FlowDifference>, Trouble> {
        let built = check::read(settings)?;
        let was = declared::in_market(&declared::flow(&built, flow)?, Some(market))?;
        let is = declared::in_market(&declared::flow(&built, other)?, Some(in_market))?;
        let name = if flow == other { flow.to_owned() } else { format!("{flow} and {other}") };
        let among = &built.bundle.flows;
        let (was, is) = (alone(&was), alone(&is));
        let sides = (bundle::Side { flow: &was, among }, bundle::Side { flow: &is, among });
        let found = flow_difference(sides.0, sides.1, &Name::from(name));
        Ok(found.into_iter().collect())
    }

    async fn flows(&self, side: &Side<'_>, settings: &Settings) -> Result<Flows, Trouble> {
        match side {
            Side::Here => self.checked(check::read(settings)?, "the rules here"),
            Side::Folder(folder) => {
                let (rules, models) = (Path::new(folder).join("rules"), Path::new(folder).join("models"));
                if !rules.is_dir() {
                    let what = format!("there is no folder `{}`", rules.display());
                    return Err(Trouble::new(what)
                        .help("name a folder that holds `rules/`, a revision (`sha256:…`) or FLOW@MARKET"));
                }
                self.checked(bundle::build(&bundle::read_folder(&rules, &models)), folder)
            }
            Side::Revision(name) => declared::stored(name, self.flow.as_deref(), settings).await,
            Side::Market { .. } => Ok(Flows::new()),
        }
    }

    /// The flows of a folder; those that do not check cannot be compared.
    fn checked(&self, built: Built, whose: &str) -> Result<Flows, Trouble> {
        let broken = built.broken_flows().into_iter().find(|name| self.wants(name));
        if let Some(name) = broken {
            let what = format!("the flow `{name}` of {whose} does not check");
            return Err(Trouble::new(what).help("`tollgate check` says what is wrong with it"));
        }
        Ok(built.bundle.flows)
    }

    fn wants(&self, name: &str) -> bool {
        self.flow.as_deref().is_none_or(|flow| flow == name)
    }

    fn check_flow(&self, was: &Flows, is: &Flows) -> Result<(), Trouble> {
        let Some(flow) = self.flow.as_deref() else { return Ok(()) };
        if was.contains_key(flow) || is.contains_key(flow) {
            return Ok(());
        }
        let trouble = Trouble::new(format!("neither side has a flow `{}`", flow.escape_debug()));
        match nearest(flow, was.keys().chain(is.keys()).map(|name| &**name)) {
            Some(near) => Err(trouble.help(format!("did you mean `{near}`?"))),
            None => Err(trouble),
        }
    }

    fn compared(&self, was: &Flows, is: &Flows) -> Result<Vec<FlowDifference>, Trouble> {
        let mut found = match self.market.as_deref() {
            None => flows_difference(was, is),
            Some(market) => market_difference(was, is, market).ok_or_else(|| {
                let what = format!("no flow of either side has a market `{}`", market.escape_debug());
                Trouble::new(what)
            })?,
        };
        found.retain(|difference| self.wants(&difference.flow));
        Ok(found)
    }
}

/// A flow in one market, without the others.
fn alone(flow: &FlowRevision) -> FlowRevision {
    FlowRevision { markets: std::collections::BTreeMap::new(), ..flow.clone() }
}

fn body(before: &str, after: &str, found: &[FlowDifference]) -> Json {
    json!({
        "before": before,
        "after": after,
        "same": found.is_empty(),
        "flows": found.iter().map(FlowDifference::json).collect::<Vec<_>>(),
    })
}

fn text(found: &[FlowDifference]) -> String {
    let colour = Colour::for_stdout();
    let mut out = String::new();
    for difference in found {
        match difference.kind {
            ChangeKind::Added => {
                out.push_str(&format!("{}: only the second has this flow\n", difference.flow))
            }
            ChangeKind::Removed => {
                out.push_str(&format!("{}: only the first has this flow\n", difference.flow))
            }
            _ => out.push_str(&format!("{}\n", difference.flow)),
        }
        out.push_str(&shown::text(&difference.changes, "  ", colour));
        for market in &difference.markets {
            match market.kind {
                ChangeKind::Added => out.push_str(&format!("  + market {}\n", market.market)),
                ChangeKind::Removed => out.push_str(&format!("  - market {}\n", market.market)),
                _ => out.push_str(&format!("  in the market {}\n", market.market)),
            }
            out.push_str(&shown::text(&market.changes, "    ", colour));
        }
    }
    out
}
