//! What is true, whatever asks and wherever it runs: values, expressions, rules, flows, models and the
//! verdict. Absent on purpose: IO, clock, randomness, async, logging, serde and hash maps.

pub mod declaration;
pub mod diagnostic;
pub mod facts;
pub mod flow;
pub mod model;
pub mod place;
pub mod value;
pub mod verdict;
