//! A declared scorecard → a compiled one: characteristics found by name, bins in the type of what they ask. Which
//! bins can never be reached, or what no bin takes, is the analysis', not this.

use super::compile::Build;
use crate::domain::declaration::{
    BinDeclaration, BinTest, CharacteristicDeclaration, ScorecardDeclaration, ThresholdLiteral,
};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::expression::scope::ScopedScorecard;
use crate::domain::expression::typed::{Static, Typed};
use crate::domain::nearest::nearest;
use crate::domain::place::{Located, Span};
use crate::domain::scorecard::{Bin, Characteristic, Scorecard};
use crate::domain::table::cell::Word;
use crate::domain::table::literal::Role;
use crate::domain::table::{Bound, Source, Test};
use crate::domain::value::{Kind, Name};

/// Points of one bin, up or down: sums of them stay exact, also as a score.
const MOST_POINTS: i64 = 1_000_000_000;

impl Build<'_> {
    /// Tells scripts what scorecards there are.
    pub(super) fn scope_scorecards(&mut self) {
        let declaration = self.declaration;
        self.scope.scorecards = declaration
            .scorecards
            .iter()
            .map(|card| ScopedScorecard { name: Name::from(card.name.value.as_str()), takes: takes_of(card) })
            .collect();
        for card in &declaration.scorecards {
            if declaration.models.iter().any(|model| model.name.value == card.name.value) {
                let message = format!("`{}` is already the name of a model", card.name.value);
                let help = "rename one of them: both give a score of that name".to_owned();
                self.error("T025", &card.name, message, Some(help));
            }
        }
    }

    pub(super) fn scorecards(&mut self) -> Vec<Scorecard> {
        let declaration = self.declaration;
        declaration.scorecards.iter().map(|card| self.scorecard(card)).collect()
    }

    fn scorecard(&mut self, declared: &ScorecardDeclaration) -> Scorecard {
        let takes = takes_of(declared);
        let mut characteristics: Vec<Characteristic> = Vec::new();
        if declared.base_points.abs() > MOST_POINTS {
            self.points_out_of_range(&declared.name);
        }
        for one in &declared.characteristics {
            if characteristics.iter().any(|before| *before.name == *one.name.value) {
                let message = format!("the characteristic `{}` stands twice", one.name.value);
                self.error("T025", &one.name, message, Some("put its bins together".to_owned()));
            }
            characteristics.extend(self.characteristic(declared, &takes, one));
        }
        let name = Name::from(declared.name.value.as_str());
        Scorecard { name, base_points: declared.base_points, takes, characteristics }
    }

    fn characteristic(
        &mut self,
        card: &ScorecardDeclaration,
        takes: &[(Name, Kind)],
        declared: &CharacteristicDeclaration,
    ) -> Option<Characteristic> {
        let name = declared.name.value.as_str();
        let taken = takes.iter().position(|(taken, _)| **taken == *name);
        let (source, known) = match (taken, self.read_by_name(&declared.name, "scorecard", &card.name.value))
        {
            (_, Some(read)) => read,
            (Some(at), None) => {
                let kind = takes.get(at).map_or(Typed::Any, |(_, kind)| Typed::of(kind));
                (Source::Taken(u16::try_from(at).unwrap_or(u16::MAX)), Static::given(kind))
            }
            (None, None) => {
                self.unknown_characteristic(&declared.name, takes);
                return None;
            }
        };
        let Some(kind) = known.typed.kind() else {
            let message = format!("`{name}` is {}: bins cannot ask for it", known.typed.word());
            let help = "make a feature of what the scorecard needs to know of it".to_owned();
            self.error("T049", &declared.name, message, Some(help));
            return None;
        };
        if declared.bins.is_empty() {
            let help = "write one, such as `- { otherwise: true, points: 0 }`".to_owned();
            self.error("T049", &declared.name, format!("`{name}` has no bin"), Some(help));
        }
        let mut made = Characteristic {
            name: Name::from(name),
            source,
            kind,
            may_be_missing: known.may_be_missing,
            bins: Vec::new(),
            place: declared.name.place,
        };
        for bin in &declared.bins {
            let bin = self.bin(&made, bin);
            made.bins.extend(bin);
        }
        Some(made)
    }

    fn unknown_characteristic(&mut self, name: &Located<String>, takes: &[(Name, Kind)]) {
        let scope = &self.scope;
        let known = scope.inputs.iter().chain(&scope.features).map(|(name, _)| &**name);
        let near = nearest(&name.value, known.chain(takes.iter().map(|(name, _)| &**name)));
        let help = near.map_or_else(
            || "name an input or a feature, or declare it under `takes:`".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        self.error(
            "T004",
            name,
            format!("this scorecard reads an unknown name `{}`", name.value),
            Some(help),
        );
    }

    fn bin(&mut self, of: &Characteristic, declared: &BinDeclaration) -> Option<Bin> {
        let whole = Located::new((), declared.place);
        if declared.points.value.abs() > MOST_POINTS {
            self.points_out_of_range(&declared.points);
        }
        let test = match &declared.test {
            BinTest::Otherwise => Some(None),
            BinTest::Missing => {
                if !of.may_be_missing {
                    let message = format!("`{}` is never missing", of.name);
                    let help = "remove this bin, or make the input optional";
                    self.diagnostics.push(Diagnostic::warning("T048", declared.place, message).help(help));
                }
                Some(Some(Test::Missing))
            }
            BinTest::OneOf(literals) => {
                let values: Vec<_> = literals
                    .iter()
                    .map(|literal| {
                        let (text, is_text) = text_of(&literal.value);
                        let is_quoted = is_text && of.kind == Kind::Text;
                        self.bin_word(&Located::new(text, literal.place), is_quoted, of, Role::Value)
                    })
                    .collect();
                values.into_iter().collect::<Option<Vec<_>>>().map(|values| Some(Test::OneOf(values.into())))
            }
            BinTest::Range { from, below } => {
                let mut bound = |end: Option<&Located<String>>, is_inclusive: bool| match end {
                    None => Some(None),
                    Some(end) => {
                        let value = self.bin_word(end, false, of, Role::Bound)?;
                        Some(Some(Bound { value, is_inclusive }))
                    }
                };
                let (low, high) = (bound(from.as_ref(), true), bound(below.as_ref(), false));
                low.zip(high).map(|(low, high)| Some(Test::Range { low, high }))
            }
        };
        if let Some(Some(test)) = &test {
            self.check_range(test, &whole, &of.kind);
        }
        let reason = declared.reason.as_ref().and_then(|reason| self.reason(reason));
        let reason = reason.and_then(|at| self.scope.reasons.get(usize::from(at))).map(|r| r.code.clone());
        Some(Bin { test: test?, points: declared.points.value, reason, place: declared.place })
    }

    fn bin_word(
        &mut self,
        text: &Located<String>,
        is_quoted: bool,
        of: &Characteristic,
        role: Role,
    ) -> Option<crate::domain::value::Value> {
        let word = Word { text: text.value.clone(), is_quoted, span: Span::new(0, text.value.len()) };
        self.word(text, &word, &of.kind, role, false)
    }

    fn points_out_of_range(&mut self, at: &Located<impl Sized>) {
        let message = "points are from -1,000,000,000 to 1,000,000,000".to_owned();
        self.error("T029", at, message, Some("choose a smaller scale".to_owned()));
    }
}

fn takes_of(card: &ScorecardDeclaration) -> Vec<(Name, Kind)> {
    card.takes.iter().map(|(name, kind)| (Name::from(name.value.as_str()), kind.clone())).collect()
}

/// A literal of YAML as a word, and whether it was written as a text.
fn text_of(literal: &ThresholdLiteral) -> (String, bool) {
    match literal {
        ThresholdLiteral::Number(text) => (text.clone(), false),
        ThresholdLiteral::Boolean(value) => (value.to_string(), false),
        ThresholdLiteral::Text(text) => (text.clone(), true),
    }
}
