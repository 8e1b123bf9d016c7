//! The engine by scripts: lines of inputs, and the commands that must follow.

mod bot;
mod bridging;
mod calls;
mod created;
mod digits;
mod golden;
mod media;
mod meeting;
mod random;
mod replies;
mod script;
mod shorthand;
