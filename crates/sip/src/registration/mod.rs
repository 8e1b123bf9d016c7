//! Registration (RFC 3261 §10): ours with a registrar, and others' with us.
//!
//! Neither side has sockets or tables on disk: a [`Registration`] says which REGISTER is due and reads the answers; a
//! [`Registrar`] turns REGISTERs into answers and changes of its bindings, which serialise.

mod binding;
mod client;
mod contacts;
mod registrar;
mod rules;

pub use binding::{Binding, FlowId};
pub use client::{Outcome, Registration, RegistrationConfig, RegistrationState};
pub use registrar::{Change, Registered, Registrar, RegistrarConfig};
