//! The engine by scripts: lines of inputs, and the commands that must follow.

mod bridging;
mod calls;
mod created;
mod digits;
mod golden;
mod media;
mod random;
mod replies;
mod script;
mod shorthand;
