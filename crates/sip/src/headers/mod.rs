//! Typed values of the headers that trunks tell about a call: who, why, by which way, with what beside it.
//!
//! Each value is read by `parse` or, where a header may hold several, by `list`, and written by `Display`. What is
//! written can be read again and cannot break a line. Which of them may pass a trust boundary is the user's decision
//! (RFC 3325 §5).

mod diversion;
mod elements;
mod history_info;
mod identities;
mod privacy;
mod reason;
mod signed_identity;
mod user_to_user;

pub use diversion::Diversion;
pub use history_info::{HistoryEntry, TargetKind};
pub use identities::{Identities, NamedUri, Verstat};
pub use privacy::{Privacy, PrivacyValue};
pub use reason::Reason;
pub use signed_identity::SignedIdentity;
pub use user_to_user::{Carried, Encoding, MAX_BYTES, MAX_VALUES, UserToUser};
