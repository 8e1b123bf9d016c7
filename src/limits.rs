//! How many calls a customer has placed within the last hour.
//!
//! The times lie in a bounded number of slots. Two calls of one customer at the very same instant may count as one: the
//! state has no transactions, and the limit guards a budget, not a secret.

use serde::{Deserialize, Serialize};
use skillcall_protocol::ids::ClientSessionId;

use crate::host::{Host, HostError};
use crate::once::Table;

const PLACED: Table = Table {
    name: "limit",
    slots: 16_384,
};
const HOUR_S: u32 = 3600;

/// The calls of a customer: when each was placed, in Unix seconds, and the beginning of its `clientSessionId`.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Placed(Vec<(u64, String)>);

/// Counts a call, unless the customer has placed `most` within the last hour. A call that is tried again counts once.
///
/// # Errors
/// When the state cannot be reached.
pub fn count<H: Host>(
    host: &H,
    customer: &str,
    call: &ClientSessionId,
    most: u16,
) -> Result<bool, HostError> {
    let mut placed = read(host, customer)?;
    let id = short(call);
    if placed.0.iter().any(|(_, known)| *known == id) {
        return Ok(true);
    }
    if placed.0.len() >= usize::from(most) {
        return Ok(false);
    }
    placed.0.push((host.now_ms() / 1000, id));
    write(host, customer, &placed)?;
    Ok(true)
}

/// Takes a call back that was not placed.
///
/// # Errors
/// When the state cannot be reached.
pub fn uncount<H: Host>(host: &H, customer: &str, call: &ClientSessionId) -> Result<(), HostError> {
    let mut placed = read(host, customer)?;
    let id = short(call);
    placed.0.retain(|(_, known)| *known != id);
    write(host, customer, &placed)
}

fn short(call: &ClientSessionId) -> String {
    call.as_str().chars().take(12).collect()
}

fn read<H: Host>(host: &H, customer: &str) -> Result<Placed, HostError> {
    let since = (host.now_ms() / 1000).saturating_sub(u64::from(HOUR_S));
    let mut placed: Placed = PLACED
        .find(host, customer)?
        .and_then(|entry| postcard::from_bytes(&entry.value).ok())
        .unwrap_or_default();
    placed.0.retain(|(at, _)| *at > since);
    Ok(placed)
}

fn write<H: Host>(host: &H, customer: &str, placed: &Placed) -> Result<(), HostError> {
    let bytes =
        postcard::to_allocvec(placed).map_err(|error| HostError(format!("limit: {error}")))?;
    PLACED.put(host, customer, &bytes, HOUR_S)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Memory;

    #[test]
    fn an_hour_holds_so_many_calls_and_a_repeated_one_counts_once() {
        let host = Memory::new();
        let call = |n: u32| ClientSessionId::parse(format!("{n:012}-rest")).unwrap();
        for n in 0..3 {
            assert!(count(&host, "guest", &call(n), 3).unwrap());
            host.pass_seconds(600);
        }
        assert!(
            count(&host, "guest", &call(2), 3).unwrap(),
            "the same one again"
        );
        assert!(!count(&host, "guest", &call(3), 3).unwrap());
        assert!(count(&host, "another", &call(3), 3).unwrap());
        host.pass_seconds(1801);
        assert!(
            count(&host, "guest", &call(4), 3).unwrap(),
            "the first one is an hour old"
        );
        assert!(!count(&host, "guest", &call(5), 3).unwrap());
        uncount(&host, "guest", &call(4)).unwrap();
        assert!(count(&host, "guest", &call(5), 3).unwrap());
    }
}
