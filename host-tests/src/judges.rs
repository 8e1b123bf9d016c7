//! Amazon's own packages as judges: their types for replies, their helpers for requests, their verifier for signatures.
//!
//! They are installed from `host-tests/judges` beside the component, as its `package-lock.json` says, and run by Node.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tokio::sync::OnceCell;

use crate::component;

/// What is installed and run.
const SOURCES: [(&str, &str); 6] = [
    ("package.json", include_str!("../judges/package.json")),
    (
        "package-lock.json",
        include_str!("../judges/package-lock.json"),
    ),
    ("trust.js", include_str!("../judges/trust.js")),
    ("verify.js", include_str!("../judges/verify.js")),
    ("requests.js", include_str!("../judges/requests.js")),
    ("replies.js", include_str!("../judges/replies.js")),
];

static INSTALLED: OnceCell<PathBuf> = OnceCell::const_new();

fn beside_component(name: &str) -> PathBuf {
    let component = component::path()
        .canonicalize()
        .expect("the component's path");
    component
        .parent()
        .expect("the component's folder")
        .join(name)
}

/// Where stages keep what was asked of the skill and what it answered.
#[must_use]
pub fn exchanges_folder() -> PathBuf {
    beside_component("host-tests-exchanges")
}

/// A file for one stage's exchanges, while it runs.
///
/// # Panics
/// When the folder cannot be made.
#[must_use]
pub fn new_file() -> PathBuf {
    let folder = exchanges_folder().join("running");
    std::fs::create_dir_all(&folder).expect("a folder for exchanges");
    folder.join(format!("{}.jsonl", uuid::Uuid::new_v4()))
}

/// Puts the file of a stage that has ended where it is judged.
///
/// # Panics
/// When it cannot be moved.
pub fn ended(file: &Path) {
    let name = file.file_name().expect("its name");
    std::fs::rename(file, exchanges_folder().join(name)).expect("it is moved");
}

/// Takes the exchanges of all stages that have ended.
///
/// # Panics
/// When a file is none.
#[must_use]
pub fn take_ended() -> Vec<Exchange> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(exchanges_folder()).expect("exchanges") {
        let file = entry.expect("a file").path();
        if file
            .extension()
            .is_some_and(|extension| extension == "jsonl")
        {
            all.extend(exchanges(&file));
            // What was judged is not judged again.
            let _ = std::fs::remove_file(&file);
        }
    }
    all
}

/// A signed request and what came back.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The signature's headers, by name.
    pub headers: Value,
    /// The body.
    pub request: String,
    /// The status; 0 when no answer came.
    pub status: u16,
    /// The answer.
    pub reply: String,
}

/// The exchanges of a file.
///
/// # Panics
/// When it is no such file.
#[must_use]
pub fn exchanges(file: &Path) -> Vec<Exchange> {
    let text = std::fs::read_to_string(file).expect("exchanges");
    let read = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("an exchange");
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        Exchange {
            headers: line["headers"].clone(),
            request: text("request"),
            status: u16::try_from(line["status"].as_u64().unwrap_or_default()).unwrap_or_default(),
            reply: text("reply"),
        }
    };
    // The last line of a stage that was torn down may be half a line.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(read).collect()
}

/// Asks a judge: `script` gets the question as a file of JSON, and prints its judgement as JSON.
///
/// # Panics
/// When it cannot be installed or run, or fails.
pub async fn ask(script: &'static str, question: &Value) -> Value {
    let folder = INSTALLED
        .get_or_init(|| async {
            tokio::task::spawn_blocking(install)
                .await
                .expect("the judges are installed")
        })
        .await
        .clone();
    let question = question.to_string();
    let judging = tokio::task::spawn_blocking(move || {
        let file = tempfile::NamedTempFile::new_in(&folder).expect("a file for the question");
        std::fs::write(file.path(), question).expect("the question");
        let output = Command::new("node")
            .arg(script)
            .arg(file.path())
            .current_dir(&folder)
            .output()
            .expect("node runs");
        assert!(
            output.status.success(),
            "{script}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).expect("a judgement")
    });
    judging.await.expect("the judge is heard")
}

/// Installs the packages unless they are there as the lock file says.
fn install() -> PathBuf {
    let folder = beside_component("host-tests-judges");
    std::fs::create_dir_all(&folder).expect("a folder for the judges");
    let stamp = folder.join("installed");
    let wanted: String = SOURCES[..2].iter().map(|(_, text)| *text).collect();
    for (name, text) in SOURCES {
        std::fs::write(folder.join(name), text).expect(name);
    }
    if std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return folder;
    }
    let output = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(&folder)
        .output()
        .expect("npm runs");
    assert!(
        output.status.success(),
        "npm ci: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    std::fs::write(&stamp, wanted).expect("the stamp");
    folder
}
