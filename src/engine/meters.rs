//! What is counted of decisions. Handles are kept by flow, market and outcome: looking one up by its labels for each
//! decision would cost more than counting.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use metrics::{Counter, Histogram};

use super::Decision;
use crate::domain::value::Name;

#[derive(Default)]
pub(super) struct Meters {
    flows: RwLock<BTreeMap<Name, BTreeMap<Name, Arc<FlowMeters>>>>,
}

struct FlowMeters {
    flow: String,
    market: String,
    evaluation: Histogram,
    degraded: Counter,
    outcomes: RwLock<BTreeMap<Name, Counter>>,
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meters")
    }
}

impl Meters {
    /// Counts a recorded decision, or what one that was recorded on its way asks for.
    pub fn count(&self, decision: &Decision) {
        let meters = self.of(&decision.flow, &decision.market);
        if !decision.needs.is_empty() {
            for need in &decision.needs {
                let (flow, market) = (decision.flow.to_string(), decision.market.to_string());
                let need = need.input.to_string();
                metrics::counter!("tollgate_needs_total", "flow" => flow, "market" => market, "need" => need)
                    .increment(1);
            }
            return;
        }
        if decision.degraded {
            meters.degraded.increment(1);
        }
        meters.outcome(&decision.outcome).increment(1);
        #[expect(clippy::cast_precision_loss, reason = "microseconds of one evaluation are far below 2^52")]
        let seconds = decision.elapsed_us as f64 / 1e6;
        meters.evaluation.record(seconds);
    }

    fn of(&self, flow: &Name, market: &Name) -> Arc<FlowMeters> {
        let known = self.flows.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(flow).and_then(|markets| markets.get(market)) {
            return Arc::clone(found);
        }
        drop(known);
        let mut flows = self.flows.write().unwrap_or_else(PoisonError::into_inner);
        let markets = flows.entry(flow.clone()).or_default();
        let made = markets.entry(market.clone()).or_insert_with(|| Arc::new(FlowMeters::new(flow, market)));
        Arc::clone(made)
    }
}

impl FlowMeters {
    fn new(flow: &Name, market: &Name) -> Self {
        let (flow, market) = (flow.to_string(), market.to_string());
        let labels = [("flow", flow.clone()), ("market", market.clone())];
        Self {
            evaluation: metrics::histogram!("tollgate_evaluation_seconds", "flow" => flow.clone()),
            degraded: metrics::counter!("tollgate_degraded_total", &labels),
            outcomes: RwLock::default(),
            flow,
            market,
        }
    }

    fn outcome(&self, outcome: &Name) -> Counter {
        if let Some(found) = self.outcomes.read().unwrap_or_else(PoisonError::into_inner).get(outcome) {
            return found.clone();
        }
        let labels =
            [("flow", self.flow.clone()), ("market", self.market.clone()), ("outcome", outcome.to_string())];
        let made = metrics::counter!("tollgate_decisions_total", &labels);
        self.outcomes.write().unwrap_or_else(PoisonError::into_inner).insert(outcome.clone(), made.clone());
        made
    }
}
