//! The component composed for Spin, under Spin's rules.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use skillcall_host::settings::{KNOWN, SettingName, Settings as _};
use skillcall_host::spin_harness::{SpinHarness, SpinOptions};
use skillcall_host::spin_manifest;

use crate::settings::TestSettings;
use crate::stage::Manifest;

/// The project's manifest.
const SPIN_TOML: &str = include_str!("../../spin.toml");

/// Where the composed component lies: `SKILLCALL_SPIN_COMPONENT`, else `target/skillcall-spin.wasm`.
///
/// # Panics
/// When it is not there: a test that skips what it should test would pass for nothing.
#[must_use]
pub fn path() -> PathBuf {
    let path = std::env::var_os("SKILLCALL_SPIN_COMPONENT").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/skillcall-spin.wasm"),
        PathBuf::from,
    );
    assert!(
        path.is_file(),
        "the component {} is not there: `make component` builds it",
        path.display()
    );
    path.canonicalize().expect("its path")
}

/// The settings as Spin's variables; the plan as base64, as `skillcall check --compile --base64` writes it.
fn variables(settings: &TestSettings) -> BTreeMap<String, String> {
    let value = |name: &str| {
        let name = SettingName::new(name).expect("a setting");
        let bytes = settings.get_bytes(&name).expect("a setting")?;
        Some(if name.as_str() == "plan" {
            STANDARD.encode(bytes)
        } else {
            String::from_utf8(bytes.to_vec()).expect("text")
        })
    };
    KNOWN
        .iter()
        .filter_map(|known| Some((known.name.to_owned(), value(known.name)?)))
        .collect()
}

/// Starts it, with a manifest in `folder`.
pub(crate) async fn start(
    manifest: Manifest,
    settings: &TestSettings,
    folder: &Path,
) -> SpinHarness {
    let text = match manifest {
        Manifest::Projects => SPIN_TOML.to_owned(),
        Manifest::Installations => {
            let origins = spin_manifest::origins(settings).expect("the origins");
            spin_manifest::of_installation(SPIN_TOML, &path(), &origins).expect("a manifest")
        }
    };
    let file = folder.join("spin.toml");
    std::fs::write(&file, text).expect("a manifest");
    let mut options = SpinOptions::new(file);
    options.variables = variables(settings);
    options.source = Some(path());
    SpinHarness::start(options)
        .await
        .expect("Spin would start it")
}
