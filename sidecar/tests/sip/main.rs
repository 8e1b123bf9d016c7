//! SIP: calls, trunks, phones and strangers, over real sockets and with peers that nobody here wrote.

#[path = "../support/mod.rs"]
mod support;

mod auth_int;
mod call;
mod capture;
mod connection_reuse;
mod dialogs;
mod forks;
mod guard;
mod kamailio;
mod keep_alives;
mod nat;
mod pbx;
mod phones;
mod public_address;
mod refusals;
mod registering;
mod transfers;
mod trunk_metrics;
mod trunks;
mod trust;
mod user_to_user;
