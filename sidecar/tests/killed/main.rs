//! kill -9: the next sidecar takes leave of everybody whom the dead one has left.

#[path = "../support/mod.rs"]
mod support;

mod answered;
mod ringing;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use support::process::{Process, free_port, wait};

/// One at a time: each of them waits for what has to be there within seconds.
static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Writes the configuration of a sidecar that comes back at the same port, as the responses to what it has sent do.
fn config(folder: &Path, handler: &str, route: Option<SocketAddr>, more: &str) -> PathBuf {
    let text = support::config_text(folder, handler, route, more);
    let port = free_port();
    let text = text.replace("udp:127.0.0.1:0", &format!("udp:127.0.0.1:{port}"));
    let text = text.replace("tcp:127.0.0.1:0", &format!("tcp:127.0.0.1:{port}"));
    let file = folder.join("sidecar.toml");
    std::fs::write(&file, text).unwrap();
    file
}

/// Kills it and starts another one; when that was.
fn again(mut killed: Process, file: &Path) -> (Process, Instant) {
    killed.0.kill().unwrap();
    killed.0.wait().unwrap();
    let began = Instant::now();
    let (next, _, _) = Process::sidecar_with_control(file);
    (next, began)
}

/// The journal's thread has written so many lines of a kind: a moment after what they tell of, where the machine is busy.
fn are_written(folder: &Path, what: &str, lines: usize) {
    let journal = folder.join("journal/calls.jsonl");
    let what = format!("\"what\":\"{what}\"");
    wait("the journal's lines", || {
        let text = std::fs::read_to_string(&journal).unwrap();
        (text.matches(&what).count() >= lines).then_some(())
    });
}

/// The journal forgets who was called.
fn is_forgotten(folder: &Path, file: &Path, ended: usize, last: Process) {
    let journal = folder.join("journal/calls.jsonl");
    wait("the journal's end", || {
        let text = std::fs::read_to_string(&journal).unwrap();
        (text.matches("\"what\":\"ended\"").count() >= ended).then_some(())
    });
    drop(last);
    let (_third, _) = Process::sidecar(file);
    assert_eq!(std::fs::read_to_string(journal).unwrap(), "");
}
