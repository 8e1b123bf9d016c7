//! Another configuration without a restart, and without losing a call.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use super::StartError;
use super::starting::findings;
use crate::config::{ConfigError, Live, Severity, SidecarConfig};
use crate::front::{FrontHandle, ToFront};
use crate::guard::Known;
use crate::phones::Phones;
use crate::tls::{Tls, TlsSetup};
use crate::trunks::{TrunkTable, Trunks};

/// What is taken up at once, for what begins from then on. Everything else wants a restart.
const TAKEN: &[&str] = &[
    "route",
    "trunk",
    "phone",
    "guard",
    "toll",
    "sip.sources",
    "sip.unlisted-source",
    "sip.skills",
    "sip.require-skill",
    "limits.calls",
    "limits.calls-per-second",
    "gateway.route",
    "gateway.room",
];

/// What came of a reload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reloaded {
    /// Settings that have changed and hold from now on.
    pub taken: Vec<String>,
    /// Settings that have changed and hold after a restart.
    pub need_restart: Vec<String>,
}

/// What a reload reaches.
#[derive(Clone)]
pub(crate) struct Reload {
    pub(super) live: Live,
    pub(super) front: FrontHandle,
    pub(super) known: Arc<Known>,
    pub(super) trunks: Trunks,
    pub(super) tls: Tls,
    pub(super) phones: Arc<Phones>,
}

impl Reload {
    /// Reads the file again, and takes up what it says.
    pub(crate) async fn run(&self) -> Result<Reloaded, StartError> {
        let file = self.live.now().origin.file.clone();
        self.take(SidecarConfig::load(&file)?).await
    }

    /// Takes up a configuration if there is nothing wrong with it.
    pub(super) async fn take(&self, config: SidecarConfig) -> Result<Reloaded, StartError> {
        let before = self.live.now();
        let errors: Vec<_> = findings(&config)
            .await?
            .into_iter()
            .filter(|finding| finding.severity == Severity::Error)
            .collect();
        if !errors.is_empty() {
            return Err(ConfigError::Refused(errors).into());
        }
        let setup = TlsSetup::read(&config)?;
        let reloaded = compare(&before, &config);
        let config = Arc::new(config);
        // Whom it knows first: a call of a new trunk must find it.
        self.tls.replace(setup);
        self.trunks.replace(TrunkTable::new(&config));
        self.phones.reload(&config);
        self.known.reload(&config, Instant::now());
        self.live.replace(Arc::clone(&config));
        self.front
            .order(|holds| ToFront::Reload { config, holds })
            .await;
        tracing::info!(taken = ?reloaded.taken, need_restart = ?reloaded.need_restart, "reloaded");
        Ok(reloaded)
    }
}

fn compare(before: &SidecarConfig, after: &SidecarConfig) -> Reloaded {
    let (before, after) = (settings(before), settings(after));
    let mut reloaded = Reloaded::default();
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        if before.get(name) == after.get(name) {
            continue;
        }
        let section = name.split('.').next().unwrap_or_default();
        let list = if TAKEN.contains(&name.as_str()) || TAKEN.contains(&section) {
            &mut reloaded.taken
        } else {
            &mut reloaded.need_restart
        };
        list.push(name.clone());
    }
    reloaded
}

/// Each setting of a table by its name, each list of tables as one.
fn settings(config: &SidecarConfig) -> BTreeMap<String, serde_json::Value> {
    let mut settings = BTreeMap::new();
    let Ok(serde_json::Value::Object(sections)) = serde_json::to_value(config) else {
        return settings;
    };
    for (section, value) in sections {
        match value {
            serde_json::Value::Object(table) => {
                settings.extend(
                    table
                        .into_iter()
                        .map(|(key, value)| (format!("{section}.{key}"), value)),
                );
            }
            other => {
                settings.insert(section, other);
            }
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_a_reload_takes_and_what_waits_for_a_restart() {
        let config = |text: &str| SidecarConfig::parse(text, Path::new("sidecar.toml")).unwrap();
        let before = config("[sip]\nsources = [\"192.0.2.1\"]\n");
        let after = config(
            "[sip]\nsources = []\nlisten = [\"udp:127.0.0.1:5070\"]\n[limits]\ncalls = 7\nqueue = 99\n\
             [[route]]\nprefix = \"+\"\nuri = \"sip:{number}@192.0.2.1\"\n",
        );
        let reloaded = compare(&before, &after);
        assert_eq!(reloaded.taken, ["limits.calls", "route", "sip.sources"]);
        assert_eq!(reloaded.need_restart, ["limits.queue", "sip.listen"]);
        assert_eq!(compare(&after, &after), Reloaded::default());
    }
}
