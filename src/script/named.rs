//! Which verbs and types a recipe can use: registering all of them takes as long as starting
//! nsscript.

use std::collections::HashSet;

/// The names in a text.
pub enum Named<'t> {
    /// Its words.
    Words(HashSet<&'t str>),
    /// Any: a module may use what it likes, and a name may be put together.
    All,
}

impl<'t> Named<'t> {
    /// The names in the text of a recipe.
    pub fn in_text(text: &'t str) -> Self {
        let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let words: HashSet<&str> = text.split(|letter| !is_word(letter)).collect();
        if words.contains("import") || words.contains("Fn") {
            Self::All
        } else {
            Self::Words(words)
        }
    }

    /// Whether this name is among them.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::Words(words) => words.contains(name),
            Self::All => true,
        }
    }

    /// Whether one of these is.
    pub fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.has(name))
    }
}

#[cfg(test)]
mod tests {
    use super::Named;

    #[test]
    fn names_are_whole_words() {
        let named = Named::in_text("let r = rootfs().binary(\"sh\"); // unmount");
        assert!(named.has("rootfs") && named.has_any(&["x", "binary"]));
        assert!(!named.has("mount") && !named.has("root"));
        assert!(Named::in_text("import \"std/roots\" as roots;").has("mount"));
    }
}
