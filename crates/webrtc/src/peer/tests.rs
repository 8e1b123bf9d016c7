//! Two legs against each other, over a network and a time that are made here.

mod network;

mod attacks;
mod calls;
mod renegotiation;
mod restarts;
#[cfg(feature = "openssl")]
mod rsa;
