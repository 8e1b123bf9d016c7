//! The configuration of now: a reload puts another in its place.

use std::sync::{Arc, PoisonError, RwLock};

use super::SidecarConfig;

/// Shared by all who read what a reload may change.
#[derive(Debug, Clone)]
pub(crate) struct Live(Arc<RwLock<Arc<SidecarConfig>>>);

impl Live {
    pub(crate) fn new(config: Arc<SidecarConfig>) -> Self {
        Self(Arc::new(RwLock::new(config)))
    }

    /// The configuration of this moment.
    pub(crate) fn now(&self) -> Arc<SidecarConfig> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another in its place.
    pub(crate) fn replace(&self, config: Arc<SidecarConfig>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
    }
}
