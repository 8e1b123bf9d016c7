//! The phones that the configuration names, with their secrets.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use skillcall_sip::auth::{Hash, Secret};

use crate::config::{PhoneConfig, PhoneMayCall, SidecarConfig, SourceNet};

/// One phone.
#[derive(Debug)]
pub(crate) struct Account {
    /// What the file says of it.
    pub(crate) config: PhoneConfig,
    secrets: Vec<(Hash, Secret)>,
}

impl Account {
    /// Whether it may call such.
    pub(crate) fn may_call(&self, what: PhoneMayCall) -> bool {
        self.config.calls.contains(&what)
    }

    /// What is shown to whom it calls.
    pub(crate) fn shown(&self) -> &str {
        self.config.number.as_deref().unwrap_or(&self.config.user)
    }

    fn may_be_at(&self, from: IpAddr) -> bool {
        let networks = &self.config.networks;
        networks.is_empty() || networks.iter().any(|network| network.contains(from))
    }
}

/// All phones.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    by_user: HashMap<String, Arc<Account>>,
    networks: Vec<SourceNet>,
    /// A phone may be anywhere.
    anywhere: bool,
}

impl Accounts {
    /// The phones of a configuration. One whose secret cannot be read has none, so that nobody is it; `check` says so
    /// before.
    pub(crate) fn read(config: &SidecarConfig) -> Self {
        let account = |phone: &PhoneConfig| {
            let secrets = phone.secrets(config).unwrap_or_default();
            let account = Account {
                config: phone.clone(),
                secrets,
            };
            (phone.user.clone(), Arc::new(account))
        };
        Self {
            by_user: config.phone.iter().map(account).collect(),
            networks: config
                .phone
                .iter()
                .flat_map(|phone| phone.networks.clone())
                .collect(),
            anywhere: config.phone.iter().any(|phone| phone.networks.is_empty()),
        }
    }

    /// The phone of this user.
    pub(crate) fn named(&self, user: &str) -> Option<&Arc<Account>> {
        self.by_user.get(user)
    }

    /// Their users, in no order.
    pub(crate) fn users(&self) -> impl Iterator<Item = &str> {
        self.by_user.keys().map(String::as_str)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_user.is_empty()
    }

    /// What a user's credentials are proven by; none for nobody, and for whoever may not be there.
    pub(super) fn secret(&self, user: &str, hash: Hash, from: IpAddr) -> Option<Secret> {
        let account = self.by_user.get(user)?;
        let found = account.secrets.iter().find(|(own, _)| *own == hash);
        found
            .filter(|_| account.may_be_at(from))
            .map(|(_, secret)| secret.clone())
    }

    pub(super) fn may_knock(&self, from: IpAddr, by_connection: bool) -> bool {
        (self.anywhere && by_connection)
            || self.networks.iter().any(|network| network.contains(from))
    }
}
