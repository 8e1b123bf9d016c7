//! Service providers, their networks and users, and address books (facts G8): what was provisioned, in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};
use skillcall_protocol::provisioning::{Contact, ExternalUser, Network, ServiceProvider};

use crate::alexa::lock;

/// The most entries of one kind.
const MAX_ENTRIES: usize = 10_000;

/// Why something cannot be provisioned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RegistryError {
    #[error("there is no such thing")]
    NotFound,
    #[error("it is there already")]
    Exists,
    #[error("there are too many")]
    TooMany,
}

#[derive(Debug)]
struct Provider {
    provider: ServiceProvider,
    network: Option<Network>,
    users: BTreeMap<String, ExternalUser>,
}

#[derive(Debug, Default)]
struct Entries {
    providers: BTreeMap<String, Provider>,
    books: BTreeMap<String, Vec<Contact>>,
    /// Requests that changed something.
    changes: u64,
}

/// What was provisioned.
#[derive(Debug, Default)]
pub(crate) struct Registry(Mutex<Entries>);

type Done<T> = Result<T, RegistryError>;

impl Registry {
    fn with<T>(&self, id: &str, act: impl FnOnce(&mut Provider) -> Done<T>) -> Done<T> {
        let mut entries = lock(&self.0);
        let provider = entries.providers.get_mut(id);
        act(provider.ok_or(RegistryError::NotFound)?)
    }

    fn change<T>(&self, id: &str, act: impl FnOnce(&mut Provider) -> Done<T>) -> Done<T> {
        let done = self.with(id, act)?;
        lock(&self.0).changes += 1;
        Ok(done)
    }

    /// How many requests changed something.
    pub(crate) fn changes(&self) -> u64 {
        lock(&self.0).changes
    }

    pub(crate) fn providers(&self) -> Vec<ServiceProvider> {
        let entries = lock(&self.0);
        let all = entries.providers.values();
        all.map(|provider| provider.provider.clone()).collect()
    }

    pub(crate) fn provider(&self, id: &str) -> Done<ServiceProvider> {
        self.with(id, |provider| Ok(provider.provider.clone()))
    }

    /// A new provider, unless there is one with its logical id.
    pub(crate) fn add(&self, mut provider: ServiceProvider) -> Done<ServiceProvider> {
        let mut entries = lock(&self.0);
        let logical = &provider.service_provider_logical_id;
        let is_known = |known: &Provider| known.provider.service_provider_logical_id == *logical;
        if entries.providers.values().any(is_known) {
            return Err(RegistryError::Exists);
        }
        if entries.providers.len() >= MAX_ENTRIES {
            return Err(RegistryError::TooMany);
        }
        let id = format!("amzn1.comms.csp.id.{}", uuid::Uuid::new_v4());
        provider.service_provider_id = Some(id.clone());
        let entry = Provider {
            provider: provider.clone(),
            network: None,
            users: BTreeMap::new(),
        };
        entries.providers.insert(id, entry);
        entries.changes += 1;
        Ok(provider)
    }

    pub(crate) fn rename(&self, id: &str, new: ServiceProvider) -> Done<ServiceProvider> {
        self.change(id, |known| {
            if known.provider.service_provider_logical_id != new.service_provider_logical_id {
                return Err(RegistryError::NotFound);
            }
            known.provider.display_name = new.display_name;
            Ok(known.provider.clone())
        })
    }

    pub(crate) fn remove(&self, id: &str) -> Done<()> {
        let mut entries = lock(&self.0);
        entries
            .providers
            .remove(id)
            .ok_or(RegistryError::NotFound)?;
        entries.changes += 1;
        Ok(())
    }

    pub(crate) fn network(&self, id: &str) -> Done<Network> {
        self.with(id, |provider| {
            provider.network.clone().ok_or(RegistryError::NotFound)
        })
    }

    /// Sets the network: a new one, or in the place of another.
    pub(crate) fn set_network(&self, id: &str, network: Network, is_new: bool) -> Done<()> {
        self.change(id, |provider| {
            match (provider.network.is_some(), is_new) {
                (true, true) => return Err(RegistryError::Exists),
                (false, false) => return Err(RegistryError::NotFound),
                _ => {}
            }
            provider.network = Some(network);
            Ok(())
        })
    }

    pub(crate) fn users(&self, id: &str, wanted: &[String]) -> Done<Vec<ExternalUser>> {
        self.with(id, |provider| {
            let found = wanted.iter().filter_map(|user| provider.users.get(user));
            Ok(found.cloned().collect())
        })
    }

    pub(crate) fn set_user(&self, id: &str, user: ExternalUser, is_new: bool) -> Done<()> {
        self.change(id, |provider| {
            match (provider.users.contains_key(&user.external_user_id), is_new) {
                (true, true) => return Err(RegistryError::Exists),
                (false, false) => return Err(RegistryError::NotFound),
                _ if provider.users.len() >= MAX_ENTRIES => return Err(RegistryError::TooMany),
                _ => {}
            }
            provider.users.insert(user.external_user_id.clone(), user);
            Ok(())
        })
    }

    pub(crate) fn remove_user(&self, id: &str, user: &str) -> Done<()> {
        self.change(id, |provider| {
            let removed = provider.users.remove(user);
            removed.map(|_| ()).ok_or(RegistryError::NotFound)
        })
    }

    pub(crate) fn contacts(&self, book: &str) -> Value {
        let entries = lock(&self.0);
        let contacts = entries.books.get(book).cloned().unwrap_or_default();
        json!({"contacts": contacts})
    }

    /// A new entry of an address book. It must stand for a user of a provider, and have a name of its own.
    pub(crate) fn add_contact(&self, book: &str, contact: Contact) -> Done<()> {
        let mut entries = lock(&self.0);
        let user = &contact.provider_contact.id;
        let mut providers = entries.providers.values();
        if !providers.any(|provider| provider.users.contains_key(user)) {
            return Err(RegistryError::NotFound);
        }
        let contacts = entries.books.entry(book.to_owned()).or_default();
        if contacts.iter().any(|known| known.name == contact.name) {
            return Err(RegistryError::Exists);
        }
        if contacts.len() >= MAX_ENTRIES {
            return Err(RegistryError::TooMany);
        }
        contacts.push(contact);
        entries.changes += 1;
        Ok(())
    }
}
