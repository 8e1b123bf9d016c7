//! `spin.toml`, manifest version 2, as far as this component uses it.

use super::SpinError;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    spin_manifest_version: i64,
    // Read for its shape only.
    #[expect(dead_code, reason = "a manifest without it is refused")]
    application: Application,
    #[serde(default)]
    pub(super) variables: BTreeMap<String, Variable>,
    pub(super) trigger: Triggers,
    #[serde(default)]
    pub(super) component: BTreeMap<String, Component>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read for its shape only")]
struct Application {
    name: String,
    version: Option<String>,
    description: Option<String>,
    #[serde(default)]
    authors: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Variable {
    #[expect(dead_code, reason = "read for its shape only")]
    description: Option<String>,
    #[serde(default)]
    pub(super) required: bool,
    pub(super) default: Option<String>,
    #[serde(default)]
    #[expect(dead_code, reason = "read for its shape only")]
    secret: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Triggers {
    #[serde(default)]
    pub(super) http: Vec<HttpTrigger>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpTrigger {
    pub(super) route: Route,
    pub(super) component: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Route {
    /// A path; with `/...` at its end all that lies under it.
    Public(String),
    /// Reached by other components only.
    Private {
        #[expect(dead_code, reason = "there is one meaning")]
        private: bool,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Component {
    #[expect(dead_code, reason = "read for its shape only")]
    description: Option<String>,
    pub(super) source: String,
    #[serde(default)]
    pub(super) allowed_outbound_hosts: Vec<String>,
    #[serde(default)]
    pub(super) key_value_stores: Vec<String>,
    #[serde(default)]
    pub(super) variables: BTreeMap<String, String>,
    #[serde(default)]
    #[expect(dead_code, reason = "this component reads no environment")]
    environment: BTreeMap<String, String>,
    #[expect(dead_code, reason = "read for its shape only")]
    build: Option<Build>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read for its shape only")]
struct Build {
    command: toml::Value,
    workdir: Option<String>,
    #[serde(default)]
    watch: Vec<String>,
}

impl Manifest {
    pub(super) fn read(path: &Path) -> Result<Self, SpinError> {
        let refused = |reason: String| SpinError::Manifest {
            path: path.to_owned(),
            reason,
        };
        let text = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
        let manifest: Self = toml::from_str(&text).map_err(|error| refused(error.to_string()))?;
        if manifest.spin_manifest_version != 2 {
            return Err(refused("spin_manifest_version must be 2".into()));
        }
        for (name, variable) in &manifest.variables {
            if variable.required == variable.default.is_some() {
                return Err(refused(format!(
                    "variable {name:?} must be `required` OR have a `default`"
                )));
            }
        }
        for trigger in &manifest.trigger.http {
            if !manifest.component.contains_key(&trigger.component) {
                return Err(refused(format!(
                    "trigger names the component {:?}, which is not there",
                    trigger.component
                )));
            }
            if let Route::Public(route) = &trigger.route
                && !route.starts_with('/')
            {
                return Err(refused(format!(
                    "the route {route:?} does not begin with /"
                )));
            }
        }
        Ok(manifest)
    }
}
