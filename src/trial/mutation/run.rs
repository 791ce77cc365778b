//! Tries every mutant of a flow: on the cases that come to its place, then, where none notices, whether it can matter
//! at all, and what case would notice. Several at a time; nothing depends on which is tried first.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;

use super::case_text::{self, NewCase};
use super::mutants::{self, Mutant, Operator, Reach, SeenPlaces, seen_places};
use super::search::{Search, Suspect};
use crate::bundle::FlowRevision;
use crate::bundle::cases::{Case, Prepared, prepared};
use crate::domain::analysis::same::{Compiled, answers_alike};
use crate::domain::facts::Given;
use crate::domain::flow::Flow;
use crate::domain::place::Place;
use crate::domain::value::Name;
use crate::domain::verdict::Verdict;
use crate::learn::library::ModelLibrary;
use crate::trial::coverage::Texts;
use crate::trial::evidence::Evidence;

/// Cases that are named for one survivor.
const MOST_WEAK: usize = 3;

/// Cases of the flow do not hold as it is: what they would notice cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cases} of the cases of `{flow}` do not hold: mutants can be told only from what holds")]
pub struct Failing {
    pub flow: Name,
    pub cases: usize,
}

/// What the mutants of a flow are tried on.
#[derive(Debug, Clone, Copy)]
pub struct Cases<'a> {
    pub cases: &'a [&'a Case],
    /// Named sets of facts that new cases are written on.
    pub sets: &'a BTreeMap<String, Given>,
    /// When cases are decided that do not say it themselves.
    pub now: Timestamp,
    pub threads: NonZeroUsize,
}

/// What became of the mutants of one flow.
#[derive(Debug, Clone)]
pub struct Found {
    pub flow: Name,
    /// Noticed by a case.
    pub caught: Vec<Tried>,
    /// Changes that can never matter.
    pub equivalent: Vec<Tried>,
    /// By place.
    pub survivors: Vec<Survivor>,
    /// The cases that would catch what survived, each once, as they stand in a file of cases.
    pub cases: Vec<String>,
}

impl Found {
    /// Mutants that can matter.
    #[must_use]
    pub fn total(&self) -> usize {
        self.caught.len() + self.survivors.len()
    }
}

/// A change that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    pub operator: Operator,
    pub place: Place,
    pub change: String,
}

/// A change that no case notices.
#[derive(Debug, Clone)]
pub struct Survivor {
    pub operator: Operator,
    pub place: Place,
    /// `min_age: 18 → 19`
    pub change: String,
    pub markets: Vec<Name>,
    /// Whether any case comes to the place.
    pub is_reached: bool,
    /// Cases whose answer changes in what they do not expect.
    pub weak: Vec<Weak>,
    /// A case that would notice; the same one may stand at several survivors.
    pub case: Option<String>,
}

/// A case that sees a change and does not mind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weak {
    pub case: String,
    pub path: String,
    pub line: u32,
    /// What it would have to expect: `reasons: [R101]`.
    pub expect: String,
}

/// A mutant in every variant that has its place.
struct Group {
    operator: Operator,
    place: Place,
    shown: String,
    members: Vec<(usize, Mutant)>,
}

/// One variant, and what its cases see.
struct Variant<'r> {
    market: Name,
    revision: &'r FlowRevision,
    runs: Vec<Seen<'r>>,
}

/// One case as the flow answers it today.
pub(super) struct Seen<'r> {
    pub run: &'r Prepared,
    pub verdict: Verdict,
    evidence: Evidence,
    places: SeenPlaces,
}

/// What became of one mutant.
enum Fate {
    Caught,
    Equivalent,
    /// It does not compile: no flow that anybody could write.
    Impossible,
    Survived(Box<Alive>),
}

struct Alive {
    survivor: Survivor,
    /// The variant that the case is of, its mutant, and the case.
    found: Option<(usize, Flow, NewCase)>,
    mutants: Vec<(usize, Flow)>,
}

/// Tries every mutant of a flow; `progress` is told how many of how many are done.
///
/// # Errors
/// When cases do not hold as the flow is.
pub fn mutate(
    flow: &Name,
    revision: &FlowRevision,
    cases: Cases<'_>,
    library: &ModelLibrary,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Found, Failing> {
    let runs = prepared(revision, cases.cases.iter().copied(), cases.now);
    let variants = variants(revision, &runs);
    let failing: usize = variants
        .iter()
        .flat_map(|variant| &variant.runs)
        .filter(|seen| !seen.run.expect.is_met(&seen.verdict))
        .count();
    if failing > 0 {
        return Err(Failing { flow: Name::clone(flow), cases: failing });
    }
    let groups = groups(&variants, library);
    let search = Search { sets: cases.sets };
    let fates = in_parallel(&groups, cases.threads, progress, |group| fate(group, &variants, &search));
    Ok(told(flow, &groups, fates))
}

fn variants<'r>(revision: &'r FlowRevision, runs: &'r [Prepared]) -> Vec<Variant<'r>> {
    let of_market = |market: &str| {
        let variant = revision.variant(market)?;
        let texts = Texts::of(&variant.flow, &variant.declaration);
        let own = runs.iter().filter(|run| *run.market == *market);
        let seen = own.map(|run| {
            let (verdict, evidence) = Evidence::of(&variant.flow, run);
            let places = seen_places(&evidence, &texts);
            Seen { run, verdict, evidence, places }
        });
        Some(Variant { market: Name::from(market), revision: variant, runs: seen.collect() })
    };
    revision.market_names().into_iter().filter_map(of_market).collect()
}

/// The same change at the same place is one mutant, in however many markets it is in force.
fn groups(variants: &[Variant<'_>], library: &ModelLibrary) -> Vec<Group> {
    let mut all: BTreeMap<(Place, Operator, String), Group> = BTreeMap::new();
    for (at, variant) in variants.iter().enumerate() {
        for mutant in mutants::of(variant.revision, library) {
            let key = (mutant.place, mutant.operator, mutant.shown.clone());
            let group = all.entry(key).or_insert_with(|| Group {
                operator: mutant.operator,
                place: mutant.place,
                shown: mutant.shown.clone(),
                members: Vec::new(),
            });
            group.members.push((at, mutant));
        }
    }
    all.into_values().collect()
}

/// What `work` makes of each, in their order, on this many threads.
fn in_parallel<T: Sync, R: Send>(
    all: &[T],
    threads: NonZeroUsize,
    progress: &(dyn Fn(usize, usize) + Sync),
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let results: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(all.len()));
    let threads = threads.get().min(all.len().max(1));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((at, one)) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    all.get(at).map(|one| (at, one))
                } {
                    let result = work(one);
                    results.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((at, result));
                    progress(done.fetch_add(1, Ordering::Relaxed) + 1, all.len());
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

fn fate(group: &Group, variants: &[Variant<'_>], search: &Search<'_>) -> Fate {
    let mut alive: Vec<(usize, &Mutant, Flow)> = Vec::new();
    let (mut weak, mut is_reached, mut compiled) = (Vec::new(), false, false);
    for (at, mutant) in &group.members {
        let Some(variant) = variants.get(*at) else { continue };
        let Some(declaration) = mutant.change.made(&variant.revision.declaration) else { continue };
        let Some(flow) = Flow::compile_unanalysed(&declaration) else { continue };
        compiled = true;
        match noticed(&flow, mutant, variant, &mut weak) {
            Noticed::Yes => return Fate::Caught,
            Noticed::No { came } => is_reached |= came,
        }
        let one = Compiled { flow: &variant.revision.flow, declaration: &variant.revision.declaration };
        if !answers_alike(one, Compiled { flow: &flow, declaration: &declaration }) {
            alive.push((*at, mutant, flow));
        }
    }
    if !compiled {
        return Fate::Impossible;
    }
    if alive.is_empty() {
        return Fate::Equivalent;
    }
    let found = alive.iter().find_map(|(at, mutant, flow)| {
        let variant = variants.get(*at)?;
        let suspect = Suspect {
            original: &variant.revision.flow,
            mutant: flow,
            reads: &mutant.reads,
            shown: &group.shown,
            market: &variant.market,
        };
        let come = |seen: &&Seen<'_>| mutant.reach.iter().any(|reach| is_come(reach, seen));
        let (near, far): (Vec<_>, Vec<_>) = variant.runs.iter().partition(come);
        let new = search.case(&suspect, &near.into_iter().chain(far).collect::<Vec<_>>())?;
        Some((*at, new))
    });
    let markets = alive.iter().filter_map(|(at, ..)| Some(Name::clone(&variants.get(*at)?.market)));
    weak.truncate(MOST_WEAK);
    let survivor = Survivor {
        operator: group.operator,
        place: group.place,
        change: group.shown.clone(),
        markets: markets.collect(),
        is_reached,
        weak,
        case: None,
    };
    let mut mutants: Vec<(usize, Flow)> = alive.into_iter().map(|(at, _, flow)| (at, flow)).collect();
    let found = found.and_then(|(at, new)| {
        let place = mutants.iter().position(|(of, _)| *of == at)?;
        Some((at, mutants.swap_remove(place).1, new))
    });
    Fate::Survived(Box::new(Alive { survivor, found, mutants }))
}

/// Whether a case came to the very place, not only that it might tell.
fn is_come(reach: &Reach, seen: &Seen<'_>) -> bool {
    !matches!(reach, Reach::Anything) && reach.is_met(&seen.evidence, &seen.places)
}

enum Noticed {
    Yes,
    No {
        /// Some case came to the place.
        came: bool,
    },
}

/// Runs the cases that may tell: those that come to the place first.
fn noticed(flow: &Flow, mutant: &Mutant, variant: &Variant<'_>, weak: &mut Vec<Weak>) -> Noticed {
    let come = |seen: &&Seen<'_>| mutant.reach.iter().any(|reach| is_come(reach, seen));
    let (near, far): (Vec<_>, Vec<_>) = variant.runs.iter().partition(come);
    let is_anybody_s = mutant.reach.iter().any(|reach| matches!(reach, Reach::Anything));
    let came = !near.is_empty();
    let far = if is_anybody_s { far } else { Vec::new() };
    for seen in near.into_iter().chain(far) {
        let verdict = seen.run.verdict(flow);
        if !seen.run.expect.is_met(&verdict) {
            return Noticed::Yes;
        }
        if weak.len() < MOST_WEAK
            && let Some(expect) = case_text::missing_expectation(&seen.verdict, &verdict)
        {
            weak.push(Weak {
                case: seen.run.name.clone(),
                path: seen.run.path.clone(),
                line: seen.run.line,
                expect,
            });
        }
    }
    Noticed::No { came }
}

/// The fates together; a case that one survivor has already is not made again for the next.
fn told(flow: &Name, groups: &[Group], fates: Vec<Fate>) -> Found {
    let mut found = Found {
        flow: Name::clone(flow),
        caught: Vec::new(),
        equivalent: Vec::new(),
        survivors: Vec::new(),
        cases: Vec::new(),
    };
    let mut made: Vec<(usize, NewCase)> = Vec::new();
    for (group, fate) in groups.iter().zip(fates) {
        let tried = || Tried { operator: group.operator, place: group.place, change: group.shown.clone() };
        let alive = match fate {
            Fate::Caught => {
                found.caught.push(tried());
                continue;
            }
            Fate::Equivalent => {
                found.equivalent.push(tried());
                continue;
            }
            Fate::Impossible => continue,
            Fate::Survived(alive) => *alive,
        };
        let Alive { mut survivor, found: new, mut mutants } = alive;
        let new = new.map(|(at, flow, new)| {
            mutants.push((at, flow));
            (at, new)
        });
        let catches = |(at, known): &&(usize, NewCase)| {
            mutants.iter().any(|(of, mutant)| of == at && known.catches(mutant))
        };
        survivor.case = match made.iter().find(catches) {
            Some((_, known)) => Some(known.text.clone()),
            None => new.map(|(at, new)| {
                let text = new.text.clone();
                found.cases.push(text.clone());
                made.push((at, new));
                text
            }),
        };
        found.survivors.push(survivor);
    }
    found
}
