//! What is true, whatever asks and wherever it runs: values, expressions, rules, flows, models and the
//! verdict. Absent on purpose: IO, clock, randomness, async, logging, serde and hash maps.

pub mod analysis;
pub mod declaration;
pub mod diagnostic;
pub mod difference;
pub mod explanation;
pub mod expression;
pub mod facts;
pub mod flow;
pub mod list;
pub mod model;
pub mod nearest;
pub mod outline;
pub mod place;
pub mod scorecard;
pub mod script;
pub mod table;
pub mod value;
pub mod verdict;
