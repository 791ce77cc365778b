//! Which column is what: an input of the flow, part of one, or something that is only counted by. What is only counted by
//! never reaches the flow. Absent on purpose: types of values, which `documents::rows` gives, and their bounds, which the
//! flow checks.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Asked, Market};
use crate::bundle::{BASE, FlowRevision};
use crate::documents::rows::{Written, fitted, given};
use crate::domain::declaration::UnknownInputs;
use crate::domain::facts::Given;
use crate::domain::nearest::nearest;
use crate::domain::value::{Kind, Name};

/// Columns of the file that rejected rows are written with: read again, they stand for nothing.
pub(super) const REJECTED: [&str; 2] = ["refused_row", "refused_because"];

/// Columns by what they are for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// What came of it later, and the value that means bad; without one, `bad`, `1` or `true` does.
    pub label: Option<String>,
    pub bad: Option<String>,
    /// By whom rates are compared. Kept out of the decision.
    pub groups: Vec<String>,
    /// Columns of `groups` that the flow reads are handed to it all the same.
    pub groups_may_be_inputs: bool,
    /// The caller's own id.
    pub reference: Option<String>,
    pub ignore: Vec<String>,
}

/// Why columns do not fit. A name here is a column's or an input's, never a value.
#[derive(Debug, thiserror::Error)]
pub enum ColumnsError {
    #[error("there is no column `{name}`, which `{flag}` names{}", hint(.near.as_deref()))]
    NoColumn { flag: &'static str, name: String, near: Option<String> },
    #[error("the flow `{flow}` has no input for {}", unknown(.columns))]
    Unknown { flow: String, columns: Vec<(String, Option<String>)> },
    #[error("no column gives what the flow `{flow}` requires: `{}`", .inputs.join("`, `"))]
    Missing { flow: String, inputs: Vec<String> },
    #[error("the columns `{whole}` and `{part}` both give `{whole}`")]
    Twice { whole: String, part: String },
    #[error(
        "`{column}` is an input of the flow `{flow}`, so it cannot be the label: what came later decides nothing"
    )]
    LabelIsInput { flow: String, column: String },
    #[error("the flow `{flow}` may read `{column}`, so it cannot be kept out of the decision")]
    GroupIsInput { flow: String, column: String },
    #[error("there is no market `{market}` of the flow `{flow}`{}", hint(.near.as_deref()))]
    NoMarket { flow: String, market: String, near: Option<String> },
}

fn hint(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

fn unknown(columns: &[(String, Option<String>)]) -> String {
    let one = |(name, near): &(String, Option<String>)| match near {
        Some(near) => format!("the column `{name}` (did you mean `{near}`?)"),
        None => format!("the column `{name}`"),
    };
    columns.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The flow of each side in each market that a row may name.
#[derive(Debug)]
pub(super) struct Layout {
    pub flows: Vec<Arc<FlowRevision>>,
    /// Market → place in `flows`.
    pub here: BTreeMap<Name, usize>,
    pub there: Option<BTreeMap<Name, usize>>,
}

impl Layout {
    pub(super) fn of(asked: &Asked) -> Result<Self, ColumnsError> {
        let mut flows = Vec::new();
        let here = markets(&asked.here.flow, &asked.market, &mut flows)?;
        let there = asked.there.as_ref().map(|side| markets(&side.flow, &asked.market, &mut flows));
        Ok(Self { here, there: there.transpose()?, flows })
    }

    /// The one by which reports name things.
    pub(super) fn first(&self) -> Option<&Arc<FlowRevision>> {
        let at = self.here.get(BASE).or_else(|| self.here.values().next())?;
        self.flows.get(*at)
    }

    fn of_here(&self) -> impl Iterator<Item = &Arc<FlowRevision>> {
        self.here.values().filter_map(|at| self.flows.get(*at))
    }
}

fn markets(
    flow: &Arc<FlowRevision>,
    market: &Market,
    flows: &mut Vec<Arc<FlowRevision>>,
) -> Result<BTreeMap<Name, usize>, ColumnsError> {
    let names: Vec<&str> = match market {
        Market::Fixed(name) => vec![name.as_str()],
        Market::Column(_) => flow.market_names(),
    };
    let mut found = BTreeMap::new();
    for name in names {
        let revision = flow.in_market(name).ok_or_else(|| ColumnsError::NoMarket {
            flow: flow.flow.name.to_string(),
            market: name.to_owned(),
            near: nearest(name, flow.market_names()).map(str::to_owned),
        })?;
        found.insert(Name::from(name), flows.len());
        flows.push(Arc::clone(revision));
    }
    Ok(found)
}

/// Where in the facts a column's value goes.
#[derive(Debug, Clone)]
struct Target {
    path: Vec<String>,
    kind: Kind,
}

/// The columns of a file, or the names that rows of JSON may have.
#[derive(Debug)]
pub(super) struct Columns {
    header: Option<Header>,
    named: Named,
    market: Option<String>,
}

#[derive(Debug)]
struct Header {
    label: Option<usize>,
    groups: Vec<usize>,
    reference: Option<usize>,
    market: Option<usize>,
    /// For each flow of the layout, where each column goes.
    targets: Vec<Vec<Option<Target>>>,
}

/// What a row says beside the facts.
#[derive(Debug, Default)]
pub(super) struct Beside {
    pub label: String,
    pub groups: Vec<String>,
    pub reference: Option<String>,
    pub market: Option<String>,
}

impl Columns {
    /// Finds every column's use, or says everything that does not fit.
    pub(super) fn resolve(
        layout: &Layout,
        asked: &Asked,
        columns: Option<&[String]>,
    ) -> Result<Self, ColumnsError> {
        let named = asked.named.clone();
        let market = match &asked.market {
            Market::Column(name) => Some(name.clone()),
            Market::Fixed(_) => None,
        };
        kept_out(layout, &named)?;
        let mut found = Self { header: None, named, market };
        if let Some(columns) = columns {
            found.header = Some(found.of_header(layout, columns)?);
        }
        Ok(found)
    }

    fn of_header(&self, layout: &Layout, columns: &[String]) -> Result<Header, ColumnsError> {
        let place = |flag: &'static str, name: &String| {
            columns.iter().position(|column| column == name).ok_or_else(|| ColumnsError::NoColumn {
                flag,
                name: name.clone(),
                near: nearest(name, columns.iter().map(String::as_str)).map(str::to_owned),
            })
        };
        let of = |flag, name: &Option<String>| name.as_ref().map(|name| place(flag, name)).transpose();
        for name in &self.named.ignore {
            place("--ignore", name)?;
        }
        let header = Header {
            label: of("--label", &self.named.label)?,
            groups: self
                .named
                .groups
                .iter()
                .map(|name| place("--groups", name))
                .collect::<Result<Vec<_>, _>>()?,
            reference: of("--reference", &self.named.reference)?,
            market: of("--market-column", &self.market)?,
            targets: layout.flows.iter().map(|flow| self.targets(flow, columns)).collect(),
        };
        self.check(layout, columns, &header)?;
        Ok(header)
    }

    fn targets(&self, flow: &FlowRevision, columns: &[String]) -> Vec<Option<Target>> {
        let records_unknown = flow.flow.unknown_inputs == UnknownInputs::Record;
        let target = |column: &String| {
            if self.is_withheld(column) {
                return None;
            }
            let unread = || {
                let is_unread = records_unknown && !self.is_beside(column);
                is_unread.then(|| Target { path: vec![column.clone()], kind: Kind::Text })
            };
            target(flow, column).or_else(unread)
        };
        columns.iter().map(target).collect()
    }

    /// Columns that nobody knows, that say the same twice, and inputs that nothing gives.
    fn check(&self, layout: &Layout, columns: &[String], header: &Header) -> Result<(), ColumnsError> {
        let Some(first) = layout.first() else { return Ok(()) };
        let flow = || first.flow.name.to_string();
        let is_used = |at: usize, column: &String| {
            self.is_beside(column)
                || self.is_withheld(column)
                || header.targets.iter().any(|targets| targets.get(at).is_some_and(Option::is_some))
        };
        let unused: Vec<_> =
            columns.iter().enumerate().filter(|(at, column)| !is_used(*at, column)).collect();
        if !unused.is_empty() {
            let inputs = || first.flow.inputs.iter().map(|input| &*input.name);
            let near = |column: &String| nearest(column, inputs()).map(str::to_owned);
            let columns = unused.into_iter().map(|(_, column)| (column.clone(), near(column))).collect();
            return Err(ColumnsError::Unknown { flow: flow(), columns });
        }
        for (flow, targets) in layout.flows.iter().zip(&header.targets) {
            let given: Vec<(&String, &Target)> = columns
                .iter()
                .zip(targets)
                .filter_map(|(name, target)| Some((name, target.as_ref()?)))
                .collect();
            for (part, target) in given.iter().filter(|(_, target)| target.path.len() > 1) {
                let whole = given.iter().find(|(_, other)| {
                    other.path.len() < target.path.len() && target.path.starts_with(&other.path)
                });
                if let Some((whole, _)) = whole {
                    let (whole, part) = ((*whole).clone(), (*part).clone());
                    return Err(ColumnsError::Twice { whole, part });
                }
            }
            let is_here = layout.of_here().any(|here| Arc::ptr_eq(here, flow));
            let is_given = |name: &str| {
                given.iter().any(|(_, target)| target.path.first().is_some_and(|first| first == name))
            };
            let missing = flow.flow.inputs.iter().filter(|input| !input.optional && !is_given(&input.name));
            let inputs: Vec<String> = missing.map(|input| input.name.to_string()).collect();
            // A flow that is only compared with may lack a column: its rows are then told as refused there.
            if is_here && !inputs.is_empty() {
                return Err(ColumnsError::Missing { flow: flow.flow.name.to_string(), inputs });
            }
        }
        Ok(())
    }

    /// Never handed to a flow.
    fn is_withheld(&self, column: &str) -> bool {
        let is = |name: &Option<String>| name.as_deref() == Some(column);
        is(&self.named.label)
            || self.named.ignore.iter().any(|name| name == column)
            || REJECTED.contains(&column)
            || (!self.named.groups_may_be_inputs && self.named.groups.iter().any(|name| name == column))
    }

    /// Has a use of its own, whether the flow has an input of that name or not.
    fn is_beside(&self, column: &str) -> bool {
        let is = |name: &Option<String>| name.as_deref() == Some(column);
        is(&self.named.reference) || is(&self.market) || self.named.groups.iter().any(|name| name == column)
    }

    /// What a row says beside the facts.
    pub(super) fn beside(&self, written: &Written<'_>) -> Beside {
        let by_place = |read: &dyn Fn(usize) -> String, header: &Header| Beside {
            label: header.label.map(read).unwrap_or_default(),
            groups: header.groups.iter().map(|at| read(*at)).collect(),
            reference: header.reference.map(read).filter(|text| !text.is_empty()),
            market: header.market.map(read).filter(|text| !text.is_empty()),
        };
        match (written, &self.header) {
            (Written::Texts(cells), Some(header)) => by_place(&|at| cells.trimmed(at).to_owned(), header),
            (Written::Values(values), Some(header)) => {
                by_place(&|at| values.get(at).map(as_text).unwrap_or_default(), header)
            }
            (Written::Object(entries), _) => {
                let read = |name: &String| {
                    entries.iter().find(|(known, _)| known == name).map(|(_, value)| as_text(value))
                };
                let of = |name: &Option<String>| name.as_ref().and_then(read);
                Beside {
                    label: of(&self.named.label).unwrap_or_default(),
                    groups: self.named.groups.iter().map(|name| read(name).unwrap_or_default()).collect(),
                    reference: of(&self.named.reference).filter(|text| !text.is_empty()),
                    market: of(&self.market).filter(|text| !text.is_empty()),
                }
            }
            _ => Beside::default(),
        }
    }

    /// The facts of a row for one flow of the layout.
    pub(super) fn facts(&self, written: &Written<'_>, layout: &Layout, flow: usize) -> Given {
        let targets =
            || self.header.as_ref().and_then(|header| header.targets.get(flow)).into_iter().flatten();
        let mut facts = Vec::new();
        match written {
            Written::Texts(cells) => {
                for (at, target) in targets().enumerate() {
                    let Some(target) = target else { continue };
                    if let Some(value) = cells.get(at).and_then(|text| given(&target.kind, text)) {
                        put(&mut facts, &target.path, value);
                    }
                }
            }
            Written::Values(values) => {
                for (target, value) in targets().zip(*values) {
                    let Some(target) = target else { continue };
                    if let Some(value) = fitted(&target.kind, value) {
                        put(&mut facts, &target.path, value);
                    }
                }
            }
            Written::Object(entries) => {
                let of = layout.flows.get(flow);
                facts.extend(entries.iter().filter(|(name, _)| self.is_fact(name, of, layout)).cloned());
            }
            Written::Broken(_) => {}
        }
        Given::Map(facts)
    }

    /// Whether a name of a row of JSON is the flow's: also one that nobody knows, for the flow to refuse.
    fn is_fact(&self, name: &str, flow: Option<&Arc<FlowRevision>>, layout: &Layout) -> bool {
        if self.is_withheld(name) {
            return false;
        }
        let knows = |flow: &Arc<FlowRevision>| {
            flow.flow.inputs.iter().any(|input| *input.name == *name)
                || flow.flow.needs.iter().any(|need| *need.name == *name)
        };
        flow.is_some_and(knows) || !(self.is_beside(name) || layout.flows.iter().any(knows))
    }
}

/// Whether what only counts is something that the flow decides by.
fn kept_out(layout: &Layout, named: &Named) -> Result<(), ColumnsError> {
    for flow in layout.of_here() {
        let is_input = |column: &str| flow.flow.inputs.iter().any(|input| *input.name == *column);
        let name = || flow.flow.name.to_string();
        if let Some(column) = named.label.as_ref().filter(|column| is_input(column)) {
            return Err(ColumnsError::LabelIsInput { flow: name(), column: column.clone() });
        }
        // What may be read nowhere can be left out: no verdict comes out otherwise.
        let is_unread = |column: &str| {
            let mut protected = flow.declaration.protected.iter();
            let nowhere = protected.any(|(input, only_in)| input.value == column && only_in.is_empty());
            let is_optional = flow.flow.inputs.iter().any(|input| *input.name == *column && input.optional);
            nowhere && is_optional
        };
        let read = |column: &&String| is_input(column) && !is_unread(column);
        if let Some(column) = named.groups.iter().find(read).filter(|_| !named.groups_may_be_inputs) {
            return Err(ColumnsError::GroupIsInput { flow: name(), column: column.clone() });
        }
    }
    Ok(())
}

/// Of a column `employer.name`, the field `name` of the input `employer`; needs count as inputs.
fn target(flow: &FlowRevision, column: &str) -> Option<Target> {
    let top = |name: &str| {
        let inputs = flow.flow.inputs.iter().find(|input| *input.name == *name);
        let whole = || {
            let need = flow.flow.needs.iter().find(|need| *need.name == *name)?;
            let field = |field: &crate::domain::flow::Input| {
                let (kind, optional) = (field.kind.clone(), field.optional);
                (field.name.clone(), crate::domain::value::Field { kind, optional })
            };
            Some(Kind::Map(Arc::new(need.of.iter().map(field).collect())))
        };
        inputs.map(|input| input.kind.clone()).or_else(whole)
    };
    if let Some(kind) = top(column) {
        return Some(Target { path: vec![column.to_owned()], kind });
    }
    let mut path: Vec<String> = Vec::new();
    let mut kind: Option<Kind> = None;
    for name in column.split('.') {
        kind = match kind {
            None => Some(top(name)?),
            Some(Kind::Map(fields)) => Some(fields.get(name)?.kind.clone()),
            Some(_) => return None,
        };
        path.push(name.to_owned());
    }
    kind.map(|kind| Target { path, kind })
}

fn put(facts: &mut Vec<(String, Given)>, path: &[String], value: Given) {
    let Some((name, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        facts.push((name.clone(), value));
        return;
    }
    let at = facts.iter().position(|(known, _)| known == name);
    let at = at.unwrap_or_else(|| {
        facts.push((name.clone(), Given::Map(Vec::new())));
        facts.len() - 1
    });
    if let Some((_, Given::Map(inner))) = facts.get_mut(at) {
        put(inner, rest, value);
    }
}

/// A value to count by: a number as it is written, but for the zeros that data frames add beside gaps.
fn as_text(value: &Given) -> String {
    match value {
        Given::Null | Given::List(_) | Given::Map(_) => String::new(),
        Given::Boolean(value) => value.to_string(),
        Given::Number(text) => text.strip_suffix(".0").unwrap_or(text).to_owned(),
        Given::Text(text) => text.trim().to_owned(),
    }
}
