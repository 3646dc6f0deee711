//! The rules of the agent, each by a small story, and the ones that must never break by random ones.

use super::*;
use crate::target::local::view::{FRESH_ROUNDS, Word};
use proptest::prelude::*;

const SETTINGS: AgentSettings = AgentSettings {
    every: Duration::from_millis(50),
    detection: Duration::from_millis(300),
    automatic: true,
    name: "local agent",
};

fn primary(timeline: u32) -> Option<Word> {
    Some(Word::Primary { timeline })
}

fn standby(timeline: u32, position: u64) -> Option<Word> {
    Some(Word::Standby {
        timeline: Some(timeline),
        position,
        streaming: true,
    })
}

fn behind(timeline: u32, position: u64) -> Option<Word> {
    Some(Word::Standby {
        timeline: Some(timeline),
        position,
        streaming: false,
    })
}

/// A cluster told in words, moved on by hand.
struct Story {
    state: State,
    settings: AgentSettings,
    now: Stamp,
}

impl Story {
    fn new(settings: AgentSettings) -> Self {
        Self {
            state: State::default(),
            settings,
            now: Stamp(1_000_000),
        }
    }

    /// One round a period later, in which each node says this just now (`None`: no answer).
    fn round(&mut self, words: &[Option<Word>]) -> Vec<Decision> {
        self.now = self.now.plus(self.settings.every);
        let said = |word: &Option<Word>| word.map(|word| (self.now, word));
        let view: Vec<NodeView> = words
            .iter()
            .enumerate()
            .map(|(n, word)| NodeView {
                name: format!("node-{}", n + 1),
                said: said(word),
            })
            .collect();
        decide(&view, &mut self.state, &self.settings, self.now)
    }

    /// Rounds of the same words, until something is decided; what, and after how many rounds.
    fn until_decided(&mut self, words: &[Option<Word>]) -> (usize, Vec<Decision>) {
        for n in 1..100 {
            let decisions = self.round(words);
            if !decisions.is_empty() {
                return (n, decisions);
            }
        }
        panic!("nothing was decided in a hundred rounds");
    }

    fn calm(&mut self, rounds: usize, words: &[Option<Word>]) {
        for _ in 0..rounds {
            assert_eq!(self.round(words), []);
        }
    }

    fn done(&mut self, deed: Deed, node: &str, ok: bool) {
        self.state.done(deed, node, ok, &self.settings, self.now);
    }
}

fn node(decision: &Decision) -> (&'static str, &str) {
    match decision {
        Decision::LeaderLost { node, .. } => ("lost", node),
        Decision::Promote { node, .. } => ("promote", node),
        Decision::Follow { standby, .. } => ("follow", standby),
        Decision::Demote { node } => ("demote", node),
        Decision::Note(text) => ("note", text),
    }
}

fn words(decisions: &[Decision]) -> Vec<(&'static str, &str)> {
    decisions.iter().map(node).collect()
}

#[test]
fn a_silent_leader_is_lost_after_detection_and_the_most_advanced_standby_comes_after_it() {
    let mut story = Story::new(SETTINGS);
    story.calm(5, &[primary(1), standby(1, 90), standby(1, 100)]);
    let silent = [None, behind(1, 90), behind(1, 100)];
    let (rounds, decisions) = story.until_decided(&silent);
    assert_eq!(rounds, 6, "300 ms at 50 ms a round");
    let last_negative = story.now.minus(SETTINGS.every);
    let node = |n: u32| format!("node-{n}");
    assert_eq!(
        decisions,
        [
            Decision::LeaderLost {
                node: node(1),
                last_negative
            },
            Decision::Promote {
                node: node(3),
                last_negative
            },
        ]
    );
    story.calm(20, &silent);
    story.done(Deed::Promote, "node-3", true);
    let (rounds, decisions) = story.until_decided(&[None, behind(1, 90), primary(2)]);
    assert_eq!((rounds, words(&decisions)), (1, vec![("follow", "node-2")]));
    story.done(Deed::Follow, "node-2", true);
    story.calm(50, &[None, standby(2, 120), primary(2)]);
}

#[test]
fn a_leader_that_answers_in_time_was_never_lost() {
    let mut story = Story::new(SETTINGS);
    story.calm(1, &[primary(1), standby(1, 9)]);
    for _ in 0..10 {
        story.calm(5, &[None, behind(1, 9)]);
        story.calm(1, &[primary(1), standby(1, 9)]);
    }
}

#[test]
fn without_a_candidate_it_is_said_once_and_a_leader_that_comes_back_leads_on() {
    let mut story = Story::new(SETTINGS);
    story.calm(1, &[primary(3), standby(3, 9), standby(2, 99)]);
    let (_, decisions) = story.until_decided(&[None, None, behind(2, 99)]);
    let text = "local agent: node-1 is lost and nothing can be promoted: node-2 does not answer as a \
                standby, node-3 is on timeline 2, older than 3";
    assert_eq!(words(&decisions), [("lost", "node-1"), ("note", text)]);
    story.calm(100, &[None, None, behind(2, 99)]);
    let back = story.round(&[primary(3), None, behind(2, 99)]);
    assert_eq!(
        words(&back)[0],
        ("note", "local agent: node-1 answers again and leads on")
    );
    let (_, decisions) = story.until_decided(&[None, behind(3, 9), behind(2, 99)]);
    assert_eq!(words(&decisions)[0], ("lost", "node-1"));
    assert_eq!(
        words(&decisions)[1],
        ("promote", "node-2"),
        "the newest timeline comes first"
    );
}

#[test]
fn a_failed_promotion_is_tried_again_after_a_while() {
    let mut story = Story::new(SETTINGS);
    story.calm(1, &[primary(1), standby(1, 9)]);
    story.until_decided(&[None, behind(1, 9)]);
    story.done(Deed::Promote, "node-2", false);
    let (rounds, decisions) = story.until_decided(&[None, behind(1, 9)]);
    assert_eq!(
        (rounds, words(&decisions)),
        (6, vec![("promote", "node-2")])
    );
}

#[test]
fn an_old_leader_that_wakes_is_demoted_in_the_same_round() {
    let mut story = Story::new(SETTINGS);
    story.calm(1, &[primary(1), standby(1, 9)]);
    story.until_decided(&[None, behind(1, 9)]);
    // It wakes while the promotion is under way, and again before the new primary has shown itself.
    story.calm(1, &[primary(1), behind(1, 9)]);
    story.done(Deed::Promote, "node-2", true);
    story.calm(1, &[primary(1), behind(1, 9)]);
    assert_eq!(
        words(&story.round(&[primary(1), primary(2)])),
        [("demote", "node-1")]
    );
    story.calm(3, &[primary(1), primary(2)]);
    story.done(Deed::Demote, "node-1", false);
    assert_eq!(story.until_decided(&[primary(1), primary(2)]).0, 6);
    story.done(Deed::Demote, "node-1", true);
    story.calm(10, &[None, primary(2)]);
}

#[test]
fn a_promoted_node_that_shows_itself_before_the_deed_is_reported_leads_on_its_own_timeline() {
    let mut story = Story::new(SETTINGS);
    story.calm(1, &[primary(1), standby(1, 9)]);
    story.until_decided(&[None, behind(1, 9)]);
    story.calm(2, &[None, primary(2)]);
    story.done(Deed::Promote, "node-2", true);
    story.calm(50, &[None, primary(2)]);
    assert_eq!(
        words(&story.round(&[primary(1), primary(2)])),
        [("demote", "node-1")]
    );
}

#[test]
fn on_the_same_timeline_nobody_is_demoted() {
    let mut story = Story::new(SETTINGS);
    story.calm(1, &[primary(2), standby(2, 9)]);
    let decisions = story.round(&[primary(2), primary(2)]);
    let text = "local agent: node-1 and node-2 are writable on the same timeline 2: nobody is demoted, \
                since nothing tells whose commits are to be kept";
    assert_eq!(words(&decisions), [("note", text)]);
    story.calm(100, &[primary(2), primary(2)]);
}

#[test]
fn its_own_sleep_is_no_silence_of_the_leader() {
    let mut story = Story::new(SETTINGS);
    story.calm(1, &[primary(1), standby(1, 9)]);
    for _ in 0..5 {
        story.now = story.now.plus(Duration::from_secs(2));
        // The first round after a sleep runs before any answer has been read.
        story.calm(1, &[None, behind(1, 9)]);
    }
    let (rounds, _) = story.until_decided(&[None, behind(1, 9)]);
    assert!(
        (1..=6).contains(&rounds),
        "but real silence still counts: {rounds}"
    );
}

#[test]
fn after_a_pause_whoever_leads_is_accepted_and_the_rest_follow() {
    let mut story = Story::new(SETTINGS);
    story.calm(1, &[primary(1), standby(1, 9), standby(1, 9)]);
    story.now = story.now.plus(Duration::from_millis(700));
    story.state.resume(story.now);
    story.calm(5, &[None, behind(1, 9), behind(1, 9)]);
    let decisions = story.round(&[behind(1, 9), primary(2), behind(1, 9)]);
    assert_eq!(
        words(&decisions),
        [
            ("note", "local agent: node-2 leads now, on timeline 2"),
            ("follow", "node-3")
        ]
    );
    story.done(Deed::Follow, "node-3", true);
    // node-1 was pointed at node-2 by whoever restarted it; it is told again only if it does not arrive.
    let (rounds, decisions) = story.until_decided(&[behind(1, 9), primary(2), standby(2, 9)]);
    assert_eq!(
        (rounds, words(&decisions)),
        (20, vec![("follow", "node-1")])
    );
}

#[test]
fn by_hand_it_only_points_standbys_at_the_leader() {
    let mut story = Story::new(AgentSettings {
        automatic: false,
        name: "local agent",
        ..SETTINGS
    });
    story.calm(1, &[primary(1), standby(1, 9), standby(1, 9)]);
    story.calm(100, &[None, behind(1, 9), behind(1, 9)]);
    let decisions = story.round(&[primary(1), primary(2), behind(1, 9)]);
    assert_eq!(words(&decisions)[1..], [("follow", "node-3")]);
    story.calm(10, &[primary(1), primary(2), standby(2, 9)]);
}

fn any_word() -> impl Strategy<Value = Option<Word>> {
    prop_oneof![
        2 => Just(None),
        2 => (1u32..5).prop_map(primary),
        3 => (prop::option::of(1u32..5), 0u64..4, any::<bool>()).prop_map(|(timeline, position, streaming)| {
            Some(Word::Standby { timeline, position, streaming })
        }),
    ]
}

/// What happens between two rounds: time, who answers what (`None`: no new word), deeds that end.
type Turn = (u64, [Option<Option<Word>>; 3], Option<bool>);

fn any_turn() -> impl Strategy<Value = Turn> {
    let word = || prop::option::of(any_word());
    (
        1_000u64..400_000,
        [word(), word(), word()],
        prop::option::of(any::<bool>()),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn what_must_never_happen_never_does(
        turns in prop::collection::vec(any_turn(), 1..60), automatic: bool
    ) {
        let settings = AgentSettings { automatic, ..SETTINGS };
        let mut state = State::default();
        let mut now = Stamp(0);
        let mut view: Vec<NodeView> =
            (1..=3).map(|n| NodeView { name: format!("node-{n}"), said: None }).collect();
        let mut under_way: Vec<(Deed, String)> = Vec::new();
        let mut led_at: Option<Stamp> = None;
        let mut newest = 0;
        let mut promoted_from = 0;
        let mut failed: BTreeMap<String, Stamp> = BTreeMap::new();
        for (later, said, ends) in turns {
            now = now.plus(Duration::from_micros(later));
            if let Some(ok) = ends && !under_way.is_empty() {
                let (deed, node) = under_way.remove(0);
                state.done(deed, &node, ok, &settings, now);
                if deed == Deed::Promote && ok {
                    // It leads from now on a newer timeline, shown or not.
                    newest = newest.max(promoted_from + 1);
                    led_at = Some(now);
                }
                if !ok {
                    failed.insert(node, now);
                }
            }
            for (node, said) in view.iter_mut().zip(said) {
                if let Some(word) = said {
                    node.said = word.map(|word| (now, word));
                }
            }
            let fresh: Vec<(String, Word)> = view.iter().filter_map(|node| {
                let (at, word) = node.said?;
                (now.since(at) <= settings.every * FRESH_ROUNDS).then(|| (node.name.clone(), word))
            }).collect();
            let writable: Vec<(String, u32)> = fresh.iter().filter_map(|(name, word)| match word {
                Word::Primary { timeline } => Some((name.clone(), *timeline)),
                Word::Standby { .. } => None,
            }).collect();
            let highest = writable.iter().map(|(_, timeline)| *timeline).max();
            if highest.is_some_and(|highest| highest >= newest) {
                newest = highest.unwrap_or(newest);
                // The leader's own last answer; any other primary of the newest timeline would lead.
                led_at = view.iter().filter_map(|node| match node.said {
                    Some((at, Word::Primary { timeline })) if timeline >= newest => Some(at),
                    _ => None,
                }).max().max(led_at);
            }
            let decisions = decide(&view, &mut state, &settings, now);
            let promotions: Vec<&Decision> =
                decisions.iter().filter(|d| matches!(d, Decision::Promote { .. })).collect();
            prop_assert!(automatic || decisions.iter().all(|decision| {
                matches!(decision, Decision::Follow { .. } | Decision::Note(_))
            }), "{decisions:?}");
            prop_assert!(promotions.len() <= 1);
            for decision in &decisions {
                let Some((deed, name)) = (match decision {
                    Decision::Promote { node, .. } => Some((Deed::Promote, node)),
                    Decision::Demote { node } => Some((Deed::Demote, node)),
                    Decision::Follow { standby, .. } => Some((Deed::Follow, standby)),
                    _ => None,
                }) else { continue };
                prop_assert!(under_way.iter().all(|(_, busy)| busy != name), "{name} is busy");
                match deed {
                    Deed::Promote => {
                        prop_assert!(under_way.iter().all(|(deed, _)| *deed != Deed::Promote));
                        let led_at = led_at.expect("a leader was known");
                        prop_assert!(now.since(led_at) >= settings.detection, "it answered");
                        let able = fresh.iter().any(|(fresh, word)| fresh == name && match word {
                            Word::Standby { timeline, .. } => timeline.is_none_or(|t| t >= newest),
                            Word::Primary { .. } => false,
                        });
                        prop_assert!(able, "{name} is no candidate");
                        promoted_from = newest;
                    }
                    Deed::Demote => {
                        let own = writable.iter().find(|(writable, _)| writable == name);
                        prop_assert!(own.map(|(_, timeline)| *timeline) < highest, "the newest");
                    }
                    Deed::Follow => {}
                }
                under_way.push((deed, name.clone()));
            }
            for (name, timeline) in &writable {
                let recently = failed.get(name).is_some_and(|at| now < at.plus(settings.detection));
                let handled = under_way.iter().any(|(_, busy)| busy == name) || recently;
                prop_assert!(!automatic || Some(*timeline) == highest || handled,
                    "{name} of timeline {timeline} stays beside {highest:?}");
            }
        }
    }
}
