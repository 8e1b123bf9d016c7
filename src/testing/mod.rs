//! What the tests share: an outside made of memory, a certificate authority of its own, and requests.

mod authority;
mod outside;
mod requests;

pub(crate) use authority::{Leaf, authority};
pub(crate) use outside::Memory;
pub(crate) use requests::{
    DEVICE, TOKEN, alexa_api, call_request, event, installation, pem_reply, plan, signed_alexa,
    signed_event, signed_event_to,
};

/// The tests' time: 2027-01-15T08:00:00Z.
pub(crate) const NOW_S: u64 = 1_800_000_000;
