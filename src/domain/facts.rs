//! What a caller told us: first as given (a tree without types), then as admitted against a flow's inputs.
//! Parsing of JSON and YAML is `documents`'; here a number still is the text that it was written as.

use super::value::Value;

/// A JSON-like tree as it was sent. Numbers keep their source text; names within one map are unique.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    Null,
    Boolean(bool),
    /// Source text of a JSON number: `1500`, `0.10`, `1e3`.
    Number(String),
    Text(String),
    List(Vec<Given>),
    /// In the order sent.
    Map(Vec<(String, Given)>),
}

/// Facts that a flow has admitted: one value per declared input, in the declared order.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    pub values: Box<[Value]>,
    /// Facts that the flow does not declare, kept only under `unknown_inputs: record`.
    pub unread: Vec<(String, Given)>,
    /// What the caller has said to each declared need, in the declared order.
    pub needs: Box<[NeedAnswer]>,
    /// Pointers and codes of values out of range, admitted only under an `on_invalid` outcome.
    pub invalid: Vec<FactProblem>,
}

/// What the caller has said to a need.
#[derive(Debug, Clone, PartialEq)]
pub enum NeedAnswer {
    /// Nothing yet: a flow that asks for it stops there.
    Awaited,
    /// `null`: it cannot be had.
    Unavailable,
    /// A map.
    Given(Value),
}

/// One thing wrong with the facts of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactProblem {
    /// JSON pointer within the facts: `/amount`, `/accounts/2/balance`.
    pub pointer: String,
    /// `missing`, `unknown`, `wrong_type`, `not_a_choice`, `too_low`, `too_high`, …
    pub code: &'static str,
    /// What was expected; never the value that was sent.
    pub detail: String,
}
