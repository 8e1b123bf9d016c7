//! The component under test.

use std::path::PathBuf;

use skillcall_host::outbound::OutboundConfig;
use skillcall_host::state::{Bounds, MemoryState};
use skillcall_host::{EngineConfig, Skill};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;

use crate::plug_in::PlugIn;
use crate::settings::TestSettings;
use crate::state::WatchedState;

static COMPILED: OnceCell<Skill> = OnceCell::const_new();

/// Where the component lies: `SKILLCALL_COMPONENT`, else `target/skillcall.wasm`.
///
/// # Panics
/// When it is not there: a test that skips what it should test would pass for nothing.
#[must_use]
pub fn path() -> PathBuf {
    let path = std::env::var_os("SKILLCALL_COMPONENT").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/skillcall.wasm"),
        PathBuf::from,
    );
    assert!(
        path.is_file(),
        "the component {} is not there: `make component` builds it",
        path.display()
    );
    path
}

/// The component with a plug-in in it, these settings and a state of its own.
///
/// # Panics
/// When it cannot be built or loaded.
pub async fn plugged(plug_in: PlugIn, settings: Arc<TestSettings>) -> Skill {
    let component = plug_in.component().await;
    // A plug-in that does not end is stopped by it.
    load(component.to_vec(), Duration::from_secs(3), settings).await
}

/// The artefact with relaxed vectors, which lies beside the other one.
///
/// # Panics
/// When it is not there or cannot be loaded.
pub async fn relaxed(settings: Arc<TestSettings>) -> Skill {
    let path = path().with_file_name("skillcall-relaxed.wasm");
    let component = std::fs::read(&path)
        .unwrap_or_else(|_| panic!("{}: `make component` builds it", path.display()));
    load(component, EngineConfig::default().deadline, settings).await
}

async fn load(component: Vec<u8>, deadline: Duration, settings: Arc<TestSettings>) -> Skill {
    let loading = tokio::task::spawn_blocking(move || {
        let engine = EngineConfig {
            concurrency: 10,
            deadline,
            ..EngineConfig::default()
        };
        let state = Arc::new(MemoryState::new(Bounds::default()));
        let outbound = OutboundConfig::default();
        Skill::load(component, engine, state, settings, &outbound)
    });
    loading
        .await
        .expect("the load ends")
        .expect("the component loads")
}

/// The component with these settings and this state. It is compiled once for a test program.
///
/// # Panics
/// When it cannot be loaded.
pub async fn skill(settings: Arc<TestSettings>, state: Arc<WatchedState>) -> Skill {
    let compiled = COMPILED
        .get_or_init(|| async {
            let loading = tokio::task::spawn_blocking(|| {
                let (state, settings) = (
                    Arc::new(MemoryState::new(Bounds::default())),
                    Arc::new(TestSettings::default()),
                );
                // As many as run when each test of a program sends its requests at one instant.
                let engine = EngineConfig {
                    concurrency: 100,
                    ..EngineConfig::default()
                };
                Skill::load(path(), engine, state, settings, &OutboundConfig::default())
            });
            loading
                .await
                .expect("the load ends")
                .expect("the component loads")
        })
        .await;
    compiled
        .with(state, settings, &OutboundConfig::default())
        .expect("outbound TLS")
}
