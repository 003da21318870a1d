//! The modules of nsscript, from their doc comments.

/// The text of the module that the verb `container` runs.
pub const CONTAINER: &str = include_str!("../../../stdlib/container.rhai");

/// The modules of nsscript: name and text.
pub const STDLIB: &[(&str, &str)] = &[
    ("std/container", CONTAINER),
    ("std/net", include_str!("../../../stdlib/net.rhai")),
    ("std/roots", include_str!("../../../stdlib/roots.rhai")),
];

/// A module of nsscript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// Its name, as `import` takes it: `std/net`.
    pub name: &'static str,
    /// Its documentation: its `//!` lines, in Markdown.
    pub about: String,
    /// Its functions, in their order.
    pub functions: Vec<Function>,
}

/// A function of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// The names of its parameters.
    pub parameters: Vec<&'static str>,
    /// Its `///` lines, joined.
    pub doc: String,
}

impl Library {
    /// Its usual name in recipes: `net` for `std/net`.
    #[must_use]
    pub fn alias(&self) -> &'static str {
        self.name.rsplit('/').next().unwrap_or(self.name)
    }

    /// Its first sentence.
    #[must_use]
    pub fn summary(&self) -> &str {
        self.about.lines().next().unwrap_or_default()
    }
}

impl Function {
    /// The form of a call: `pair(one, other, subnet)`.
    #[must_use]
    pub fn signature(&self) -> String {
        format!("{}({})", self.name, self.parameters.join(", "))
    }

    /// Its first sentence.
    #[must_use]
    pub fn summary(&self) -> &str {
        self.doc.split_once(". ").map_or(self.doc.as_str(), |(first, _)| first)
    }
}

/// The modules of nsscript.
#[must_use]
pub fn libraries() -> Vec<Library> {
    STDLIB.iter().map(|(name, text)| library(name, text)).collect()
}

fn library(name: &'static str, text: &'static str) -> Library {
    let about = text.lines().map_while(|line| line.strip_prefix("//!"));
    let about: Vec<_> = about.map(str::trim).collect();
    let about = about.join("\n").trim().to_owned();
    let mut functions = Vec::new();
    let mut doc: Vec<&str> = Vec::new();
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("///") {
            doc.extend(Some(comment.trim()).filter(|line| !line.is_empty()));
            continue;
        }
        let signature = line.strip_prefix("fn ").and_then(|rest| rest.split(')').next());
        if let Some((name, parameters)) = signature.and_then(|text| text.split_once('(')) {
            let parameters = parameters.split(',').map(str::trim);
            let parameters = parameters.filter(|parameter| !parameter.is_empty()).collect();
            functions.push(Function { name, parameters, doc: doc.join(" ") });
        }
        doc.clear();
    }
    Library { name, about, functions }
}

#[cfg(test)]
mod tests {
    use super::library;

    #[test]
    fn a_module_tells_of_itself_and_of_its_functions() {
        let text = "//! About it.\n//! More.\n\n/// Does one.\n/// Twice.\nfn one(a, b) {\n}\n\n\
                    /// Lost.\n\nfn none() {}\n";
        let found = library("std/it", text);
        assert_eq!((found.alias(), found.about.as_str()), ("it", "About it.\nMore."));
        let told: Vec<_> =
            found.functions.iter().map(|it| (it.signature(), it.doc.as_str())).collect();
        assert_eq!(told, [("one(a, b)".into(), "Does one. Twice."), ("none()".into(), "")]);
        assert_eq!(found.functions[0].summary(), "Does one");
    }
}
