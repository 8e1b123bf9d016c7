//! Servers that nobody here wrote, on the core on which the sidecar is measured.

mod asterisk;
mod forky;
mod kamailio;
mod program;
mod rtpengine;
mod sipp_uas;

pub(super) use asterisk::{Asterisk, Does};
pub(super) use forky::Forky;
pub(super) use kamailio::{Kamailio, Script};
pub(super) use rtpengine::Rtpengine;
pub(super) use sipp_uas::SippUas;
