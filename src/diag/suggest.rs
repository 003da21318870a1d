//! Suggestions for misspelled names: "did you mean".

/// The number of candidates above which some word is close to every other one by chance.
const MANY: usize = 400;

/// The candidate that `word` most likely stands for, or `None` if none is close.
///
/// Close is a Damerau-Levenshtein distance of at most a third of the word's length (at least 1), or
/// a candidate that begins with the word (of three characters or more). Among very many, like the
/// programs of a machine, the limit is a fifth.
#[must_use]
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let length = word.chars().count();
    let (few, many) = ((length / 3).max(1), (length / 5).max(1));
    let mut best: Option<(usize, &str)> = None;
    let mut number = 0;
    for candidate in candidates {
        number += 1;
        if candidate == word {
            continue;
        }
        let begins = lower.len() >= 3 && candidate.to_lowercase().starts_with(&lower);
        let exact = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
        let distance = if begins { exact.min(many) } else { exact };
        if distance <= few && best.is_none_or(|(other, _)| distance < other) {
            best = Some((distance, candidate));
        }
    }
    let most = if number > MANY { many } else { few };
    best.filter(|(distance, _)| *distance <= most).map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn finds_slips_and_beginnings_and_nothing_far() {
        let verbs = ["hostname", "bind", "tmpfs", "read_only"];
        assert_eq!(closest("hostnme", verbs), Some("hostname"));
        assert_eq!(closest("bnid", verbs), Some("bind"));
        assert_eq!(closest("host", verbs), Some("hostname"));
        assert_eq!(closest("Tmpfs", verbs), Some("tmpfs"));
        assert_eq!(closest("overlay", verbs), None);
    }

    #[test]
    fn among_very_many_only_a_slip_is_near() {
        let programs: Vec<String> = (0..1000).map(|number| format!("program-{number}")).collect();
        let all = || programs.iter().map(String::as_str).chain(["touch", "python3"]);
        assert_eq!(closest("nosuch", all()), None);
        assert_eq!(closest("toucj", all()), Some("touch"));
        assert_eq!(closest("python", all()), Some("python3"));
        assert_eq!(closest("nosuch", ["touch"]), Some("touch"));
    }
}
