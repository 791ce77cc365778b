//! The flow and the market that a command names, among those that check. Absent on purpose: commands.

use std::sync::Arc;

use super::audit;
use super::say::Trouble;
use crate::bundle::{Built, FlowRevision, Flows};
use crate::config::Settings;
use crate::domain::nearest::nearest;
use crate::engine::{RevisionError, flows_of, revision_called};

/// The flow of this name; trouble that says why there is none.
pub(super) fn flow(built: &Built, name: &str) -> Result<Arc<FlowRevision>, Trouble> {
    if let Some(found) = built.bundle.flow(name) {
        return Ok(Arc::clone(found));
    }
    if built.flows.contains_key(name) {
        let what = format!("the flow `{name}` does not check");
        return Err(Trouble::new(what).help("`tollgate check` says what is wrong with it"));
    }
    let known: Vec<&str> = built.flows.keys().map(|name| &**name).collect();
    Err(unknown("flow", name, &known))
}

/// The flow as it is in a market.
pub(super) fn in_market(
    revision: &Arc<FlowRevision>,
    market: Option<&str>,
) -> Result<Arc<FlowRevision>, Trouble> {
    // Without a name the contract itself is meant, also where requests must name a market.
    let Some(name) = market else { return Ok(Arc::clone(revision)) };
    match revision.in_market(name) {
        Some(found) => Ok(Arc::clone(found)),
        None if name == "base" => Ok(Arc::clone(revision)),
        None => Err(unknown("market", name, &revision.market_names())),
    }
}

/// The flows of a revision of the log, by its digest or a unique beginning; all of them, or one.
pub(super) async fn stored(name: &str, flow: Option<&str>, settings: &Settings) -> Result<Flows, Trouble> {
    let audit = audit::open(settings).await?;
    let wrong = |error: RevisionError| match error {
        RevisionError::Unknown => Trouble::new(format!("there is no revision `{name}`"))
            .help("`--data` or `--database-url` says where it was recorded"),
        RevisionError::Ambiguous(count) => {
            Trouble::new(format!("{count} revisions begin with `{name}`")).help("write more of it")
        }
        error => Trouble::because(&format!("the revision `{name}` cannot be compared"), &error),
    };
    let revision = revision_called(&audit, name).await.map_err(wrong)?;
    flows_of(&audit, &revision, flow).await.map_err(wrong)
}

fn unknown(what: &str, name: &str, known: &[&str]) -> Trouble {
    let trouble = Trouble::new(format!("there is no {what} `{}`", name.escape_debug()));
    match nearest(name, known.iter().copied()) {
        Some(near) => trouble.help(format!("did you mean `{near}`?")),
        None if known.is_empty() => trouble,
        None => trouble.help(format!("there is `{}`", known.join("`, `"))),
    }
}
