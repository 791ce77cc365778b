//! How an artefact stores what was imported: boosted trees, characteristics, and pipelines of steps (all format 2).
//! Trees are breadth first, as a forest's are; `rule` has a letter a node. No checks of what fits together: the domain
//! makes those.

mod steps;

use serde::{Deserialize, Serialize};

use super::ArtefactError;
use crate::domain::model::{
    Adverse, Attribute, BaseComes, Boosted, BoostedParts, Branch, Characteristic, Characteristics, Compare,
    Condition, Link, Missing, Rule, Side, Width,
};
pub(super) use steps::GraphStored;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BoostedStored {
    width: WidthStored,
    base: f64,
    base_comes: BaseStored,
    divide_by: u32,
    link: LinkStored,
    /// Places of categories in their column's list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sets: Vec<Vec<u32>>,
    trees: Vec<BoostedTreeStored>,
}

/// `value` is a threshold, the index of a set, or a leaf's number. `rule`, a letter a node: `.` a leaf; `l` and `h` a
/// threshold, where a missing value goes low or high; `L` and `H` the same, and 0 goes with it; `0` a threshold that a
/// missing value meets as 0; `c` and `C` a set, where a missing value goes high or low.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BoostedTreeStored {
    column: Vec<i32>,
    value: Vec<f64>,
    rule: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum WidthStored {
    #[serde(rename = "f32")]
    Single,
    #[serde(rename = "f64")]
    Double,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum BaseStored {
    First,
    Last,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum LinkStored {
    Identity,
    Logistic { slope: f64 },
    LogisticF32,
    LogisticTurnedF32,
    Exponential,
    ExponentialF32,
    Step,
}

impl From<WidthStored> for Width {
    fn from(stored: WidthStored) -> Self {
        match stored {
            WidthStored::Single => Self::Single,
            WidthStored::Double => Self::Double,
        }
    }
}

impl From<Width> for WidthStored {
    fn from(width: Width) -> Self {
        match width {
            Width::Single => Self::Single,
            Width::Double => Self::Double,
        }
    }
}

impl From<LinkStored> for Link {
    fn from(stored: LinkStored) -> Self {
        match stored {
            LinkStored::Identity => Self::Identity,
            LinkStored::Logistic { slope } => Self::Logistic { slope },
            LinkStored::LogisticF32 => Self::LogisticSingle,
            LinkStored::LogisticTurnedF32 => Self::LogisticTurned,
            LinkStored::Exponential => Self::Exponential,
            LinkStored::ExponentialF32 => Self::ExponentialSingle,
            LinkStored::Step => Self::Step,
        }
    }
}

impl From<Link> for LinkStored {
    fn from(link: Link) -> Self {
        match link {
            Link::Identity => Self::Identity,
            Link::Logistic { slope } => Self::Logistic { slope },
            Link::LogisticSingle => Self::LogisticF32,
            Link::LogisticTurned => Self::LogisticTurnedF32,
            Link::Exponential => Self::Exponential,
            Link::ExponentialSingle => Self::ExponentialF32,
            Link::Step => Self::Step,
        }
    }
}

impl BoostedStored {
    /// Of parts whose trees are breadth first: their children are counted again when they are read.
    pub(super) fn of(parts: &BoostedParts) -> Self {
        Self {
            width: parts.width.into(),
            base: parts.base,
            base_comes: match parts.base_comes {
                BaseComes::First => BaseStored::First,
                BaseComes::Last => BaseStored::Last,
            },
            divide_by: parts.divide_by,
            link: parts.link.into(),
            sets: parts.sets.clone(),
            trees: parts.trees.iter().map(|tree| BoostedTreeStored::of(tree)).collect(),
        }
    }

    pub(super) fn boosted(&self, columns: usize) -> Result<Boosted, ArtefactError> {
        let trees = self.trees.iter().enumerate().map(|(at, tree)| tree.branches(at));
        Ok(Boosted::new(&BoostedParts {
            trees: trees.collect::<Result<_, _>>()?,
            sets: self.sets.clone(),
            columns,
            width: self.width.into(),
            base: self.base,
            base_comes: match self.base_comes {
                BaseStored::First => BaseComes::First,
                BaseStored::Last => BaseComes::Last,
            },
            divide_by: self.divide_by,
            link: self.link.into(),
        })?)
    }
}

impl BoostedTreeStored {
    fn of(tree: &[Branch]) -> Self {
        let mut stored = Self { column: Vec::new(), value: Vec::new(), rule: String::new() };
        for branch in tree {
            let (column, value, letter) = match *branch {
                Branch::Leaf(value) => (-1, value, '.'),
                Branch::Split { column, rule, .. } => {
                    let column = i32::try_from(column).unwrap_or(i32::MAX);
                    let (value, letter) = match rule {
                        Rule::AtMost { threshold, missing } => (threshold, letter(missing)),
                        Rule::In { set, missing: Side::High } => (set as f64, 'c'),
                        Rule::In { set, missing: Side::Low } => (set as f64, 'C'),
                    };
                    (column, value, letter)
                }
            };
            stored.column.push(column);
            stored.value.push(value);
            stored.rule.push(letter);
        }
        stored
    }

    fn branches(&self, tree: usize) -> Result<Vec<Branch>, ArtefactError> {
        let wrong = |problem| ArtefactError::Tree { tree, problem };
        if self.column.len() != self.value.len() || self.column.len() != self.rule.len() {
            return Err(wrong("`column`, `value` and `rule` are not of one length"));
        }
        let mut splits = 0;
        let nodes = self.column.iter().zip(&self.value).zip(self.rule.bytes());
        let branch = |((column, value), letter): ((&i32, &f64), u8)| {
            if letter == b'.' {
                return Ok(Branch::Leaf(*value));
            }
            splits += 1;
            let column = usize::try_from(*column).map_err(|_| wrong("a split has a column below 0"))?;
            let rule = rule(letter, *value).ok_or_else(|| wrong("`rule` has a letter that means nothing"))?;
            Ok(Branch::Split { column, rule, low: 2 * splits - 1, high: 2 * splits })
        };
        nodes.map(branch).collect()
    }
}

fn letter(missing: Missing) -> char {
    match missing {
        Missing::Goes(Side::Low) => 'l',
        Missing::Goes(Side::High) => 'h',
        Missing::WithZero(Side::Low) => 'L',
        Missing::WithZero(Side::High) => 'H',
        Missing::AsZero => '0',
    }
}

fn rule(letter: u8, value: f64) -> Option<Rule> {
    let missing = match letter {
        b'l' => Missing::Goes(Side::Low),
        b'h' => Missing::Goes(Side::High),
        b'L' => Missing::WithZero(Side::Low),
        b'H' => Missing::WithZero(Side::High),
        b'0' => Missing::AsZero,
        // A cast of a float saturates: what is no index is one of no set, which the domain refuses.
        b'c' => return Some(Rule::In { set: value as usize, missing: Side::High }),
        b'C' => return Some(Rule::In { set: value as usize, missing: Side::Low }),
        _ => return None,
    };
    Some(Rule::AtMost { threshold: value, missing })
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CharacteristicsStored {
    start: f64,
    adverse: AdverseStored,
    characteristics: Vec<CharacteristicStored>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AdverseStored {
    Above,
    Below,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CharacteristicStored {
    name: String,
    baseline: f64,
    column: usize,
    attributes: Vec<AttributeStored>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AttributeStored {
    when: ConditionStored,
    points: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum ConditionStored {
    Always,
    Never,
    Compare { column: usize, how: CompareStored, with: f64 },
    Given { column: usize, is: bool },
    OneOf { column: usize, of: Vec<f64>, is: bool },
    All(Vec<Self>),
    Any(Vec<Self>),
    Odd(Vec<Self>),
    FirstKnown(Vec<Self>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum CompareStored {
    #[serde(rename = "==")]
    Equal,
    #[serde(rename = "!=")]
    NotEqual,
    #[serde(rename = "<")]
    Below,
    #[serde(rename = "<=")]
    AtMost,
    #[serde(rename = ">")]
    Above,
    #[serde(rename = ">=")]
    AtLeast,
}

impl CharacteristicsStored {
    pub(super) fn of(card: &Characteristics) -> Self {
        let attribute = |attribute: &Attribute| AttributeStored {
            when: store_condition(&attribute.holds),
            points: attribute.points,
            reason: attribute.reason.as_deref().map(str::to_owned),
        };
        let characteristic = |characteristic: &Characteristic| CharacteristicStored {
            name: characteristic.name.to_string(),
            baseline: characteristic.baseline,
            column: characteristic.column,
            attributes: characteristic.attributes.iter().map(attribute).collect(),
        };
        Self {
            start: card.start,
            adverse: match card.adverse {
                Adverse::Above => AdverseStored::Above,
                Adverse::Below => AdverseStored::Below,
            },
            characteristics: card.characteristics.iter().map(characteristic).collect(),
        }
    }

    pub(super) fn characteristics(&self, columns: usize) -> Result<Characteristics, ArtefactError> {
        let attribute = |stored: &AttributeStored| Attribute {
            holds: read_condition(&stored.when),
            points: stored.points,
            reason: stored.reason.as_deref().map(Into::into),
        };
        let characteristic = |stored: &CharacteristicStored| Characteristic {
            name: stored.name.as_str().into(),
            baseline: stored.baseline,
            column: stored.column,
            attributes: stored.attributes.iter().map(attribute).collect(),
        };
        let card = Characteristics {
            start: self.start,
            columns,
            characteristics: self.characteristics.iter().map(characteristic).collect(),
            adverse: match self.adverse {
                AdverseStored::Above => Adverse::Above,
                AdverseStored::Below => Adverse::Below,
            },
        };
        Ok(card.checked()?)
    }
}

fn store_condition(condition: &Condition) -> ConditionStored {
    let all = |inner: &[Condition]| inner.iter().map(store_condition).collect();
    match condition {
        Condition::Always => ConditionStored::Always,
        Condition::Never => ConditionStored::Never,
        Condition::Compare { column, how, with } => {
            let how = match how {
                Compare::Equal => CompareStored::Equal,
                Compare::NotEqual => CompareStored::NotEqual,
                Compare::Below => CompareStored::Below,
                Compare::AtMost => CompareStored::AtMost,
                Compare::Above => CompareStored::Above,
                Compare::AtLeast => CompareStored::AtLeast,
            };
            ConditionStored::Compare { column: *column, how, with: *with }
        }
        Condition::Given { column, is } => ConditionStored::Given { column: *column, is: *is },
        Condition::OneOf { column, of, is } => {
            ConditionStored::OneOf { column: *column, of: of.clone(), is: *is }
        }
        Condition::All(inner) => ConditionStored::All(all(inner)),
        Condition::Any(inner) => ConditionStored::Any(all(inner)),
        Condition::Odd(inner) => ConditionStored::Odd(all(inner)),
        Condition::FirstKnown(inner) => ConditionStored::FirstKnown(all(inner)),
    }
}

fn read_condition(stored: &ConditionStored) -> Condition {
    let all = |inner: &[ConditionStored]| inner.iter().map(read_condition).collect();
    match stored {
        ConditionStored::Always => Condition::Always,
        ConditionStored::Never => Condition::Never,
        ConditionStored::Compare { column, how, with } => {
            let how = match how {
                CompareStored::Equal => Compare::Equal,
                CompareStored::NotEqual => Compare::NotEqual,
                CompareStored::Below => Compare::Below,
                CompareStored::AtMost => Compare::AtMost,
                CompareStored::Above => Compare::Above,
                CompareStored::AtLeast => Compare::AtLeast,
            };
            Condition::Compare { column: *column, how, with: *with }
        }
        ConditionStored::Given { column, is } => Condition::Given { column: *column, is: *is },
        ConditionStored::OneOf { column, of, is } => {
            Condition::OneOf { column: *column, of: of.clone(), is: *is }
        }
        ConditionStored::All(inner) => Condition::All(all(inner)),
        ConditionStored::Any(inner) => Condition::Any(all(inner)),
        ConditionStored::Odd(inner) => Condition::Odd(all(inner)),
        ConditionStored::FirstKnown(inner) => Condition::FirstKnown(all(inner)),
    }
}
