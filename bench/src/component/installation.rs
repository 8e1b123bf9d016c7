//! The component's settings in this measurement.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::anyhow;
use bytes::Bytes;
use skillcall_host::settings::{SettingName, Settings, SettingsError};
use skillcall_simulator::authority::Authority;

use super::chains::ChainServer;

/// The plan that `skillcall init` writes.
const PLAN: &str = include_str!("../../../examples/skillcall.toml");
/// 32 bytes in base64, for keys.
const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Settings that stay as they are. The default has none.
#[derive(Default)]
pub(super) struct Installation(BTreeMap<&'static str, Bytes>);

impl Installation {
    /// An installation that trusts the simulator's authority and posts its trace nowhere.
    pub(super) fn complete(authority: &Authority, chains: &ChainServer) -> anyhow::Result<Self> {
        let (plan, _) = skillcall_plan::compile(PLAN)
            .map_err(|found| anyhow!("the example's plan: {found:?}"))?;
        Ok(Self(BTreeMap::from([
            ("plan", plan.into()),
            ("sidecar_keys", format!("bench:{SECRET}").into()),
            ("session_key", SECRET.into()),
            ("alexa_roots", authority.roots_pem().to_owned().into()),
            ("chain_origin", chains.origin().into()),
        ])))
    }
}

impl Installation {
    /// A `host.toml` for this component with these settings, which are written beside it.
    pub(super) fn host_toml(&self, component: &str, folder: &Path) -> anyhow::Result<String> {
        let mut text = format!("listen = \"127.0.0.1:0\"\ncomponent = {component:?}\n[settings]\n");
        for (name, value) in &self.0 {
            let path = folder.join(name);
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            options.open(&path)?.write_all(value)?;
            text.push_str(&format!("{name}_file = {path:?}\n"));
        }
        Ok(text)
    }
}

impl Settings for Installation {
    fn get(&self, name: &SettingName) -> Result<Option<String>, SettingsError> {
        let value = self.0.get(name.as_str());
        Ok(value.map(|value| String::from_utf8_lossy(value).into_owned()))
    }

    fn get_bytes(&self, name: &SettingName) -> Result<Option<Bytes>, SettingsError> {
        Ok(self.0.get(name.as_str()).cloned())
    }
}
