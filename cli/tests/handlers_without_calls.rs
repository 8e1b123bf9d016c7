//! `skillcall sma test` and `skillcall handler run`, as a person types them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

fn skillcall(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_skillcall"))
        .args(args)
        .output()
        .unwrap()
}

#[test]
fn a_folder_of_scenarios_passes_and_is_told_as_json_and_junit() {
    let folder = tempfile::tempdir().unwrap();
    let junit = folder.path().join("report.xml");
    let scenarios = examples().join("scenarios");
    let args = [
        "--json",
        "sma",
        "test",
        "--junit",
        junit.to_str().unwrap(),
        scenarios.to_str().unwrap(),
    ];
    let output = skillcall(&args);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{told}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(report["failed"], 0);
    assert_eq!(
        report["passed"],
        report["scenarios"].as_array().unwrap().len()
    );
    let xml = std::fs::read_to_string(junit).unwrap();
    assert!(
        xml.contains("failures=\"0\"") && xml.contains("<testcase"),
        "{xml}"
    );
}

#[test]
fn what_is_wrong_in_a_scenario_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong.toml");
    for (text, told) in [
        (
            "[[step]]\nhears = \"a\"\ndials = \"1\"\n",
            ":1: the step does more than one thing (dials, hears)",
        ),
        (
            "\n[[step]]\nlistens = \"a\"\n",
            ":3: unknown field `listens`",
        ),
        ("[[step]]\nevent = \"HANG_UP\"\n", "\"HANG_UP\" is no event"),
        ("[[step]]\nwaits = \"soon\"\n", "\"200 ms\""),
        ("[[step]]\nhears = \"a\"\n", "no handler"),
        ("name = \"x\"\n", "the scenario expects nothing"),
    ] {
        std::fs::write(&file, text).unwrap();
        let output = skillcall(&["sma", "test", file.to_str().unwrap()]);
        let out = String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success());
        assert!(out.contains(told), "{told:?} in {out}");
    }
}

/// A handler that is asked by plain HTTP, as Lambda is invoked.
#[test]
fn a_file_is_served_as_lambda_serves_it() {
    let folder = tempfile::tempdir().unwrap();
    let node = "exports.handler = async (event, context) => {\n  if (event.fail) throw new TypeError('no');\n  \
                if (event.slow) await new Promise((done) => setTimeout(done, 60000));\n  \
                return { name: context.functionName, left: context.getRemainingTimeInMillis() <= 500 };\n};\n";
    let python = "def lambda_handler(event, context):\n    if event.get('fail'):\n        raise TypeError('no')\n    \
                  while event.get('slow'):\n        pass\n    \
                  return {'name': context.function_name, 'left': context.get_remaining_time_in_millis() <= 500}\n";
    for (name, text) in [("index.js", node), ("index.py", python)] {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        let mut running = Command::new(env!("CARGO_BIN_EXE_skillcall"))
            .args([
                "--json",
                "handler",
                "run",
                "--port",
                "0",
                "--timeout-seconds",
                "0.5",
            ])
            .arg(&file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(running.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url: serde_json::Value = serde_json::from_str(&line).unwrap();
        let url = url["url"].as_str().unwrap().to_owned();
        let fine = post(&url, "{}");
        assert!(
            fine.contains("\"name\":\"index\"") || fine.contains("\"name\": \"index\""),
            "{fine}"
        );
        assert!(
            !fine.to_lowercase().contains("x-amz-function-error"),
            "{fine}"
        );
        for (body, told) in [
            ("{\"fail\":1}", "TypeError"),
            ("{\"slow\":1}", "Task timed out after 0.50 seconds"),
        ] {
            let failed = post(&url, body);
            assert!(failed.starts_with("HTTP/1.1 200"), "{failed}");
            assert!(
                failed
                    .to_lowercase()
                    .contains("x-amz-function-error: unhandled"),
                "{failed}"
            );
            assert!(failed.contains(told), "{failed}");
        }
        assert!(post(&url, "{").starts_with("HTTP/1.1 400"));
        running.kill().unwrap();
        running.wait().unwrap();
        // Killed as it was, it still takes its interpreter with it.
        let port: u16 = url.split(['/', ':']).nth(4).unwrap().parse().unwrap();
        let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            assert!(
                std::time::Instant::now() < until,
                "the interpreter lives on"
            );
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

fn post(url: &str, body: &str) -> String {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    stream
        .set_read_timeout(Some(std::time::Duration::from_secs(30)))
        .unwrap();
    write!(
        stream,
        "POST /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}
