//! Which flow asks which, and in which order they are therefore compiled: those that are asked first. A flow that
//! asks itself by any way never compiles; the way is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Documents, FlowRevision};
use crate::domain::declaration::{SubFlowDeclaration, SubFlowFound};
use crate::domain::place::{Located, Place};
use crate::domain::script::named::named_calls;
use crate::domain::value::Name;

/// The flows that each flow's script names.
#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: BTreeMap<String, Vec<String>>,
}

/// What came of the flows that were built so far; `None`: it does not check.
pub(super) type BuiltFlows = BTreeMap<Name, Option<Arc<FlowRevision>>>;

impl Calls {
    /// Reads the scripts of these flows.
    pub fn of<'n>(documents: &Documents, flows: impl Iterator<Item = &'n str>) -> Self {
        let of_flow = |name: &str| -> Vec<String> {
            let script = documents.files.get(&format!("rules/{name}/flow.rhai"));
            let text = script.and_then(|bytes| std::str::from_utf8(bytes).ok());
            // Most scripts ask no other flow: they need not be read twice.
            let Some(text) = text.filter(|text| text.contains("flow")) else { return Vec::new() };
            let calls = named_calls(&Located::new(text.to_owned(), Place::default()));
            let mut named: Vec<String> = Vec::new();
            for call in calls.into_iter().filter(|call| call.word == "flow") {
                if !named.contains(&call.name.value) {
                    named.push(call.name.value);
                }
            }
            named
        };
        Self { calls: flows.map(|name| (name.to_owned(), of_flow(name))).collect() }
    }

    /// Every flow, after those that it asks. Flows of a cycle come in some order: they do not compile.
    pub fn order(&self) -> Vec<String> {
        let mut order = Vec::new();
        let mut seen = BTreeSet::new();
        for flow in self.calls.keys() {
            self.visit(flow, &mut seen, &mut order);
        }
        order
    }

    /// A flow and all that it asks, directly or not; those that are asked first.
    pub fn order_of(&self, flow: &str) -> Vec<String> {
        let mut order = Vec::new();
        self.visit(flow, &mut BTreeSet::new(), &mut order);
        order
    }

    /// Without recursion: a chain of flows may be as long as there are flows.
    fn visit(&self, from: &str, seen: &mut BTreeSet<String>, order: &mut Vec<String>) {
        let mut path: Vec<(&str, usize)> = vec![(from, 0)];
        while let Some((flow, next)) = path.pop() {
            if next == 0 && !seen.insert(flow.to_owned()) {
                continue;
            }
            match self.calls.get(flow).and_then(|asked| asked.get(next)) {
                Some(asked) => {
                    path.push((flow, next + 1));
                    if self.calls.contains_key(asked) && !seen.contains(asked) {
                        path.push((asked, 0));
                    }
                }
                None if self.calls.contains_key(flow) => order.push(flow.to_owned()),
                None => {}
            }
        }
    }

    /// The shortest way from a flow through `first` back to itself, if there is one: both ends are named.
    fn cycle(&self, flow: &str, first: &str) -> Option<Vec<String>> {
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut waiting = std::collections::VecDeque::from([first]);
        let mut seen = BTreeSet::from([first]);
        while let Some(here) = waiting.pop_front() {
            if here == flow {
                let mut way = vec![flow.to_owned()];
                let mut at = here;
                while let Some(before) = came_from.get(at) {
                    way.push((*before).to_owned());
                    at = before;
                }
                way.push(flow.to_owned());
                way.reverse();
                return Some(way);
            }
            for asked in self.calls.get(here).into_iter().flatten() {
                if seen.insert(asked) {
                    came_from.insert(asked, here);
                    waiting.push_back(asked);
                }
            }
        }
        None
    }

    /// The other flows as a flow's script may ask them: those that it names first.
    pub fn sub_flows(&self, flow: &str, market: Option<&str>, built: &BuiltFlows) -> Vec<SubFlowDeclaration> {
        let named = self.calls.get(flow).map(Vec::as_slice).unwrap_or_default();
        let mut all = Vec::new();
        for name in named.iter().filter(|name| self.calls.contains_key(*name)) {
            let found = match (self.cycle(flow, name), built.get(name.as_str())) {
                (Some(way), _) => SubFlowFound::Cycle(way),
                (None, Some(Some(revision))) => {
                    SubFlowFound::Flow(Arc::clone(&revision.for_caller_in(market).flow))
                }
                (None, _) => SubFlowFound::Broken,
            };
            all.push(SubFlowDeclaration { name: name.clone(), found });
        }
        let others = self.calls.keys().filter(|name| *name != flow && !named.contains(name));
        all.extend(
            others.map(|name| SubFlowDeclaration { name: name.clone(), found: SubFlowFound::Uncalled }),
        );
        all
    }

    /// The flows that a flow's script names and that check, as it asks them.
    pub fn asked<'b>(
        &self,
        flow: &str,
        market: Option<&'b str>,
        built: &'b BuiltFlows,
    ) -> impl Iterator<Item = &'b FlowRevision> {
        let named = self.calls.get(flow).cloned().unwrap_or_default();
        named
            .into_iter()
            .filter_map(|name| built.get(name.as_str())?.as_ref())
            .map(move |revision| revision.for_caller_in(market))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(all: &[(&str, &[&str])]) -> Calls {
        let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Calls { calls: all.iter().map(|(flow, names)| ((*flow).to_owned(), named(names))).collect() }
    }

    #[test]
    fn what_is_asked_comes_before_who_asks_and_a_way_back_is_told() {
        let chain = calls(&[("a", &["b", "c"]), ("b", &["c", "gone"]), ("c", &[]), ("d", &[])]);
        assert_eq!(chain.order(), ["c", "b", "a", "d"]);
        assert_eq!(chain.order_of("b"), ["c", "b"]);
        assert_eq!(chain.cycle("a", "b"), None);

        let round = calls(&[("a", &["b"]), ("b", &["c"]), ("c", &["a"]), ("d", &["d"]), ("e", &["a"])]);
        assert_eq!(round.order().len(), 5);
        assert_eq!(round.cycle("a", "b").unwrap(), ["a", "b", "c", "a"]);
        assert_eq!(round.cycle("c", "a").unwrap(), ["c", "a", "b", "c"]);
        assert_eq!(round.cycle("d", "d").unwrap(), ["d", "d"]);
        assert_eq!(round.cycle("e", "a"), None, "a flow that leads into a cycle is not on it");
    }
}
