//! How the sidecar's own registrations with trunks stand: written by the worker that registers, read by all.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use skillcall_sip::endpoint::{Flow, Transport};

/// What is known of a registration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Standing {
    /// The registrar sends calls to us.
    Registered,
    /// It does not, yet or any more; it is being asked.
    #[default]
    Trying,
    /// It was told that we are gone: the sidecar drains.
    Off,
}

/// A registration, and since when it stands so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RegistrationState {
    /// How it stands.
    pub(crate) state: Standing,
    /// When it came to be so.
    pub(crate) since: Option<String>,
    /// When the binding ends unless it is renewed.
    pub(crate) until: Option<String>,
    /// What the last answer was.
    pub(crate) last_answer: Option<String>,
    /// The route of our requests (RFC 3608), first hop first.
    #[serde(skip)]
    pub(crate) service_route: Vec<String>,
    /// Where the registrar is: its requests are the trunk's.
    #[serde(skip)]
    pub(crate) registrar: Option<Registrar>,
    /// It is the process's that was taken over from; our own REGISTER is not answered yet.
    #[serde(skip)]
    is_inherited: bool,
}

/// Where a registrar has taken our REGISTER.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Registrar {
    /// Its address and port.
    pub(crate) address: SocketAddr,
    /// By what it was asked.
    pub(crate) transport: Transport,
}

impl Registrar {
    /// Whether this is the path that it was asked on, or ends where it was asked.
    fn is_at(self, flow: &Flow) -> bool {
        same_host(self.address, flow.remote)
            && self.address.port() == flow.remote.port()
            && self.may_come_by(flow.transport)
    }

    /// Whether it may have opened this connection itself, from whichever port: a source address of UDP can be forged,
    /// that of a connection cannot without being on its way.
    fn may_have_opened(self, flow: &Flow) -> bool {
        flow.connection.is_some()
            && same_host(self.address, flow.remote)
            && self.may_come_by(flow.transport)
    }

    /// Whoever has shown us a certificate is not believed without TLS.
    fn may_come_by(self, transport: Transport) -> bool {
        !self.transport.is_secure() || transport.is_secure()
    }
}

/// A socket of IPv6 names an IPv4 peer by a mapped address.
fn same_host(one: SocketAddr, other: SocketAddr) -> bool {
    one.ip().to_canonical() == other.ip().to_canonical()
}

/// All registrations, by the trunks' names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registrations(Arc<RwLock<BTreeMap<String, RegistrationState>>>);

impl Registrations {
    /// How the trunk's stands; none: it has none.
    pub(crate) fn of(&self, trunk: &str) -> Option<RegistrationState> {
        self.read(|all| all.get(trunk).cloned())
    }

    /// The route that requests by the trunk take; empty for none.
    pub(crate) fn service_route(&self, trunk: &str) -> Vec<String> {
        self.read(|all| {
            let state = all.get(trunk);
            state.map_or_else(Vec::new, |state| state.service_route.clone())
        })
    }

    /// The trunk whose registrar is at the other end: that which was asked at this very address and port, else the only one
    /// whose registrar may have opened the connection. Two trunks whose registrars share an address are not told apart by
    /// connections that these open: then neither is named.
    pub(crate) fn at(&self, flow: &Flow) -> Option<String> {
        self.read(|all| {
            let registrars = || {
                let registered = all
                    .iter()
                    .filter(|(_, state)| state.state == Standing::Registered);
                registered.filter_map(|(name, state)| Some((name, state.registrar?)))
            };
            if let Some((name, _)) = registrars().find(|(_, registrar)| registrar.is_at(flow)) {
                return Some(name.clone());
            }
            let mut opened = registrars().filter(|(_, registrar)| registrar.may_have_opened(flow));
            match (opened.next(), opened.next()) {
                (Some((name, _)), None) => Some(name.clone()),
                _ => None,
            }
        })
    }

    /// Each trunk with one, and whether it is registered.
    pub(crate) fn list(&self) -> Vec<(String, bool)> {
        self.read(|all| {
            all.iter()
                .map(|(name, state)| (name.clone(), state.state == Standing::Registered))
                .collect()
        })
    }

    /// Whether any is registered.
    pub(crate) fn any(&self) -> bool {
        self.list().iter().any(|(_, registered)| *registered)
    }

    /// Takes note of where it stands. True: it is another standing than before.
    pub(crate) fn note(
        &self,
        trunk: &str,
        standing: Standing,
        lasts: Option<Duration>,
        answer: Option<String>,
    ) -> bool {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let state = all.entry(trunk.to_owned()).or_default();
        if state.is_inherited && standing == Standing::Trying && answer.is_none() {
            return false;
        }
        state.is_inherited = false;
        let now = Timestamp::now();
        let changed = state.state != standing || state.since.is_none();
        if changed {
            state.state = standing;
            state.since = Some(now.to_string());
        }
        state.until = lasts
            .and_then(|lasts| now.checked_add(lasts).ok())
            .map(|until| until.to_string());
        if answer.is_some() {
            state.last_answer = answer;
        }
        if standing != Standing::Registered {
            state.service_route.clear();
            state.registrar = None;
        }
        changed
    }

    /// The registrars that send calls to us, by the trunks' names, with the routes to them.
    pub(crate) fn registrars(&self) -> Vec<(String, Registrar, Vec<String>)> {
        self.read(|all| {
            let registered = all
                .iter()
                .filter(|(_, state)| state.state == Standing::Registered);
            registered
                .filter_map(|(name, state)| {
                    Some((name.clone(), state.registrar?, state.service_route.clone()))
                })
                .collect()
        })
    }

    /// The process that was taken over from is registered there: that holds until our own REGISTER is answered.
    pub(crate) fn take_over(&self, trunk: &str, registrar: Registrar, route: Vec<String>) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let state = RegistrationState {
            state: Standing::Registered,
            since: Some(Timestamp::now().to_string()),
            service_route: route,
            registrar: Some(registrar),
            is_inherited: true,
            ..RegistrationState::default()
        };
        all.insert(trunk.to_owned(), state);
    }

    /// What a registrar has said of the way to it.
    pub(crate) fn note_way(&self, trunk: &str, route: &[String], registrar: Registrar) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = all.get_mut(trunk) {
            state.service_route = route.to_vec();
            state.registrar = Some(registrar);
        }
    }

    /// The trunk does not register any more.
    pub(crate) fn forget(&self, trunk: &str) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        all.remove(trunk);
    }

    fn read<T>(&self, read: impl FnOnce(&BTreeMap<String, RegistrationState>) -> T) -> T {
        read(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use skillcall_sip::endpoint::ConnectionId;

    use super::*;

    #[test]
    fn what_another_process_has_registered_holds_until_our_own_is_answered() {
        let registrar = Registrar {
            address: "192.0.2.7:5060".parse().unwrap(),
            transport: Transport::Udp,
        };
        let flow = Flow::udp(
            "192.0.2.1:5060".parse().unwrap(),
            "192.0.2.7:5060".parse().unwrap(),
        );
        let hour = Some(Duration::from_secs(3600));
        let before = Registrations::default();
        before.note("carrier", Standing::Registered, hour, Some("200 OK".into()));
        assert!(before.registrars().is_empty(), "its way is not known yet");
        before.note_way("carrier", &["<sip:edge;lr>".to_owned()], registrar);
        for (standing, kept) in [(Standing::Registered, true), (Standing::Trying, false)] {
            let after = Registrations::default();
            for (name, registrar, route) in before.registrars() {
                after.take_over(&name, registrar, route);
            }
            assert_eq!(after.service_route("carrier"), ["<sip:edge;lr>"]);
            assert_eq!(after.at(&flow).as_deref(), Some("carrier"));
            // The first REGISTER is on its way.
            assert!(!after.note("carrier", Standing::Trying, None, None));
            assert_eq!(after.at(&flow).as_deref(), Some("carrier"));
            after.note("carrier", standing, hour, Some("an answer".into()));
            assert_eq!(after.at(&flow).is_some(), kept);
            assert!(after.note("carrier", Standing::Trying, None, None) == kept);
            assert_eq!(after.at(&flow), None);
        }
    }

    #[test]
    fn what_is_noted_is_seen() {
        let registrations = Registrations::default();
        let other = registrations.clone();
        assert!(registrations.note("pbx", Standing::Trying, None, None));
        assert!(!other.any());
        let hour = Some(Duration::from_secs(3600));
        assert!(registrations.note("pbx", Standing::Registered, hour, Some("200 OK".into())));
        assert!(!registrations.note("pbx", Standing::Registered, hour, None));
        let registrar = Registrar {
            address: "192.0.2.7:5060".parse().unwrap(),
            transport: Transport::Udp,
        };
        registrations.note_way("pbx", &["<sip:edge;lr>".to_owned()], registrar);
        let at = || other.at(&udp("192.0.2.7:5060"));
        assert_eq!(at().as_deref(), Some("pbx"));
        assert_eq!(other.service_route("pbx"), ["<sip:edge;lr>"]);
        assert_eq!(other.list(), [("pbx".to_owned(), true)]);
        let state = other.of("pbx").unwrap();
        assert!(state.until.is_some());
        assert_eq!(state.last_answer.as_deref(), Some("200 OK"));
        // Who is not registered has no way.
        assert!(registrations.note("pbx", Standing::Off, None, None));
        assert_eq!(at(), None);
        assert!(other.service_route("pbx").is_empty());
        registrations.forget("pbx");
        assert_eq!(other.of("pbx"), None);
    }

    fn udp(from: &str) -> Flow {
        Flow::udp("192.0.2.1:5060".parse().unwrap(), from.parse().unwrap())
    }

    fn connection(transport: Transport, from: &str) -> Flow {
        let local = "192.0.2.1:5060".parse().unwrap();
        Flow::stream(transport, local, from.parse().unwrap(), ConnectionId(1))
    }

    #[test]
    fn a_registrar_is_known_by_connections_of_its_own() {
        let registrations = Registrations::default();
        let register = |name: &str, address: &str, transport| {
            registrations.note(name, Standing::Registered, None, None);
            let address = address.parse().unwrap();
            registrations.note_way(name, &[], Registrar { address, transport });
        };
        let at = |flow: &Flow| registrations.at(flow);
        register("pbx", "192.0.2.7:5060", Transport::Tcp);
        register("carrier", "192.0.2.8:5061", Transport::Tls);
        let tcp = |from| connection(Transport::Tcp, from);
        let tls = |from| connection(Transport::Tls, from);
        for (flow, expected) in [
            (tcp("192.0.2.7:5060"), Some("pbx")),
            (tcp("192.0.2.7:40123"), Some("pbx")),
            (tcp("[::ffff:192.0.2.7]:40123"), Some("pbx")),
            (tls("192.0.2.7:40123"), Some("pbx")),
            // Another host, and a datagram from another port, which anybody can forge.
            (tcp("192.0.2.9:5060"), None),
            (udp("192.0.2.7:40123"), None),
            // Whose certificate was looked at is not believed without one.
            (tls("192.0.2.8:40123"), Some("carrier")),
            (tcp("192.0.2.8:40123"), None),
            (udp("192.0.2.8:5061"), None),
        ] {
            assert_eq!(at(&flow).as_deref(), expected, "{flow:?}");
        }
        // A second trunk at the same host: only the port tells them apart.
        register("backup", "192.0.2.7:5070", Transport::Tcp);
        assert_eq!(at(&tcp("192.0.2.7:40123")), None);
        assert_eq!(at(&tcp("192.0.2.7:5070")).as_deref(), Some("backup"));
        registrations.note("backup", Standing::Trying, None, None);
        assert_eq!(at(&tcp("192.0.2.7:40123")).as_deref(), Some("pbx"));
    }
}
