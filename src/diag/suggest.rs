//! "did you mean".

/// The candidate that `word` most likely meant, or none where nothing is near.
///
/// Near is a Damerau-Levenshtein distance of at most a third of the word's length (at least 1),
/// or a candidate that begins with the word (of three characters or more).
#[must_use]
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let most = (word.chars().count() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        if candidate == word {
            continue;
        }
        let begins = lower.len() >= 3 && candidate.to_lowercase().starts_with(&lower);
        let exact = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
        let distance = if begins { exact.min(most) } else { exact };
        if distance <= most && best.is_none_or(|(other, _)| distance < other) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
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
}
