//! The engine by scripts: lines of inputs, and the commands that must follow.

mod actions;
mod calls;
mod random;
mod replies;
mod script;
