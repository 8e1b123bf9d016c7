//! The joint between the logic and the component's imports and exports.

use crate::entry::Owner;
use crate::setting;
use crate::store::{self, Fault, Platform};
use std::cell::OnceCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[allow(missing_docs, clippy::all, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        path: ["../../wit/deps/skillcall-host", "wit"],
        world: "skillcall:adapter-spin/adapter",
        generate_all,
    });
}

use bindings::exports::skillcall::host::{settings, state};
use bindings::fermyon::spin::key_value::{Error as StoreError, Store};
use bindings::fermyon::spin::variables::{self, Error as VariableError};

struct Adapter;

bindings::export!(Adapter with_types_in bindings);

thread_local! {
    /// Opening costs more than a read, and an instance serves one request.
    static STORE: OnceCell<Store> = const { OnceCell::new() };
}

fn with_store<T>(ask: impl FnOnce(&Store) -> Result<T, StoreError>) -> Result<T, String> {
    STORE.with(|kept| {
        let store = match kept.get() {
            Some(store) => store,
            None => {
                let opened = Store::open("default").map_err(|error| told(&error))?;
                kept.get_or_init(|| opened)
            }
        };
        ask(store).map_err(|error| told(&error))
    })
}

fn told(error: &StoreError) -> String {
    match error {
        StoreError::AccessDenied => {
            "Spin denies the key-value store \"default\": add key_value_stores = [\"default\"] to the component in spin.toml".into()
        }
        StoreError::NoSuchStore => "Spin knows no key-value store \"default\"".into(),
        StoreError::StoreTableFull => "Spin has too many key-value stores open".into(),
        StoreError::Other(reason) => format!("Spin's key-value store: {reason}"),
    }
}

struct Spin;

impl Platform for Spin {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, String> {
        with_store(|store| store.get(key))
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<(), String> {
        with_store(|store| store.set(key, value))
    }

    fn delete(&self, key: &str) -> Result<(), String> {
        with_store(|store| store.delete(key))
    }

    fn now_ms(&self) -> u64 {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
    }

    fn wait(&self, time: Duration) {
        std::thread::sleep(time);
    }

    fn owner(&self) -> Result<Owner, String> {
        let mut owner = Owner::default();
        getrandom::fill(&mut owner).map_err(|error| format!("no random bytes: {error}"))?;
        Ok(owner)
    }
}

impl From<Fault> for state::Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unavailable(reason) => Self::Unavailable(reason),
            Fault::BadKey => Self::BadKey,
            Fault::TooLarge => Self::TooLarge,
        }
    }
}

impl state::Guest for Adapter {
    fn get(key: String) -> Result<Option<Vec<u8>>, state::Error> {
        Ok(store::get(&Spin, &key)?)
    }

    fn set(key: String, value: Vec<u8>, ttl: Option<u32>) -> Result<(), state::Error> {
        Ok(store::set(&Spin, &key, value, ttl)?)
    }

    fn delete(key: String) -> Result<(), state::Error> {
        Ok(store::delete(&Spin, &key)?)
    }

    fn claim(key: String, value: Vec<u8>, ttl: u32) -> Result<bool, state::Error> {
        Ok(store::claim(&Spin, &key, value, ttl)?)
    }
}

fn variable(name: &str) -> Result<Option<String>, settings::Error> {
    match variables::get(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VariableError::Undefined(_)) => Ok(None),
        Err(VariableError::InvalidName(_)) => Err(settings::Error::BadName),
        Err(VariableError::Provider(reason) | VariableError::Other(reason)) => {
            let reason = format!("the variable {name}: {reason}");
            Err(settings::Error::Unavailable(reason))
        }
    }
}

impl settings::Guest for Adapter {
    fn get(name: String) -> Result<Option<String>, settings::Error> {
        variable(&name)
    }

    fn get_bytes(name: String) -> Result<Option<Vec<u8>>, settings::Error> {
        if !setting::is_name(&name) {
            return Err(settings::Error::BadName);
        }
        let stored = with_store(|store| store.get(&setting::stored_key(&name)));
        if let Ok(Some(bytes)) = stored {
            return Ok(Some(bytes));
        }
        if let Some(value) = variable(&name)? {
            let decoded = setting::decode(&name, &value);
            return decoded.map(Some).map_err(settings::Error::Unavailable);
        }
        // Without the store nobody can say that the setting is absent.
        stored.map_err(settings::Error::Unavailable)
    }
}
