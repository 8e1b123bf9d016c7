//! The skill under test, as Alexa sees it: what is sent to it, how its answer is read, and its session.

mod client;
mod envelope;
mod exchanges;
mod reply;
mod ssml;

pub(crate) use self::client::{Answer, SkillClient, SkillFailure};
pub(crate) use self::envelope::{
    Asking, Dialog, Question, RequestKind, Session, SlotSource, new_id,
};
pub(crate) use self::exchanges::Exchanges;
pub(crate) use self::reply::{Expected, MAX_REPLY, read};
pub use self::reply::{Reply, ReplyProblem};
