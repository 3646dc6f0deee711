//! What the program's exit code says. The numbers are a promise to scripts: they never change.

use std::process::ExitCode;

/// How the program ends. README.md holds the same table, and a test compares the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Every objective was met (or the drill's `expect` was).
    Pass = 0,
    /// An objective failed.
    Failed = 1,
    /// The command line is wrong, or a file is.
    Usage = 2,
    /// Something that was demanded could not be judged.
    Unknown = 3,
    /// The drill did not happen as planned, or the observer was disturbed.
    Invalid = 4,
    /// The target cannot be used, or refused.
    Target = 5,
    /// Something that was broken is not put back: look at the target now.
    UndoIncomplete = 6,
    /// Stopped by a signal, and everything was put back.
    Interrupted = 130,
}

impl Exit {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Pass,
        Self::Failed,
        Self::Usage,
        Self::Unknown,
        Self::Invalid,
        Self::Target,
        Self::UndoIncomplete,
        Self::Interrupted,
    ];

    /// The number that the shell sees.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Of several runs the one that decides, by how much it asks of people: what is not undone first, then a
    /// stop, a target that cannot be used, an invalid run, a failure, what is unknown.
    #[must_use]
    pub fn worst(exits: impl IntoIterator<Item = Self>) -> Self {
        const ORDER: [Exit; 8] = [
            Exit::UndoIncomplete,
            Exit::Interrupted,
            Exit::Target,
            Exit::Usage,
            Exit::Invalid,
            Exit::Failed,
            Exit::Unknown,
            Exit::Pass,
        ];
        let rank = |exit: &Self| ORDER.iter().position(|other| other == exit);
        exits.into_iter().min_by_key(rank).unwrap_or(Self::Pass)
    }

    /// Its meaning in a few words, as help and README say it.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Pass => "pass: every objective was met, or the drill's `expect` was",
            Self::Failed => "an objective failed",
            Self::Usage => "the command line or a file is wrong",
            Self::Unknown => "unknown: something demanded could not be judged",
            Self::Invalid => {
                "invalid: the drill did not happen as planned, or the observer was disturbed"
            }
            Self::Target => "the target cannot be used, or was refused",
            Self::UndoIncomplete => "an undo is incomplete: look at the target now",
            Self::Interrupted => "interrupted, and everything was put back",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_several_decides() {
        let order = [6, 130, 5, 2, 4, 1, 3, 0];
        let of = |number: &u8| *Exit::ALL.iter().find(|it| it.number() == *number).unwrap();
        for (place, number) in order.iter().enumerate() {
            let exits = order[place..].iter().rev().map(of);
            assert_eq!(Exit::worst(exits).number(), *number);
        }
        assert_eq!(Exit::worst([]), Exit::Pass);
    }

    #[test]
    fn numbers_are_the_promised_ones() {
        let numbers: Vec<u8> = Exit::ALL.into_iter().map(Exit::number).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 130]);
    }
}
