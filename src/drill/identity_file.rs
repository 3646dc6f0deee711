//! As whom firedrill logs in, and how long its rows are kept: types of a target file only. No password ever
//! stands in such a file; it says where one is.

use super::amount;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// As whom firedrill logs in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentitiesFile {
    /// Who writes and reads the ledger through the endpoints.
    #[serde(default)]
    pub probe: Option<IdentityFile>,
    /// Who looks at the nodes (`pg_monitor`).
    #[serde(default)]
    pub observe: Option<IdentityFile>,
    /// Who promotes and pauses replay.
    #[serde(default)]
    pub act: Option<IdentityFile>,
}

/// A role and where its password is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentityFile {
    /// The role; without it, the one that the address names.
    #[serde(default)]
    pub user: Option<String>,
    /// Where its password is. Without it a service file and then the password file are asked, as libpq does.
    #[serde(default)]
    pub password: Option<PasswordFile>,
}

/// Where a password is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PasswordFile {
    /// In an environment variable of this name.
    Env(String),
    /// In a file that holds nothing else, which only you can read.
    File(PathBuf),
    /// In a password file as libpq has them (`host:port:database:user:password`), which only you can read.
    Passfile(PathBuf),
}

/// How long rows of earlier runs stay in a ledger that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LedgerKeeping {
    /// Rows of older runs are deleted when the next one begins.
    pub keep: Age,
    /// So are the oldest, while the table is larger than this.
    pub at_most: Size,
}

impl Default for LedgerKeeping {
    fn default() -> Self {
        Self {
            keep: Age { hours: 14 * 24 },
            at_most: Size { bytes: 1 << 30 },
        }
    }
}

/// Whole days or hours: `14d`, `36h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age {
    hours: u64,
}

impl Age {
    /// In seconds.
    #[must_use]
    pub fn as_secs(self) -> u64 {
        self.hours.saturating_mul(3600)
    }
}

/// Whole bytes in a unit: `1GiB`, `500MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    bytes: u64,
}

impl Size {
    /// In bytes.
    #[must_use]
    pub fn as_bytes(self) -> u64 {
        self.bytes
    }
}

const AGES: [(&str, u64); 2] = [("d", 24), ("h", 1)];
const SIZES: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

macro_rules! written {
    ($type:ident, $field:ident, $units:ident, $expected:literal, $example:literal, $pattern:literal) => {
        impl FromStr for $type {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                let $field = amount::scaled(text, &$units)
                    .ok_or_else(|| format!("{text:?} is none: write {}", $expected))?;
                Ok(Self { $field })
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                amount::shown(f, self.$field, &$units)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "description": concat!("Such as ", $expected, "."),
                    "examples": [$example],
                    "pattern": $pattern
                })
            }
        }
    };
}

written!(Age, hours, AGES, "14d or 36h", "14d", "^[0-9]+ *(d|h)$");
written!(
    Size,
    bytes,
    SIZES,
    "1GiB, 500MiB or 64KiB",
    "1GiB",
    "^[0-9]+ *(GiB|MiB|KiB)$"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_reads_back() {
        for text in ["14d", "36h", "0h"] {
            assert_eq!(text.parse::<Age>().unwrap().to_string(), text);
        }
        for text in ["1GiB", "500MiB", "64KiB"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
        assert_eq!("48h".parse::<Age>().unwrap().to_string(), "2d");
        assert_eq!("14d".parse::<Age>().unwrap().as_secs(), 1_209_600);
        assert_eq!("1 GiB".parse::<Size>().unwrap().as_bytes(), 1 << 30);
        for wrong in ["", "14", "d", "1GB", "-1d", "99999999999999999999d"] {
            assert!(wrong.parse::<Age>().is_err() && wrong.parse::<Size>().is_err());
        }
    }
}
