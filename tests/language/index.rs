//! recipes/README.md: an index of the recipes, made of what each says first.

use std::fs;
use std::path::{Path, PathBuf};

use super::nsscript::{PACKAGE, updates};
use super::recipes::recipes_in;

const FILE: &str = "recipes/README.md";
const REWRITE: &str = "NSSCRIPT_UPDATE=1 cargo test --test suite index";

/// A chapter of the index.
#[derive(Debug, PartialEq, Eq)]
struct Chapter {
    title: String,
    /// What follows the title, as it is in the recipe.
    text: String,
}

/// What a recipe says first: the first sentence is the title.
fn chapter(recipe: &str) -> Chapter {
    let lines = recipe.lines().skip_while(|line| line.starts_with("#!"));
    let header = lines.map_while(|line| line.strip_prefix("//!"));
    let header: Vec<&str> = header.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    let header = header.join("\n");
    let (first, rest) = header.trim().split_once("\n\n").unwrap_or((header.trim(), ""));
    let ends = |at: usize| first[at..].starts_with(['.', '?']) && !first[at + 1..].starts_with('.');
    let is_last = |at: usize| first[at + 1..].chars().next().is_none_or(char::is_whitespace);
    let end = first.char_indices().map(|(at, _)| at).find(|at| ends(*at) && is_last(*at));
    let (title, more) = first.split_at(end.map_or(first.len(), |end| end + 1));
    let text = format!("{}\n\n{}", more.trim(), rest.trim()).trim().to_owned();
    Chapter { title: title.trim_end_matches('.').replace('\n', " "), text }
}

/// The chapters of these recipes, below headings of this level.
fn chapters(level: &str, recipes: &[PathBuf]) -> String {
    let mut out = String::new();
    for recipe in recipes {
        let Chapter { title, text } = chapter(&fs::read_to_string(recipe).unwrap());
        let path = recipe.strip_prefix(Path::new(PACKAGE).join("recipes")).unwrap();
        let path = path.to_str().unwrap();
        out.push_str(&format!("\n{level} {title}\n\n[{path}]({path})\n"));
        if !text.is_empty() {
            out.push_str(&format!("\n{text}\n"));
        }
    }
    out
}

fn index() -> String {
    let lessons = recipes_in("recipes/lessons");
    let mut out = format!(
        "# Recipes\n\n<!-- Written by `{REWRITE}` from what the recipes say first. -->\n\nA recipe \
         is run by its path: `nsscript recipes/hello.rhai`. `nsscript plan` tells what it\nwould \
         do, and `nsscript test` runs all of them.\n"
    );
    out.push_str(&chapters("##", &recipes_in("recipes")));
    if !lessons.is_empty() {
        out.push_str(
            "\n## Lessons\n\nFrom one system call to a container, each building on those before.\n",
        );
        out.push_str(&chapters("###", &lessons));
    }
    out
}

#[test]
fn the_index_is_what_the_recipes_say_first() {
    let file = Path::new(PACKAGE).join(FILE);
    let wanted = index();
    if updates() {
        return fs::write(file, wanted).unwrap();
    }
    let given = fs::read_to_string(file).unwrap_or_default();
    assert!(given == wanted, "{FILE} is out of date: `{REWRITE}` writes it");
}

#[test]
fn every_link_of_the_index_leads_to_a_recipe() {
    let text = index();
    let links: Vec<_> = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).collect();
    assert!(links.len() >= recipes_in("recipes").len());
    for (link, _) in links {
        assert!(Path::new(PACKAGE).join("recipes").join(link).is_file(), "{link}");
    }
}

#[test]
fn the_title_is_the_first_sentence() {
    let told = |title: &str, text: &str| Chapter { title: title.into(), text: text.into() };
    let header = "#!/usr/bin/env nsscript\n//! What is\n//! v1.2? More\n//! of it.\n//!\n//! `a`\n";
    assert_eq!(chapter(header), told("What is v1.2?", "More\nof it.\n\n`a`"));
    assert_eq!(chapter("//! One.\n\n//! Not this.\n"), told("One", ""));
    assert_eq!(chapter("//! No end"), told("No end", ""));
}
