//! How the sidecar's own registrations with trunks stand: written by the worker that registers, read by all.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

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
    pub(crate) registrar: Option<SocketAddr>,
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

    /// The trunk whose registrar is there.
    pub(crate) fn at(&self, address: SocketAddr) -> Option<String> {
        self.read(|all| {
            let found = all
                .iter()
                .find(|(_, state)| state.registrar == Some(address));
            found.map(|(name, _)| name.clone())
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

    /// What a registrar has said of the way to it.
    pub(crate) fn note_way(&self, trunk: &str, route: &[String], registrar: SocketAddr) {
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
    use super::*;

    #[test]
    fn what_is_noted_is_seen() {
        let registrations = Registrations::default();
        let other = registrations.clone();
        assert!(registrations.note("pbx", Standing::Trying, None, None));
        assert!(!other.any());
        let hour = Some(Duration::from_secs(3600));
        assert!(registrations.note("pbx", Standing::Registered, hour, Some("200 OK".into())));
        assert!(!registrations.note("pbx", Standing::Registered, hour, None));
        let registrar: SocketAddr = "192.0.2.7:5060".parse().unwrap();
        registrations.note_way("pbx", &["<sip:edge;lr>".to_owned()], registrar);
        assert_eq!(other.at(registrar).as_deref(), Some("pbx"));
        assert_eq!(other.service_route("pbx"), ["<sip:edge;lr>"]);
        assert_eq!(other.list(), [("pbx".to_owned(), true)]);
        let state = other.of("pbx").unwrap();
        assert!(state.until.is_some());
        assert_eq!(state.last_answer.as_deref(), Some("200 OK"));
        // Who is not registered has no way.
        assert!(registrations.note("pbx", Standing::Off, None, None));
        assert_eq!(other.at(registrar), None);
        assert!(other.service_route("pbx").is_empty());
        registrations.forget("pbx");
        assert_eq!(other.of("pbx"), None);
    }
}
