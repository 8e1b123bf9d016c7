//! Who is not heard for a time.
//!
//! Only strangers are banned. A datagram's source address can be forged, so what came by datagrams bans from datagrams
//! alone; what came over a connection, whose address is proven by its handshake, bans from both. An IPv6 address stands
//! for its /64, which one host has to itself (RFC 4291 §2.5.4).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;

use super::Offence;

/// The longest ban, however often it was banned before.
const LONGEST: Duration = Duration::from_secs(86_400);
/// How long it is remembered that somebody was banned: the next ban is twice as long.
const MEMORY: Duration = Duration::from_secs(86_400);

#[derive(Debug)]
struct Ban {
    why: Offence,
    since: SystemTime,
    until: Instant,
    lasts: Duration,
    /// Over a connection.
    proven: bool,
    /// Which one it is.
    times: u32,
    /// What was not heard.
    unheard: u64,
}

/// A ban as the control API shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BanView {
    /// The address; of IPv6 the first one of its /64.
    pub(crate) address: IpAddr,
    /// For what.
    #[serde(flatten)]
    pub(crate) why: Offence,
    /// Seconds since 1970 when it began.
    pub(crate) since: u64,
    /// Seconds that it lasts.
    pub(crate) seconds: u64,
    /// Seconds that are left.
    pub(crate) left: u64,
    /// Whether connections are refused too: its address is proven, not only claimed by datagrams.
    pub(crate) proven: bool,
    /// Which ban of this address it is.
    pub(crate) times: u32,
    /// Messages and connections that were not heard since.
    pub(crate) unheard: u64,
}

/// The bans, bounded in number: a further one takes the place of the one that ends first.
#[derive(Debug)]
pub(crate) struct Bans {
    banned: HashMap<IpAddr, Ban>,
    first: Duration,
    limit: usize,
}

impl Bans {
    /// No bans; the first of an address lasts `first`, each further one twice as long as the one before, a day at most.
    pub(crate) fn new(first: Duration, limit: usize) -> Self {
        Self {
            banned: HashMap::new(),
            first,
            limit: limit.max(1),
        }
    }

    /// Whether something that comes this way is not heard. It is counted.
    pub(crate) fn stops(&mut self, address: IpAddr, by_connection: bool, now: Instant) -> bool {
        match self.banned.get_mut(&host(address)) {
            Some(ban) if ban.until > now && (ban.proven || !by_connection) => {
                ban.unheard += 1;
                true
            }
            _ => false,
        }
    }

    /// Bans an address; gives how long.
    pub(crate) fn ban(
        &mut self,
        address: IpAddr,
        why: Offence,
        proven: bool,
        now: Instant,
        clock: SystemTime,
    ) -> Duration {
        let address = host(address);
        let before = self.banned.get(&address);
        let times = before.map_or(0, |ban| ban.times) + 1;
        let lasts = self
            .first
            .saturating_mul(1 << (times - 1).min(16))
            .min(LONGEST);
        if before.is_none() && self.banned.len() >= self.limit {
            let first = self.banned.iter().min_by_key(|(_, ban)| ban.until);
            if let Some(first) = first.map(|(address, _)| *address) {
                self.banned.remove(&first);
            }
        }
        let ban = Ban {
            why,
            since: clock,
            until: now + lasts,
            lasts,
            proven,
            times,
            unheard: 0,
        };
        self.banned.insert(address, ban);
        lasts
    }

    /// Lifts a ban, and forgets it; false when there is none.
    pub(crate) fn lift(&mut self, address: IpAddr, now: Instant) -> bool {
        self.banned
            .remove(&host(address))
            .is_some_and(|ban| ban.until > now)
    }

    /// Those that hold, the one that ends first before the others.
    pub(crate) fn list(&self, now: Instant) -> Vec<BanView> {
        let mut list: Vec<BanView> = self
            .banned
            .iter()
            .filter(|(_, ban)| ban.until > now)
            .map(|(address, ban)| BanView {
                address: *address,
                why: ban.why.clone(),
                since: ban
                    .since
                    .duration_since(SystemTime::UNIX_EPOCH)
                    .map_or(0, |since| since.as_secs()),
                seconds: ban.lasts.as_secs(),
                left: ban.until.saturating_duration_since(now).as_secs(),
                proven: ban.proven,
                times: ban.times,
                unheard: ban.unheard,
            })
            .collect();
        list.sort_by_key(|ban| (ban.left, ban.address));
        list
    }

    /// Those that hold.
    pub(crate) fn count(&self, now: Instant) -> usize {
        self.banned.values().filter(|ban| ban.until > now).count()
    }

    /// Forgets those that ended long ago.
    pub(crate) fn forget(&mut self, now: Instant) {
        self.banned.retain(|_, ban| ban.until + MEMORY > now);
    }
}

/// What a host can call its own: an IPv4 address, or the /64 of an IPv6 one.
pub(super) fn host(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(
            address.to_bits() & !u128::from(u64::MAX),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn ban(bans: &mut Bans, address: &str, proven: bool, now: Instant) -> Duration {
        let address = address.parse().unwrap();
        bans.ban(address, Offence::Knocked, proven, now, SystemTime::now())
    }

    #[test]
    fn a_ban_holds_for_its_time_and_the_next_twice_as_long() {
        let (start, minute) = (Instant::now(), Duration::from_secs(60));
        let mut bans = Bans::new(minute, 10);
        assert!(!bans.stops(A, false, start));
        assert_eq!(ban(&mut bans, "192.0.2.1", false, start), minute);
        assert!(bans.stops(A, false, start + minute / 2));
        assert!(!bans.stops(A, true, start), "an address that may be forged");
        assert!(!bans.stops(A, false, start + minute));
        assert_eq!(
            ban(&mut bans, "192.0.2.1", true, start + minute),
            2 * minute
        );
        assert!(bans.stops(A, true, start + minute));
        let listed = bans.list(start + minute);
        assert_eq!((listed[0].times, listed[0].unheard), (2, 1));
        assert!(bans.lift(A, start + minute));
        assert!(!bans.lift(A, start + minute));
        assert!(!bans.stops(A, true, start + minute));
        for _ in 0..40 {
            assert!(ban(&mut bans, "192.0.2.1", true, start) <= LONGEST);
        }
    }

    #[test]
    fn the_table_has_a_bound_and_a_64_is_one_host() {
        let now = Instant::now();
        let mut bans = Bans::new(Duration::from_secs(60), 100);
        for n in 0..1000_u32 {
            let later = now + Duration::from_millis(n.into());
            let address = format!("10.0.{}.{}", n / 256, n % 256);
            ban(&mut bans, &address, false, later);
        }
        assert_eq!(bans.count(now), 100);
        assert!(
            bans.stops("10.0.3.231".parse().unwrap(), false, now),
            "the last"
        );
        assert!(
            !bans.stops("10.0.0.0".parse().unwrap(), false, now),
            "the first"
        );
        ban(&mut bans, "2001:db8:1:2:3:4:5:6", false, now);
        assert!(bans.stops("2001:db8:1:2::9".parse().unwrap(), false, now));
        assert!(!bans.stops("2001:db8:1:3::9".parse().unwrap(), false, now));
        ban(&mut bans, "::ffff:192.0.2.1", false, now);
        assert!(bans.stops(A, false, now));
        bans.forget(now + Duration::from_secs(2 * 86_400));
        assert!(bans.banned.is_empty());
    }
}
