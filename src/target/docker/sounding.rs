//! Finds out which ways packets pass, each way by itself: a word is said at one end, by UDP, and listened for at the
//! other.

use super::hands::Hand;
use crate::target::{End, Way};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::sleep;

/// How often a word is said before it counts as lost.
const ROUNDS: u32 = 4;
/// How long it may take after each.
const PAUSE: Duration = Duration::from_millis(60);

/// Makes words that were never said before.
static WORDS: AtomicU64 = AtomicU64::new(0);

/// The ways on which a word that is said at one end is heard at the other.
///
/// # Errors
/// When an end does not run, or cannot be asked.
pub(super) async fn passing(
    hands: &mut BTreeMap<String, Hand>,
    ways: &[Way],
) -> Result<Vec<Way>, String> {
    let mut ports: BTreeMap<&str, String> = BTreeMap::new();
    for way in ways {
        let place = way.to.place.as_str();
        if !ports.contains_key(place) {
            let answer = ask(hands, &way.to, "listen").await?;
            let port = answer.trim_start_matches("port ").to_owned();
            ports.insert(place, port);
        }
    }
    let words: Vec<String> = ways
        .iter()
        .map(|_| format!("word-{}", WORDS.fetch_add(1, Ordering::Relaxed)))
        .collect();
    let mut heard = vec![false; ways.len()];
    for _ in 0..ROUNDS {
        for ((way, word), heard) in ways.iter().zip(&words).zip(&heard) {
            if !heard {
                let port = ports.get(way.to.place.as_str()).map_or("", String::as_str);
                let question = format!("say {} {port} {word}", way.to.address);
                ask(hands, &way.from, &question).await?;
            }
        }
        sleep(PAUSE).await;
        for ((way, word), heard) in ways.iter().zip(&words).zip(&mut heard) {
            if !*heard {
                *heard = ask(hands, &way.to, &format!("heard {word}")).await? == "yes";
            }
        }
        if heard.iter().all(|heard| *heard) {
            break;
        }
    }
    let passing = ways.iter().zip(heard).filter(|(_, heard)| *heard);
    Ok(passing.map(|(way, _)| way.clone()).collect())
}

async fn ask(
    hands: &mut BTreeMap<String, Hand>,
    end: &End,
    question: &str,
) -> Result<String, String> {
    match hands.get_mut(&end.place) {
        Some(hand) => {
            let asked = hand.ask(question).await;
            asked.map_err(|why| format!("{}: {why}", end.name))
        }
        None => Err(format!("{} does not run", end.name)),
    }
}
