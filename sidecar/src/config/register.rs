//! `register = {...}` of a `[[trunk]]`: the gateway as a user of a PBX, which it has to tell where it is.

use serde::{Deserialize, Serialize};
use skillcall_sip::message::{Uri, escaped_user};

use super::TrunkConfig;

/// A registration with a trunk's registrar (RFC 3261 §10.2), renewed as long as the sidecar takes calls. Its challenges
/// are answered with the trunk's `username` and `password-file`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RegisterConfig {
    /// The user of the address of record; default: the trunk's `username`.
    pub user: Option<String>,
    /// The domain of the address of record, which the registrar serves; calls by the trunk carry it in From. Default: the
    /// host of the trunk's first target.
    pub domain: Option<String>,
    /// The user part of the Contact, which calls of the PBX ask for; default: `user`.
    pub contact: Option<String>,
    /// Seconds to ask for, 60 to 86400; default 3600. The registrar may give fewer.
    pub expires: u32,
    /// Seconds to wait after a failure, 1 to 1800; each further failure doubles it, up to half an hour, and half to the
    /// whole of it is waited (RFC 5626 §4.5). After a refusal (403, a wrong password) it is half an hour at once. Default 30.
    pub retry_seconds: u32,
}

impl Default for RegisterConfig {
    fn default() -> Self {
        Self {
            user: None,
            domain: None,
            contact: None,
            expires: 3600,
            retry_seconds: 30,
        }
    }
}

impl TrunkConfig {
    /// The domain that it registers in; none when it does not register.
    pub(crate) fn register_domain(&self) -> Option<String> {
        let register = self.register.as_ref()?;
        if let Some(domain) = &register.domain {
            return Some(domain.clone());
        }
        let target = self.target.first()?.read().ok()?;
        Some(target.host.to_string())
    }

    /// The address of record; none when it does not register, or when no user or domain is there.
    pub(crate) fn register_address(&self) -> Option<Uri> {
        let register = self.register.as_ref()?;
        let user = register.user.as_ref().or(self.username.as_ref())?;
        let domain = self.register_domain()?;
        Uri::parse(&format!("sip:{}@{domain}", escaped_user(user))).ok()
    }

    /// The Contact's user part.
    pub(crate) fn register_contact(&self) -> Option<&str> {
        let register = self.register.as_ref()?;
        let contact = register.contact.as_ref().or(register.user.as_ref());
        contact.or(self.username.as_ref()).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_registered() {
        let mut trunk = TrunkConfig::new("pbx", "pbx.example:5070");
        assert_eq!(trunk.register_address(), None);
        trunk.register = Some(RegisterConfig::default());
        assert_eq!(trunk.register_address(), None, "nobody is named");
        trunk.username = Some("gate way".into());
        let address = |trunk: &TrunkConfig| trunk.register_address().unwrap().to_string();
        assert_eq!(address(&trunk), "sip:gate%20way@pbx.example");
        assert_eq!(trunk.register_contact(), Some("gate way"));
        trunk.register = Some(RegisterConfig {
            user: Some("100".into()),
            domain: Some("sip.example".into()),
            ..RegisterConfig::default()
        });
        assert_eq!(address(&trunk), "sip:100@sip.example");
        assert_eq!(trunk.register_contact(), Some("100"));
    }
}
