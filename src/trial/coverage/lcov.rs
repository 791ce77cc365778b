//! Coverage as LCOV's tracefile, which CI systems and editors read: a line counts how many cases reached something on
//! it, a branch how many reached that goal. Paths are those of the sources: relative, with `/`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Covered, FlowCoverage, Kind};
use crate::documents::Source;

/// What stands on the lines of one file.
#[derive(Default)]
pub(super) struct FileLines<'c> {
    pub lines: BTreeMap<u32, Vec<&'c Covered>>,
}

/// The things of each file, by the line that they begin on.
pub(super) fn by_file<'c>(
    flows: impl IntoIterator<Item = &'c FlowCoverage>,
    sources: &[Source],
) -> BTreeMap<u32, FileLines<'c>> {
    let mut files: BTreeMap<u32, FileLines<'c>> = BTreeMap::new();
    for item in flows.into_iter().flat_map(|flow| &flow.items) {
        // What was declared is no line that runs.
        if matches!(item.kind, Kind::Outcome | Kind::Reason) {
            continue;
        }
        let source = usize::try_from(item.place.file).ok().and_then(|at| sources.get(at));
        let Some(source) = source else { continue };
        let line = source.position(item.place.span.start).line;
        files.entry(item.place.file).or_default().lines.entry(line).or_default().push(item);
    }
    files
}

/// A tracefile for all flows together.
#[must_use]
pub fn lcov(flows: &[FlowCoverage], sources: &[Source]) -> String {
    let mut out = String::new();
    for (file, lines) in by_file(flows, sources) {
        let source = usize::try_from(file).ok().and_then(|at| sources.get(at));
        let Some(source) = source else { continue };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "TN:\nSF:{}", source.path);
        let (mut branches, mut taken) = (0_usize, 0_usize);
        for (line, items) in &lines.lines {
            let of_two = items.iter().filter(|item| item.goals.len() > 1);
            for (block, item) in of_two.enumerate() {
                let is_evaluated = !item.runs().is_empty();
                for (branch, goal) in item.goals.iter().enumerate() {
                    branches += 1;
                    taken += usize::from(!goal.runs.is_empty());
                    let count = if is_evaluated { goal.runs.len().to_string() } else { "-".to_owned() };
                    let _ = writeln!(out, "BRDA:{line},{block},{branch},{count}");
                }
            }
        }
        if branches > 0 {
            let _ = writeln!(out, "BRF:{branches}\nBRH:{taken}");
        }
        let mut hit = 0_usize;
        for (line, items) in &lines.lines {
            let count = items.iter().map(|item| item.runs().len()).max().unwrap_or_default();
            hit += usize::from(count > 0);
            let _ = writeln!(out, "DA:{line},{count}");
        }
        let _ = writeln!(out, "LF:{}\nLH:{hit}\nend_of_record", lines.lines.len());
    }
    out
}
