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
use crate::domain::analysis::same::{Compiled, Original};
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

/// Survivors that are looked at together.
const ROUND: usize = 16;
/// Decisions that all searches of a flow together may take, about, and one of them at least and at most.
const BUDGET_OF_ALL: u32 = 1_500_000;
const LEAST_BUDGET: u32 = 6_000;
const MOST_BUDGET: u32 = 12_000;

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
    original: Original<'r>,
}

/// One case as the flow answers it today.
pub(super) struct Seen<'r> {
    pub run: &'r Prepared,
    pub verdict: Verdict,
    evidence: Evidence,
    places: SeenPlaces,
}

/// What the cases say of one mutant.
enum Fate {
    Caught,
    Equivalent,
    /// It does not compile: no flow that anybody could write.
    Impossible,
    Survived(Box<Alive>),
}

struct Alive {
    /// Its place among the groups.
    group: usize,
    is_reached: bool,
    weak: Vec<Weak>,
    /// The variants that it is in force in, its place among the group's members, and the flow with the change.
    mutants: Vec<(usize, usize, Flow)>,
}

impl Alive {
    fn is_noticed_by(&self, (variant, case): &(usize, NewCase)) -> bool {
        self.mutants.iter().any(|(of, _, flow)| of == variant && case.catches(flow))
    }
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Mutants of which everything is known.
    pub done: usize,
    pub of: usize,
    pub caught: usize,
    /// Those that no case notices; a case that would is still looked for where they are not done.
    pub surviving: usize,
}

/// Counts, and tells.
struct Counts<'p> {
    of: usize,
    done: AtomicUsize,
    caught: AtomicUsize,
    surviving: AtomicUsize,
    told: &'p (dyn Fn(Progress) + Sync),
}

impl Counts<'_> {
    fn tell(&self) {
        let now = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        let (done, caught, surviving) = (now(&self.done), now(&self.caught), now(&self.surviving));
        (self.told)(Progress { done, of: self.of, caught, surviving });
    }

    fn add(&self, fate: &Fate) {
        match fate {
            Fate::Survived(_) => self.surviving.fetch_add(1, Ordering::Relaxed),
            Fate::Caught => {
                self.caught.fetch_add(1, Ordering::Relaxed);
                self.done.fetch_add(1, Ordering::Relaxed)
            }
            Fate::Equivalent | Fate::Impossible => self.done.fetch_add(1, Ordering::Relaxed),
        };
        self.tell();
    }

    fn finish(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.tell();
    }
}

/// Tries every mutant of a flow; `progress` is told how far it is.
///
/// # Errors
/// When cases do not hold as the flow is.
pub fn mutate(
    flow: &Name,
    revision: &FlowRevision,
    cases: Cases<'_>,
    library: &ModelLibrary,
    progress: &(dyn Fn(Progress) + Sync),
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
    let zero = || AtomicUsize::new(0);
    let counts = Counts { of: groups.len(), done: zero(), caught: zero(), surviving: zero(), told: progress };
    let numbered: Vec<(usize, &Group)> = groups.iter().enumerate().collect();
    let fates = in_parallel(&numbered, cases.threads, |(at, group)| {
        let fate = fate(*at, group, &variants);
        counts.add(&fate);
        fate
    });
    let mut found = Found {
        flow: Name::clone(flow),
        caught: Vec::new(),
        equivalent: Vec::new(),
        survivors: Vec::new(),
        cases: Vec::new(),
    };
    let mut alive: Vec<Alive> = Vec::new();
    for (group, fate) in groups.iter().zip(fates) {
        let tried = || Tried { operator: group.operator, place: group.place, change: group.shown.clone() };
        match fate {
            Fate::Caught => found.caught.push(tried()),
            Fate::Equivalent => found.equivalent.push(tried()),
            Fate::Impossible => {}
            Fate::Survived(one) => alive.push(*one),
        }
    }
    survivors(&groups, alive, &variants, cases, &counts, &mut found);
    Ok(found)
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
        let original = Original::new(Compiled { flow: &variant.flow, declaration: &variant.declaration });
        Some(Variant { market: Name::from(market), revision: variant, runs: seen.collect(), original })
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
fn in_parallel<T: Sync, R: Send>(all: &[T], threads: NonZeroUsize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
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
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Whether a case notices, and else whether the change can matter at all.
fn fate(at: usize, group: &Group, variants: &[Variant<'_>]) -> Fate {
    let mut alive = Alive { group: at, is_reached: false, weak: Vec::new(), mutants: Vec::new() };
    let mut compiled = false;
    for (member, (at, mutant)) in group.members.iter().enumerate() {
        let Some(variant) = variants.get(*at) else { continue };
        let Some(declaration) = mutant.change.made(&variant.revision.declaration) else { continue };
        let Some(flow) = Flow::compile_unanalysed(&declaration) else { continue };
        compiled = true;
        match noticed(&flow, mutant, variant, &mut alive.weak) {
            Noticed::Yes => return Fate::Caught,
            Noticed::No { came } => alive.is_reached |= came,
        }
        if !variant.original.answers_alike(Compiled { flow: &flow, declaration: &declaration }) {
            alive.mutants.push((*at, member, flow));
        }
    }
    if !compiled {
        return Fate::Impossible;
    }
    if alive.mutants.is_empty() {
        return Fate::Equivalent;
    }
    alive.weak.truncate(MOST_WEAK);
    Fate::Survived(Box::new(alive))
}

/// A case for each survivor, in rounds: what one of them was found is tried on all that come after, before they are
/// searched for. The rounds do not depend on how many threads there are, so neither do the cases.
fn survivors(
    groups: &[Group],
    alive: Vec<Alive>,
    variants: &[Variant<'_>],
    cases: Cases<'_>,
    counts: &Counts<'_>,
    found: &mut Found,
) {
    let search = Search { sets: cases.sets, budget: budget(alive.len()) };
    let mut made: Vec<(usize, NewCase)> = Vec::new();
    for round in alive.chunks(ROUND) {
        let new = in_parallel(round, cases.threads, |one| {
            let is_known = made.iter().any(|known| one.is_noticed_by(known));
            let new = if is_known { None } else { searched(groups, one, variants, &search) };
            counts.finish();
            new
        });
        for (one, new) in round.iter().zip(new) {
            let known = made.iter().find(|known| one.is_noticed_by(known)).map(|(_, case)| case.text.clone());
            let case = known.or_else(|| {
                let (at, new) = new?;
                found.cases.push(new.text.clone());
                let text = new.text.clone();
                made.push((at, new));
                Some(text)
            });
            let Some(group) = groups.get(one.group) else { continue };
            let market = |at: usize| Some(Name::clone(&variants.get(at)?.market));
            found.survivors.push(Survivor {
                operator: group.operator,
                place: group.place,
                change: group.shown.clone(),
                markets: one.mutants.iter().filter_map(|(at, ..)| market(*at)).collect(),
                is_reached: one.is_reached,
                weak: one.weak.clone(),
                case,
            });
        }
    }
}

/// Decisions that the search for one survivor may take: the fewer there are, the more.
fn budget(survivors: usize) -> u32 {
    let each = BUDGET_OF_ALL / u32::try_from(survivors.max(1)).unwrap_or(u32::MAX);
    each.clamp(LEAST_BUDGET, MOST_BUDGET)
}

fn searched(
    groups: &[Group],
    one: &Alive,
    variants: &[Variant<'_>],
    search: &Search<'_>,
) -> Option<(usize, NewCase)> {
    let group = groups.get(one.group)?;
    let markets = u32::try_from(one.mutants.len().max(1)).unwrap_or(u32::MAX);
    let search = Search { budget: search.budget.div_ceil(markets).max(LEAST_BUDGET / 2), ..*search };
    one.mutants.iter().find_map(|(at, member, flow)| {
        let variant = variants.get(*at)?;
        let (_, mutant) = group.members.get(*member)?;
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
    })
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
