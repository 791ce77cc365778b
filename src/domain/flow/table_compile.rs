//! A declared table → a compiled one, in two parts. The head (what is asked and given, and every cell of what is
//! given) comes before the script, which reads it; the cells of what is asked come after, for a column that only the
//! script hands over takes the type of what is handed over. What rows shadow or miss is the analysis', not this.

use super::compile::Build;
use super::table_head::{Asked, TableHead};
use crate::domain::declaration::TableHitPolicy;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::expression::typed::Typed;
use crate::domain::place::Located;
use crate::domain::table::cell::{Cell, End, Misread, Word};
use crate::domain::table::literal::{Looks, Reader, Role};
use crate::domain::table::{self, Bound, Column, Row, Source, Table, Test, damage};
use crate::domain::value::{Kind, Name, Value};

impl<'d> Build<'d> {
    /// Compiles the cells of what is asked: after the script, whose calls have said what they hand over.
    pub(super) fn tables(&mut self, heads: Vec<TableHead<'d>>) -> Vec<Table> {
        heads.into_iter().map(|head| self.table(head)).collect()
    }

    fn table(&mut self, head: TableHead<'d>) -> Table {
        let declared = head.declared;
        let name = Name::from(declared.name.value.as_str());
        let mut tests: Vec<Vec<Test>> = declared.rows.iter().map(|_| Vec::new()).collect();
        let mut columns = Vec::new();
        for asked in &head.asked {
            let column = self.asked_column(&head, asked);
            for (row, tests) in declared.rows.iter().zip(&mut tests) {
                let test = row
                    .cells
                    .get(asked.at)
                    .and_then(|cell| self.test(cell, &column, declared.is_decimal_comma));
                tests.push(test.unwrap_or(Test::Any));
            }
            columns.push(column);
        }
        let rows = declared
            .rows
            .iter()
            .zip(tests)
            .zip(head.rows)
            .map(|((row, tests), given)| Row {
                number: row.number,
                tests: tests.into(),
                outputs: given.outputs.into(),
                outcome: given.outcome,
                reasons: given.reasons.into(),
                place: row.cells.first().map_or(declared.place, |cell| cell.place),
            })
            .collect();
        let reads = columns.iter().filter(|column| !matches!(column.source, Source::Taken(_)));
        let reads = reads.map(|column| column.name.clone()).collect();
        Table::new(table::Parts {
            name,
            hit_policy: declared.hit_policy,
            columns,
            outputs: head.given,
            has_outcome: head.has_outcome,
            rows,
            reads,
            place: declared.place,
        })
    }

    /// A column with its type: declared, else that of what it reads, else that of what calls hand over, else what
    /// its cells look like.
    fn asked_column(&mut self, head: &TableHead<'_>, asked: &Asked) -> Column {
        let declared = head.declared;
        let cells = || declared.rows.iter().filter_map(|row| row.cells.get(asked.at));
        let kind = asked.kind.clone().or_else(|| self.handed_kind(head, asked)).unwrap_or_else(|| {
            let reader =
                Reader { thresholds: &self.scope.thresholds, is_decimal_comma: declared.is_decimal_comma };
            let looks: Vec<(Looks, &Located<String>)> = cells()
                .filter_map(|cell| Some((Cell::read(&cell.value).ok()?, cell)))
                .flat_map(|(read, cell)| {
                    let role = if matches!(read, Cell::OneOf(_)) { Role::Value } else { Role::Bound };
                    read.words().map(|word| (reader.looks(word, role), cell)).collect::<Vec<_>>()
                })
                .collect();
            self.inferred(&looks, &asked.name.value, Kind::Number)
        });
        if kind == Kind::Text {
            let reads: Vec<(Cell, &Located<String>)> =
                cells().filter_map(|cell| Some((Cell::read(&cell.value).ok()?, cell))).collect();
            let words: Vec<(&Word, &Located<String>)> =
                reads.iter().flat_map(|(read, cell)| read.words().map(move |word| (word, *cell))).collect();
            self.warn_of_lost_zeros(&words);
        }
        Column {
            name: Name::from(asked.name.value.as_str()),
            source: asked.source,
            kind,
            may_be_missing: asked.may_be_missing,
            place: asked.name.place,
        }
    }

    fn handed_kind(&mut self, head: &TableHead<'_>, asked: &Asked) -> Option<Kind> {
        let Source::Taken(_) = asked.source else { return None };
        let (table, column) = (&head.declared.name.value, &asked.name.value);
        let handed = self.usage.handed.iter();
        let handed: Vec<Typed> = handed
            .filter(|(t, c, typed)| **t == **table && **c == **column && *typed != Typed::Any)
            .map(|(.., typed)| typed.clone())
            .collect();
        let joined = handed.iter().cloned().reduce(Typed::either)?;
        let kind = joined.kind();
        if kind.is_none() {
            let words: Vec<&str> = handed.iter().map(Typed::word).collect();
            let message = format!("`{column}` is handed over as {}", words.join(" and as "));
            let help = format!("declare its type: `columns: {{ {column}: … }}` in `{table}.table.yaml`");
            self.error("T049", &asked.name, message, Some(help));
        }
        kind
    }

    /// The type of words that no document gives one, or the first that does not go with most of the others.
    pub(super) fn inferred(
        &mut self,
        looks: &[(Looks, &Located<String>)],
        column: &str,
        fraction: Kind,
    ) -> Kind {
        let count = |look: Looks| looks.iter().filter(|(l, _)| *l == look).count();
        let all = |some: &[Looks]| looks.iter().all(|(look, _)| some.contains(look));
        if looks.is_empty() {
            return Kind::Text;
        }
        if all(&[Looks::Integer]) {
            return Kind::Integer;
        }
        if all(&[Looks::Integer, Looks::Fraction]) {
            return fraction;
        }
        if all(&[Looks::Text, Looks::Digits]) || all(&[Looks::Integer, Looks::Digits]) {
            return Kind::Text;
        }
        for (look, kind) in
            [(Looks::Boolean, Kind::Boolean), (Looks::Date, Kind::Date), (Looks::Time, Kind::Time)]
        {
            if all(&[look]) {
                return kind;
            }
        }
        let numbers = count(Looks::Integer) + count(Looks::Fraction);
        let others = [Looks::Boolean, Looks::Date, Looks::Time].map(|look| (count(look), look));
        let texts = count(Looks::Text) + count(Looks::Digits);
        let most = others.iter().copied().chain([(numbers, Looks::Integer), (texts, Looks::Text)]).max();
        let (kind, belongs): (Kind, &[Looks]) = match most.map(|(_, look)| look) {
            Some(Looks::Integer) => (fraction, &[Looks::Integer, Looks::Fraction]),
            Some(Looks::Boolean) => (Kind::Boolean, &[Looks::Boolean]),
            Some(Looks::Date) => (Kind::Date, &[Looks::Date]),
            Some(Looks::Time) => (Kind::Time, &[Looks::Time]),
            _ => (Kind::Text, &[Looks::Text, Looks::Digits]),
        };
        if let Some((_, odd)) = looks.iter().find(|(look, _)| !belongs.contains(look)) {
            let message = format!("this is not {}, as most of `{column}` is", with_article(&kind));
            let help = "correct it, quote all texts, or declare the column's type under `columns:`";
            self.error("T044", odd, message, Some(help.to_owned()));
        }
        kind
    }

    pub(super) fn warn_of_lost_zeros(&mut self, words: &[(&Word, &Located<String>)]) {
        let all: Vec<&Word> = words.iter().map(|(word, _)| *word).collect();
        for lost in damage::lost_zeros(&all) {
            let Some((_, cell)) = words.iter().find(|(word, _)| std::ptr::eq(*word, lost)) else { continue };
            let message = format!(
                "`{}` is shorter than the others: a spreadsheet may have cut leading zeros",
                lost.text
            );
            let help = format!(
                "write all digits and format the column as text, or write `'{}'` if it is meant",
                lost.text
            );
            self.diagnostics
                .push(Diagnostic::warning("T046", cell.place.part(lost.span), message).help(help));
        }
    }

    pub(super) fn misread(&mut self, cell: &Located<String>, misread: Misread) {
        let Misread { code, span, message, help } = misread;
        self.diagnostics.push(Diagnostic::error(code, cell.place.part(span), message).help(help));
    }

    fn test(&mut self, cell: &Located<String>, column: &Column, is_decimal_comma: bool) -> Option<Test> {
        let read = match Cell::read(&cell.value) {
            Ok(read) => read,
            Err(misread) => {
                self.misread(cell, misread);
                return None;
            }
        };
        let bound = |end: Option<&End>, build: &mut Self| -> Option<Option<Bound>> {
            let Some(end) = end else { return Some(None) };
            let value = build.word(cell, &end.word, &column.kind, Role::Bound, is_decimal_comma)?;
            Some(Some(Bound { value, is_inclusive: end.is_inclusive }))
        };
        let test = match &read {
            Cell::Any => Test::Any,
            Cell::Missing => {
                self.never_missing(cell, column);
                Test::Missing
            }
            Cell::OneOf(words) => {
                let values: Vec<Option<Value>> = words
                    .iter()
                    .map(|word| self.word(cell, word, &column.kind, Role::Value, is_decimal_comma))
                    .collect();
                Test::OneOf(values.into_iter().collect::<Option<Vec<Value>>>()?.into())
            }
            Cell::Range { low, high } => {
                let (low, high) = (bound(low.as_ref(), self), bound(high.as_ref(), self));
                Test::Range { low: low?, high: high? }
            }
        };
        self.check_range(&test, cell, &column.kind);
        Some(test)
    }

    fn never_missing(&mut self, cell: &Located<String>, column: &Column) {
        if column.may_be_missing {
            return;
        }
        let (name, why) = match column.source {
            Source::Input(_) => (&column.name, "this input is not optional"),
            Source::Feature(_) => (&column.name, "a feature fails rather than being missing"),
            Source::Taken(_) => (&column.name, "what is handed over is always there"),
        };
        let message = format!("`{name}` is never missing: {why}");
        self.diagnostics.push(
            Diagnostic::warning("T048", cell.place, message)
                .help("remove the row, or write `-` for any value"),
        );
    }

    /// Bounds that nothing lies between, and bounds where there is no order.
    pub(super) fn check_range(&mut self, test: &Test, at: &Located<impl Sized>, kind: &Kind) {
        if *kind == Kind::Boolean && matches!(test, Test::Range { .. }) {
            let help = "write `true`, `false` or `-`".to_owned();
            self.error("T044", at, "true and false have no order".to_owned(), Some(help));
        } else if test.is_empty() {
            let help = "write the lower end first; `[a..a]` is one value, `a..b` leaves `b` out".to_owned();
            self.error("T047", at, "no value lies in this interval".to_owned(), Some(help));
        }
    }

    /// The value of one word in a cell, or a finding. A threshold that it names is used.
    pub(super) fn word(
        &mut self,
        cell: &Located<String>,
        word: &Word,
        kind: &Kind,
        role: Role,
        is_decimal_comma: bool,
    ) -> Option<Value> {
        match (Reader { thresholds: &self.scope.thresholds, is_decimal_comma }).value(word, kind, role) {
            Ok((value, threshold)) => {
                self.usage.reads.extend(threshold);
                Some(value)
            }
            Err(misread) => {
                self.misread(cell, misread);
                None
            }
        }
    }
}

pub(super) fn with_article(kind: &Kind) -> String {
    crate::domain::expression::compile::article(kind.word())
}

/// Whether one row answers: its outputs then are values, not lists or sums.
pub(super) fn is_single(policy: TableHitPolicy) -> bool {
    !matches!(policy, TableHitPolicy::Collect(_))
}
