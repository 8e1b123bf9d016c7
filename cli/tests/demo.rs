//! `skillcall demo`: it ends by itself, twice, with the usual ports taken, and leaves what it promises.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// What must never stand in a file that the demo writes: the customer's number, and how tokens begin.
const PLANTED: [&str; 3] = ["2045550100", "eyJhbGciOiJSUzI1NiI", "Atza|"];

fn demo(folder: &Path) {
    let output = Command::new(env!("CARGO_BIN_EXE_skillcall"))
        .args(["demo", "--into"])
        .arg(folder)
        .output()
        .expect("the program starts");
    let told = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{told}");
    for word in [
        "INVITE",
        "StartCommunicationSession",
        "NEW_INBOUND_CALL",
        "CallAndBridge",
        "digit",
        "200 OK (INVITE) with SDP",
        "answered after",
        "HANGUP",
    ] {
        assert!(
            told.contains(word)
                || word == "StartCommunicationSession"
                    && told.contains("/v1/communications/session"),
            "no {word} in the timeline:\n{told}"
        );
    }
    let trace_id = told
        .lines()
        .find_map(|line| line.strip_prefix("trace id"))
        .map(str::trim)
        .unwrap_or_default();
    assert_eq!(trace_id.len(), 32, "one trace id, not {trace_id:?}");
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[test]
fn the_demo_ends_by_itself_twice_and_leaves_page_and_recording() {
    let folder = tempfile::tempdir().expect("a folder");
    let into = folder.path().join("demo");
    // Held for the whole test, where they are free at all.
    let _taken: Vec<_> = [3000, 5060, 7080, 7090]
        .into_iter()
        .filter_map(|port| TcpListener::bind(("127.0.0.1", port)).ok())
        .collect();
    for _ in 0..2 {
        demo(&into);
        let page = std::fs::read_to_string(into.join("call.html")).expect("call.html");
        assert!(
            page.contains("<svg") && page.contains("data:audio/wav;base64,"),
            "the page has ladder and player"
        );
        assert!(
            !page.contains("src=\"http") && !page.contains("href=\"http"),
            "the page is self-contained"
        );
        let wav = hound::WavReader::open(into.join("recording.wav")).expect("recording.wav");
        assert_eq!(wav.spec().channels, 2);
        assert!(
            wav.duration() / wav.spec().sample_rate >= 3,
            "seconds recorded"
        );
    }
    for file in files(&into) {
        // What the user configures may hold the number; what the programs write may not.
        // The component's compiled code holds its messages, which show what a number looks like.
        if file.ends_with("simulator.toml")
            || file.starts_with(into.join("simulator/ca"))
            || file.extension().is_some_and(|kind| kind == "cwasm")
        {
            continue;
        }
        let bytes = std::fs::read(&file).expect("the file");
        for planted in PLANTED {
            let found = bytes
                .windows(planted.len())
                .any(|window| window == planted.as_bytes());
            assert!(!found, "{planted} in {}", file.display());
        }
    }
}
