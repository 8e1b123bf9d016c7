//! Scenarios: the unit tests of SIP media application handlers (`skillcall sma test`).
//!
//! A scenario says what a caller does and what must come of it. The action engine that carries calls
//! ([`crate::engine`]) is driven by a virtual clock, with a virtual player and recorder: spoken text is matched as
//! text, and nobody waits for a prompt to end. Only the handler is real. While it is asked the clock stands still, so
//! that a scenario does not depend on the machine's speed; a handler that takes its 5 s is timed out as in a call.
//!
//! | file | what |
//! |---|---|
//! | `file`, `step`, `span` | the TOML file, read and checked |
//! | `stage`, `carry_out`, `legs`, `speech` | the virtual call: clock, legs, players, recorders, the parties that are called |
//! | `log`, `matching` | what happened, and whether it is what was expected |
//! | `ask`, `run` | asking the handler; one step after the other |
//! | `report`, `junit` | what came of it: text, JSON, JUnit |

mod ask;
mod carry_out;
mod expected;
mod file;
mod junit;
mod legs;
mod log;
mod matching;
mod report;
mod run;
mod span;
mod speech;
mod stage;
mod step;

pub use ask::{Ask, Exchange, HttpHandler};
pub use file::{Party, Scenario, ScenarioError};
pub use junit::junit;
pub use report::{Failed, Line, Outcome};
pub use run::run;
pub use span::Span;
