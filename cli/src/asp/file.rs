//! The file that says what shall be there.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Deserialize;
use skillcall_protocol::lwa::TOKEN_URL;

/// What shall be there.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Wanted {
    pub(super) login: Login,
    #[serde(default)]
    pub(super) api: Api,
    pub(super) provider: Provider,
    /// Endpoints outside of Alexa, and rooms.
    #[serde(default, rename = "user")]
    pub(super) users: Vec<User>,
    #[serde(default, rename = "contact")]
    pub(super) contacts: Vec<Contact>,
}

/// How a token is had.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Login {
    pub(super) client_id: String,
    client_secret_file: PathBuf,
    /// Without one the client's own credentials are used.
    refresh_token_file: Option<PathBuf>,
    #[serde(default = "token_url")]
    pub(super) url: String,
    #[serde(skip)]
    pub(super) secret: String,
    #[serde(skip)]
    pub(super) refresh_token: Option<String>,
}

fn token_url() -> String {
    TOKEN_URL.to_owned()
}

/// Where the services are.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Api {
    pub(super) endpoint: String,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            endpoint: "https://api.amazonalexa.com".to_owned(),
        }
    }
}

/// The service provider, and the skill that carries its calls.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Provider {
    /// The id that its owner gives.
    pub(super) id: String,
    /// Names by locale.
    pub(super) name: BTreeMap<String, String>,
    pub(super) skill: String,
}

/// A user of the provider: with a profile, or with the unit whose profile is made if there is none.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) profile: Option<String>,
    pub(super) unit: Option<String>,
    /// The name of the unit's profile; the user's id if absent.
    pub(super) name: Option<String>,
}

/// An entry of an address book.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Contact {
    pub(super) address_book: String,
    pub(super) name: String,
    pub(super) user: String,
}

impl Wanted {
    /// Reads and checks the file. Paths in it are relative to its folder.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let mut wanted: Self = toml::from_str(&text).with_context(|| path.display().to_string())?;
        wanted.check().with_context(|| path.display().to_string())?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let login = &mut wanted.login;
        login.secret = secret(&folder.join(&login.client_secret_file))?;
        login.refresh_token = match &login.refresh_token_file {
            Some(file) => Some(secret(&folder.join(file))?),
            None => None,
        };
        Ok(wanted)
    }

    fn check(&self) -> anyhow::Result<()> {
        if self.provider.name.is_empty() {
            bail!(
                "provider.name is empty; expected a name by locale, as {{ en-US = \"Harbour Hotel\" }}"
            );
        }
        let mut ids = BTreeSet::new();
        for user in &self.users {
            if user.profile.is_some() == user.unit.is_some() {
                bail!(
                    "user {:?} has both profile and unit, or neither; expected one of them",
                    user.id
                );
            }
            if !ids.insert(user.id.as_str()) {
                bail!("user {:?} stands there twice", user.id);
            }
        }
        for contact in &self.contacts {
            if !ids.contains(contact.user.as_str()) {
                bail!(
                    "contact {:?} names the user {:?}, who is no [[user]]",
                    contact.name,
                    contact.user
                );
            }
        }
        Ok(())
    }
}

/// A secret, from a file that nobody else can read.
fn secret(path: &Path) -> anyhow::Result<String> {
    let shown = path.display();
    let mode = std::fs::metadata(path)
        .with_context(|| shown.to_string())?
        .mode();
    if mode & 0o077 != 0 {
        bail!("{shown} can be read by others; `chmod 600 {shown}` mends it");
    }
    let text = std::fs::read_to_string(path).with_context(|| shown.to_string())?;
    let text = text.trim();
    if text.is_empty() {
        bail!("{shown} is empty; expected a secret");
    }
    Ok(text.to_owned())
}
