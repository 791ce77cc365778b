//! Thresholds that a script holds a score against: `model("x").probability > max_risk`, also by way of a variable. For
//! charts that show where they stand. Absent on purpose: conditions of rules, which read no scores but what is handed
//! over, and what follows from a comparison.

use std::collections::BTreeMap;

use super::reads::each;
use crate::domain::declaration::{FlowDeclaration, ThresholdLiteral};
use crate::domain::script::Grammar;
use crate::domain::script::syntax::{Node, Syntax};

/// A score that is compared with a number.
#[derive(Debug, Clone, PartialEq)]
pub struct CutOff {
    /// The model's or scorecard's name, as verdicts name the score.
    pub score: String,
    /// The threshold's name, or the literal as written.
    pub name: String,
    pub value: f64,
}

/// In the order of the script, each once; none where it does not parse.
#[must_use]
pub fn cut_offs(flow: &FlowDeclaration) -> Vec<CutOff> {
    let Ok(program) = Grammar::new().program(&flow.script) else { return Vec::new() };
    let mut finder = Finder { flow, variables: BTreeMap::new(), found: Vec::new() };
    let functions = program.functions.iter().flat_map(|function| &function.body);
    for statement in program.body.iter().chain(functions) {
        each(statement, &mut |node| finder.look(node));
    }
    finder.found
}

struct Finder<'f> {
    flow: &'f FlowDeclaration,
    /// What variables hold: a score, or a step that has one.
    variables: BTreeMap<String, Held>,
    found: Vec<CutOff>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Held {
    Score(String),
    Step(String),
}

impl Finder<'_> {
    fn look(&mut self, syntax: &Syntax) {
        match &syntax.node {
            Node::Let { name, value, .. } => match self.held(value) {
                Some(held) => drop(self.variables.insert(name.text.clone(), held)),
                None => drop(self.variables.remove(&name.text)),
            },
            Node::Binary(operator, sides) if operator.is_comparison() => {
                let (left, right) = &**sides;
                let met = self.met(left, right).or_else(|| self.met(right, left));
                if let Some(cut_off) = met.filter(|met| !self.found.contains(met)) {
                    self.found.push(cut_off);
                }
            }
            _ => {}
        }
    }

    fn held(&self, syntax: &Syntax) -> Option<Held> {
        match &syntax.node {
            Node::Name(name) => self.variables.get(name).cloned(),
            Node::Call { name, arguments } if matches!(name.text.as_str(), "model" | "scorecard") => {
                match arguments.first().map(|first| &first.node) {
                    Some(Node::Text(step)) => Some(Held::Step(step.clone())),
                    _ => None,
                }
            }
            Node::Property { of, name }
                if matches!(name.text.as_str(), "probability" | "score" | "points") =>
            {
                match self.held(of)? {
                    Held::Step(step) => Some(Held::Score(step)),
                    Held::Score(_) => None,
                }
            }
            _ => None,
        }
    }

    fn met(&self, score: &Syntax, number: &Syntax) -> Option<CutOff> {
        let Some(Held::Score(score)) = self.held(score) else { return None };
        let (name, text) = match &number.node {
            Node::Name(name) => {
                let threshold =
                    self.flow.thresholds.iter().find(|threshold| threshold.name.value == *name)?;
                let ThresholdLiteral::Number(text) = &threshold.literal.value else { return None };
                (name.clone(), text.clone())
            }
            Node::Number(text) => (text.clone(), text.clone()),
            Node::Integer(number) => (number.to_string(), number.to_string()),
            _ => return None,
        };
        let value = text.parse().ok().filter(|value: &f64| value.is_finite())?;
        Some(CutOff { score, name, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::declaration::ThresholdDeclaration;
    use crate::domain::place::{Located, Place};

    #[test]
    fn scores_are_found_by_way_of_variables_and_on_either_side() {
        let located = |text: &str| Located::new(text.to_owned(), Place::default());
        let threshold = |name: &str, text: &str| ThresholdDeclaration {
            name: located(name),
            literal: Located::new(ThresholdLiteral::Number(text.to_owned()), Place::default()),
        };
        let script = r#"
            let risk = model("default_risk").probability;
            let card = scorecard("application");
            if risk > max_risk || fair_risk <= model("other").score { decline("R1"); }
            if card.points < min_points { review("R2"); }
            if risk > max_risk { review("R2"); }
        "#;
        let flow = FlowDeclaration {
            thresholds: vec![
                threshold("max_risk", "0.60"),
                threshold("fair_risk", "0.25"),
                threshold("min_points", "430"),
            ],
            script: located(script),
            ..FlowDeclaration::blank()
        };
        let found: Vec<_> =
            cut_offs(&flow).into_iter().map(|c| format!("{} {} {}", c.score, c.name, c.value)).collect();
        assert_eq!(
            found,
            ["default_risk max_risk 0.6", "other fair_risk 0.25", "application min_points 430"]
        );
    }
}
