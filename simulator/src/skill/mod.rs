//! The skill under test, as Alexa sees it: what is sent to it, how its answer is read, and its session.

mod client;
mod envelope;
mod reply;
mod ssml;

pub(crate) use self::client::{Answer, SkillClient, SkillFailure};
pub(crate) use self::envelope::{Asking, RequestKind, Session, new_id};
pub(crate) use self::reply::{MAX_REPLY, read};
pub use self::reply::{Reply, ReplyProblem};
