//! Trunks at work: whose a source address is, and in which order a trunk's targets are tried.

mod counts;
mod health;
mod order;
mod registration;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

pub(crate) use counts::{Counts, Fate, Placed, Way};
pub(crate) use health::{Health, Reach, State as HealthState};
pub(crate) use order::by_priority;
pub(crate) use registration::{Registrar, RegistrationState, Registrations, Standing};
use skillcall_sip::endpoint::{ConnectionId, Flow};

use skillcall_sip::auth::Wallet;

use crate::config::{SidecarConfig, SourceNet, TrunkConfig, TrunkTarget};
use crate::leg::Target;

/// One trunk. A leg keeps its own for as long as it lives, whatever a reload brings.
#[derive(Debug)]
pub(crate) struct Trunk {
    /// What the file says of it.
    pub(crate) config: TrunkConfig,
    /// What its challenges are answered with.
    pub(crate) wallet: Option<Arc<Wallet>>,
    /// The proxy that requests pass first.
    pub(crate) proxy: Option<Target>,
    /// Its targets in the file's order.
    pub(crate) places: Vec<Place>,
}

/// A target of a trunk.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) target: Target,
    /// What the file says of it.
    pub(crate) config: TrunkTarget,
    pub(crate) priority: u16,
    pub(crate) weight: u16,
    /// Whether it answers.
    pub(crate) health: Health,
}

impl Trunk {
    /// A trunk of checked settings; a target that cannot be read is left out.
    fn new(config: &SidecarConfig, trunk: &TrunkConfig) -> Self {
        let wallet = trunk.wallet(config);
        let config = trunk;
        let places = config.target.iter().filter_map(|place| {
            Some(Place {
                target: place.read().ok()?,
                config: place.clone(),
                priority: place.priority,
                weight: place.weight,
                health: Health::default(),
            })
        });
        Self {
            wallet,
            proxy: config
                .outbound_proxy
                .as_deref()
                .and_then(|proxy| Target::parse(proxy).ok()),
            places: places.collect(),
            config: config.clone(),
        }
    }

    /// The Route value that leads through its proxy, which is always a loose one (RFC 3261 §16.12).
    pub(crate) fn route(&self) -> Option<String> {
        let uri = &self.proxy.as_ref()?.uri;
        let lr = if uri.as_ref().param("lr").is_some() {
            ""
        } else {
            ";lr"
        };
        Some(format!("<{uri}{lr}>"))
    }

    /// Its targets in the order to try them; those that are down are left out while another one may take the call.
    pub(crate) fn tried(&self, draw: impl FnMut(u32) -> u32) -> Vec<&Place> {
        let ranks: Vec<(u16, u16)> = self.places.iter().map(|p| (p.priority, p.weight)).collect();
        let ordered = by_priority(&ranks, draw);
        let all = || ordered.iter().filter_map(|at| self.places.get(*at));
        let alive: Vec<&Place> = all().filter(|place| !place.health.is_down()).collect();
        if alive.is_empty() {
            all().collect()
        } else {
            alive
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.config.name
    }
}

/// All trunks of one state of the configuration.
#[derive(Debug, Default)]
pub(crate) struct TrunkTable {
    trunks: Vec<Arc<Trunk>>,
    /// The smallest networks first.
    networks: Vec<(SourceNet, usize)>,
}

impl TrunkTable {
    pub(crate) fn new(config: &SidecarConfig) -> Self {
        let mut networks: Vec<(SourceNet, usize)> = config
            .trunk
            .iter()
            .enumerate()
            .flat_map(|(index, trunk)| trunk.addresses.iter().map(move |net| (*net, index)))
            .collect();
        networks.sort_by_key(|(net, _)| std::cmp::Reverse(net.prefix_len()));
        Self {
            trunks: config
                .trunk
                .iter()
                .map(|trunk| Arc::new(Trunk::new(config, trunk)))
                .collect(),
            networks,
        }
    }

    /// All trunks, in the file's order.
    pub(crate) fn all(&self) -> &[Arc<Trunk>] {
        &self.trunks
    }

    /// The trunk of this name.
    pub(crate) fn named(&self, name: &str) -> Option<&Arc<Trunk>> {
        self.trunks.iter().find(|trunk| trunk.name() == name)
    }

    /// Whether any trunk is known by certificate.
    pub(crate) fn has_peers_by_certificate(&self) -> bool {
        self.trunks
            .iter()
            .any(|trunk| !trunk.config.certificate_names.is_empty())
    }

    /// The trunk whose certificate carries these domains.
    pub(crate) fn of_identities(&self, identities: &[String]) -> Option<&Arc<Trunk>> {
        self.trunks.iter().find(|trunk| {
            let names = &trunk.config.certificate_names;
            identities
                .iter()
                .any(|held| names.iter().any(|name| name.eq_ignore_ascii_case(held)))
        })
    }

    /// The trunk that has this target.
    pub(crate) fn of_target(&self, target: &Target) -> Option<&Arc<Trunk>> {
        let same = |known: &Target| known.host == target.host && known.port == target.port;
        self.trunks
            .iter()
            .find(|trunk| trunk.places.iter().any(|place| same(&place.target)))
    }

    /// The trunk that sends from this address: that of the smallest network that holds it.
    pub(crate) fn of_source(&self, address: IpAddr) -> Option<&Arc<Trunk>> {
        let (_, index) = self
            .networks
            .iter()
            .find(|(net, _)| net.contains(address))?;
        self.trunks.get(*index)
    }
}

/// The trunks of now, shared by all threads; a reload replaces them whole.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trunks {
    table: Arc<RwLock<Arc<TrunkTable>>>,
    /// Connections that have shown a trunk's certificate.
    connections: Arc<RwLock<HashMap<ConnectionId, Arc<Trunk>>>>,
    registrations: Registrations,
    counts: Counts,
}

impl Trunks {
    pub(crate) fn new(table: TrunkTable) -> Self {
        Self {
            table: Arc::new(RwLock::new(Arc::new(table))),
            connections: Arc::default(),
            registrations: Registrations::default(),
            counts: Counts::default(),
        }
    }

    /// How our registrations with trunks stand.
    pub(crate) const fn registrations(&self) -> &Registrations {
        &self.registrations
    }

    /// What has become of trunks' calls.
    pub(crate) const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The table of this moment.
    pub(crate) fn now(&self) -> Arc<TrunkTable> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The trunk that a message on this path is of: by the connection's certificate, else by its source address, else
    /// because we have registered there.
    pub(crate) fn of_flow(&self, flow: &Flow) -> Option<Arc<Trunk>> {
        let by_certificate = flow.connection.and_then(|id| self.of_connection(id));
        by_certificate
            .or_else(|| self.now().of_source(flow.remote.ip()).cloned())
            .or_else(|| {
                let name = self.registrations.at(flow)?;
                self.now().named(&name).cloned()
            })
    }

    /// Takes note of a connection that has shown a trunk's certificate.
    pub(crate) fn note_connection(&self, id: ConnectionId, trunk: Arc<Trunk>) {
        self.connections
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, trunk);
    }

    /// The trunk whose certificate a connection has shown.
    pub(crate) fn of_connection(&self, id: ConnectionId) -> Option<Arc<Trunk>> {
        self.connections
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned()
    }

    /// Forgets the connections that fit.
    pub(crate) fn forget_connections(&self, fits: impl Fn(ConnectionId) -> bool) {
        self.connections
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|id, _| !fits(*id));
    }

    /// The connection is closed.
    pub(crate) fn forget_connection(&self, id: ConnectionId) {
        self.connections
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
    }

    /// Puts another table in its place: new calls go by it, running ones keep their trunk.
    pub(crate) fn replace(&self, table: TrunkTable) {
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_smallest_network_names_the_trunk() {
        let config = SidecarConfig::parse(
            r#"
[[trunk]]
name = "carrier"
addresses = ["192.0.2.0/24", "2001:db8::/32"]
[[trunk]]
name = "pbx"
addresses = ["192.0.2.7"]
target = [{ address = "192.0.2.7" }]
"#,
            Path::new("sidecar.toml"),
        )
        .unwrap();
        let trunks = Trunks::new(TrunkTable::new(&config));
        let table = trunks.now();
        let of = |address: &str| {
            table
                .of_source(address.parse().unwrap())
                .map(|trunk| trunk.name().to_owned())
        };
        assert_eq!(of("192.0.2.7").as_deref(), Some("pbx"));
        assert_eq!(of("::ffff:192.0.2.7").as_deref(), Some("pbx"));
        assert_eq!(of("192.0.2.8").as_deref(), Some("carrier"));
        assert_eq!(of("2001:db8::1").as_deref(), Some("carrier"));
        assert_eq!(of("198.51.100.1"), None);
        let two = TrunkConfig {
            target: ["a.example", "b.example"].map(TrunkTarget::new).into(),
            ..TrunkConfig::new("two", "")
        };
        let two = Trunk::new(&config, &two);
        let tried = || {
            let tried = two.tried(|_| 0);
            tried
                .iter()
                .map(|p| p.config.address.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(tried(), ["a.example", "b.example"]);
        two.places[0].health.note(Reach::Down, "no answer".into());
        assert_eq!(tried(), ["b.example"]);
        two.places[1].health.note(Reach::Down, "no answer".into());
        assert_eq!(tried().len(), 2, "when all are down each is tried");
        let kept = Arc::clone(table.named("pbx").unwrap());
        trunks.replace(TrunkTable::default());
        assert!(trunks.now().named("pbx").is_none());
        assert_eq!(kept.name(), "pbx");
    }
}
