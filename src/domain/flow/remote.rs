//! Models on other servers, seen from a flow that decides: what it has to ask them, and what they answered. Where an
//! answer is not there yet the evaluation stops; with it known, it begins again and, being deterministic, comes to the
//! same place. Absent: asking, waiting, and any clock.

use std::sync::Arc;

use jiff::Timestamp;

use super::machine::{Machine, Outcome, Stop};
use super::model_steps::ModelAnswer;
use super::watch::Watch;
use super::{Budget, Flow, Pins, StandIn};
use crate::domain::expression::words::Moment;
use crate::domain::facts::Facts;
use crate::domain::model::Model;
use crate::domain::model::remote::{Fetch, Hole};
use crate::domain::value::{Name, Value};
use crate::domain::verdict::{GatheredTrace, RecordedBy, Step, Verdict};

/// One question to a model on another server.
#[derive(Debug, Clone)]
pub struct ModelAsked {
    pub model: Arc<Model>,
    /// In the order of the model's inputs.
    pub row: Box<[Value]>,
}

impl ModelAsked {
    /// Whether this is the same question: the same version of the same model, about the same row.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        let version = |asked: &Self| asked.model.remote().and_then(|remote| remote.version.clone());
        self.model.name == other.model.name && version(self) == version(other) && self.row == other.row
    }
}

/// What came of one question.
#[derive(Debug, Clone)]
pub struct Answered {
    pub asked: ModelAsked,
    pub answer: RemoteAnswer,
}

impl Answered {
    /// A question that nobody may answer here.
    #[must_use]
    pub fn unknown(asked: ModelAsked) -> Self {
        let answer = RemoteAnswer::none(RemoteFault::NotGathered, "no answer to this question is known");
        Self { asked, answer }
    }
}

/// What another server said, and how that came about.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteAnswer {
    /// From 0 to 1; or why there is none.
    pub result: Result<f64, RemoteFailure>,
    /// The server that answered, or that was asked last: `10.0.0.7:8080`.
    pub endpoint: Option<Arc<str>>,
    /// The version that answered, as that server names it.
    pub version: Option<Arc<str>>,
    pub attempts: u32,
    pub latency_us: u64,
}

impl RemoteAnswer {
    /// No answer, and nobody was asked.
    #[must_use]
    pub fn none(code: RemoteFault, detail: &str) -> Self {
        let result = Err(RemoteFailure { code, detail: Arc::from(detail) });
        Self { result, endpoint: None, version: None, attempts: 0, latency_us: 0 }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFailure {
    pub code: RemoteFault,
    /// For people; never a fact's value.
    pub detail: Arc<str>,
}

/// What can keep a model on another server from answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RemoteFault {
    /// Nothing may be asked here, and no answer is recorded.
    NotGathered,
    /// Not in time.
    Late,
    /// No connection, or one that broke.
    Unreachable,
    /// The server says that it failed, or that it does not serve the model.
    ServerFailed,
    /// The server says that the question is wrong.
    Refused,
    /// The answer has not the shape that was asked for, or is no probability.
    Nonsense,
    /// The breaker is open: too many answers failed.
    BreakerOpen,
    /// As many answers are awaited as may be.
    Full,
    /// No server is known.
    NoServer,
}

impl RemoteFault {
    pub const ALL: [Self; 9] = [
        Self::NotGathered,
        Self::Late,
        Self::Unreachable,
        Self::ServerFailed,
        Self::Refused,
        Self::Nonsense,
        Self::BreakerOpen,
        Self::Full,
        Self::NoServer,
    ];

    /// The code in traces, records and metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NotGathered => "not_gathered",
            Self::Late => "late",
            Self::Unreachable => "unreachable",
            Self::ServerFailed => "server_failed",
            Self::Refused => "refused",
            Self::Nonsense => "nonsense",
            Self::BreakerOpen => "breaker_open",
            Self::Full => "full",
            Self::NoServer => "no_server",
        }
    }

    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.word() == word)
    }
}

/// What may be known of other servers' answers.
#[derive(Debug, Clone, Copy)]
pub enum Known<'a> {
    /// Nothing, and nothing will be: a model elsewhere that is not pinned has failed.
    Offline,
    /// These; what else is needed is said, and the evaluation comes again.
    SoFar(&'a [Answered]),
}

impl Flow {
    /// Decides one request as far as the answers of other servers are known.
    ///
    /// # Errors
    /// What still has to be asked: every question that the evaluation met before it could not go on.
    pub fn decide_knowing(
        &self,
        facts: &Facts,
        decided_at: Timestamp,
        (budget, pins): (&Budget<'_>, &Pins),
        known: Known<'_>,
        watch: Option<&dyn Watch>,
    ) -> Result<Verdict, Vec<ModelAsked>> {
        let moment = Moment { decided_at, time_zone: self.time_zone.clone() };
        let mut machine = Machine::new(self, facts, moment, budget, pins);
        machine.known = known;
        machine.watch = watch;
        machine.explains = watch.is_some_and(Watch::explains_models);
        machine.decide();
        if machine.wanted.is_empty() { Ok(machine.verdict()) } else { Err(machine.wanted) }
    }

    /// What can be asked before the script begins: the models elsewhere that say `fetch: early`. Those of flows that
    /// this one asks wait for the facts that they are handed.
    #[must_use]
    pub fn early(&self, facts: &Facts, decided_at: Timestamp, budget: &Budget<'_>) -> Vec<ModelAsked> {
        let is_early = |model: &Model| model.remote().is_some_and(|remote| remote.fetch == Fetch::Early);
        if !facts.invalid.is_empty() || !self.models.iter().any(|used| is_early(&used.model)) {
            return Vec::new();
        }
        let moment = Moment { decided_at, time_zone: self.time_zone.clone() };
        let pins = Pins::default();
        let mut machine = Machine::new(self, facts, moment, budget, &pins);
        machine.known = Known::SoFar(&[]);
        for used in self.models.iter().filter(|used| is_early(&used.model)) {
            // What cannot be asked fails where the script asks it.
            if let Ok(row) = machine.row(&used.columns).and_then(|row| sendable(&used.model, row)) {
                machine.want(ModelAsked { model: Arc::clone(&used.model), row });
            }
        }
        machine.wanted
    }

    /// Whether it, or a flow that it asks, uses a model on another server.
    #[must_use]
    pub fn asks_elsewhere(&self) -> bool {
        let own = self.models.iter().any(|used| used.model.remote().is_some());
        own || self.sub_flows.iter().any(|sub| sub.flow.asks_elsewhere())
    }

    /// The models on other servers that it and the flows that it asks use.
    pub fn remote_models(&self) -> Vec<&Arc<Model>> {
        self.all_models().into_iter().filter(|model| model.remote().is_some()).collect()
    }

    /// The models that it and the flows that it asks use, wherever they answer.
    pub fn all_models(&self) -> Vec<&Arc<Model>> {
        let own = self.models.iter().map(|used| &used.model);
        own.chain(self.sub_flows.iter().flat_map(|sub| sub.flow.all_models())).collect()
    }
}

/// Code and words of what kept a model from answering.
pub(super) type Unanswered = (&'static str, String);

/// The row as it is sent: what is missing is what the model's declaration says.
fn sendable(model: &Model, mut row: Vec<Value>) -> Result<Box<[Value]>, Unanswered> {
    let Some(remote) = model.remote() else { return Ok(row.into()) };
    for ((value, sent), input) in row.iter_mut().zip(&remote.sent).zip(&model.inputs) {
        if matches!(value, Value::Missing) {
            let Some(stands) = &sent.if_missing else {
                let detail = format!("reads `{}`, which was not given", input.name);
                return Err(("missing_value", detail));
            };
            if let Hole::Value(stands) = stands {
                *value = stands.clone();
            }
        }
    }
    Ok(row.into())
}

impl<'a> Machine<'a> {
    pub(super) fn want(&mut self, asked: ModelAsked) {
        if !self.wanted.iter().any(|before| before.is(&asked)) {
            self.wanted.push(asked);
        }
    }

    /// The answer of a model on another server; `None` where it has to be asked first.
    pub(super) fn answer_from_elsewhere(&mut self, index: usize) -> Option<Result<f64, Unanswered>> {
        let flow = self.flow;
        let used = flow.models.get(index)?;
        let remote = used.model.remote()?;
        let row = match self.row(&used.columns).and_then(|row| sendable(&used.model, row)) {
            Ok(row) => row,
            Err(unanswered) => return Some(Err(unanswered)),
        };
        let asked = ModelAsked { model: Arc::clone(&used.model), row };
        let Known::SoFar(known) = self.known else {
            let detail = "it answers on another server, and nothing is asked there now".to_owned();
            return Some(Err((RemoteFault::NotGathered.word(), detail)));
        };
        let Some(found) = known.iter().find(|answered| answered.asked.is(&asked)) else {
            self.want(asked);
            return None;
        };
        let answer = &found.answer;
        self.trace.push(Step::Gathered(GatheredTrace {
            name: used.name.clone(),
            protocol: remote.protocol.word(),
            over: remote.over.word(),
            endpoint: answer.endpoint.clone(),
            version: answer.version.clone(),
            attempts: answer.attempts,
            latency_us: answer.latency_us,
            answer: answer.result.as_ref().ok().copied(),
            failed: answer.result.as_ref().err().map(|failure| Arc::from(failure.code.word())),
        }));
        let failed = |failure: &RemoteFailure| (failure.code.word(), failure.detail.to_string());
        Some(answer.result.as_ref().map_err(failed).copied())
    }

    /// What stands in for an answer that did not come; `None` where that has to be asked first.
    pub(super) fn stand_in(&mut self, index: usize) -> Option<Option<ModelAnswer>> {
        let flow = self.flow;
        let used = flow.models.get(index)?;
        let stood = match &used.if_it_fails {
            None => return Some(None),
            Some(StandIn::Answer(given)) => ModelAnswer::given(given).ok(),
            Some(StandIn::Model(other)) => {
                self.model(*other);
                let result = self.models.get(usize::from(*other))?.as_ref()?;
                result.score.map(|score| ModelAnswer::by_another(score.raw, *other))
            }
            Some(StandIn::Refer { outcome, reason }) => {
                let by = RecordedBy::IfItFails(used.name.clone());
                self.record(*outcome, vec![reason.clone()], Vec::new(), by, 0);
                None
            }
        };
        // Somebody relies on what another server says: that it did not is told with the answer.
        self.fell_back |= used.model.remote().is_some();
        Some(stood)
    }

    /// What keeps the script from reading a model's answer: it has to come first, or the flow was referred.
    pub(super) fn readable(&self, index: u16, property: &Name) -> Outcome<()> {
        let at = usize::from(index);
        match self.models.get(at) {
            Some(None) => Err(Stop::Gathers),
            Some(Some(result)) if result.failed() && **property != *"failed" && self.is_referred(at) => {
                Err(Stop::Referred)
            }
            _ => Ok(()),
        }
    }

    /// Whether what stands in for a model, in the end, is an outcome.
    fn is_referred(&self, mut at: usize) -> bool {
        // Compiled flows have no circle.
        while let Some(stand_in) = self.flow.models.get(at).and_then(|used| used.if_it_fails.as_ref()) {
            match stand_in {
                StandIn::Refer { .. } => return true,
                StandIn::Answer(_) => return false,
                StandIn::Model(other) => at = usize::from(*other),
            }
        }
        false
    }
}

/// The models whose `if_it_fails` leads back to themselves, as positions.
pub(super) fn in_a_circle(stand_ins: &[Option<StandIn>]) -> Vec<usize> {
    let next = |at: usize| match stand_ins.get(at) {
        Some(Some(StandIn::Model(other))) => Some(usize::from(*other)),
        _ => None,
    };
    let returns = |start: &usize| {
        let mut at = *start;
        for _ in 0..stand_ins.len() {
            match next(at) {
                Some(to) if to == *start => return true,
                Some(to) => at = to,
                None => return false,
            }
        }
        false
    };
    (0..stand_ins.len()).filter(returns).collect()
}
