//! `target_session_attrs`: which of several servers is wanted (PostgreSQL documentation).

/// What a server must be to be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionAttributes {
    /// Any that lets us in.
    #[default]
    Any,
    /// Not read-only by default, and not in recovery.
    ReadWrite,
    /// The opposite.
    ReadOnly,
    /// Not in recovery.
    Primary,
    /// In recovery.
    Standby,
    /// In recovery; any where none is.
    PreferStandby,
}

impl SessionAttributes {
    /// What a server is asked where it matters: in recovery, and read-only, each `t` or `f`.
    pub const ASK: &'static str =
        "select pg_is_in_recovery(), current_setting('transaction_read_only')::bool";

    /// The word's value, which was checked before.
    pub(super) fn of(word: Option<&str>) -> Self {
        match word {
            Some("read-write") => Self::ReadWrite,
            Some("read-only") => Self::ReadOnly,
            Some("primary") => Self::Primary,
            Some("standby") => Self::Standby,
            Some("prefer-standby") => Self::PreferStandby,
            _ => Self::Any,
        }
    }

    /// What is looked for, one walk over the hosts after the other.
    #[must_use]
    pub fn walks(self) -> &'static [Self] {
        match self {
            Self::Any => &[Self::Any],
            Self::ReadWrite => &[Self::ReadWrite],
            Self::ReadOnly => &[Self::ReadOnly],
            Self::Primary => &[Self::Primary],
            Self::Standby => &[Self::Standby],
            Self::PreferStandby => &[Self::Standby, Self::Any],
        }
    }

    /// Whether a server that answered so is wanted.
    #[must_use]
    pub fn wants(self, in_recovery: bool, read_only: bool) -> bool {
        match self {
            Self::Any | Self::PreferStandby => true,
            Self::ReadWrite => !in_recovery && !read_only,
            Self::ReadOnly => in_recovery || read_only,
            Self::Primary => !in_recovery,
            Self::Standby => in_recovery,
        }
    }

    /// The word's value.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::ReadWrite => "read-write",
            Self::ReadOnly => "read-only",
            Self::Primary => "primary",
            Self::Standby => "standby",
            Self::PreferStandby => "prefer-standby",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wants_what_it_says() {
        use SessionAttributes::*;
        let servers = [(false, false), (false, true), (true, true)];
        let wants = |which: SessionAttributes| servers.map(|(r, o)| which.wants(r, o));
        assert_eq!(wants(Any), [true, true, true]);
        assert_eq!(wants(ReadWrite), [true, false, false]);
        assert_eq!(wants(ReadOnly), [false, true, true]);
        assert_eq!(wants(Primary), [true, true, false]);
        assert_eq!(wants(Standby), [false, false, true]);
        assert_eq!(PreferStandby.walks(), [Standby, Any]);
    }
}
