//! `simulator.toml`: reading it, and saying where it is wrong.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::{Secret, SecretError, SimulatorConfig, TOKEN_VARIABLE};
use crate::customer::Customer;
use crate::line::Voice;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no TOML, or a key is unknown, missing or of the wrong kind.
    #[error("{path}:{line}:{column}: {message}", path = path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// A value cannot be used.
    #[error("simulator: {key}: {message}")]
    Value {
        /// The key, such as `alexa.listen`.
        key: &'static str,
        /// What is wrong and what would be right.
        message: String,
    },
    /// There is no usable token for the control API.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

impl SimulatorConfig {
    /// Reads `simulator.toml`; paths in it are relative to its folder.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::File {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, path)
    }

    /// Reads the text of a `simulator.toml` that lies at `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text).map_err(|error| {
            let (line, column) = place(text, error.span().map_or(0, |span| span.start));
            ConfigError::Toml {
                path: path.to_owned(),
                line,
                column,
                message: error.message().to_owned(),
            }
        })?;
        config.resolve(path.parent().unwrap_or(Path::new("")));
        config.check()?;
        Ok(config)
    }

    fn resolve(&mut self, folder: &Path) {
        let resolve = |path: &mut PathBuf| *path = folder.join(&*path);
        resolve(&mut self.skill.model);
        resolve(&mut self.alexa.ca);
        for path in [
            &mut self.skill.manifest,
            &mut self.skill.client_secrets_file,
            &mut self.alexa.token_file,
            &mut self.alexa.trace_file,
            &mut self.device.recordings,
        ] {
            path.iter_mut().for_each(resolve);
        }
        for customer in &mut self.customers {
            customer.access_token_file.iter_mut().for_each(resolve);
            customer
                .person_access_token_file
                .iter_mut()
                .for_each(resolve);
        }
        let mut voices = vec![&mut self.device.voice];
        if let Some(phone) = &mut self.phone {
            phone.recordings.iter_mut().for_each(resolve);
            voices.push(&mut phone.voice);
        }
        for voice in voices {
            if let Voice::Wav { file } = voice {
                resolve(file);
            }
        }
    }

    /// Checks what the types alone do not.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let value = |key, message: String| Err(ConfigError::Value { key, message });
        if !self.alexa.listen.ip().is_loopback() && !self.alexa.allow_public {
            return value(
                "alexa.listen",
                format!(
                    "{} is no loopback address; set alexa.allow-public if it is meant",
                    self.alexa.listen
                ),
            );
        }
        if !self.alexa.allow_public {
            let phone = self
                .phone
                .as_ref()
                .map(|phone| ("phone.listen", phone.listen));
            for (key, address) in
                std::iter::once(("device.listen", self.device.listen)).chain(phone)
            {
                if !SocketAddr::ip(&address).is_loopback() {
                    return value(
                        key,
                        format!(
                            "{address} is no loopback address; set alexa.allow-public if it is meant"
                        ),
                    );
                }
            }
        }
        for (key, seconds) in std::iter::once(("device.max-seconds", self.device.max_seconds))
            .chain(
                self.phone
                    .as_ref()
                    .map(|phone| ("phone.max-seconds", phone.max_seconds)),
            )
        {
            if !(1..=7200).contains(&seconds) {
                return value(key, format!("{seconds} is none of 1 to 7200"));
            }
        }
        for (key, loss) in std::iter::once(("device.loss", self.device.loss))
            .chain(self.phone.as_ref().map(|phone| ("phone.loss", phone.loss)))
        {
            if !(0.0..=0.5).contains(&loss) {
                return value(key, format!("{loss} is none of 0 to 0.5"));
            }
        }
        if !(100..=1_000_000).contains(&self.alexa.trace_records) {
            return value(
                "alexa.trace-records",
                format!("{} is none of 100 to 1000000", self.alexa.trace_records),
            );
        }
        if self.alexa.answer_limit_ms == 0 || self.alexa.listen_ms == 0 {
            return value(
                "alexa.answer-limit-ms",
                "time limits must be longer than 0 ms".to_owned(),
            );
        }
        if let Some(contact) = self.contacts.iter().find(|contact| contact.id().is_none()) {
            return value(
                "contact",
                format!(
                    "{:?} wants exactly one of address, number and profile",
                    contact.name
                ),
            );
        }
        let mut devices: Vec<&str> = self
            .customers
            .iter()
            .map(|customer| customer.device_id.as_str())
            .collect();
        devices.sort_unstable();
        if devices.windows(2).any(|pair| pair.first() == pair.last()) {
            return value(
                "customer.device-id",
                "two customers have the same device".to_owned(),
            );
        }
        Ok(())
    }

    /// The customers, with the account-linking tokens of their files.
    pub(crate) fn customers(&self) -> Result<Vec<Customer>, SecretError> {
        if self.customers.is_empty() {
            return Ok(vec![Customer::default()]);
        }
        let mut customers = self.customers.clone();
        for customer in &mut customers {
            if let Some(file) = &customer.access_token_file {
                customer.access_token = Some(Secret::read(file)?.expose().to_owned());
            }
            if let Some(file) = &customer.person_access_token_file {
                customer.person_access_token = Some(Secret::read(file)?.expose().to_owned());
            }
        }
        Ok(customers)
    }

    /// The client secrets at Login with Amazon.
    pub(crate) fn client_secrets(&self) -> Result<Vec<String>, SecretError> {
        match &self.skill.client_secrets_file {
            Some(file) if self.skill.client_secrets.is_empty() => Secret::lines(file),
            _ => Ok(self.skill.client_secrets.clone()),
        }
    }

    /// The control API's token: given by the program, the environment or the file, in this order.
    pub(crate) fn control_token(&self) -> Result<Secret, SecretError> {
        if let Some(token) = &self.alexa.token {
            return Ok(token.clone());
        }
        if let Ok(token) = std::env::var(TOKEN_VARIABLE) {
            return Secret::new(token);
        }
        self.alexa
            .token_file
            .as_deref()
            .map_or(Err(SecretError::Missing), Secret::read)
    }
}

fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    (line, column)
}
