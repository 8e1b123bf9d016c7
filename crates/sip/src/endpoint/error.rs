//! Why a command to an endpoint was refused.

/// Why a command was not carried out; nothing was sent then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The call is over, or the handle belongs to another endpoint.
    #[error("no such call: it has ended, or its handle belongs to another endpoint")]
    Gone,
    /// The command does not fit what the call is doing.
    #[error("{command} does not fit the call's state: expected {expected}")]
    State {
        /// The command.
        command: &'static str,
        /// The state in which it is right.
        expected: &'static str,
    },
    /// The status does not fit the command.
    #[error("status {status}: expected {expected}")]
    Status {
        /// What was given.
        status: u16,
        /// What would be right.
        expected: &'static str,
    },
    /// The table is full.
    #[error("{0} at their limit; raise it in the configuration or wait for calls to end")]
    Full(&'static str),
    /// A Call-ID, URI or display name that would break the message's lines or grammar.
    #[error("{field}: expected {expected}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What would be right.
        expected: &'static str,
    },
}
