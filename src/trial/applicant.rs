//! Facts with their circumstances, taken from a case or made up from one: what boundaries and properties are tried
//! on. Absent on purpose: what to change in them (`axes`), and chance that differs from run to run.

use jiff::Timestamp;

use crate::bundle::FlowRevision;
use crate::bundle::cases::{CaseFiles, prepared};
use crate::domain::facts::{Facts, Given};
use crate::domain::flow::{Budget, Flow, Pins};
use crate::domain::value::Name;
use crate::domain::verdict::Verdict;
use crate::learn::SplitMix64;

/// One decision that could be asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Applicant {
    /// A map.
    pub given: Given,
    pub pins: Pins,
    pub at: Timestamp,
    /// Where it was taken from, for people: a case, a set of facts, a line of a file.
    pub origin: String,
}

impl Applicant {
    /// What a flow says; `None` where it does not admit the facts, or would not decide on them.
    #[must_use]
    pub fn decided(&self, flow: &Flow) -> Option<(Facts, Verdict)> {
        let facts = self.admitted(flow)?;
        let verdict = flow.decide_with(&facts, self.at, &Budget::default(), &self.pins);
        Some((facts, verdict))
    }

    #[must_use]
    pub fn admitted(&self, flow: &Flow) -> Option<Facts> {
        flow.admit(&self.given).ok().filter(|facts| facts.invalid.is_empty())
    }

    /// The fact at the end of a path; `None` where it is not given.
    #[must_use]
    pub fn fact(&self, path: &[Name]) -> Option<&Given> {
        let found = path.iter().try_fold(&self.given, |given, part| match given {
            Given::Map(entries) => entries.iter().find(|(name, _)| **name == **part).map(|(_, value)| value),
            _ => None,
        })?;
        (*found != Given::Null).then_some(found)
    }

    /// Sets or takes away a fact; `blank` stands in for a map on the way that is not there.
    pub fn set(&mut self, path: &[Name], value: Option<Given>, blank: Option<&Given>) {
        let Given::Map(entries) = &mut self.given else { return };
        set(entries, path, value, blank);
    }
}

fn set(entries: &mut Vec<(String, Given)>, path: &[Name], value: Option<Given>, blank: Option<&Given>) {
    let Some((name, rest)) = path.split_first() else { return };
    let at = entries.iter().position(|(known, _)| **known == **name);
    if rest.is_empty() {
        match (value, at) {
            (None, Some(at)) => drop(entries.remove(at)),
            (None, None) => {}
            (Some(value), Some(at)) => {
                if let Some((_, slot)) = entries.get_mut(at) {
                    *slot = value;
                }
            }
            (Some(value), None) => entries.push((name.to_string(), value)),
        }
        return;
    }
    let is_map = |given: Option<&(String, Given)>| matches!(given, Some((_, Given::Map(_))));
    let at = match at {
        Some(at) if is_map(entries.get(at)) => at,
        // What is not there has no part to take away.
        _ if value.is_none() => return,
        Some(at) => {
            if let Some((_, slot)) = entries.get_mut(at) {
                *slot = blank.cloned().unwrap_or_else(|| Given::Map(Vec::new()));
            }
            at
        }
        None => {
            entries.push((name.to_string(), blank.cloned().unwrap_or_else(|| Given::Map(Vec::new()))));
            entries.len() - 1
        }
    };
    if let Some((_, Given::Map(inner))) = entries.get_mut(at) {
        set(inner, rest, value, None);
    }
}

/// Everybody whom the cases of a flow know, in one market: its sets of facts, then its cases; each once.
#[must_use]
pub fn known(revision: &FlowRevision, files: &CaseFiles, market: &str, now: Timestamp) -> Vec<Applicant> {
    let mut all: Vec<Applicant> = Vec::new();
    for (name, given) in &files.sets {
        all.push(Applicant {
            given: given.clone(),
            pins: Pins::default(),
            at: now,
            origin: format!("the facts `{name}`"),
        });
    }
    for case in prepared(revision, &files.cases, now) {
        if *case.market == *market {
            all.push(Applicant {
                given: case.given,
                pins: case.pins,
                at: case.decided_at,
                origin: format!("{}:{}", case.path, case.line),
            });
        }
    }
    let mut known: Vec<Applicant> = Vec::with_capacity(all.len());
    for applicant in all {
        let is_new = |other: &Applicant| {
            (&other.given, &other.pins, other.at) != (&applicant.given, &applicant.pins, applicant.at)
        };
        if known.iter().all(is_new) {
            known.push(applicant);
        }
    }
    known
}

/// Numbers that look like chance and are the same in every run.
#[derive(Debug, Clone)]
pub struct Dice(SplitMix64);

impl Dice {
    /// Dice that fall as they always do for this name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        // FNV-1a: it only has to tell names apart.
        let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self(SplitMix64(seed))
    }

    pub fn roll(&mut self) -> u64 {
        self.0.roll()
    }

    /// From 0 up to, not including, `below`; 0 for nothing.
    pub fn below(&mut self, below: usize) -> usize {
        let below = u64::try_from(below).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.roll() % below).unwrap_or_default()
    }

    pub fn pick<'t, T>(&mut self, of: &'t [T]) -> Option<&'t T> {
        of.get(self.below(of.len()))
    }
}
