//! The component's settings in a test.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use bytes::Bytes;
use skillcall_host::settings::{SettingName, Settings, SettingsError};

/// Settings that may be changed while the component runs.
#[derive(Debug, Default)]
pub struct TestSettings(RwLock<BTreeMap<String, Bytes>>);

impl TestSettings {
    /// Sets or replaces a setting.
    pub fn set(&self, name: &str, value: impl Into<Bytes>) {
        let mut settings = self.0.write().unwrap_or_else(PoisonError::into_inner);
        settings.insert(name.to_owned(), value.into());
    }

    /// Takes a setting away.
    pub fn remove(&self, name: &str) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(name);
    }

    /// Sets the plan to what `toml` compiles to.
    ///
    /// # Panics
    /// When the plan has errors.
    pub fn set_plan(&self, toml: &str) {
        let (plan, _) = skillcall_plan::compile(toml)
            .unwrap_or_else(|found| panic!("the test's plan: {found:?}"));
        self.set("plan", plan);
    }

    fn find(&self, name: &SettingName) -> Option<Bytes> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name.as_str())
            .cloned()
    }
}

impl Settings for TestSettings {
    fn get(&self, name: &SettingName) -> Result<Option<String>, SettingsError> {
        Ok(self
            .find(name)
            .map(|value| String::from_utf8_lossy(&value).into_owned()))
    }

    fn get_bytes(&self, name: &SettingName) -> Result<Option<Bytes>, SettingsError> {
        Ok(self.find(name))
    }
}
