//! RTP as load: packets of G.711 both ways, each with the time at which it was sent.

mod datagrams;
mod load;
mod packet;

pub(super) use load::{Heard, Load, Side};
