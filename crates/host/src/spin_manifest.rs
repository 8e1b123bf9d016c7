//! A `spin.toml` for one installation: the project's manifest, with the component's place and exactly the origins that
//! the installation's settings name in `allowed_outbound_hosts`.
//!
//! The project's own manifest names Amazon's hosts. An installation may call others (the simulator in Amazon's place),
//! or fewer; what it does not need, Spin should not let it reach.

use crate::settings::{SettingName, Settings, SettingsError};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The Alexa APIs, when `api_hosts` is not set (docs/settings.md).
const API_HOSTS: [&str; 3] = [
    "https://api.amazonalexa.com",
    "https://api.eu.amazonalexa.com",
    "https://api.fe.amazonalexa.com",
];
/// Where Amazon's certificate chains lie (facts B), when `chain_origin` is not set.
const CHAIN_ORIGIN: &str = "https://s3.amazonaws.com";

/// Where Login with Amazon gives tokens (facts H), when `lwa_url` is not set.
const LWA_ORIGIN: &str = "https://api.amazon.com";

/// Why no manifest can be made.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The manifest that it is made from is no TOML.
    #[error("the manifest is no TOML: {0}")]
    Syntax(#[from] toml::de::Error),
    /// The manifest that it is made from lacks what it is made of.
    #[error("the manifest has no {0}")]
    Lacks(&'static str),
    /// It cannot be written.
    #[error("the manifest cannot be written: {0}")]
    Written(#[from] toml::ser::Error),
    /// A setting cannot be read.
    #[error("the setting {name}: {error}")]
    Setting {
        /// Its name.
        name: &'static str,
        /// Why.
        error: SettingsError,
    },
}

/// The origins that a component with these settings calls, each once: `api_hosts`, `chain_origin` or Amazon's,
/// `sidecar_url`, and the token endpoint if there are client secrets. Those of the call plan are not among them.
///
/// # Errors
/// [`ManifestError::Setting`].
pub fn origins(settings: &dyn Settings) -> Result<Vec<String>, ManifestError> {
    let get = |name: &'static str| {
        let failed = |error| ManifestError::Setting { name, error };
        let value = settings
            .get(&SettingName::new(name).map_err(failed)?)
            .map_err(failed)?;
        // An empty value counts as not set.
        Ok::<_, ManifestError>(
            value
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty()),
        )
    };
    let mut origins: Vec<String> = match get("api_hosts")? {
        Some(hosts) => hosts
            .split(',')
            .map(|host| host.trim().to_owned())
            .collect(),
        None => API_HOSTS.map(str::to_owned).to_vec(),
    };
    origins.push(get("chain_origin")?.unwrap_or_else(|| CHAIN_ORIGIN.to_owned()));
    origins.extend(get("sidecar_url")?);
    if get("lwa_client_secrets")?.is_some() {
        let url = get("lwa_url")?.unwrap_or_else(|| LWA_ORIGIN.to_owned());
        // Scheme and host end with the third slash.
        let end = url
            .match_indices('/')
            .nth(2)
            .map_or(url.len(), |(at, _)| at);
        origins.push(url.get(..end).unwrap_or(LWA_ORIGIN).to_owned());
    }
    let mut seen = Vec::new();
    for origin in origins {
        // An entry is an origin: Spin refuses one with a path.
        let origin = origin.trim_end_matches('/').to_owned();
        if !origin.is_empty() && !seen.contains(&origin) {
            seen.push(origin);
        }
    }
    Ok(seen)
}

/// The component's file that a manifest names, as seen from the manifest's folder.
///
/// # Errors
/// [`ManifestError::Syntax`], [`ManifestError::Lacks`].
pub fn source(manifest: &str) -> Result<PathBuf, ManifestError> {
    let mut manifest: Table = toml::from_str(manifest)?;
    let source = served(&mut manifest)?.get("source").and_then(Value::as_str);
    source
        .map(PathBuf::from)
        .ok_or(ManifestError::Lacks("`source` of its component"))
}

/// `manifest` with `component` as its component's file (an absolute path, as the result lies elsewhere) and with
/// `origins` as its outbound hosts. How it is built is left out: `spin up` does not build.
///
/// # Errors
/// [`ManifestError::Syntax`], [`ManifestError::Lacks`], [`ManifestError::Written`].
pub fn of_installation(
    manifest: &str,
    component: &Path,
    origins: &[String],
) -> Result<String, ManifestError> {
    let mut manifest: Table = toml::from_str(manifest)?;
    let served = served(&mut manifest)?;
    served.insert(
        "source".to_owned(),
        Value::String(component.display().to_string()),
    );
    let origins = origins.iter().cloned().map(Value::String).collect();
    served.insert("allowed_outbound_hosts".to_owned(), Value::Array(origins));
    served.remove("build");
    Ok(toml::to_string_pretty(&manifest)?)
}

/// The component of the first HTTP trigger.
fn served(manifest: &mut Table) -> Result<&mut Table, ManifestError> {
    let triggers = manifest
        .get("trigger")
        .and_then(|trigger| trigger.get("http"))
        .and_then(Value::as_array);
    let name = triggers
        .and_then(|triggers| triggers.first()?.get("component")?.as_str())
        .ok_or(ManifestError::Lacks("[[trigger.http]] with a component"))?
        .to_owned();
    manifest
        .get_mut("component")
        .and_then(|components| components.get_mut(&name)?.as_table_mut())
        .ok_or(ManifestError::Lacks("[component] of its trigger"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const SPIN_TOML: &str = include_str!("../../../spin.toml");

    struct Given(&'static [(&'static str, &'static str)]);

    impl Settings for Given {
        fn get(&self, name: &SettingName) -> Result<Option<String>, SettingsError> {
            let found = self.0.iter().find(|(known, _)| *known == name.as_str());
            Ok(found.map(|(_, value)| (*value).to_owned()))
        }

        fn get_bytes(&self, name: &SettingName) -> Result<Option<Bytes>, SettingsError> {
            Ok(self.get(name)?.map(Bytes::from))
        }
    }

    fn hosts(manifest: &str) -> Vec<String> {
        let mut manifest: Table = toml::from_str(manifest).expect("TOML");
        let hosts = served(&mut manifest).expect("a component")["allowed_outbound_hosts"].clone();
        hosts.try_into().expect("a list of texts")
    }

    #[test]
    fn without_settings_the_origins_are_those_of_the_projects_manifest() {
        let found = origins(&Given(&[
            ("sidecar_url", "{{ sidecar_url }}"),
            ("lwa_client_secrets", "secret"),
        ]))
        .expect("origins");
        assert_eq!(found, hosts(SPIN_TOML));
    }

    #[test]
    fn an_installation_reaches_what_its_settings_name_and_nothing_else() {
        let settings = Given(&[
            ("api_hosts", "http://127.0.0.1:7090, http://127.0.0.1:7091/"),
            ("chain_origin", "http://127.0.0.1:7090"),
            ("sidecar_url", "http://127.0.0.1:7080/"),
        ]);
        let wanted = [
            "http://127.0.0.1:7090",
            "http://127.0.0.1:7091",
            "http://127.0.0.1:7080",
        ];
        let found = origins(&settings).expect("origins");
        assert_eq!(found, wanted);
        let empty = origins(&Given(&[("api_hosts", ""), ("sidecar_url", " ")])).expect("origins");
        assert_eq!(empty, hosts(SPIN_TOML)[..4]);

        let made = of_installation(SPIN_TOML, Path::new("/there/skill.wasm"), &found);
        let made = made.expect("a manifest");
        assert_eq!(hosts(&made), wanted);
        assert_eq!(
            source(&made).expect("its source"),
            Path::new("/there/skill.wasm")
        );
        assert_eq!(
            source(SPIN_TOML).expect("its source"),
            Path::new("target/skillcall-spin.wasm")
        );
        let (before, after): (Table, Table) = (
            toml::from_str(SPIN_TOML).expect("TOML"),
            toml::from_str(&made).expect("TOML"),
        );
        for part in [
            "spin_manifest_version",
            "application",
            "variables",
            "trigger",
        ] {
            assert_eq!(before[part], after[part], "{part}");
        }
    }

    #[test]
    fn a_manifest_without_a_component_is_named() {
        let make =
            |text| of_installation(text, Path::new("/x"), &[]).map_err(|error| error.to_string());
        for (text, says) in [
            ("a =", "no TOML"),
            ("a = 1", "no [[trigger.http]]"),
            (
                "[[trigger.http]]\nroute = \"/\"\ncomponent = \"a\"",
                "no [component]",
            ),
        ] {
            let refused = make(text).expect_err(text);
            assert!(refused.contains(says), "{text}: {refused}");
        }
    }
}
