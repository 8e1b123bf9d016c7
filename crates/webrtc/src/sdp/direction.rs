//! Who sends (RFC 3264 §5.1).

use std::fmt;

/// Who sends, seen from the side that says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// Both.
    #[default]
    SendRecv,
    /// The sayer sends only: the other side is on hold.
    SendOnly,
    /// The sayer receives only.
    RecvOnly,
    /// Nobody sends.
    Inactive,
}

impl Direction {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::SendRecv,
        Self::SendOnly,
        Self::RecvOnly,
        Self::Inactive,
    ];

    pub(super) const fn new(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// Whether the sayer sends.
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the sayer receives.
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The attribute's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|direction| direction.name() == name)
    }

    /// What is left of our wish `self` against a peer that says `remote` (RFC 3264 §6.1).
    #[must_use]
    pub const fn against(self, remote: Self) -> Self {
        Self::new(
            self.sends() && remote.receives(),
            self.receives() && remote.sends(),
        )
    }
}

impl From<skillcall_video::Flow> for Direction {
    fn from(flow: skillcall_video::Flow) -> Self {
        Self::new(flow.sends, flow.receives)
    }
}

impl From<Direction> for skillcall_video::Flow {
    fn from(direction: Direction) -> Self {
        Self {
            sends: direction.sends(),
            receives: direction.receives(),
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
