//! The head of a declared table: what its columns ask and give, and every cell of what it gives, checked against the
//! flow's outcomes, reasons and outputs. What the other cells ask is `table_compile`'s.

use super::compile::Build;
use super::table_compile::{is_single, with_article};
use crate::domain::declaration::{
    Collected, ColumnDeclaration, RowDeclaration, TableDeclaration, TableHitPolicy,
};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::expression::operators;
use crate::domain::expression::scope::{ScopedTable, position};
use crate::domain::expression::typed::{Static, Typed};
use crate::domain::place::Located;
use crate::domain::script::is_name;
use crate::domain::table::cell::{Cell, Word};
use crate::domain::table::literal::{Looks, Reader, Role};
use crate::domain::table::{Given, Source};
use crate::domain::value::{Kind, Name, Value};

/// What every result has: a column of this name could not be read.
const RESERVED: &[&str] = &["failed", "rows", "count", "reasons", "apply"];

/// A table before the cells of what it asks are read.
pub(super) struct TableHead<'d> {
    pub declared: &'d TableDeclaration,
    pub asked: Vec<Asked>,
    pub given: Vec<Given>,
    pub has_outcome: bool,
    pub rows: Vec<RowGiven>,
}

/// A column that is asked.
pub(super) struct Asked {
    /// Its place among all columns.
    pub at: usize,
    pub name: Located<String>,
    pub source: Source,
    /// `None`: no document says it.
    pub kind: Option<Kind>,
    pub may_be_missing: bool,
}

/// What a row gives.
#[derive(Default)]
pub(super) struct RowGiven {
    pub outputs: Vec<Value>,
    pub outcome: Option<u16>,
    pub reasons: Vec<Name>,
}

impl<'d> Build<'d> {
    /// Reads the heads of all tables; scripts may name them from here on.
    pub(super) fn table_heads(&mut self) -> Vec<TableHead<'d>> {
        let declaration = self.declaration;
        let mut heads = Vec::new();
        for declared in &declaration.tables {
            let head = self.table_head(declared);
            let scoped = scoped(&head);
            self.scope.tables.push(scoped);
            heads.push(head);
        }
        heads
    }

    fn table_head(&mut self, declared: &'d TableDeclaration) -> TableHead<'d> {
        let mut head = TableHead {
            declared,
            asked: Vec::new(),
            given: Vec::new(),
            has_outcome: false,
            rows: declared.rows.iter().map(|_| RowGiven::default()).collect(),
        };
        let mut taken = 0;
        for (at, column) in declared.columns.iter().enumerate() {
            let earlier = declared.columns.iter().take(at);
            if earlier.clone().any(|c| c.name.value == column.name.value && c.is_output == column.is_output) {
                let message = format!("the column `{}` stands twice", column.name.value);
                self.error("T025", &column.name, message, Some("remove or rename one of them".to_owned()));
            } else if !is_name(&column.name.value) {
                let message = format!("`{}` is not a name", column.name.value);
                let help = "a column is named as an input or feature, or `-> name` for what it gives";
                self.error("T026", &column.name, message, Some(help.to_owned()));
            } else if !column.is_output {
                let asked = self.asked(declared, column, at, &mut taken);
                head.asked.push(asked);
            } else {
                self.given_column(&mut head, column, at);
            }
        }
        self.check_policy(&head);
        self.check_rows(&head);
        head
    }

    fn asked(
        &mut self,
        table: &TableDeclaration,
        column: &ColumnDeclaration,
        at: usize,
        taken: &mut u16,
    ) -> Asked {
        let name = column.name.value.as_str();
        let known = self.read_by_name(&column.name, "table", &table.name.value);
        let (source, known) = known.unwrap_or_else(|| {
            let source = Source::Taken(*taken);
            *taken = taken.saturating_add(1);
            (source, Static::given(Typed::Any))
        });
        if matches!(source, Source::Taken(_)) && self.scope.declares(name) {
            let message = format!("a column cannot ask for `{name}`: it is a threshold or a list");
            let help = "name an input or a feature; cells may name thresholds";
            self.error("T049", &column.name, message, Some(help.to_owned()));
        }
        let mut kind = known.typed.kind();
        if let Some(declared) = &column.kind {
            if !known.typed.fits(&declared.value) {
                let (is, said) = (known.typed.word(), declared.value.word());
                let message = format!("`{name}` is declared {said} here and is {is} in the flow");
                self.error("T049", declared, message, Some(format!("remove it, or write `{is}`")));
            }
            kind = Some(declared.value.clone());
        }
        let nested = match (&known.typed, &kind) {
            (Typed::List(_), _) | (_, Some(Kind::List(_))) => Some("a list"),
            (Typed::Map(_), _) | (_, Some(Kind::Map(_))) => Some("a map"),
            _ => None,
        };
        if let Some(nested) = nested {
            let message = format!("`{name}` is {nested}: cells cannot ask for it");
            let help = "make a feature of what the table needs to know of it";
            self.error("T049", &column.name, message, Some(help.to_owned()));
            kind = Some(Kind::Text);
        }
        Asked { at, name: column.name.clone(), source, kind, may_be_missing: known.may_be_missing }
    }

    /// The input or feature that a column or characteristic names. What is protected may be named only where the
    /// flow says so.
    pub(super) fn read_by_name(
        &mut self,
        name: &Located<String>,
        step: &str,
        step_name: &str,
    ) -> Option<(Source, Static)> {
        let scope = &self.scope;
        let (source, all) =
            match (position(&scope.inputs, &name.value), position(&scope.features, &name.value)) {
                (Some(at), _) => (Source::Input(at), scope.inputs.get(usize::from(at))),
                (None, Some(at)) => (Source::Feature(at), scope.features.get(usize::from(at))),
                (None, None) => return None,
            };
        let (read, known) = all.cloned()?;
        if let Some((_, allowed)) = scope.protected.iter().find(|(protected, _)| *protected == read)
            && !allowed.iter().any(|allowed| allowed == step_name)
        {
            let allowed: Vec<String> = allowed.iter().map(|name| format!("`{name}`")).collect();
            let message = format!("`{read}` is protected and may not be read in the {step} `{step_name}`");
            let help = format!("it may be read only in {}", allowed.join(", "));
            self.error("T024", name, message, Some(help));
        }
        self.usage.reads.insert(read);
        Some((source, known))
    }

    fn given_column(&mut self, head: &mut TableHead<'d>, column: &ColumnDeclaration, at: usize) {
        let name = column.name.value.as_str();
        if RESERVED.contains(&name) {
            let message = format!("`{name}` is what every result of a table has");
            self.error("T049", &column.name, message, Some("choose another name".to_owned()));
            return;
        }
        if let (Some(kind), "outcome" | "reason") = (&column.kind, name) {
            let message = format!("`-> {name}` is one of the flow's own");
            self.error("T049", kind, message, Some("remove its type".to_owned()));
        }
        let declared = head.declared;
        let mut cells =
            |build: &mut Self, each: &mut dyn FnMut(&mut Self, &Located<String>, &mut RowGiven)| {
                for (row, given) in declared.rows.iter().zip(&mut head.rows) {
                    if let Some(cell) = row.cells.get(at) {
                        each(build, cell, given);
                    }
                }
            };
        match name {
            "outcome" => {
                cells(self, &mut |build, cell, given| given.outcome = build.outcome_cell(cell));
                head.has_outcome = true;
            }
            "reason" => cells(self, &mut |build, cell, given| given.reasons = build.reason_cell(cell)),
            _ => {
                let kind = self.given_kind(declared, column, at);
                let mut may_be_missing = false;
                cells(self, &mut |build, cell, given| {
                    let value =
                        build.given_cell(cell, &kind, declared.is_decimal_comma).unwrap_or(Value::Missing);
                    may_be_missing |= matches!(value, Value::Missing);
                    given.outputs.push(value);
                });
                let output = self.scope.outputs.iter().position(|output| *output.name == *name);
                let output = output.and_then(|at| u16::try_from(at).ok());
                head.given.push(Given { name: Name::from(name), kind, may_be_missing, output });
            }
        }
    }

    /// The type of what a column gives: declared, else that of the flow's output of the same name, else what all
    /// its cells look like.
    fn given_kind(&mut self, table: &TableDeclaration, column: &ColumnDeclaration, at: usize) -> Kind {
        if let Some(declared) = &column.kind {
            if matches!(declared.value, Kind::List(_) | Kind::Map(_)) {
                let message = format!("a cell cannot give {}", with_article(&declared.value));
                self.error(
                    "T049",
                    declared,
                    message,
                    Some("give its parts in columns of their own".to_owned()),
                );
                return Kind::Text;
            }
            return declared.value.clone();
        }
        let output = self.scope.outputs.iter().find(|output| *output.name == *column.name.value);
        if let Some(kind) = output.map(|output| &output.kind)
            && !matches!(kind, Kind::List(_) | Kind::Map(_))
        {
            return kind.clone();
        }
        let words: Vec<(Word, &Located<String>)> = table
            .rows
            .iter()
            .filter_map(|row| row.cells.get(at))
            .filter_map(|cell| Some((Cell::read_given(&cell.value).ok()??, cell)))
            .collect();
        let reader = Reader { thresholds: &self.scope.thresholds, is_decimal_comma: table.is_decimal_comma };
        let looks: Vec<(Looks, &Located<String>)> =
            words.iter().map(|(word, cell)| (reader.looks(word, Role::Given), *cell)).collect();
        let kind = self.inferred(&looks, &column.name.value, Kind::Decimal);
        if kind == Kind::Text {
            let words: Vec<(&Word, &Located<String>)> =
                words.iter().map(|(word, cell)| (word, *cell)).collect();
            self.warn_of_lost_zeros(&words);
        }
        kind
    }

    fn given_cell(&mut self, cell: &Located<String>, kind: &Kind, is_decimal_comma: bool) -> Option<Value> {
        match Cell::read_given(&cell.value) {
            Ok(None) => Some(Value::Missing),
            Ok(Some(word)) => self.word(cell, &word, kind, Role::Given, is_decimal_comma),
            Err(misread) => {
                self.misread(cell, misread);
                None
            }
        }
    }

    fn outcome_cell(&mut self, cell: &Located<String>) -> Option<u16> {
        match Cell::read_given(&cell.value) {
            Ok(None) => None,
            Ok(Some(word)) => {
                let outcome = self.outcome(&Located::new(word.text, cell.place.part(word.span)))?;
                self.usage.outcomes.extend(self.scope.outcomes.get(usize::from(outcome)).cloned());
                Some(outcome)
            }
            Err(misread) => {
                self.misread(cell, misread);
                None
            }
        }
    }

    fn reason_cell(&mut self, cell: &Located<String>) -> Vec<Name> {
        match Cell::read_codes(&cell.value) {
            Ok(words) => {
                let mut codes = Vec::new();
                for word in words {
                    let reason = self.reason(&Located::new(word.text, cell.place.part(word.span)));
                    let code =
                        reason.and_then(|at| self.scope.reasons.get(usize::from(at))).map(|r| r.code.clone());
                    codes.extend(code.filter(|code| !codes.contains(code)));
                }
                codes
            }
            Err(misread) => {
                self.misread(cell, misread);
                Vec::new()
            }
        }
    }

    /// Hit policies that need something of the columns.
    fn check_policy(&mut self, head: &TableHead<'_>) {
        let declared = head.declared;
        if declared.columns.is_empty() {
            // Its file could not be read, which was said.
            return;
        }
        let at = Located::new((), declared.place);
        if head.asked.is_empty() {
            let help = "name an input or a feature in the header".to_owned();
            self.error("T049", &at, "this table asks nothing".to_owned(), Some(help));
        }
        if declared.rows.is_empty() {
            let help = "write one below the header".to_owned();
            self.error("T049", &at, "this table has no row".to_owned(), Some(help));
        }
        let gives_nothing = head.given.is_empty()
            && !head.has_outcome
            && !declared.columns.iter().any(|column| column.is_output);
        match declared.hit_policy {
            TableHitPolicy::Priority if !head.has_outcome => {
                let message =
                    "`priority` takes the row with the strictest outcome, and there is no `-> outcome`";
                let help = "add the column, or write `hit_policy: first`";
                self.error("T050", &at, message.to_owned(), Some(help.to_owned()));
            }
            TableHitPolicy::Collect(Collected::Sum | Collected::Min | Collected::Max)
                if head.given.is_empty() =>
            {
                let help = "name what it gives as `-> name` in the header, or write `collect`".to_owned();
                self.error("T050", &at, "there is nothing to take together".to_owned(), Some(help));
            }
            TableHitPolicy::Collect(Collected::Count) => {}
            _ if gives_nothing => {
                let help = "name what it gives as `-> name` in the header".to_owned();
                self.error("T049", &at, "this table gives nothing".to_owned(), Some(help));
            }
            _ => {}
        }
        let TableHitPolicy::Collect(how) = declared.hit_policy else { return };
        for given in &head.given {
            let numeric = matches!(given.kind, Kind::Integer | Kind::Decimal | Kind::Number);
            let ordered = numeric || matches!(given.kind, Kind::Date | Kind::Time | Kind::Text);
            let fits = match how {
                Collected::Sum => numeric,
                Collected::Min | Collected::Max => ordered,
                Collected::All | Collected::Count => true,
            };
            if !fits {
                let column = declared.columns.iter().find(|c| c.is_output && *c.name.value == *given.name);
                let message = format!(
                    "`{}` is {}: such values have no {}",
                    given.name,
                    with_article(&given.kind),
                    how.word()
                );
                let place = column.map_or(declared.place, |column| column.name.place);
                self.diagnostics.push(
                    Diagnostic::error("T050", place, message)
                        .help("write `hit_policy: collect` for a list of them"),
                );
            }
        }
    }

    /// What `.apply()` would record: an outcome with its reason, and outputs as the flow declares them.
    fn check_rows(&mut self, head: &TableHead<'_>) {
        if !head.has_outcome {
            return;
        }
        for (row, given) in head.declared.rows.iter().zip(&head.rows) {
            if given.outcome.is_some_and(|outcome| outcome > 0) && given.reasons.is_empty() {
                let cell = cell_of(head, row, "outcome");
                let message = format!("row {} has an outcome without a reason", row.number);
                let help = "add a column `-> reason` with one of the flow's reasons".to_owned();
                self.error("T017", &cell, message, Some(help));
            }
        }
        if is_single(head.declared.hit_policy) {
            for (at, given) in head.given.iter().enumerate() {
                self.check_output(head, given, at);
            }
        }
    }

    /// A row's record carries what bears the name of a flow's output.
    fn check_output(&mut self, head: &TableHead<'_>, given: &Given, at: usize) {
        let Some(output) = given.output else { return };
        let Some(declared) = self.declaration.outputs.get(usize::from(output)) else { return };
        if !Typed::of(&given.kind).fits(&declared.kind) {
            let column = head.declared.columns.iter().find(|c| c.is_output && *c.name.value == *given.name);
            let message = format!(
                "`{}` gives {}, and the flow's output is {}",
                given.name,
                with_article(&given.kind),
                with_article(&declared.kind)
            );
            let place = column.map_or(head.declared.place, |column| column.name.place);
            let help = format!("declare the column `{}`", declared.kind.word());
            self.diagnostics.push(Diagnostic::error("T051", place, message).help(help));
            return;
        }
        let bound = |bound: &Option<Located<String>>| {
            let text = bound.as_ref().map(|bound| bound.value.as_str())?;
            let word = Word { text: text.to_owned(), is_quoted: false, span: Default::default() };
            let reader = Reader { thresholds: &[], is_decimal_comma: false };
            reader.value(&word, &given.kind, Role::Bound).ok().map(|(value, _)| value)
        };
        let (min, max) = (bound(&declared.min), bound(&declared.max));
        for (row, values) in head.declared.rows.iter().zip(&head.rows) {
            let Some(value) = values.outputs.get(at) else { continue };
            let beyond = |bound: &Option<Value>, wrong: fn(std::cmp::Ordering) -> bool| {
                bound.as_ref().is_some_and(|bound| operators::ordering(value, bound).is_some_and(wrong))
            };
            if beyond(&min, std::cmp::Ordering::is_lt) || beyond(&max, std::cmp::Ordering::is_gt) {
                let cell = cell_of(head, row, &given.name);
                let message =
                    format!("`{}` is out of the range of the flow's output `{}`", cell.value, given.name);
                self.error("T051", &cell, message, Some("see its `min` and `max` in `flow.yaml`".to_owned()));
            }
        }
    }
}

/// The cell of a row under `-> name`.
fn cell_of(head: &TableHead<'_>, row: &RowDeclaration, name: &str) -> Located<String> {
    let at = head.declared.columns.iter().position(|column| column.is_output && column.name.value == name);
    let cell = at.and_then(|at| row.cells.get(at)).cloned();
    cell.unwrap_or_else(|| Located::new(String::new(), head.declared.place))
}

/// What scripts see of a table.
fn scoped(head: &TableHead<'_>) -> ScopedTable {
    let declared = head.declared;
    let name = Name::from(declared.name.value.as_str());
    if declared.columns.is_empty() {
        return ScopedTable { name, takes: Vec::new(), outputs: Vec::new(), has_outcome: false };
    }
    let list = |typed: Typed| Typed::List(Box::new(typed));
    let mut outputs: Vec<(Name, Static)> = Vec::new();
    for given in &head.given {
        let typed = Typed::of(&given.kind);
        let known = match declared.hit_policy {
            TableHitPolicy::Collect(Collected::All | Collected::Count) => Static::given(list(typed)),
            TableHitPolicy::Collect(_) => Static::given(typed),
            _ => Static { typed, may_be_missing: given.may_be_missing },
        };
        outputs.push((given.name.clone(), known));
    }
    let mut fixed = |name: &str, typed: Typed, may_be_missing: bool| {
        outputs.push((Name::from(name), Static { typed, may_be_missing }));
    };
    let single = is_single(declared.hit_policy);
    if head.has_outcome {
        let some_lack = head.rows.iter().any(|row| row.outcome.is_none());
        fixed("outcome", Typed::Text, !single || some_lack);
    }
    if declared.columns.iter().any(|column| column.is_output && column.name.value == "reason") {
        let some_lack = head.rows.iter().any(|row| row.reasons.is_empty());
        fixed("reason", Typed::Text, !single || some_lack);
        fixed("reasons", list(Typed::Text), false);
    }
    if !single {
        fixed("count", Typed::Integer, false);
    }
    fixed("rows", list(Typed::Integer), false);
    fixed("failed", Typed::Boolean, false);
    let taken = head.asked.iter().filter(|asked| matches!(asked.source, Source::Taken(_)));
    ScopedTable {
        name,
        takes: taken.map(|asked| (Name::from(asked.name.value.as_str()), asked.kind.clone())).collect(),
        outputs,
        has_outcome: head.has_outcome,
    }
}
