//! How a node that `kill` or `stop` took down comes back before its undo.

use crate::drill::duration::Duration;
use crate::target::{Capability, Power, PowerOff, TargetError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a node comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Returns {
    /// It is kept down until its undo.
    #[default]
    OnUndo,
    /// Whoever watches over it, a supervisor or a restart policy, may start it.
    ByItself,
    /// It is put back safely and verified as soon as it is down, before the next node of the step is hit: a
    /// restart, one node after the other.
    InTurn,
    /// firedrill starts it after this time as it would come back in life, unfenced: as `release` does.
    After(Duration),
}

impl Returns {
    /// What a target must have for it.
    pub(super) fn needs(self) -> Option<Capability> {
        (self == Self::ByItself).then_some(Capability::Restarts)
    }

    /// What follows the description of the fault.
    pub(super) fn describe(self) -> String {
        match self {
            Self::OnUndo => String::new(),
            Self::ByItself => "; who watches over it may start it".to_owned(),
            Self::InTurn => "; started again at once, one node at a time".to_owned(),
            Self::After(time) => format!("; started again after {time} as in life, unfenced"),
        }
    }

    /// After which time firedrill starts it.
    pub(super) fn after(self) -> Option<std::time::Duration> {
        match self {
            Self::After(time) => Some(time.get()),
            Self::OnUndo | Self::ByItself | Self::InTurn => None,
        }
    }

    /// Whether its undo belongs to the step itself.
    pub(super) fn in_turn(self) -> bool {
        self == Self::InTurn
    }

    /// Takes a node down: for good, or in such a way that its supervisor may start it again.
    pub(super) async fn take_down(
        self,
        power: &dyn Power,
        node: &str,
        how: PowerOff,
    ) -> Result<(), TargetError> {
        match self {
            Self::ByItself => power.crash(node, how).await,
            Self::OnUndo | Self::InTurn | Self::After(_) => power.power_off(node, how).await,
        }
    }
}
