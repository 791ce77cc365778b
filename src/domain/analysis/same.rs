//! Whether two flows, one made from the other by a small change, can ever answer differently. Decided piece by piece:
//! the same compiled form, or conditions, rows and bins that hold for the same values. `true` is a proof; `false`
//! says only that there is none here.

use std::collections::BTreeSet;

use super::cells::{self, Asked};
use super::cover::{BUDGET, Item, Walk};
use super::formula::{Formula, Reader};
use super::frames::{Frame, Framed};
use super::held::{Held, Step};
use super::points;
use super::region::{Area, Region, Union};
use super::row_labels::{Labels, RowLabel};
use super::space::{Atoms, Axis, Base, Space};
use super::{Analysis, Coverage, FlowNames};
use crate::domain::declaration::{FlowDeclaration, HitPolicy, TableHitPolicy};
use crate::domain::expression::{Code, CompiledFunction, Expression};
use crate::domain::flow::{Feature, Flow, ModelUse, Rule, RuleSet};
use crate::domain::scorecard::{Bin, Characteristic, Scorecard};
use crate::domain::table::{Row, Source, Table, Test};
use crate::domain::value::Name;

/// A flow and what it was compiled from.
#[derive(Debug, Clone, Copy)]
pub struct Compiled<'a> {
    pub flow: &'a Flow,
    pub declaration: &'a FlowDeclaration,
}

/// A flow that others are held against.
#[derive(Debug)]
pub struct Original<'a> {
    of: Compiled<'a>,
    held: Held,
}

impl<'a> Original<'a> {
    #[must_use]
    pub fn new(of: Compiled<'a>) -> Self {
        let Compiled { flow, declaration } = of;
        let mut analysis = Analysis { flow, declaration, found: Vec::new(), coverage: Coverage::default() };
        let (space, reached) = analysis.reached();
        Self { of, held: Held::of(flow).narrowed(&space, &reached) }
    }

    /// Whether both give the same answer to all facts. What callers may send, what else is asked and what approvals
    /// carry must be declared alike in both.
    ///
    /// Pieces need to agree only on what they can meet in this flow: as long as they do, both have done the same so
    /// far, and meet the same.
    #[must_use]
    pub fn answers_alike(&self, other: Compiled<'_>) -> bool {
        let (a, b) = (self.of.flow, other.flow);
        // Where points differ, what they can be here says nothing of what they can be there.
        let are_points_alike = all(&a.rule_sets, &b.rule_sets, |x, y| {
            all(&x.rules, &y.rules, |x, y| x.points == y.points) || x.rules.len() != y.rules.len()
        });
        let nothing = Held::default();
        let pair = Pair {
            one: self.of,
            held: &self.held,
            known: if are_points_alike { &self.held } else { &nothing },
        };
        a.on_error == b.on_error
            && a.on_invalid == b.on_invalid
            && all(&a.models, &b.models, same_model)
            && all(&a.features, &b.features, |x, y| pair.feature(x, y))
            && all_placed(&a.rule_sets, &b.rule_sets, |at, x, y| pair.rule_set(at, x, y))
            && all_placed(&a.tables, &b.tables, |at, x, y| pair.table(at, x, y))
            && all(&a.scorecards, &b.scorecards, |x, y| pair.scorecard(x, y))
            && all(&a.script.functions, &b.script.functions, |x, y| pair.function(x, y))
            && pair.expression(
                (&a.script.body, &pair.one.declaration.script.value),
                &b.script.body,
                &Frame::Script,
            )
    }
}

/// Whether both give the same answer to all facts.
#[must_use]
pub fn answers_alike(one: Compiled<'_>, other: Compiled<'_>) -> bool {
    Original::new(one).answers_alike(other)
}

fn all_placed<T>(a: &[T], b: &[T], same: impl Fn(u16, &T, &T) -> bool) -> bool {
    a.len() == b.len() && (0u16..).zip(a.iter().zip(b)).all(|(at, (a, b))| same(at, a, b))
}

fn all<T>(a: &[T], b: &[T], same: impl Fn(&T, &T) -> bool) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
}

fn same_model(a: &ModelUse, b: &ModelUse) -> bool {
    a.name == b.name && a.model.digest == b.model.digest && a.if_it_fails == b.if_it_fails
}

struct Pair<'a> {
    one: Compiled<'a>,
    /// What the script does with results.
    held: &'a Held,
    /// What can be met: nothing is known where the two may meet different points.
    known: &'a Held,
}

impl Pair<'_> {
    fn feature(&self, a: &Feature, b: &Feature) -> bool {
        a.name == b.name && self.expression((&a.formula, ""), &b.formula, &Frame::Other)
    }

    fn function(&self, a: &CompiledFunction, b: &CompiledFunction) -> bool {
        a.name == b.name
            && a.parameters == b.parameters
            && self.expression((&a.body, ""), &b.body, &Frame::Other)
    }

    /// The same tree; where a condition differs, one that holds for the same values.
    fn expression(&self, (a, source): (&Expression, &str), b: &Expression, frame: &Frame<'_>) -> bool {
        if a == b || a.without_places() == b.without_places() {
            return true;
        }
        if is_condition(a) && is_condition(b) && self.condition((a, source), b, frame) {
            return true;
        }
        let (mut left, mut right) = (a.children(), b.children());
        if left.is_empty() || left.len() != right.len() {
            return false;
        }
        if !same_head(a, b) {
            return false;
        }
        left.drain(..).zip(right.drain(..)).all(|(a, b)| self.expression((a, source), b, frame))
    }

    /// Whether two conditions hold, do not hold and fail at the same points.
    fn condition(&self, (a, source): (&Expression, &str), b: &Expression, frame: &Frame<'_>) -> bool {
        let names = Framed { flow: self.one.flow, frame, known: self.known };
        let mut space = Space::default();
        let first = Reader { space: &mut space, names: &names, source }.read(a);
        let second = Reader { space: &mut space, names: &names, source }.read(b);
        // A feature, or the step behind some points, may fail: which parts of a longer condition read it then matters,
        // and whether it is read at all.
        let may_fail = |axis: &&Axis| match axis.key.0 {
            Base::Feature(_) => true,
            Base::Local(_) => matches!(frame, Frame::Script),
            Base::Input(_) => false,
        };
        let is_joined = [a, b].iter().any(|of| matches!(of.code, Code::And(_) | Code::Or(_)));
        let risky = space.axes.iter().filter(may_fail).count();
        if risky > 0 && (is_joined || read_by(&first) != read_by(&second)) {
            return false;
        }
        space.settle();
        let sizes = space.sizes();
        equal(&first.region(&space, &sizes), &second.region(&space, &sizes), &sizes)
    }

    /// Rules that can never hit and never fail count for nothing.
    fn rule_set(&self, at: u16, a: &RuleSet, b: &RuleSet) -> bool {
        if a.name != b.name || a.hit_policy != b.hit_policy {
            return false;
        }
        let frame = Frame::Rules(at, &a.takes);
        let is_alike_but_for_points = a.rules.len() == b.rules.len()
            && a.rules.iter().zip(&b.rules).all(|(x, y)| self.rule(x, y, &frame));
        if is_alike_but_for_points {
            return points::count_alike(self.one.flow, self.held, (at, a), b);
        }
        let counts = |rule: &&Rule| !self.is_dead(rule, a);
        let left: Vec<&Rule> = a.rules.iter().filter(counts).collect();
        let right: Vec<&Rule> = b.rules.iter().filter(counts).collect();
        if left.len() == right.len()
            && left.iter().zip(&right).all(|(x, y)| x.points == y.points && self.rule(x, y, &frame))
        {
            return true;
        }
        a.hit_policy == HitPolicy::First && self.first_rules(a, b) == Some(true)
    }

    /// But for their points.
    fn rule(&self, a: &Rule, b: &Rule, frame: &Frame<'_>) -> bool {
        a.id == b.id
            && a.outcome == b.outcome
            && a.reason == b.reason
            && self.expression((&a.condition, &a.when), &b.condition, frame)
    }

    fn is_dead(&self, rule: &Rule, set: &RuleSet) -> bool {
        let names = FlowNames { flow: self.one.flow, takes: &set.takes };
        let mut space = Space::default();
        let formula = Reader { space: &mut space, names: &names, source: &rule.when }.read(&rule.condition);
        space.settle();
        let region = formula.region(&space, &space.sizes());
        region.is_exact && region.holds.is_empty() && region.fails.is_empty() && !space.reads_features()
    }

    /// Under `first`: whether the same rule answers at every point. `None`: not decided.
    fn first_rules(&self, a: &RuleSet, b: &RuleSet) -> Option<bool> {
        let names = FlowNames { flow: self.one.flow, takes: &a.takes };
        let mut space = Space::default();
        let mut read = |rule: &Rule| {
            Reader { space: &mut space, names: &names, source: &rule.when }.read(&rule.condition)
        };
        let formulas: Vec<_> = a.rules.iter().map(&mut read).collect();
        let others: Vec<_> = b.rules.iter().map(&mut read).collect();
        space.settle();
        let sizes = space.sizes();
        let regions = |formulas: &[super::formula::Formula]| -> Option<Vec<Region>> {
            let all = formulas.iter().map(|formula| formula.region(&space, &sizes));
            all.map(|region| (region.is_exact && region.fails.is_empty()).then_some(region)).collect()
        };
        if space.reads_features() {
            return None;
        }
        let (mine, theirs) = (regions(&formulas)?, regions(&others)?);
        let choices = |rules: &[Rule], regions: Vec<Region>| -> Vec<Choice<Label>> {
            let label = |rule: &Rule| (rule.id.to_string(), rule.outcome, rule.reason.clone(), rule.points);
            rules
                .iter()
                .zip(regions)
                .map(|(rule, region)| Choice { areas: region.holds.0, gives: label(rule) })
                .collect()
        };
        let (left, right) = (choices(&a.rules, mine), choices(&b.rules, theirs));
        same_choice(&left, &right, &space)
    }

    fn table(&self, at: u16, a: &Table, b: &Table) -> bool {
        a.name == b.name
            && a.hit_policy == b.hit_policy
            && (same_rows(a, b) || self.rows_alike(at, a, b) == Some(true))
    }

    fn rows_alike(&self, place: u16, a: &Table, b: &Table) -> Option<bool> {
        if !all(&a.columns, &b.columns, |x, y| x.name == y.name && x.kind == y.kind) {
            return None;
        }
        let analysis = self.analysis();
        let mut space = Space::default();
        let mut axes = Vec::new();
        for column in a.columns.iter().chain(&b.columns) {
            axes.push(analysis.asked(
                &mut space,
                &Asked {
                    name: &column.name,
                    source: column.source,
                    kind: &column.kind,
                    may_be_missing: column.may_be_missing,
                },
            )?);
        }
        axes.truncate(a.columns.len());
        for (column, at) in a.columns.iter().zip(&axes) {
            if let Source::Taken(taken) = column.source
                && let Some(known) = self.known.taken(Step::Table(place), taken)
            {
                space.axes.get_mut(*at)?.restrict(known);
            }
        }
        for row in a.rows.iter().chain(&b.rows) {
            for (test, axis) in row.tests.iter().zip(&axes) {
                let axis = space.axes.get_mut(*axis)?;
                let spans = cells::spans(test, axis)?;
                axis.cut(&spans);
            }
        }
        space.settle();
        let labels = Labels::of(self.one.flow, &self.held.used(Step::Table(place)), a);
        let choices = |table: &Table| -> Option<Vec<Choice<RowLabel>>> {
            let mut rows: Vec<&Row> = table.rows.iter().collect();
            if table.hit_policy == TableHitPolicy::Priority {
                rows.sort_by_key(|row| std::cmp::Reverse(row.outcome));
            }
            rows.into_iter().map(|row| choice(row, &axes, &space, &labels)).collect()
        };
        let (left, right) = (choices(a)?, choices(b)?);
        match a.hit_policy {
            TableHitPolicy::First | TableHitPolicy::Priority => same_choice(&left, &right, &space),
            TableHitPolicy::Unique if is_apart(&left) && is_apart(&right) => {
                same_choice(&left, &right, &space)
            }
            TableHitPolicy::Unique => None,
            TableHitPolicy::Collect(_) => {
                let some = |choice: &&Choice<RowLabel>| !choice.areas.is_empty();
                let (left, right): (Vec<_>, Vec<_>) =
                    (left.iter().filter(some).collect(), right.iter().filter(some).collect());
                let same = |(x, y): (&&Choice<RowLabel>, &&Choice<RowLabel>)| {
                    x.gives == y.gives && x.areas == y.areas
                };
                Some(left.len() == right.len() && left.iter().zip(&right).all(same))
            }
        }
    }

    fn scorecard(&self, a: &Scorecard, b: &Scorecard) -> bool {
        a.base_points == b.base_points
            && all(&a.characteristics, &b.characteristics, |x, y| {
                x.name == y.name && (same_bins(x, y) || self.bins_alike(x, y) == Some(true))
            })
    }

    /// Whether every value of a characteristic gets the same points and reason.
    fn bins_alike(&self, a: &Characteristic, b: &Characteristic) -> Option<bool> {
        let mut space = Space::default();
        let at = self.analysis().asked(
            &mut space,
            &Asked {
                name: &a.name,
                source: a.source,
                kind: &a.kind,
                may_be_missing: a.may_be_missing || b.may_be_missing,
            },
        )?;
        let axis = space.axes.get_mut(at)?;
        let test = |bin: &Bin| bin.test.clone().unwrap_or(Test::Any);
        for bin in a.bins.iter().chain(&b.bins) {
            let spans = cells::spans(&test(bin), axis)?;
            axis.cut(&spans);
        }
        axis.settle();
        let taken = |of: &Characteristic| -> Option<Vec<(Atoms, i64, Option<Name>)>> {
            let mut before = Atoms::default();
            let mut all = Vec::new();
            for bin in &of.bins {
                let own = cells::atoms(&test(bin), axis)?;
                let first = own.without(&before);
                before = before.union(&own);
                all.push((first, bin.points, bin.reason.clone()));
            }
            Some(all)
        };
        let (left, right) = (taken(a)?, taken(b)?);
        let covered = |all: &[(Atoms, i64, Option<Name>)]| {
            all.iter().fold(Atoms::default(), |sum, (atoms, ..)| sum.union(atoms))
        };
        let differs = left.iter().any(|(atoms, points, reason)| {
            right
                .iter()
                .any(|(others, p, r)| (points, reason) != (p, r) && !atoms.intersection(others).is_empty())
        });
        // Points lost are counted against the best bin, reached or not.
        Some(!differs && a.best() == b.best() && covered(&left) == covered(&right))
    }

    fn analysis(&self) -> Analysis<'_> {
        let Compiled { flow, declaration } = self.one;
        Analysis { flow, declaration, found: Vec::new(), coverage: Coverage::default() }
    }
}

/// Conditions that the analysis reads.
fn is_condition(of: &Expression) -> bool {
    matches!(
        of.code,
        Code::Compare(..) | Code::Not(_) | Code::And(_) | Code::Or(_) | Code::In(_) | Code::IsGiven(_)
    )
}

/// The axes that a condition asks about.
fn read_by(formula: &Formula) -> BTreeSet<usize> {
    let mut tests = Vec::new();
    formula.tests(&mut tests);
    let axis = |test: &&Formula| match test {
        Formula::Test(test) => Some(test.axis),
        _ => None,
    };
    tests.iter().filter_map(axis).collect()
}

/// Whether two nodes are the same but for what is below them.
fn same_head(a: &Expression, b: &Expression) -> bool {
    let (mut x, mut y) = (a.without_places(), b.without_places());
    x.empty_children();
    y.empty_children();
    x == y
}

fn equal(a: &Region, b: &Region, sizes: &[u32]) -> bool {
    let apart = |x: &Union, y: &Union| x.intersection(y, sizes).is_ok_and(|both| both.is_empty());
    a.is_exact
        && b.is_exact
        && [(&a.holds, &b.misses), (&a.holds, &b.fails), (&a.misses, &b.holds)]
            .into_iter()
            .chain([(&a.misses, &b.fails), (&a.fails, &b.holds), (&a.fails, &b.misses)])
            .all(|(x, y)| apart(x, y))
}

type Label = (String, Option<u16>, Option<Name>, i64);

/// One of several, of which the first that matches answers.
struct Choice<L> {
    areas: Vec<Area>,
    gives: L,
}

fn choice(row: &Row, axes: &[usize], space: &Space, labels: &Labels) -> Option<Choice<RowLabel>> {
    let mut area = Some(Area::default());
    for (test, at) in row.tests.iter().zip(axes) {
        let axis = space.axes.get(*at)?;
        let atoms = cells::atoms(test, axis)?;
        if atoms.is_empty() {
            area = None;
        } else if !atoms.is_all(axis.size()) {
            area = area.and_then(|whole| whole.intersection(&Area(vec![(*at, atoms)])));
        }
    }
    Some(Choice { areas: area.into_iter().collect(), gives: labels.label(row) })
}

fn same_rows(a: &Table, b: &Table) -> bool {
    all(&a.rows, &b.rows, |x, y| {
        x.tests == y.tests
            && x.outputs == y.outputs
            && x.outcome == y.outcome
            && x.reasons == y.reasons
            && x.number == y.number
    })
}

fn same_bins(a: &Characteristic, b: &Characteristic) -> bool {
    all(&a.bins, &b.bins, |x, y| x.test == y.test && x.points == y.points && x.reason == y.reason)
}

fn is_apart(choices: &[Choice<RowLabel>]) -> bool {
    choices.iter().enumerate().all(|(at, one)| {
        choices
            .iter()
            .skip(at + 1)
            .all(|other| !one.areas.iter().any(|x| other.areas.iter().any(|y| x.intersection(y).is_some())))
    })
}

/// Whether the first that matches gives the same at every point, nothing where nothing matches. `None`: not decided.
fn same_choice<L: PartialEq>(a: &[Choice<L>], b: &[Choice<L>], space: &Space) -> Option<bool> {
    let domain: Vec<Atoms> = space.sizes().into_iter().map(Atoms::first).collect();
    let everything = vec![Area::default()];
    let with_rest = |choices: &[Choice<L>]| -> Vec<(Vec<Area>, Option<usize>)> {
        let own = choices.iter().enumerate().map(|(at, choice)| (choice.areas.clone(), Some(at)));
        own.chain([(everything.clone(), None)]).collect()
    };
    let (left, right) = (with_rest(a), with_rest(b));
    for (i, (mine, x)) in left.iter().enumerate() {
        for (j, (theirs, y)) in right.iter().enumerate() {
            let gives = (x.and_then(|x| a.get(x)), y.and_then(|y| b.get(y)));
            let is_same = match gives {
                (Some(x), Some(y)) => x.gives == y.gives,
                (None, None) => true,
                _ => false,
            };
            if is_same {
                continue;
            }
            let before: Vec<&Area> =
                left.iter().take(i).chain(right.iter().take(j)).flat_map(|(areas, _)| areas).collect();
            for both in mine.iter().flat_map(|m| theirs.iter().filter_map(|t| m.intersection(t))) {
                if !is_covered(&both, &before, &domain)? {
                    return Some(false);
                }
            }
        }
    }
    Some(true)
}

/// Whether every point of an area lies in one of the others. `None`: the budget did not suffice.
fn is_covered(area: &Area, others: &[&Area], domain: &[Atoms]) -> Option<bool> {
    let narrowed: Vec<Atoms> = domain
        .iter()
        .enumerate()
        .map(|(axis, whole)| area.on(axis).map_or_else(|| whole.clone(), |own| own.intersection(whole)))
        .collect();
    if narrowed.iter().any(Atoms::is_empty) {
        return Some(true);
    }
    let items: Vec<Item> = others
        .iter()
        .map(|other| Item { owner: 0, reaches: false, blocks: true, area: (*other).clone() })
        .collect();
    let found = Walk::new(&items, &narrowed, true, BUDGET).run().ok()?;
    Some(found.gap.is_none())
}
