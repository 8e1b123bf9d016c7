//! RTP as load: packets of G.711 both ways, each with the time at which it was sent.

pub(super) mod datagrams;
mod load;
pub(super) mod packet;
mod secret;

pub(super) use load::{Heard, Load, Side};
pub(super) use secret::Secret;
