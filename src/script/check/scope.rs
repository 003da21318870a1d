//! The names that are visible at a position of a text.

use std::rc::Rc;

use super::kind::Kind;
use super::unit::Unit;

/// A variable or constant.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// The kind of its value.
    pub kind: Kind,
    /// Whether it is a constant.
    pub is_constant: bool,
    /// The captured variables, if it is a closure.
    pub captures: Vec<String>,
}

/// A module, by the name that it was imported as.
#[derive(Clone)]
pub struct Imported {
    /// That name.
    pub name: String,
    /// The module; `None` if it could not be read.
    pub unit: Option<Rc<Unit>>,
}

/// The visible names. A later one hides an earlier one of the same name.
#[derive(Clone, Default)]
pub struct Scope {
    variables: Vec<Variable>,
    modules: Vec<Imported>,
}

impl Scope {
    /// The current size, to return to.
    pub fn mark(&self) -> (usize, usize) {
        (self.variables.len(), self.modules.len())
    }

    /// Removes everything after `mark`.
    pub fn reset(&mut self, mark: (usize, usize)) {
        self.variables.truncate(mark.0);
        self.modules.truncate(mark.1);
    }

    pub fn add(&mut self, name: &str, kind: Kind) {
        self.push(Variable {
            name: name.to_owned(),
            kind,
            is_constant: false,
            captures: Vec::new(),
        });
    }

    pub fn push(&mut self, variable: Variable) {
        self.variables.push(variable);
    }

    pub fn import(&mut self, name: &str, unit: Option<Rc<Unit>>) {
        self.modules.push(Imported { name: name.to_owned(), unit });
    }

    pub fn variable(&self, name: &str) -> Option<&Variable> {
        self.variables.iter().rev().find(|variable| variable.name == name)
    }

    pub fn module(&self, name: &str) -> Option<&Imported> {
        self.modules.iter().rev().find(|module| module.name == name)
    }

    /// The names of the variables.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|variable| variable.name.as_str())
    }

    /// The scope of a function: the same modules, and no variables.
    pub fn modules_only(&self) -> Self {
        Self { variables: Vec::new(), modules: self.modules.clone() }
    }
}
