//! The stage on which the tests play: the simulator, the component under wasmtime, and the sidecar, on real sockets.
//!
//! | module | what |
//! |---|---|
//! | [`stage`] | everything started in order, watched while it runs, ended in order with its leaks counted |
//! | [`component`] | the component under test, compiled once for a test program |
//! | [`settings`] | the component's settings, which a test may change at any time |
//! | [`state`] | the component's state, which a test can look at |
//! | [`messages`] | signed requests to `POST /messages` |
//! | [`judges`] | Amazon's own packages, which judge requests and replies |
//! | [`plans`] | call plans and interaction models |
//! | [`alexa`] | requests of Alexa made by hand, signed by the simulator's authority |
//! | [`handler`] | a handler that answers as the test says, in the component's place |
//! | [`gateway`] | a gateway of CallSignaling in the sidecar's place |
//! | [`control`] | the sidecar's control API |
//! | [`plug_in`] | plug-ins that decide calls |
//! | [`npm`] | packages of npm that tests need |
//! | [`spin`] | the component composed for Spin, under Spin's rules |
//! | [`sound`] | what was heard, by tones and by sentences |
//! | [`logs`] | what was logged |
//! | [`program`] | foreign SIP programs: SIPp and baresip |
//! | [`chromium`] | a browser that nobody here wrote |
//! | [`netns`] | a network of a test's own |
//! | [`sipp`] | SIPp with our scenarios, over UDP and TCP |
//! | [`steady`] | what is judged only where the machine ran on |
//! | [`wait`] | waiting for an event, with a limit |
//!
//! Everything listens on free loopback ports and writes into a folder of its own, so tests run side by side.

pub mod alexa;
pub mod authority;
pub mod chromium;
pub mod component;
pub mod control;
pub mod gateway;
pub mod handler;
pub mod judges;
pub mod logs;
pub mod messages;
pub mod netns;
pub mod npm;
pub mod plans;
pub mod plug_in;
pub mod program;
pub mod settings;
pub mod sipp;
pub mod sound;
pub mod spin;
pub mod stage;
pub mod state;
#[path = "../../sidecar/tests/support/steady.rs"]
pub mod steady;
pub mod wait;

pub use handler::{Answer, Handler};
pub use stage::{Manifest, Stage, Staging};
pub use steady::undisturbed;
pub use wait::{PATIENCE, until};
