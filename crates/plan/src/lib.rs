//! The call plan: what the skill may do, in one TOML file that people write.
//!
//! It has two shapes. The *source* (feature `source`) is read from TOML with the place of each value, checked, and
//! compiled. The *compiled* plan is what the component gets: each request is a fresh instance, so the plan is decoded
//! in place, without parsing TOML and without reading what the request does not need.
//!
//! | module | what |
//! |---|---|
//! | [`compiled`] | [`Plan`]: decoding, finding a destination, rules, opening hours, callers, the steps of a flow |
//! | [`template`] | texts and actions with variables such as `{destination.name}` |
//! | [`text`] | what the skill says, with built-in English and German |
//! | [`name`] | how spoken names are compared |
//! | `source` | TOML in, findings and the compiled plan out (feature `source`) |
//!
//! Phone numbers, SSML and time zones are looked at with libraries that only the source has: what the component needs of
//! them lies in the compiled plan.

pub mod compiled;
pub mod name;
#[cfg(feature = "source")]
pub mod source;
pub mod template;
pub mod text;

pub use compiled::{DecodeError, Plan};
#[cfg(feature = "source")]
pub use source::{Finding, Severity, compile};
pub use template::{Template, Variable};
pub use text::TextKey;

#[doc(hidden)]
pub mod fuzz;
