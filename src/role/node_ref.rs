//! How a drill file names a node: by role, by name, or by what an earlier step hit.

use crate::target::Part;
use schemars::JsonSchema;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A node as a drill file names it. Roles are resolved live when the step begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeRef {
    /// The writable node of the newest timeline.
    Primary,
    /// Any standby; several are drawn by seed.
    Standby,
    /// A synchronous standby.
    SyncStandby,
    /// The standby whose replay is furthest behind.
    MostLaggingStandby,
    /// All nodes.
    All,
    /// Every standby that answers.
    AllStandbys,
    /// Every node that answers, the primary last.
    AllAnswering,
    /// The node of this name.
    Named(String),
    /// The node that the step with this id hit, or the previous primary of a switch-over.
    Of(String),
    /// No node, but what stands beside them: what a step of its own hits. No word of a drill file means it.
    Part(Part),
}

impl NodeRef {
    /// The words that stand for a role.
    pub const ROLES: [&'static str; 7] = [
        "primary",
        "standby",
        "sync_standby",
        "most_lagging_standby",
        "all",
        "all_standbys",
        "all_answering",
    ];
}

impl fmt::Display for NodeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Primary => f.write_str("primary"),
            Self::Standby => f.write_str("standby"),
            Self::SyncStandby => f.write_str("sync_standby"),
            Self::MostLaggingStandby => f.write_str("most_lagging_standby"),
            Self::All => f.write_str("all"),
            Self::AllStandbys => f.write_str("all_standbys"),
            Self::AllAnswering => f.write_str("all_answering"),
            Self::Named(name) => f.write_str(name),
            Self::Of(id) => write!(f, "the node of {id}"),
            Self::Part(part) => write!(f, "{part}"),
        }
    }
}

impl From<&str> for NodeRef {
    fn from(word: &str) -> Self {
        match word {
            "primary" => Self::Primary,
            "standby" => Self::Standby,
            "sync_standby" => Self::SyncStandby,
            "most_lagging_standby" => Self::MostLaggingStandby,
            "all" => Self::All,
            "all_standbys" => Self::AllStandbys,
            "all_answering" => Self::AllAnswering,
            name => Self::Named(name.to_owned()),
        }
    }
}

impl Serialize for NodeRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Of(id) => serializer.collect_map([("of", id)]),
            other => serializer.collect_str(other),
        }
    }
}

impl<'de> Deserialize<'de> for NodeRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = NodeRef;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a role (")?;
                f.write_str(&NodeRef::ROLES.join(", "))?;
                f.write_str("), a node's name, or { of: ID }")
            }
            fn visit_str<E: de::Error>(self, word: &str) -> Result<NodeRef, E> {
                Ok(NodeRef::from(word))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<NodeRef, A::Error> {
                let Some(key) = map.next_key::<String>()? else {
                    return Err(de::Error::missing_field("of"));
                };
                if key != "of" {
                    return Err(de::Error::unknown_field(&key, &["of"]));
                }
                let id = map.next_value()?;
                match map.next_key::<String>()? {
                    None => Ok(NodeRef::Of(id)),
                    Some(more) => Err(de::Error::unknown_field(&more, &["of"])),
                }
            }
        }
        deserializer.deserialize_any(Words)
    }
}

impl JsonSchema for NodeRef {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "NodeRef".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A role, a node's name, or the node that an earlier step hit.",
            "anyOf": [
                { "const": "primary", "description": "The writable node of the newest timeline." },
                { "const": "standby", "description": "Any standby; several are drawn by seed." },
                { "const": "sync_standby", "description": "A synchronous standby." },
                { "const": "most_lagging_standby", "description": "The standby whose replay is furthest behind." },
                { "const": "all", "description": "All nodes." },
                { "const": "all_standbys", "description": "Every standby that answers, in declared order." },
                { "const": "all_answering", "description": "Every node that answers, the primary last." },
                { "type": "string", "description": "The node of this name." },
                {
                    "type": "object",
                    "properties": {
                        "of": { "type": "string", "description": "The id of the step that hit it." }
                    },
                    "required": ["of"],
                    "additionalProperties": false
                }
            ]
        })
    }
}
