//! What Prometheus scrapes: `GET /metrics` on the control listener, in OpenMetrics' text form.
//!
//! Everything is read from counters that the threads write anyway. Values that grow with RTP packets are added when a
//! leg ends, so that no packet costs anything.

mod calls;
mod distribution;
mod family;
mod observed;
mod sip;
mod text;

pub(crate) use distribution::Distribution;
pub(crate) use observed::Observed;
pub(crate) use sip::SipCounts;
pub(crate) use text::{CONTENT_TYPE, Scrape, TrunkScrape};
