//! The host with a component whose requests say what it shall do (`tests/guest`).

mod limits;
mod outbound;
mod serving;
mod settings;
mod spin;
mod state;
mod support;
