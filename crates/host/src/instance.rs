//! What one instance of the component has: its limits, and the host's side of its imports.

use crate::bindings::skillcall::host::{settings as settings_wit, state as state_wit};
use crate::guest_log::GuestLog;
use crate::outbound::{Hooks, Outbound};
use crate::settings::{SettingName, Settings, SettingsError};
use crate::spin_harness::SpinImports;
use crate::state::{Key, State, StateError, Value};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// What stands behind the imports beside WASI.
#[derive(Clone)]
pub(crate) enum Platform {
    /// `skillcall:host`, for the component as it is built.
    Skillcall {
        state: Arc<dyn State>,
        settings: Arc<dyn Settings>,
    },
    /// `fermyon:spin`, for the component composed with the Spin adapter.
    Spin(Arc<SpinImports>),
}

/// The moment at which an instance is stopped. It moves once: when the reply begins.
#[derive(Debug)]
pub(crate) struct Deadline(Mutex<Instant>);

impl Deadline {
    pub(crate) fn after(limit: Duration) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Instant::now() + limit)))
    }

    pub(crate) fn at(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn move_to(&self, at: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    pub(crate) fn is_past(&self) -> bool {
        Instant::now() >= self.at()
    }
}

/// The instance ran into its deadline.
#[derive(Debug, thiserror::Error)]
#[error("the deadline has passed")]
pub(crate) struct DeadlinePassed;

/// The instance wanted more memory than it may have.
#[derive(Debug, thiserror::Error)]
#[error("the instance wanted {wanted} bytes of memory, and may have {limit}")]
pub(crate) struct MemoryExceeded {
    wanted: usize,
    limit: usize,
}

/// The data of an instance's store.
pub(crate) struct Instance {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Hooks,
    memory: MemoryLimit,
    pub(crate) table: ResourceTable,
    pub(crate) platform: Platform,
    pub(crate) deadline: Arc<Deadline>,
}

impl Instance {
    pub(crate) fn new(
        platform: Platform,
        outbound: Outbound,
        memory: usize,
        deadline: Duration,
    ) -> Self {
        // No environment, files, arguments or sockets: std links to them, the component has no use for them.
        let wasi = WasiCtx::builder()
            .stdout(GuestLog::default())
            .stderr(GuestLog::default())
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        Self {
            wasi,
            http: WasiHttpCtx::new(),
            hooks: Hooks(outbound),
            memory: MemoryLimit {
                used: 0,
                limit: memory,
            },
            table: ResourceTable::new(),
            platform,
            deadline: Deadline::after(deadline),
        }
    }

    pub(crate) fn limiter(&mut self) -> &mut dyn ResourceLimiter {
        &mut self.memory
    }

    /// What happens at each tick of the engine's clock: others may run, until the deadline.
    pub(crate) fn tick(&self) -> wasmtime::Result<UpdateDeadline> {
        if self.deadline.is_past() {
            return Err(wasmtime::Error::from(DeadlinePassed));
        }
        Ok(UpdateDeadline::Yield(1))
    }
}

/// Counts the memories of an instance together: a composed component has several.
struct MemoryLimit {
    used: usize,
    limit: usize,
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = (self.used - current.min(self.used)).saturating_add(desired);
        if wanted > self.limit {
            // An error stops the instance with this reason; a refusal would end in the guest's own panic.
            let limit = self.limit;
            return Err(wasmtime::Error::from(MemoryExceeded { wanted, limit }));
        }
        self.used = wanted;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        _desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // The pool's own limit holds.
        Ok(true)
    }
}

impl WasiView for Instance {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for Instance {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.hooks,
        }
    }
}

impl From<StateError> for state_wit::Error {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Unavailable(reason) => Self::Unavailable(reason),
            StateError::BadKey => Self::BadKey,
            StateError::TooLarge => Self::TooLarge,
        }
    }
}

impl From<SettingsError> for settings_wit::Error {
    fn from(error: SettingsError) -> Self {
        match error {
            SettingsError::Unavailable(reason) => Self::Unavailable(reason),
            SettingsError::BadName => Self::BadName,
        }
    }
}

impl Instance {
    fn state(&self) -> Result<Arc<dyn State>, StateError> {
        match &self.platform {
            Platform::Skillcall { state, .. } => Ok(Arc::clone(state)),
            Platform::Spin(_) => Err(StateError::Unavailable("Spin has no such import".into())),
        }
    }

    fn settings(&self) -> Result<&dyn Settings, SettingsError> {
        match &self.platform {
            Platform::Skillcall { settings, .. } => Ok(settings.as_ref()),
            Platform::Spin(_) => Err(SettingsError::Unavailable("Spin has no such import".into())),
        }
    }
}

impl state_wit::Host for Instance {
    async fn get(&mut self, key: String) -> Result<Option<Vec<u8>>, state_wit::Error> {
        let key = Key::new(&key)?;
        let value = self.state()?.get(&key).await?;
        Ok(value.map(|value| value.as_slice().to_vec()))
    }

    async fn set(
        &mut self,
        key: String,
        value: Vec<u8>,
        ttl: Option<u32>,
    ) -> Result<(), state_wit::Error> {
        let (key, value) = (Key::new(&key)?, Value::new(value)?);
        Ok(self.state()?.set(key, value, ttl.map(seconds)).await?)
    }

    async fn delete(&mut self, key: String) -> Result<(), state_wit::Error> {
        let key = Key::new(&key)?;
        Ok(self.state()?.delete(key).await?)
    }

    async fn claim(
        &mut self,
        key: String,
        value: Vec<u8>,
        ttl: u32,
    ) -> Result<bool, state_wit::Error> {
        let (key, value) = (Key::new(&key)?, Value::new(value)?);
        Ok(self.state()?.claim(key, value, seconds(ttl)).await?)
    }
}

impl settings_wit::Host for Instance {
    async fn get(&mut self, name: String) -> Result<Option<String>, settings_wit::Error> {
        Ok(self.settings()?.get(&SettingName::new(&name)?)?)
    }

    async fn get_bytes(&mut self, name: String) -> Result<Option<Vec<u8>>, settings_wit::Error> {
        let bytes = self.settings()?.get_bytes(&SettingName::new(&name)?)?;
        Ok(bytes.map(|bytes| bytes.to_vec()))
    }
}

fn seconds(ttl: u32) -> Duration {
    Duration::from_secs(u64::from(ttl))
}
