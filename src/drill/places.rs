//! Where each key and value of a YAML text stands, as byte ranges by path.
//!
//! Checks across fields need positions of words that the typed file has long forgotten, some of them in
//! structs of other modules. Asking a tree of the same text by path keeps positions out of the types.

use serde_yaml::granit_parser::{Event, Parser};
use std::ops::Range;

/// One step of a path.
#[derive(Clone, Copy, Debug)]
pub(super) enum At<'a> {
    /// The value of a key.
    Key(&'a str),
    /// An item of a list, from 0.
    Item(usize),
}

/// The positions of a text.
#[derive(Debug)]
pub(super) struct Places {
    root: Node,
    comments: Vec<Range<usize>>,
}

#[derive(Debug)]
struct Node {
    span: Range<usize>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Leaf { alias: bool },
    Map(Vec<(String, Range<usize>, Node)>),
    List(Vec<Node>),
}

/// A collection that is still open: its entries so far, and for a map the key that waits for its value.
struct Open {
    node: Node,
    key: Option<(String, Range<usize>)>,
}

/// Deeper files are refused before this is asked; the limit only keeps this module safe by itself.
const DEEPEST: usize = 128;

impl Places {
    /// The positions of a text's first document; `None` where it is no YAML or too deep.
    pub(super) fn of(text: &str) -> Option<Self> {
        let mut comments = Vec::new();
        let mut open: Vec<Open> = Vec::new();
        let mut root = None;
        for event in Parser::new_from_str(text) {
            let (event, span) = event.ok()?;
            let span = span.byte_range()?;
            let content = match event {
                Event::Comment(..) => {
                    comments.push(span);
                    continue;
                }
                // An alias is a leaf: what it stands for has its place where it is defined.
                Event::Alias(_) => (None, Content::Leaf { alias: true }),
                Event::Scalar(ref text, ..) => {
                    (Some(text.to_string()), Content::Leaf { alias: false })
                }
                Event::SequenceStart(..) => (None, Content::List(Vec::new())),
                Event::MappingStart(..) => (None, Content::Map(Vec::new())),
                Event::SequenceEnd | Event::MappingEnd => {
                    let mut done = open.pop()?.node;
                    done.span.end = span.end.max(done.span.end);
                    settle(&mut open, &mut root, None, done);
                    continue;
                }
                _ => continue,
            };
            let (word, content) = content;
            let is_leaf = matches!(content, Content::Leaf { .. });
            let node = Node { span, content };
            if is_leaf {
                settle(&mut open, &mut root, word, node);
            } else if open.len() == DEEPEST {
                return None;
            } else {
                open.push(Open { node, key: None });
            }
        }
        Some(Self {
            root: root?,
            comments,
        })
    }

    /// Whether a position lies in a comment.
    pub(super) fn in_comment(&self, at: usize) -> bool {
        self.comments.iter().any(|range| range.contains(&at))
    }

    /// Whether a position lies in a key, at any depth.
    pub(super) fn in_key(&self, at: usize) -> bool {
        fn within(node: &Node, at: usize) -> bool {
            match &node.content {
                Content::Leaf { .. } => false,
                Content::List(items) => items.iter().any(|item| within(item, at)),
                Content::Map(entries) => entries
                    .iter()
                    .any(|(_, key, value)| key.contains(&at) || within(value, at)),
            }
        }
        within(&self.root, at)
    }

    /// The value at a path.
    pub(super) fn value(&self, path: &[At<'_>]) -> Option<Range<usize>> {
        self.node(path).map(|node| node.span.clone())
    }

    /// The key at the end of a path.
    pub(super) fn key(&self, path: &[At<'_>]) -> Option<Range<usize>> {
        let (At::Key(last), parent) = path.split_last()? else {
            return None;
        };
        let Content::Map(entries) = &self.node(parent)?.content else {
            return None;
        };
        entries
            .iter()
            .find(|(key, ..)| key == last)
            .map(|(_, span, _)| span.clone())
    }

    /// The keys of the map at a path.
    pub(super) fn keys(&self, path: &[At<'_>]) -> Vec<&str> {
        match self.node(path).map(|node| &node.content) {
            Some(Content::Map(entries)) => entries.iter().map(|(key, ..)| key.as_str()).collect(),
            _ => Vec::new(),
        }
    }

    /// How many items the list at a path has; 0 where there is no list.
    pub(super) fn length(&self, path: &[At<'_>]) -> usize {
        match self.node(path).map(|node| &node.content) {
            Some(Content::List(items)) => items.len(),
            _ => 0,
        }
    }

    /// Whether a single value stands at a path, an alias aside.
    pub(super) fn is_leaf(&self, path: &[At<'_>]) -> bool {
        matches!(
            self.node(path).map(|node| &node.content),
            Some(Content::Leaf { alias: false })
        )
    }

    /// The most precise place for a path: its value, else the value or key of the longest part that is
    /// there. For a field that was left out this is the map that lacks it.
    pub(super) fn nearest(&self, path: &[At<'_>]) -> Range<usize> {
        (0..=path.len())
            .rev()
            .find_map(|length| {
                let part = path.get(..length)?;
                let node = self.node(part)?;
                match node.content {
                    Content::Leaf { .. } => Some(node.span.clone()),
                    // A whole map or list underlined says little: its key says as much and is one word.
                    _ => self.key(part).or_else(|| match &node.content {
                        Content::Map(entries) => entries.first().map(|(_, key, _)| key.clone()),
                        _ => Some(node.span.clone()),
                    }),
                }
            })
            .unwrap_or(0..0)
    }

    fn node(&self, path: &[At<'_>]) -> Option<&Node> {
        path.iter()
            .try_fold(&self.root, |node, step| match (step, &node.content) {
                (At::Key(name), Content::Map(entries)) => entries
                    .iter()
                    .find(|(key, ..)| key == name)
                    .map(|(.., value)| value),
                (At::Item(number), Content::List(items)) => items.get(*number),
                _ => None,
            })
    }
}

/// Puts a finished node where it belongs: into the open collection around it, or as the root.
fn settle(open: &mut [Open], root: &mut Option<Node>, word: Option<String>, node: Node) {
    let Some(around) = open.last_mut() else {
        root.get_or_insert(node);
        return;
    };
    match (&mut around.node.content, around.key.take()) {
        (Content::List(items), _) => items.push(node),
        (Content::Map(entries), Some((key, span))) => entries.push((key, span, node)),
        (Content::Map(_), None) => around.key = Some((word.unwrap_or_default(), node.span)),
        (Content::Leaf { .. }, _) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str =
        "a: 1 # one\nsteps:\n  - kill: { node: prímary, id: x }\n  - hold:\n      for: 5s\n";

    fn word(range: Option<Range<usize>>) -> &'static str {
        range.map_or("", |range| &TEXT[range])
    }

    #[test]
    fn finds_values_and_keys_by_path() {
        let places = Places::of(TEXT).unwrap();
        let kill = [At::Key("steps"), At::Item(0), At::Key("kill")];
        assert_eq!(word(places.key(&kill)), "kill");
        let id = [kill.as_slice(), &[At::Key("id")]].concat();
        assert_eq!(word(places.value(&id)), "x");
        let hold = [
            At::Key("steps"),
            At::Item(1),
            At::Key("hold"),
            At::Key("for"),
        ];
        assert_eq!(word(places.value(&hold)), "5s");
        assert_eq!(places.keys(&[]), ["a", "steps"]);
        assert_eq!(places.value(&[At::Key("nothing")]), None);
        assert_eq!(places.value(&[At::Item(0)]), None);
    }

    #[test]
    fn a_field_that_is_left_out_has_its_map_for_a_place() {
        let places = Places::of(TEXT).unwrap();
        let missing = [
            At::Key("steps"),
            At::Item(0),
            At::Key("kill"),
            At::Key("within"),
        ];
        assert_eq!(&TEXT[places.nearest(&missing)], "kill");
    }

    #[test]
    fn knows_comments_and_keys() {
        let places = Places::of(TEXT).unwrap();
        assert!(places.in_comment(TEXT.find("one").unwrap()));
        assert!(!places.in_comment(TEXT.find('1').unwrap()));
        assert!(places.in_key(TEXT.find("node").unwrap()));
        assert!(!places.in_key(TEXT.find("5s").unwrap()));
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "[-:{}\\[\\],&*#'\"a-c \\n]{0,80}") {
            if let Some(places) = Places::of(&text) {
                let _ = places.nearest(&[At::Key("a"), At::Item(0)]);
            }
        }
    }
}
