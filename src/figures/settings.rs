//! Timers and limits of a stack in short.

/// Named settings in short, one phrase for those that share their first word. Times add up and counts
/// multiply: `agent detection 300 ms + loop 50 ms`, `router check interval 50 ms × fall 3 / rise 2`.
#[must_use]
pub fn settings<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let mut groups: Vec<(&str, Vec<String>, Vec<String>)> = Vec::new();
    for (name, value) in pairs {
        let (group, rest) = name.split_once(' ').unwrap_or((name, ""));
        let place = groups.iter().position(|(known, ..)| *known == group);
        let place = place.unwrap_or_else(|| {
            groups.push((group, Vec::new(), Vec::new()));
            groups.len() - 1
        });
        let Some((_, times, counts)) = groups.get_mut(place) else {
            continue;
        };
        let is_count = !value.is_empty() && value.chars().all(|c| c.is_ascii_digit());
        let into = if is_count { counts } else { times };
        into.push(format!("{rest} {value}").trim().to_owned());
    }
    let phrases = groups.into_iter().map(|(group, times, counts)| {
        let mut text = format!("{group} {}", times.join(" + "));
        if !times.is_empty() && !counts.is_empty() {
            text.push_str(" × ");
        }
        text.push_str(&counts.join(" / "));
        text
    });
    phrases.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_belong_together_are_one_phrase() {
        let pairs = [
            ("router check interval", "50 ms"),
            ("router fall", "3"),
            ("router rise", "2"),
            ("agent detection", "300 ms"),
            ("agent loop", "50 ms"),
            ("wal_sender_timeout", "5 s"),
            ("quorum size", "2"),
        ];
        assert_eq!(
            settings(pairs),
            [
                "router check interval 50 ms × fall 3 / rise 2",
                "agent detection 300 ms + loop 50 ms",
                "wal_sender_timeout 5 s",
                "quorum size 2",
            ]
        );
    }
}
