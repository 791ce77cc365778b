//! Facts as commands take them: a file or stdin. Absent on purpose: whether a flow admits them.

use std::io::Read as _;

use super::say::{Say, Trouble};
use crate::documents::json::{self, JsonLimits};
use crate::domain::facts::{FactProblem, Given};

/// The JSON object in a file; `-` is stdin.
pub(super) fn read(file: &str) -> Result<Given, Trouble> {
    let bytes = if file == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(file)
    };
    let unread = |error| Trouble::because(&format!("`{file}` cannot be read"), &error);
    json::parse(&bytes.map_err(unread)?, JsonLimits::default())
        .map_err(|error| Trouble::because(&format!("`{file}` is not JSON"), &error))
}

/// Everything that is wrong with facts, a line each; no values.
pub(super) fn tell_problems(problems: &[FactProblem], say: &Say) {
    for problem in problems {
        say.talk(&format!("error: {} {}: {}", problem.pointer, problem.code, problem.detail));
    }
}
