//! Where the results of steps go in a script: which variables hold them, what is read of them, and which whole numbers
//! their points can be. A result that goes where it is not followed escapes: then nothing is claimed of it. Absent on
//! purpose: what two flows make of it (`same`, `points`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::formula::{Constant, constants};
use super::region::Union;
use super::space::{Base, Space};
use crate::domain::declaration::HitPolicy;
use crate::domain::expression::{Code, Expression};
use crate::domain::flow::{Flow, RuleSet};
use crate::domain::scorecard::Scorecard;
use crate::domain::script::syntax::Operator;
use crate::domain::value::{Name, Value};

/// More totals than this are not told apart.
const MOST_TOTALS: usize = 4_096;
/// Points beyond this are not added up: sums stay far from where they would be cut off.
const MOST_POINTS: i64 = 1 << 32;

/// A step that a script asks, by its place in the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    RuleSet(u16),
    Scorecard(u16),
    Table(u16),
}

/// The sums that points can be.
pub type Totals = Arc<BTreeSet<i64>>;

/// A number that points are compared with: on which side of the comparison they stand, and with what.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    pub operator: Operator,
    pub is_left: bool,
    pub constant: Constant,
}

/// What a script does with the results of one step, all calls of it together.
#[derive(Debug, Clone, Default)]
pub struct Use {
    /// Somewhere it goes where it is not followed.
    pub escapes: bool,
    pub is_applied: bool,
    pub reads: Vec<Read>,
    /// What `.points` is compared with.
    pub compared: Vec<Compared>,
    /// What `.points` is handed over to, and as which of what that takes.
    pub handed: Vec<(Step, u16)>,
    /// `.points` is used in another way.
    pub is_computed: bool,
}

/// A property that is read, and for which outcomes of the result: `None` for any.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    pub name: Name,
    pub when: Option<Outcomes>,
}

/// Outcomes that a result has where something is read of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcomes {
    In(BTreeSet<Name>),
    NotIn(BTreeSet<Name>),
}

impl Outcomes {
    #[must_use]
    pub fn admits(&self, outcome: Option<&Name>) -> bool {
        match self {
            Self::In(names) => outcome.is_some_and(|outcome| names.contains(outcome)),
            Self::NotIn(names) => outcome.is_none_or(|outcome| !names.contains(outcome)),
        }
    }
}

/// What is known of the results in one flow.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// Variables of the script that hold the result of one step, and nothing else ever.
    locals: BTreeMap<u16, Step>,
    uses: BTreeMap<Step, Use>,
    totals: BTreeMap<Step, Totals>,
    /// What is handed over there; `None`: not known.
    handed: BTreeMap<(Step, u16), Option<Totals>>,
}

impl Held {
    #[must_use]
    pub fn of(flow: &Flow) -> Self {
        let mut held = Self { locals: locals(&flow.script.body), ..Self::default() };
        let place = |at| u16::try_from(at).unwrap_or(u16::MAX);
        for (at, set) in flow.rule_sets.iter().enumerate() {
            let totals = of_rules(set).map(|totals| (Step::RuleSet(place(at)), totals));
            held.totals.extend(totals);
        }
        for (at, card) in flow.scorecards.iter().enumerate() {
            let totals = of_card(card).map(|totals| (Step::Scorecard(place(at)), totals));
            held.totals.extend(totals);
        }
        Walk { held: &mut held, is_script: true, within: Vec::new(), arms: Vec::new() }
            .node(&flow.script.body);
        for function in &flow.script.functions {
            Walk { held: &mut held, is_script: false, within: Vec::new(), arms: Vec::new() }
                .node(&function.body);
        }
        held
    }

    /// Leaves out what cannot be handed over where a step is asked, for what was asked before: the statements that are
    /// reached, each with the points of the space at which they are.
    #[must_use]
    pub fn narrowed(mut self, space: &Space, reached: &[(&Expression, Union)]) -> Self {
        let mut met: BTreeMap<(Step, u16), BTreeSet<i64>> = BTreeMap::new();
        for (statement, points) in reached {
            statement.each(&mut |node| {
                let (Some(step), Some(takes)) = (asked(&node.code), takes(&node.code)) else { return };
                for (at, value) in takes {
                    let Some(totals) = self.giver(value, true).and_then(|giver| self.totals.get(&giver))
                    else {
                        continue;
                    };
                    let can_be = |total: &&i64| can_be(value, **total, space, points);
                    met.entry((step, *at)).or_default().extend(totals.iter().filter(can_be));
                }
            });
        }
        for (place, met) in met {
            if let Some(Some(known)) = self.handed.get_mut(&place) {
                *known = Arc::new(met);
            }
        }
        self
    }

    /// What becomes of a step's results; nothing does where the script never asks it.
    #[must_use]
    pub fn used(&self, step: Step) -> Use {
        self.uses.get(&step).cloned().unwrap_or_default()
    }

    /// What the points of the result in a variable of the script can be.
    #[must_use]
    pub fn of_local(&self, local: u16) -> Option<&Totals> {
        self.totals.get(self.locals.get(&local)?)
    }

    /// What can be handed over to a step at one of the places that it takes.
    #[must_use]
    pub fn taken(&self, step: Step, at: u16) -> Option<&Totals> {
        self.handed.get(&(step, at))?.as_ref()
    }

    /// The step whose result an expression is.
    fn step(&self, of: &Expression, is_script: bool) -> Option<Step> {
        match &of.code {
            Code::Local(local) if is_script => self.locals.get(local).copied(),
            code => asked(code),
        }
    }

    /// The step whose points an expression is.
    fn giver(&self, of: &Expression, is_script: bool) -> Option<Step> {
        match &of.code {
            Code::Exact(of) => self.giver(of, is_script),
            Code::Property { of, name } if &**name == "points" => self.step(of, is_script),
            _ => None,
        }
    }
}

/// Whether what is handed over, a variable's points, can be this number at one of these points.
fn can_be(value: &Expression, total: i64, space: &Space, points: &Union) -> bool {
    let mut value = value;
    while let Code::Exact(of) = &value.code {
        value = of;
    }
    let Code::Property { of, name } = &value.code else { return true };
    let Code::Local(local) = of.code else { return true };
    let key = (Base::Local(local), vec![Name::clone(name)]);
    let Some((at, axis)) = space.axes.iter().enumerate().find(|(_, axis)| axis.key == key) else {
        return true;
    };
    let Some(spans) = axis.line.satisfying(Operator::Equal, &Value::Integer(total)) else { return true };
    let atoms = axis.atoms_of_value(&spans);
    points.0.iter().any(|area| area.on(at).is_none_or(|own| !own.intersection(&atoms).is_empty()))
}

fn asked(code: &Code) -> Option<Step> {
    Some(match code {
        Code::RuleSet { index, .. } => Step::RuleSet(*index),
        Code::Scorecard { index, .. } => Step::Scorecard(*index),
        Code::Table { index, .. } => Step::Table(*index),
        _ => return None,
    })
}

/// Variables that are set once, to the result of a step.
fn locals(body: &Expression) -> BTreeMap<u16, Step> {
    let mut set: BTreeMap<u16, Vec<Option<Step>>> = BTreeMap::new();
    body.each(&mut |node| match &node.code {
        Code::Set { local, value } => set.entry(*local).or_default().push(asked(&value.code)),
        Code::OverList { row, .. } => set.entry(*row).or_default().push(None),
        Code::For { item, counter, .. } => {
            for local in std::iter::once(item).chain(counter) {
                set.entry(*local).or_default().push(None);
            }
        }
        _ => {}
    });
    set.into_iter()
        .filter_map(|(local, to)| match to.as_slice() {
            [Some(step)] => Some((local, *step)),
            _ => None,
        })
        .collect()
}

/// Every sum of points of rules that may hit together.
fn of_rules(set: &RuleSet) -> Option<Totals> {
    let mut totals = BTreeSet::from([0]);
    for rule in &set.rules {
        if rule.points.abs() > MOST_POINTS {
            return None;
        }
        let more: Vec<i64> = match set.hit_policy {
            HitPolicy::Collect => totals.iter().map(|total| total + rule.points).collect(),
            HitPolicy::First => vec![rule.points],
        };
        totals.extend(more);
        if totals.len() > MOST_TOTALS {
            return None;
        }
    }
    Some(Arc::new(totals))
}

/// Every sum of base points and one bin of each characteristic.
fn of_card(card: &Scorecard) -> Option<Totals> {
    let mut totals = BTreeSet::from([card.base_points]);
    for characteristic in &card.characteristics {
        let points: BTreeSet<i64> = characteristic.bins.iter().map(|bin| bin.points).collect();
        if points.iter().chain([&card.base_points]).any(|points| points.abs() > MOST_POINTS) {
            return None;
        }
        totals = totals.iter().flat_map(|total| points.iter().map(move |more| total + more)).collect();
        if totals.len() > MOST_TOTALS {
            return None;
        }
    }
    Some(Arc::new(totals))
}

struct Walk<'h, 'e> {
    held: &'h mut Held,
    /// Not one of its functions: these have variables of their own.
    is_script: bool,
    within: Vec<&'e Expression>,
    /// What is known of the outcome of a step's result in the arms of a `switch`.
    arms: Vec<(Step, Outcomes)>,
}

impl<'e> Walk<'_, 'e> {
    fn node(&mut self, node: &'e Expression) {
        if let Some(step) = self.held.step(node, self.is_script) {
            self.used(step, node);
        }
        self.hands(node);
        self.within.push(node);
        match &node.code {
            Code::Switch { on, arms } => {
                self.node(on);
                let asked = match &on.code {
                    Code::Property { of, name } if &**name == "outcome" => match &of.code {
                        Code::Local(_) => self.held.step(of, self.is_script),
                        _ => None,
                    },
                    _ => None,
                };
                let mut before = BTreeSet::new();
                for arm in arms {
                    let labels = names(&arm.labels);
                    let known = match &labels {
                        Some(_) if arm.labels.is_empty() => Some(Outcomes::NotIn(before.clone())),
                        Some(labels) => Some(Outcomes::In(labels.clone())),
                        None => None,
                    };
                    let known = asked.zip(known);
                    let is_known = known.is_some();
                    self.arms.extend(known);
                    arm.condition.iter().chain([&arm.value]).for_each(|part| self.node(part));
                    if is_known {
                        self.arms.pop();
                    }
                    if arm.condition.is_none() {
                        before.extend(labels.unwrap_or_default());
                    }
                }
            }
            _ => node.children().into_iter().for_each(|below| self.node(below)),
        }
        self.within.pop();
    }

    /// What is done with a result, by what stands around it.
    fn used(&mut self, step: Step, node: &'e Expression) {
        let around = self.within.last().map(|around| &around.code);
        let holds = |local: &u16| self.held.locals.get(local) == Some(&step);
        match around {
            Some(Code::Property { name, .. }) => {
                let when = self.arms.iter().rev().find(|(of, _)| *of == step).map(|(_, known)| known.clone());
                // Only a variable holds the very result whose outcome was asked.
                let when = when.filter(|_| matches!(node.code, Code::Local(_)));
                let name = Name::clone(name);
                let points = (&*name == "points").then(|| self.points());
                let found = self.held.uses.entry(step).or_default();
                found.reads.push(Read { name, when });
                match points {
                    None => {}
                    Some(Points::Compared(compared)) => found.compared.push(compared),
                    Some(Points::Handed(to, at)) => found.handed.push((to, at)),
                    Some(Points::Computed) => found.is_computed = true,
                }
            }
            Some(Code::Apply(_)) => self.held.uses.entry(step).or_default().is_applied = true,
            Some(Code::Set { local, .. }) if self.is_script && holds(local) => {}
            _ => self.held.uses.entry(step).or_default().escapes = true,
        }
    }

    /// How `.points`, which is the innermost of what stands around, is used.
    fn points(&self) -> Points {
        let mut around = self.within.iter().rev();
        let Some(mut below) = around.next() else { return Points::Computed };
        for node in around {
            match &node.code {
                Code::Exact(_) => below = node,
                Code::Compare(operator, sides) => {
                    let [left, right] = &**sides;
                    let is_left = left.id() == below.id();
                    let Some(constant) = constants(if is_left { right } else { left }) else { break };
                    return Points::Compared(Compared { operator: *operator, is_left, constant });
                }
                code => {
                    let (Some(step), Some(takes)) = (asked(code), takes(code)) else { break };
                    let place = takes.iter().find(|(_, value)| value.id() == below.id());
                    return place.map_or(Points::Computed, |(at, _)| Points::Handed(step, *at));
                }
            }
        }
        Points::Computed
    }

    /// Notes what a call hands over.
    fn hands(&mut self, node: &Expression) {
        let (Some(step), Some(takes)) = (asked(&node.code), takes(&node.code)) else { return };
        for (at, value) in takes {
            let giver = self.held.giver(value, self.is_script);
            let totals = giver.and_then(|giver| self.held.totals.get(&giver)).cloned();
            let known = self.held.handed.entry((step, *at)).or_insert_with(|| Some(Totals::default()));
            *known = match (known.take(), totals) {
                (Some(known), Some(totals)) => Some(Arc::new(known.union(&totals).copied().collect())),
                _ => None,
            };
        }
    }
}

enum Points {
    Compared(Compared),
    Handed(Step, u16),
    Computed,
}

fn takes(code: &Code) -> Option<&[(u16, Expression)]> {
    match code {
        Code::RuleSet { takes, .. } | Code::Scorecard { takes, .. } | Code::Table { takes, .. } => {
            Some(takes)
        }
        _ => None,
    }
}

/// Labels that are all texts.
fn names(labels: &[Value]) -> Option<BTreeSet<Name>> {
    let name = |label: &Value| match label {
        Value::Text(name) => Some(Name::clone(name)),
        _ => None,
    };
    labels.iter().map(name).collect()
}
