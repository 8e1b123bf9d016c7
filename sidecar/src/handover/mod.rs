//! A newer process takes the place of the one that runs, without losing a call.
//!
//! The process that starts asks over a Unix socket; the one that runs gives it its listening sockets, the very ones, and the
//! newer one reads them from then on: what comes meanwhile waits in them. The older one keeps its calls, their audio and its
//! connections, gets what is its own passed on ([`crate::front`] tells whose a message is), and ends with its last call.
//!
//! | file | what |
//! |---|---|
//! | `frame` | what both tell each other, as bytes |
//! | `socket` | the Unix socket, and sockets through it |
//! | `inherited` | the sockets that were given, and whether the configuration names the same |
//! | `link` | the way between both afterwards |
//! | `successor` | the process that takes over |
//! | `predecessor` | the process that is taken over from |
//! | `elder` | requests of the control API that the older process has to answer |

mod elder;
mod frame;
mod inherited;
mod link;
mod predecessor;
mod socket;
mod successor;

pub(crate) use elder::Elder;
pub(crate) use frame::{Frame, Listening, Passed, Posted, Use};
pub(crate) use inherited::Inherited;
pub(crate) use link::{End, Link};
pub(crate) use predecessor::{Parts, Predecessor, Stands};
pub(crate) use successor::{Approach, TakenFrom};

/// Why a process does not take over.
#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    /// Nobody can be asked, or listened for.
    #[error("[handover] socket {path}: {error}")]
    Socket {
        /// The socket.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// Another program listens there.
    #[error(
        "[handover] socket {path}: what listens there is no sidecar of this user ({why}); name another path"
    )]
    Foreign {
        /// The socket.
        path: String,
        /// What showed it.
        why: String,
    },
    /// The process that runs is of another version.
    #[error(
        "the sidecar that runs (pid {pid}) hands over by version {theirs}, this one takes over by version {ours}; stop that one first"
    )]
    Version {
        /// Its process id.
        pid: u32,
        /// Its version.
        theirs: u32,
        /// This one's.
        ours: u32,
    },
    /// The process that runs does not hand over now.
    #[error("the sidecar that runs does not hand over: {0}")]
    Refused(String),
    /// The configuration names other addresses.
    #[error(
        "the sidecar that runs (pid {pid}) listens elsewhere than this configuration says: {what}; an upgrade keeps all addresses, so stop that one first to change them"
    )]
    Addresses {
        /// Its process id.
        pid: u32,
        /// What differs.
        what: String,
    },
    /// The conversation broke off; the process that runs goes on as before.
    #[error("the hand-over broke off, and the sidecar that runs goes on: {0}")]
    BrokenOff(std::io::Error),
}
