//! What a flow may have of `rules/_shared/` as well as of its own: lists and reasons; and the languages of the latter.

use std::sync::Arc;

use super::Reason;
use super::compile::Build;
use crate::domain::declaration::ReasonDeclaration;
use crate::domain::expression::scope::ScopedList;
use crate::domain::list::List;
use crate::domain::place::Located;
use crate::domain::value::Name;

impl Build<'_> {
    pub(super) fn lists(&mut self) -> Vec<(Name, Arc<List>)> {
        let declaration = self.declaration;
        for declared in &declaration.lists {
            self.scope.lists.push(ScopedList {
                name: Name::from(declared.name.value.as_str()),
                is_shared: declared.is_shared,
                list: Arc::clone(&declared.list),
                file: declared.name.place.file,
            });
        }
        self.scope.lists.iter().map(|list| (list.name.clone(), Arc::clone(&list.list))).collect()
    }

    /// Of what is shared a flow has what it uses, as it has when it is built again.
    pub(super) fn reasons(&self) -> Vec<Reason> {
        let used =
            |r: &&ReasonDeclaration| !r.is_shared || self.usage.reasons.contains(r.code.value.as_str());
        let made = self.declaration.reasons.iter().filter(used).map(|r| Reason {
            code: Name::from(r.code.value.as_str()),
            texts: r.texts.clone(),
            is_score: r.is_score,
        });
        made.collect()
    }

    /// Whoever is answered in a declared language finds every reason in it.
    pub(super) fn languages(&mut self) {
        let declaration = self.declaration;
        for reason in &declaration.reasons {
            if reason.is_shared && !self.usage.reasons.contains(reason.code.value.as_str()) {
                continue;
            }
            let lacks = |language: &&Located<String>| {
                reason.texts.get(&language.value).is_none_or(|text| text.trim().is_empty())
            };
            let lacking: Vec<&str> =
                declaration.languages.iter().filter(lacks).map(|l| l.value.as_str()).collect();
            if let Some(first) = lacking.first() {
                let message =
                    format!("the reason `{}` has no text in `{}`", reason.code.value, lacking.join("`, `"));
                let help = format!(
                    "write `{}: {{ {first}: … }}`, or take it out of `languages:`",
                    reason.code.value
                );
                self.error("T063", &reason.code, message, Some(help));
            }
        }
    }
}
