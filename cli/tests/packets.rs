//! `skillcall trace --pcap` against a real sidecar: SIPp calls, and tshark reads what was written.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use skillcall_sidecar::{Sidecar, SidecarConfig};

const NUMBER: &str = "+16075550199";
const LIMIT: Duration = Duration::from_secs(60);

fn write_secret(file: &Path, text: &str) {
    std::fs::write(file, text).expect("a secret");
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).expect("its mode");
}

/// An installation of which only the sidecar runs.
async fn installation(folder: &Path) -> Sidecar {
    for part in ["secrets", "state", "prompts"] {
        std::fs::create_dir_all(folder.join(part)).expect("a folder");
    }
    write_secret(
        &folder.join("secrets/sidecar.token"),
        "0123456789abcdef0123456789abcdef",
    );
    let key = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    write_secret(&folder.join("secrets/sidecar.key"), key);
    std::fs::write(folder.join("skillcall.toml"), "").expect("a plan");
    let actions = json!({"SchemaVersion": "1.0", "Actions": [
        {"Type": "PlayAudio", "Parameters": {"Repeat": 50,
            "AudioSource": {"Type": "S3", "BucketName": "prompts", "Key": "a.wav"}}}]});
    std::fs::write(folder.join("tell.json"), actions.to_string()).expect("actions");
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut prompt = hound::WavWriter::create(folder.join("prompts/a.wav"), spec).expect("a file");
    (0..8000).for_each(|_| prompt.write_sample(0_i16).expect("a sample"));
    prompt.finalize().expect("a prompt");
    let text = format!(
        "[sip]\nlisten = [\"udp:127.0.0.1:0\"]\n[rtp]\nports = \"48000-48099\"\n\
         [control]\nlisten = \"127.0.0.1:0\"\ntoken-file = \"secrets/sidecar.token\"\n\
         [buckets]\nprompts = \"prompts\"\n[[application]]\nid = \"c3b8a6f0-0000-4000-8000-000000000001\"\n\
         actions = \"tell.json\"\nnumbers = [\"{NUMBER}\"]\nkeys-file = \"secrets/sidecar.key\"\n"
    );
    let config = SidecarConfig::parse(&text, &folder.join("sidecar.toml")).expect("settings");
    let sidecar = Sidecar::start(config).await.expect("a sidecar");
    let running = json!({"pid": std::process::id(), "component": "127.0.0.1:9", "sip": [],
        "sidecar": sidecar.control(), "simulator": null});
    std::fs::write(folder.join("state/running.json"), running.to_string()).expect("a note");
    sidecar
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_calls_packets_are_written() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().expect("a folder");
    let sidecar = installation(folder.path()).await;
    let to = sidecar.sip_udp().expect("UDP");
    let file = folder.path().join("call.pcap");
    let mut capture = Command::new(env!("CARGO_BIN_EXE_skillcall"))
        .arg("--folder")
        .arg(folder.path())
        .args(["trace", NUMBER, "--next", "--rtp", "--pcap"])
        .arg(&file)
        .spawn()
        .expect("the program starts");
    // Calls that come before the capture has begun are not its.
    let until = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = capture.try_wait().expect("its end") {
            break status;
        }
        assert!(Instant::now() < until, "no call was captured");
        let call = Command::new("sipp")
            .args(["-sn", "uac", "-s", NUMBER, "-m", "1", "-d", "100"])
            .args(["-i", "127.0.0.1", "-nostdin", "-timeout", "20s"])
            .arg(to.to_string())
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("SIPp; tools/setup.sh test installs it");
        assert!(call.success(), "{call}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(status.success(), "{status}");
    let mode = std::fs::metadata(&file)
        .expect("the file")
        .permissions()
        .mode()
        & 0o777;
    assert_eq!(mode, 0o600);
    let read = Command::new("tshark")
        .arg("-r")
        .arg(&file)
        .args(["-d", &format!("udp.port=={},sip", to.port())])
        .args(["-Y", "sip", "-T", "fields", "-e", "sip.CSeq.method"])
        .output()
        .expect("tshark; tools/setup.sh test installs it");
    let methods = String::from_utf8_lossy(&read.stdout).into_owned();
    for method in ["INVITE", "ACK", "BYE"] {
        let told = methods.lines().any(|line| line == method);
        assert!(told, "{method}: {methods}");
    }
    // Its place is free again.
    let kept = Command::new(env!("CARGO_BIN_EXE_skillcall"))
        .arg("--folder")
        .arg(folder.path())
        .args(["trace", "no such call", "--pcap"])
        .arg(&file)
        .output()
        .expect("the program starts");
    assert!(!kept.status.success());
    let said = String::from_utf8_lossy(&kept.stderr).into_owned();
    assert!(said.contains("no running call"), "{said}");
    sidecar.shutdown().await;
}
