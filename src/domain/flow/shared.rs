//! The lists that a flow may ask, its own and those of `rules/_shared/`.

use std::sync::Arc;

use super::compile::Build;
use crate::domain::expression::scope::ScopedList;
use crate::domain::list::List;
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
}
