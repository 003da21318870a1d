//! The source texts that origins point into.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// Every text read in this run, by the name that its origins carry.
///
/// Clones share the same table.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    texts: Rc<RefCell<HashMap<Arc<str>, Arc<str>>>>,
}

impl Sources {
    /// Keeps `text` under `name`; a text already kept under that name is replaced.
    pub fn insert(&self, name: &str, text: &str) {
        self.texts.borrow_mut().insert(name.into(), text.into());
    }

    /// Keeps the texts of `other` that are not kept yet.
    pub fn add(&self, other: &Self) {
        for (name, text) in &*other.texts.borrow() {
            self.texts.borrow_mut().entry(name.clone()).or_insert_with(|| text.clone());
        }
    }

    /// The whole text kept under `name`.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Arc<str>> {
        self.texts.borrow().get(name).cloned()
    }

    /// Line `number` of the text `name`, counted from 1, without its line end.
    #[must_use]
    pub fn line(&self, name: &str, number: u32) -> Option<String> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.text(name)?.lines().nth(index).map(str::to_owned)
    }
}
