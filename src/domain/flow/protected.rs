//! Inputs that may be read only in some rule sets, scorecards and tables: what `protected:` names is there.

use super::compile::Build;
use crate::domain::expression::scope::position;
use crate::domain::nearest::nearest;
use crate::domain::value::Name;

impl Build<'_> {
    /// Takes what is protected into the scope; names that are not there are reported.
    pub(super) fn protected(&mut self) {
        let declaration = self.declaration;
        for (input, sets) in &declaration.protected {
            if position(&self.scope.inputs, &input.value).is_none() {
                let names = declaration.inputs.iter().map(|i| i.name.value.as_str());
                let help = nearest(&input.value, names).map(|n| format!("did you mean `{n}`?"));
                self.error(
                    "T004",
                    input,
                    format!("`protected` names an unknown input `{}`", input.value),
                    help,
                );
            }
            for set in sets {
                let steps = declaration.rule_sets.iter().map(|r| &r.name);
                let steps = steps.chain(declaration.scorecards.iter().map(|s| &s.name));
                let names: Vec<&str> = steps
                    .chain(declaration.tables.iter().map(|t| &t.name))
                    .map(|n| n.value.as_str())
                    .collect();
                if !names.contains(&set.value.as_str()) {
                    let message = format!("this flow has no rule set, scorecard or table `{}`", set.value);
                    let help = nearest(&set.value, names).map(|near| format!("did you mean `{near}`?"));
                    self.error("T010", set, message, help);
                }
            }
            let sets = sets.iter().map(|s| s.value.clone()).collect();
            self.scope.protected.push((Name::from(input.value.as_str()), sets));
        }
    }
}
