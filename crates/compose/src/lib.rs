//! Composes the skill with the adapter of a host into one component, and looks into components: what they
//! import, and what their world is.

mod compose;
mod inspect;

pub use compose::{ComposeError, compose};
pub use inspect::{ImportError, InspectError, check_imports, imports, world};
