//! Builds the guest, and composes it with the Spin adapter.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The project's folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

// The environment of `cargo test` names this test's toolchain and libraries; the guest has its own.
const BUILD: &str = r#"
    vars=$(bash tools/wasm-toolchain.sh --env) && eval "$vars" &&
    cargo build --quiet --locked --profile component --target wasm32-wasip2 \
        -p skillcall-host-guest -p skillcall-adapter-spin --message-format json
"#;

struct Built {
    guest: Vec<u8>,
    adapter: Vec<u8>,
}

fn built() -> &'static Built {
    static BUILT: OnceLock<Built> = OnceLock::new();
    BUILT.get_or_init(|| {
        let output = Command::new("bash")
            .args(["-c", BUILD])
            .current_dir(root())
            .env_remove("RUSTUP_TOOLCHAIN")
            .env_remove("LD_LIBRARY_PATH")
            .env_remove("RUSTFLAGS")
            .output()
            .expect("bash runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "the guest does not build: {errors}"
        );
        let messages = String::from_utf8(output.stdout).expect("cargo writes UTF-8");
        Built {
            guest: artefact(&messages, "skillcall_host_guest.wasm"),
            adapter: artefact(&messages, "skillcall_adapter_spin.wasm"),
        }
    })
}

/// The bytes of the file of this name that cargo says it made.
fn artefact(messages: &str, name: &str) -> Vec<u8> {
    let path = messages
        .split('"')
        .find(|text| text.ends_with(&format!("/component/{name}")))
        .unwrap_or_else(|| panic!("cargo names no {name}: {messages}"));
    std::fs::read(path).expect(path)
}

/// The guest as it is built.
pub(crate) fn guest() -> &'static [u8] {
    &built().guest
}

/// The guest composed with the Spin adapter.
pub(crate) fn spin_guest() -> &'static [u8] {
    static COMPOSED: OnceLock<Vec<u8>> = OnceLock::new();
    COMPOSED.get_or_init(|| {
        skillcall_compose::compose(&built().guest, &built().adapter).expect("they fit")
    })
}
