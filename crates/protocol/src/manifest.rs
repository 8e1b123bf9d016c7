//! The parts of a skill manifest that skillcall reads (facts A8, D4). Everything else is left alone.

use serde::Deserialize;

/// The permission to start calls, as it stands in the manifest (facts D4).
pub const CALLING_PERMISSION: &str = "amazon_communication::calling";

/// A skill manifest: `skill.json`, with or without the outer `manifest`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// What the skill may ask customers for.
    #[serde(default)]
    pub permissions: Vec<Permission>,
    /// Where Alexa sends requests.
    #[serde(default)]
    pub apis: Apis,
}

/// One permission of the manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Permission {
    /// Its name, such as [`CALLING_PERMISSION`].
    #[serde(default)]
    pub name: String,
}

/// The skill's kinds of API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Apis {
    /// A custom skill.
    #[serde(default)]
    pub custom: Option<Custom>,
}

/// A custom skill's endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Custom {
    /// The default endpoint.
    #[serde(default)]
    pub endpoint: Option<Endpoint>,
}

/// Where Alexa sends requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// An HTTPS URL, or the ARN of a Lambda function.
    #[serde(default)]
    pub uri: String,
    /// SelfSigned, Wildcard or Trusted.
    #[serde(default)]
    pub ssl_certificate_type: Option<String>,
}

/// Why a manifest could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the skill manifest: {0}")]
pub struct ManifestError(#[from] serde_json::Error);

impl Manifest {
    /// Reads `skill.json`.
    ///
    /// # Errors
    /// When it is no JSON object, with line and column.
    pub fn read(json: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct File {
            manifest: Manifest,
        }
        match serde_json::from_slice::<File>(json) {
            Ok(file) => Ok(file.manifest),
            Err(_) => Ok(serde_json::from_slice(json)?),
        }
    }

    /// Whether the skill may start calls (facts D4).
    #[must_use]
    pub fn may_call(&self) -> bool {
        self.has_permission(CALLING_PERMISSION)
    }

    /// Whether the manifest names a permission.
    #[must_use]
    pub fn has_permission(&self, name: &str) -> bool {
        self.permissions
            .iter()
            .any(|permission| permission.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calling_permission_is_found_with_and_without_the_outer_object() {
        let inner = r#"{ "manifestVersion": "1.0", "permissions": [{ "name": "amazon_communication::calling" }],
            "apis": { "custom": { "endpoint": { "uri": "https://skill.example/alexa", "sslCertificateType": "Trusted" } } } }"#;
        for json in [inner.to_owned(), format!(r#"{{ "manifest": {inner} }}"#)] {
            let manifest = Manifest::read(json.as_bytes()).unwrap();
            assert!(manifest.may_call());
            assert_eq!(
                manifest.apis.custom.unwrap().endpoint.unwrap().uri,
                "https://skill.example/alexa"
            );
        }
        assert!(!Manifest::read(b"{}").unwrap().may_call());
        assert!(
            Manifest::read(b"[1")
                .unwrap_err()
                .to_string()
                .contains("line 1")
        );
    }
}
