//! The engine by scripts: lines of inputs, and the commands that must follow.

mod bridging;
mod calls;
mod digits;
mod media;
mod random;
mod replies;
mod script;
mod shorthand;
