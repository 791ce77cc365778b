//! Whether a part of a flow asks and gives the same as in another one: a market's flow and `base`, mostly. As
//! compiled, with the thresholds put in. Absent on purpose: telling what differs (`domain::difference`).

use super::Flow;
use crate::domain::place::Span;

impl Flow {
    /// Whether the rule at this place of a set is the same there.
    #[must_use]
    pub fn is_rule_alike(&self, other: &Self, set: &str, at: usize) -> bool {
        let rule = |flow: &Self| {
            let set = flow.rule_sets.iter().find(|known| *known.name == *set)?;
            let rule = set.rules.get(at)?;
            Some((rule.id.clone(), rule.condition.clone(), rule.outcome, rule.reason.clone(), rule.points))
        };
        rule(self) == rule(other)
    }

    #[must_use]
    pub fn is_table_alike(&self, other: &Self, name: &str) -> bool {
        let table = |flow: &Self| {
            let table = flow.tables.iter().find(|known| *known.name == *name)?;
            let rows = table.rows.iter().map(|row| (row.tests.clone(), row.outputs.clone(), row.outcome));
            Some(rows.collect::<Vec<_>>())
        };
        table(self) == table(other)
    }

    #[must_use]
    pub fn is_characteristic_alike(&self, other: &Self, card: &str, of: &str) -> bool {
        let bins = |flow: &Self| {
            let card = flow.scorecards.iter().find(|known| *known.name == *card)?;
            let of = card.characteristics.iter().find(|known| *known.name == *of)?;
            Some(of.bins.iter().map(|bin| (bin.test.clone(), bin.points)).collect::<Vec<_>>())
        };
        bins(self) == bins(other)
    }

    #[must_use]
    pub fn is_feature_alike(&self, other: &Self, at: usize) -> bool {
        let formula = |flow: &Self| flow.features.get(at).map(|feature| feature.formula.clone());
        formula(self) == formula(other)
    }

    #[must_use]
    pub fn is_script_alike(&self, other: &Self) -> bool {
        self.script.body == other.script.body && self.script.functions == other.script.functions
    }

    /// 1-based line of a span of the script.
    #[must_use]
    pub fn script_line(&self, span: Span) -> u32 {
        self.script.line(span)
    }
}
