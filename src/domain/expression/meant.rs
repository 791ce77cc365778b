//! What somebody probably meant by a name that is not there: words of other languages, an outcome without brackets, a
//! table asked for as a rule set.

use super::compile::Compiler;
use super::scope::{Role, Scope};
use super::typed::Typed;
use crate::domain::script::syntax::{Node, Operator, Syntax};

/// Functions of spreadsheets, SQL and Python, and what does the same here.
const FUNCTIONS: &[(&str, &str)] = &[
    ("today", "write `today`, without brackets"),
    ("now", "write `decided_at`: the time of the decision"),
    ("coalesce", "write `x ?? y`"),
    ("ifnull", "write `x ?? y`"),
    ("nvl", "write `x ?? y`"),
    ("isnull", "write `is_missing(x)`"),
    ("isblank", "write `is_missing(x)`"),
    ("is_null", "write `is_missing(x)`"),
    ("is_empty", "write `is_missing(x)`, or `len(x) == 0`"),
    ("exists", "write `is_given(x)`"),
    ("length", "write `len(x)`"),
    ("upper", "write `to_upper(x)`"),
    ("lower", "write `to_lower(x)`"),
    ("startswith", "write `starts_with(x, \"…\")`"),
    ("endswith", "write `ends_with(x, \"…\")`"),
    ("avg", "write `average(list, |row| row.x)`"),
    ("mean", "write `average(list, |row| row.x)`"),
    ("sqr", "write `x * x`"),
    ("pow", "write `x ** n`"),
    ("power", "write `x ** n`"),
    ("datediff", "write `days_between(from, to)`"),
    ("year", "write `years_between(from, to)` to compare dates"),
    ("weekday", "write `day_of_week(date)`"),
    ("hour", "write `hour_of(time)`"),
    ("str", "write `to_text(x)`"),
    ("string", "write `to_text(x)`"),
    ("float", "write `number(x)`"),
    ("decimal", "write `money(x, 2)`"),
    ("int", "write `floor(x)`"),
    ("len_of", "write `len(x)`"),
];

/// Outcomes as other engines call them.
const VERDICTS: &[&str] = &[
    "accept", "allow", "approved", "block", "cancel", "declined", "deny", "fail", "grant", "hold", "manual",
    "ok", "pass", "permit", "refer", "refuse", "reject", "rejected", "stop",
];

/// Help for a function that there is not.
pub(super) fn function(word: &str, scope: &Scope, role: Role<'_>) -> Option<String> {
    let lower = word.to_lowercase();
    if let Some((_, help)) = FUNCTIONS.iter().find(|(name, _)| *name == lower) {
        return Some((*help).to_owned());
    }
    let is_verdict = matches!(role, Role::Script) && VERDICTS.contains(&lower.as_str());
    is_verdict.then(|| format!("this flow's outcomes are {}", listed(&scope.outcomes)))
}

/// Help for a name that nothing has, but a call.
pub(super) fn name(word: &str, scope: &Scope, role: Role<'_>) -> Option<String> {
    match word {
        "null" | "nil" | "None" | "NULL" | "undefined" => {
            return Some("there is no null here: write `is_missing(x)`".to_owned());
        }
        "yes" | "Yes" | "YES" => return Some("write `true`".to_owned()),
        "no" | "No" | "NO" => return Some("write `false`".to_owned()),
        "True" | "TRUE" | "False" | "FALSE" => return Some(format!("write `{}`", word.to_lowercase())),
        "now" | "NOW" => return Some("write `decided_at`: the time of the decision".to_owned()),
        _ => {}
    }
    let is_choice = |(_, known): &(crate::domain::value::Name, super::typed::Static)| matches!(&known.typed, Typed::Choice(of) if of.iter().any(|choice| **choice == *word));
    if let Some((input, _)) = scope.inputs.iter().find(|input| is_choice(input)) {
        return Some(format!("a value of `{input}` is a text and stands in quotes: `\"{word}\"`"));
    }
    if matches!(role, Role::Script) && scope.reasons.iter().any(|reason| *reason.code == *word) {
        return Some(format!("a reason stands in quotes: `\"{word}\"`"));
    }
    let at = scope.outcomes.iter().position(|outcome| **outcome == *word)?;
    let reason = scope.reasons.first().map_or("R100", |reason| &*reason.code);
    let call = if at == 0 { format!("{word}()") } else { format!("{word}(\"{reason}\")") };
    Some(match role {
        Role::Script => format!("`{word}` is an outcome: call it, `{call}`"),
        _ => format!("`{word}` is an outcome: a rule says `outcome: {word}`"),
    })
}

/// `table("x")` for a `rules("x")` of which there is only a table.
pub(super) fn step(word: &str, wanted: &str, scope: &Scope) -> Option<String> {
    let named = |name: &str| name == wanted;
    let found = [
        ("rules", scope.rule_sets.iter().any(|set| named(&set.name))),
        ("scorecard", scope.scorecards.iter().any(|card| named(&card.name))),
        ("table", scope.tables.iter().any(|table| named(&table.name))),
        ("model", scope.models.iter().any(|model| named(&model.name))),
        ("flow", scope.flows.iter().any(|flow| named(&flow.name))),
        ("need", scope.needs.iter().any(|need| named(&need.name))),
    ];
    let (other, _) = found.into_iter().find(|(other, is_there)| *is_there && *other != word)?;
    Some(format!("did you mean `{other}(\"{wanted}\")`?"))
}

/// Whether this is itself a comparison by size, as in `18 <= age < 21`.
pub(super) fn is_chain(side: &Syntax) -> bool {
    matches!(
        side.node,
        Node::Binary(Operator::Less | Operator::AtMost | Operator::Greater | Operator::AtLeast, _)
    )
}

/// `date("2020-01-01")` for the text that a date is compared with.
pub(super) fn date(a: &Typed, b: &Typed, left: &Syntax, right: &Syntax) -> Option<String> {
    let literal = match (a, b) {
        (Typed::Date, _) => right,
        (_, Typed::Date) => left,
        (Typed::Time, Typed::Text) | (Typed::Text, Typed::Time) => {
            return Some("a time holds more than a day: compare `date(…)` of it with a date".to_owned());
        }
        _ => return None,
    };
    match &literal.node {
        Node::Text(text) if text.parse::<jiff::civil::Date>().is_ok() => {
            Some(format!("write `date(\"{text}\")`"))
        }
        Node::Name(name) => Some(format!("write `date({name})`")),
        Node::Text(_) => Some("write a date as `date(\"2026-01-31\")`".to_owned()),
        _ => None,
    }
}

fn listed(names: &[crate::domain::value::Name]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl Compiler<'_> {
    /// Equality of computed numbers hangs on their last bit.
    pub(super) fn warn_of_exact_equality(
        &mut self,
        operator: Operator,
        (left, a): (&Syntax, &Typed),
        (right, b): (&Syntax, &Typed),
        span: crate::domain::place::Span,
    ) {
        let is_equality = matches!(operator, Operator::Equal | Operator::NotEqual);
        let is_computed = matches!((a, b), (Typed::Number, Typed::Number | Typed::Literal))
            || matches!((a, b), (Typed::Literal, Typed::Number));
        let is_rounded = |side: &Syntax| match &side.node {
            Node::Call { name, .. } | Node::Method { name, .. } => {
                matches!(name.text.as_str(), "round" | "floor" | "ceil")
            }
            _ => false,
        };
        if is_equality && is_computed && !is_rounded(left) && !is_rounded(right) {
            let symbol = operator.symbol();
            self.warning(
                "T034",
                span,
                format!("`{symbol}` between numbers asks for every bit to be the same"),
            )
            .help = Some("compare with `<` and `>`, or round first: `round(x, 2) == …`".to_owned());
        }
    }
}
