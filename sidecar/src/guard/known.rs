//! Whom the sidecar knows: configured networks, registered phones, and whoever it called itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::share::{Source, SourceLimits};
use crate::config::{SidecarConfig, SourceNet};

/// How long whom we called may answer, and send requests within the call: the longest of both, renewed by each message.
const CONTACT: Duration = Duration::from_secs(300);

/// How a sender stands to us.
#[derive(Debug, Clone)]
pub(crate) enum Standing {
    /// It may call: it lies in a known network, or has registered.
    Known(Source),
    /// We have called it: its responses, and its requests within dialogs, are heard.
    Contacted,
    /// Nobody knows it.
    Stranger,
}

#[derive(Debug)]
struct Registered {
    source: Source,
    until: Instant,
}

#[derive(Debug, Default)]
struct Tables {
    networks: Vec<(SourceNet, Source)>,
    /// Trunks by name: some are known by their certificate alone.
    trunks: BTreeMap<String, Source>,
    registered: HashMap<IpAddr, Registered>,
    /// Until when. Filled by our own calls alone.
    contacted: HashMap<IpAddr, Instant>,
    limits: Option<SourceLimits>,
}

/// The tables of the known, read for each message and written seldom.
#[derive(Debug)]
pub(crate) struct Known {
    tables: RwLock<Tables>,
    limit: usize,
}

impl Known {
    /// What a configuration names.
    pub(crate) fn new(config: &SidecarConfig, now: Instant) -> Self {
        let known = Self {
            tables: RwLock::default(),
            limit: config.guard.table as usize,
        };
        known.reload(config, now);
        known
    }

    /// Takes the networks of a new configuration. Those that stay keep their counts; registrations stay.
    pub(crate) fn reload(&self, config: &SidecarConfig, now: Instant) {
        let networks = networks(config);
        let trunks = config.trunk.iter().map(|trunk| trunk.name.as_str());
        let listed = networks.iter().map(|(_, name)| name.as_str());
        let names: BTreeSet<&str> = listed.chain(trunks.clone()).collect();
        let limits = limits(config, names.len());
        let mut tables = self.write();
        let mut before: BTreeMap<String, Source> = std::mem::take(&mut tables.networks)
            .into_iter()
            .map(|(_, source)| (source.name().to_owned(), source))
            .collect();
        before.append(&mut tables.trunks);
        let sources: BTreeMap<&str, Source> = names
            .into_iter()
            .map(|name| {
                let kept = before.get(name).filter(|source| source.limits() == limits);
                let source =
                    kept.map_or_else(|| Source::new(name.to_owned(), limits, now), Source::clone);
                (name, source)
            })
            .collect();
        let networks = networks
            .iter()
            .filter_map(|(network, name)| Some((*network, sources.get(name.as_str())?.clone())))
            .collect();
        tables.trunks = trunks
            .filter_map(|name| Some((name.to_owned(), sources.get(name)?.clone())))
            .collect();
        tables.networks = networks;
        tables.limits = Some(limits);
    }

    /// The trunk of this name.
    pub(crate) fn named(&self, trunk: &str) -> Option<Source> {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        tables.trunks.get(trunk).cloned()
    }

    /// How a sender stands to us now.
    pub(crate) fn standing(&self, address: IpAddr, now: Instant) -> Standing {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        let network = tables
            .networks
            .iter()
            .find(|(network, _)| network.contains(address));
        if let Some((_, source)) = network {
            return Standing::Known(source.clone());
        }
        let address = address.to_canonical();
        if let Some(registered) = tables.registered.get(&address)
            && registered.until > now
        {
            return Standing::Known(registered.source.clone());
        }
        match tables.contacted.get(&address) {
            Some(until) if *until > now => Standing::Contacted,
            _ => Standing::Stranger,
        }
    }

    /// A phone has registered from here, with right credentials, until then. False when there is no room.
    pub(crate) fn registered(&self, address: IpAddr, until: Instant, now: Instant) -> bool {
        let address = address.to_canonical();
        let mut tables = self.write();
        if let Some(known) = tables.registered.get_mut(&address) {
            known.until = known.until.max(until);
            return true;
        }
        if tables.registered.len() >= self.limit {
            tables.registered.retain(|_, known| known.until > now);
        }
        let Some(limits) = tables
            .limits
            .filter(|_| tables.registered.len() < self.limit)
        else {
            return false;
        };
        let source = Source::new(address.to_string(), limits, now);
        tables
            .registered
            .insert(address, Registered { source, until });
        true
    }

    /// We send a request of our own there: what answers it is heard.
    pub(crate) fn contacted(&self, address: IpAddr, now: Instant) {
        let address = address.to_canonical();
        let until = now + CONTACT;
        {
            let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
            let fresh = tables
                .contacted
                .get(&address)
                .is_some_and(|known| *known + Duration::from_secs(10) > until);
            if fresh || tables.networks.iter().any(|(net, _)| net.contains(address)) {
                return;
            }
        }
        let mut tables = self.write();
        if tables.contacted.len() >= self.limit {
            tables.contacted.retain(|_, until| *until > now);
        }
        if tables.contacted.len() < self.limit {
            tables.contacted.insert(address, until);
        }
    }

    /// Whether an address lies in a configured network.
    pub(crate) fn is_listed(&self, address: IpAddr) -> bool {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        tables.networks.iter().any(|(net, _)| net.contains(address))
    }

    /// Whether an address lies in a configured network or has registered.
    #[cfg(test)]
    pub(crate) fn knows(&self, address: IpAddr, now: Instant) -> bool {
        matches!(self.standing(address, now), Standing::Known(_))
    }

    /// The source that an address belongs to.
    pub(crate) fn source(&self, address: IpAddr, now: Instant) -> Option<Source> {
        match self.standing(address, now) {
            Standing::Known(source) => Some(source),
            Standing::Contacted | Standing::Stranger => None,
        }
    }

    /// Calls at once by source, for the metrics: configured networks only, whose number is bounded.
    pub(crate) fn calls(&self) -> Vec<(String, usize)> {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        let networks = tables.networks.iter();
        let calls: BTreeMap<String, usize> = networks
            .map(|(_, source)| (source.name().to_owned(), source.calls()))
            .collect();
        calls.into_iter().collect()
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Tables> {
        self.tables.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The networks that a configuration names, the smallest first, a trunk's before others; with the source's names.
fn networks(config: &SidecarConfig) -> Vec<(SourceNet, String)> {
    let trunks = config.trunk.iter().flat_map(|trunk| {
        let name = trunk.name.clone();
        trunk.addresses.iter().map(move |net| (*net, name.clone()))
    });
    let listed: Vec<(SourceNet, String)> = match &config.sip.sources {
        Some(sources) => sources.iter().map(|net| (*net, net.to_string())).collect(),
        None => ["127.0.0.0/8", "::1/128"]
            .iter()
            .filter_map(|net| Some((net.parse().ok()?, "loopback".to_owned())))
            .collect(),
    };
    let mut networks: Vec<(SourceNet, String)> = trunks.chain(listed).collect();
    networks.sort_by_key(|(net, _)| std::cmp::Reverse(net.prefix_len()));
    networks
}

/// Where nothing is set: all for a source that is the only one, else three quarters.
fn limits(config: &SidecarConfig, sources: usize) -> SourceLimits {
    let alone = sources <= 1;
    let share = |set: u32, all: u32| match set {
        0 if alone => all,
        0 => all.saturating_sub(all / 4).max(1),
        set => set,
    };
    SourceLimits {
        calls: share(config.guard.source_calls, config.limits.calls),
        per_second: share(
            config.guard.source_calls_per_second,
            config.limits.calls_per_second,
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn known(text: &str, now: Instant) -> Known {
        Known::new(&config(text), now)
    }

    fn config(text: &str) -> SidecarConfig {
        SidecarConfig::parse(text, Path::new("sidecar.toml")).unwrap()
    }

    #[test]
    fn who_is_known() {
        let now = Instant::now();
        let known = known("[sip]\nsources = [\"192.0.2.0/24\"]\n", now);
        let at = |address: &str| known.standing(address.parse().unwrap(), now);
        assert!(matches!(at("192.0.2.9"), Standing::Known(_)));
        assert!(matches!(at("::ffff:192.0.2.9"), Standing::Known(_)));
        assert!(matches!(at("127.0.0.1"), Standing::Stranger));
        let phone: IpAddr = "198.51.100.1".parse().unwrap();
        known.contacted(phone, now);
        assert!(matches!(at("198.51.100.1"), Standing::Contacted));
        assert!(known.registered(phone, now + Duration::from_secs(60), now));
        assert!(known.knows(phone, now));
        assert!(!known.knows(phone, now + Duration::from_secs(60)));
        let later = now + CONTACT;
        assert!(matches!(known.standing(phone, later), Standing::Stranger));
    }

    #[test]
    fn a_trunk_is_one_source_and_its_network_comes_first() {
        let now = Instant::now();
        let text = "[sip]\nsources = [\"192.0.2.0/24\"]\n[[trunk]]\nname = \"pbx\"\naddresses = [\"192.0.2.7\", \"2001:db8::/32\"]\n";
        let known = known(text, now);
        let name = |address: &str| {
            let source = known.source(address.parse().unwrap(), now)?;
            Some(source.name().to_owned())
        };
        assert_eq!(name("192.0.2.7").as_deref(), Some("pbx"));
        assert_eq!(name("192.0.2.8").as_deref(), Some("192.0.2.0/24"));
        let held = known
            .source("192.0.2.7".parse().unwrap(), now)
            .unwrap()
            .hold()
            .unwrap();
        let other = known.source("2001:db8::1".parse().unwrap(), now).unwrap();
        assert_eq!((other.calls(), held.name()), (1, "pbx"));
        assert_eq!(known.calls().len(), 2);
    }

    #[test]
    fn a_reload_keeps_the_counts_of_networks_that_stay() {
        let now = Instant::now();
        let known = known("[sip]\nsources = [\"192.0.2.1\", \"192.0.2.2\"]\n", now);
        let source = known.source("192.0.2.1".parse().unwrap(), now).unwrap();
        let held = source.hold();
        known.reload(
            &config("[sip]\nsources = [\"192.0.2.3\", \"192.0.2.1\"]\n"),
            now,
        );
        assert!(!known.knows("192.0.2.2".parse().unwrap(), now));
        let again = known.source("192.0.2.1".parse().unwrap(), now).unwrap();
        assert_eq!(again.calls(), 1);
        drop(held);
        assert_eq!(again.calls(), 0);
    }

    #[test]
    fn shares_leave_room_for_others() {
        let of = |text: &str, count: usize| limits(&config(text), count);
        let all = of("", 1);
        assert_eq!((all.calls, all.per_second), (2000, 500));
        let two = of("[sip]\nsources = [\"192.0.2.1\", \"192.0.2.2\"]\n", 2);
        assert_eq!((two.calls, two.per_second), (1500, 375));
        let set = of("[sip]\nsources = []\n[guard]\nsource-calls = 7\n", 2);
        assert_eq!(set.calls, 7);
    }

    #[test]
    fn registrations_and_contacts_are_bounded() {
        let now = Instant::now();
        let known = known("[sip]\nsources = []\n[guard]\ntable = 1024\n", now);
        let until = now + Duration::from_secs(60);
        for n in 0..5000_u32 {
            let address = IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0b00_0000 + n));
            assert_eq!(known.registered(address, until, now), n < 1024);
            known.contacted(address, now);
        }
        assert_eq!(known.write().contacted.len(), 1024);
        let after = until + Duration::from_secs(1);
        assert!(known.registered("192.0.2.1".parse().unwrap(), after + CONTACT, after));
    }
}
