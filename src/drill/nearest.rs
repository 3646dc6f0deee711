//! The name that somebody probably meant.

/// The candidate nearest to `word`, where one is near enough that naming it helps.
///
/// Nearness is the Damerau-Levenshtein distance, at most a third of the longer word and at least one, so
/// that `baselin` finds `baseline` and `x` finds nothing. A candidate that contains the word, or is
/// contained in it, counts too when nothing is nearer.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = word.to_lowercase().replace('-', "_");
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let other = candidate.to_lowercase().replace('-', "_");
        let longer = folded.chars().count().max(other.chars().count());
        let mut distance = strsim::damerau_levenshtein(&folded, &other);
        let shorter = folded.len().min(other.len());
        if shorter >= 4 && (other.contains(&folded) || folded.contains(&other)) {
            distance = distance.min(longer / 3);
        }
        if distance <= (longer / 3).max(1) && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    // A word of one letter is near to every other word of one letter.
    best.filter(|_| word.chars().count() > 1)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    const STEPS: [&str; 4] = ["baseline", "kill", "kill_process", "fail_over"];

    #[test]
    fn finds_what_was_meant() {
        assert_eq!(nearest("baselin", STEPS), Some("baseline"));
        assert_eq!(nearest("failover", STEPS), Some("fail_over"));
        assert_eq!(nearest("fail-over", STEPS), Some("fail_over"));
        assert_eq!(nearest("kil", STEPS), Some("kill"));
        assert_eq!(nearest("Kill", STEPS), Some("kill"));
        assert_eq!(nearest("process", STEPS), Some("kill_process"));
    }

    #[test]
    fn says_nothing_rather_than_something_far() {
        assert_eq!(nearest("explode", STEPS), None);
        assert_eq!(nearest("k", STEPS), None);
        assert_eq!(nearest("", STEPS), None);
    }
}
