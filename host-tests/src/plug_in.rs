//! Plug-ins that decide calls, built as their authors would build them, and plugged into the component.

use std::path::{Path, PathBuf};
use std::process::Command;

use tokio::sync::OnceCell;

use crate::npm;

/// One of the plug-ins that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlugIn {
    /// `examples/flow-rust`.
    Rust,
    /// `examples/flow-js`.
    JavaScript,
    /// `host-tests/plug-ins/bad.js`: the callers' numbers say what it does wrong.
    Bad,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The component without a plug-in: it lies beside the one that is composed.
fn core() -> PathBuf {
    let path = crate::component::path().with_file_name("skillcall-core.wasm");
    assert!(
        path.is_file(),
        "{} is not there: `make component` builds it",
        path.display()
    );
    path
}

impl PlugIn {
    /// The component with it.
    ///
    /// # Panics
    /// When it does not build or fit.
    pub async fn component(self) -> &'static [u8] {
        static COMPOSED: [OnceCell<Vec<u8>>; 3] = [const { OnceCell::const_new() }; 3];
        let composed = match self {
            Self::Rust => &COMPOSED[0],
            Self::JavaScript => &COMPOSED[1],
            Self::Bad => &COMPOSED[2],
        };
        composed
            .get_or_init(|| async move {
                let composing = tokio::task::spawn_blocking(move || {
                    let core = std::fs::read(core()).expect("the component");
                    skillcall_compose::compose(&core, &self.build()).expect("they fit")
                });
                composing.await.expect("it is composed")
            })
            .await
    }

    fn build(self) -> Vec<u8> {
        match self {
            Self::Rust => rust(),
            Self::JavaScript => javascript("examples/flow-js/flow.js"),
            Self::Bad => javascript("host-tests/plug-ins/bad.js"),
        }
    }
}

// The environment of `cargo test` names this test's toolchain and libraries; the plug-in has its own.
const BUILD: &str = r#"
    vars=$(bash tools/wasm-toolchain.sh --env) && eval "$vars" &&
    cargo build --quiet --locked --profile component --target wasm32-wasip2 \
        -p skillcall-flow-rust --message-format json
"#;

fn rust() -> Vec<u8> {
    let output = Command::new("bash")
        .args(["-c", BUILD])
        .current_dir(root())
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("LD_LIBRARY_PATH")
        .env_remove("RUSTFLAGS")
        .output()
        .expect("bash runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "it does not build: {errors}");
    let messages = String::from_utf8(output.stdout).expect("cargo writes UTF-8");
    let path = messages
        .split('"')
        .find(|text| text.ends_with("/component/skillcall_flow_rust.wasm"))
        .unwrap_or_else(|| panic!("cargo names no artefact: {messages}"));
    std::fs::read(path).expect(path)
}

fn javascript(source: &str) -> Vec<u8> {
    let tools = npm::install(&root().join("examples/flow-js"));
    let folder = tempfile::tempdir().expect("a folder");
    let made = folder.path().join("flow.wasm");
    let output = Command::new("node")
        .arg(tools.join("componentize-qjs/bin/componentize-qjs"))
        .args([
            "--sync",
            "--wit",
            "wit/deps/skillcall-flow",
            "--world",
            "plug-in",
        ])
        .args(["--js", source, "-o"])
        .arg(&made)
        .current_dir(root())
        .output()
        .expect("node runs; tools/setup.sh installs it");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{source} does not build: {said}");
    std::fs::read(&made).expect("a component")
}
