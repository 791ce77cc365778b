//! What differs in meaning between two declarations of a flow: thresholds, rules, rows, bins, reasons, models,
//! statements. Blanks, comments, quotes, the order of keys and the digits of a number's writing make no difference.
//! Absent on purpose: lines of text, cases, and which of the two is better.

mod cells;
mod contract;
mod lists;
mod order;
mod rule_sets;
mod script;
mod tables;

use super::declaration::FlowDeclaration;
use super::expression::scope::Usage;
use super::script::Grammar;

/// What a change is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Flow,
    Input,
    Feature,
    Threshold,
    Model,
    Output,
    Outcome,
    Reason,
    List,
    Need,
    SubFlow,
    RuleSet,
    Rule,
    Scorecard,
    Characteristic,
    Bin,
    Table,
    Column,
    Row,
    Function,
    Script,
}

impl Part {
    /// The word for it, in JSON and in text.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::Input => "input",
            Self::Feature => "feature",
            Self::Threshold => "threshold",
            Self::Model => "model",
            Self::Output => "output",
            Self::Outcome => "outcome",
            Self::Reason => "reason",
            Self::List => "list",
            Self::Need => "need",
            Self::SubFlow => "sub_flow",
            Self::RuleSet => "rule_set",
            Self::Rule => "rule",
            Self::Scorecard => "scorecard",
            Self::Characteristic => "characteristic",
            Self::Bin => "bin",
            Self::Table => "table",
            Self::Column => "column",
            Self::Row => "row",
            Self::Function => "function",
            Self::Script => "script",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    Added,
    Removed,
    Changed,
    /// It is the same and stands elsewhere, where that matters.
    Moved,
    /// It is the same under another name.
    Renamed,
}

impl ChangeKind {
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Moved => "moved",
            Self::Renamed => "renamed",
        }
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    pub part: Part,
    /// What it belongs to: the rule set of a rule, the table of a row, the branch of a statement.
    pub within: Option<String>,
    pub name: String,
    /// What of it changed (`when`, `points`, a column); `None` for the whole.
    pub field: Option<String>,
    pub kind: ChangeKind,
    /// As written; absent where there was nothing.
    pub before: Option<String>,
    pub after: Option<String>,
}

/// A flow as it is stated, and what of all that it is given it uses: the others in `_shared/` do not concern it.
#[derive(Debug, Clone, Copy)]
pub struct Stated<'f> {
    pub declaration: &'f FlowDeclaration,
    pub usage: &'f Usage,
}

/// Everything that differs in meaning, in the order in which a flow is read. What the flows differ in that it asks is
/// theirs to tell.
#[must_use]
pub fn difference(was: Stated<'_>, is: Stated<'_>) -> Vec<Change> {
    let mut found = Found { changes: Vec::new(), grammar: Grammar::new() };
    let (before, after) = (was.declaration, is.declaration);
    contract::compare(&mut found, was, is);
    lists::lists(&mut found, was, is);
    rule_sets::rule_sets(&mut found, &before.rule_sets, &after.rule_sets);
    rule_sets::scorecards(&mut found, &before.scorecards, &after.scorecards);
    tables::tables(&mut found, &before.tables, &after.tables);
    script::compare(&mut found, was, is);
    found.changes
}

/// What is said of one side: the text, and what tells whether two texts mean the same.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    text: String,
    meaning: String,
}

impl Said {
    fn plain(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { meaning: text.clone(), text }
    }
}

/// What a comparison is about.
#[derive(Debug, Clone)]
struct About {
    part: Part,
    within: Option<String>,
    name: String,
}

impl About {
    fn new(part: Part, name: &str) -> Self {
        Self { part, within: None, name: name.to_owned() }
    }

    fn within(mut self, within: &str) -> Self {
        self.within = Some(within.to_owned());
        self
    }
}

struct Found {
    changes: Vec<Change>,
    grammar: Grammar,
}

impl Found {
    fn add(&mut self, about: &About, kind: ChangeKind, before: Option<String>, after: Option<String>) {
        self.changes.push(Change {
            part: about.part,
            within: about.within.clone(),
            name: about.name.clone(),
            field: None,
            kind,
            before,
            after,
        });
    }

    /// One field of something that is on both sides.
    fn field(&mut self, about: &About, field: &str, before: Option<Said>, after: Option<Said>) {
        let meaning = |said: &Option<Said>| said.as_ref().map(|said| said.meaning.clone());
        if meaning(&before) == meaning(&after) {
            return;
        }
        let kind = match (&before, &after) {
            (None, _) => ChangeKind::Added,
            (_, None) => ChangeKind::Removed,
            _ => ChangeKind::Changed,
        };
        self.changes.push(Change {
            part: about.part,
            within: about.within.clone(),
            name: about.name.clone(),
            field: Some(field.to_owned()),
            kind,
            before: before.map(|said| said.text),
            after: after.map(|said| said.text),
        });
    }

    /// Some of what something has: entries of a list.
    fn part_of(
        &mut self,
        about: &About,
        field: &str,
        kind: ChangeKind,
        before: Option<String>,
        after: Option<String>,
    ) {
        self.add(about, kind, before, after);
        if let Some(change) = self.changes.last_mut() {
            change.field = Some(field.to_owned());
        }
    }

    fn text(&mut self, about: &About, field: &str, before: Option<&str>, after: Option<&str>) {
        self.field(about, field, before.map(Said::plain), after.map(Said::plain));
    }

    /// Things with names of their own: what is only on one side is added or removed, and `both` compares the others.
    fn named<T>(
        &mut self,
        (before, after): (&[T], &[T]),
        about: impl Fn(&T) -> About,
        shown: impl Fn(&T) -> String,
        mut both: impl FnMut(&mut Self, &T, &T),
    ) {
        let by_name = |items: &[T]| -> std::collections::BTreeMap<String, usize> {
            items.iter().enumerate().map(|(index, item)| (about(item).name, index)).collect()
        };
        let (old, new) = (by_name(before), by_name(after));
        for item in before.iter().filter(|item| !new.contains_key(&about(item).name)) {
            self.add(&about(item), ChangeKind::Removed, Some(shown(item)), None);
        }
        for item in after {
            let about = about(item);
            match old.get(&about.name).and_then(|index| before.get(*index)) {
                Some(earlier) => both(self, earlier, item),
                None => self.add(&about, ChangeKind::Added, None, Some(shown(item))),
            }
        }
    }
}
