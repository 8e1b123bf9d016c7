//! Amazon's SDK for Python, in a virtual environment that the tests share.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

/// The secret of the access key that the SDK signs with.
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// The interpreter of an environment that has what a file of `tests/boto3/` lists. Made once, and kept beside the tests.
pub(crate) fn python(requirements: &str) -> PathBuf {
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/boto3")
        .join(requirements);
    let wanted = std::fs::read_to_string(&requirements).unwrap();
    let name = wanted.trim().replace("==", "-").replace('\n', "_");
    let ready = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&name);
    let python = ready.join("bin/python");
    // Tests of one program begin at once.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if python.exists() {
        return python;
    }
    // Built aside, so that one that was broken off is never taken for ready.
    let folder = ready.with_extension(format!("{}.new", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
    run(Command::new(folder.join("bin/python"))
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
        ])
        .arg(&requirements));
    // Another process may have been faster; its environment is as good.
    if std::fs::rename(&folder, &ready).is_err() {
        let _ = std::fs::remove_dir_all(&folder);
    }
    python
}

fn run(command: &mut Command) {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; see tools/setup.sh test"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The SDK at work, with an endpoint URL of ours.
pub(crate) struct Boto3 {
    child: Child,
    steps: ChildStdin,
    replies: BufReader<ChildStdout>,
}

impl Boto3 {
    pub(crate) fn start(endpoint: &str, secret: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/boto3/control_plane.py");
        let mut child = Command::new(python("requirements.txt"))
            .arg(script)
            .args([endpoint, secret])
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("NO_PROXY", "127.0.0.1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            steps: child.stdin.take().unwrap(),
            replies: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    fn step(&mut self, service: &str, operation: &str, parameters: &Value) -> Value {
        let step = json!({"service": service, "operation": operation, "parameters": parameters});
        writeln!(self.steps, "{step}").unwrap();
        let mut line = String::new();
        self.replies.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{operation}: {error}: {line}"))
    }

    /// An operation that succeeds with this status.
    pub(crate) fn does(
        &mut self,
        status: u16,
        service: &str,
        operation: &str,
        parameters: Value,
    ) -> Value {
        let reply = self.step(service, operation, &parameters);
        assert_eq!(reply["status"], status, "{operation} {parameters}: {reply}");
        assert!(reply.get("error").is_none(), "{operation}: {reply}");
        reply["reply"].clone()
    }

    /// An operation that fails with an exception of the service model; its message.
    pub(crate) fn fails(
        &mut self,
        error: &str,
        service: &str,
        operation: &str,
        parameters: Value,
    ) -> String {
        let reply = self.step(service, operation, &parameters);
        assert_eq!(reply["error"], error, "{operation} {parameters}: {reply}");
        reply["message"].as_str().unwrap().to_owned()
    }
}

impl Drop for Boto3 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
