//! The Debian forky that `tools/pbx.sh` makes: Asterisk, and a SIPp that speaks TLS.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use crate::sidecar::process::secret;

/// That Debian, with a folder of this run's in it.
#[derive(Debug)]
pub(in crate::sidecar) struct Forky {
    root: PathBuf,
    folder: TempDir,
}

impl Forky {
    /// Where it is made if it is not there: what hinders it otherwise (no root, no mirror).
    pub(in crate::sidecar) fn find() -> anyhow::Result<Result<Self, String>> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/pbx.sh");
        let output = Command::new(&script).output().context("tools/pbx.sh")?;
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        match output.status.code() {
            Some(0) => {}
            Some(3) => return Ok(Err(said(&output.stderr))),
            _ => bail!("tools/pbx.sh: {}", said(&output.stderr)),
        }
        let root = PathBuf::from(said(&output.stdout));
        let folder = tempfile::Builder::new()
            .prefix("skillcall-bench-")
            .tempdir_in(root.join("run"))?;
        let forky = Self { root, folder };
        let key = KeyPair::generate()?;
        let certificate =
            CertificateParams::new(vec!["127.0.0.1".to_owned()])?.self_signed(&key)?;
        std::fs::write(forky.folder().join("server.pem"), certificate.pem())?;
        secret(&forky.folder().join("server.key"), &key.serialize_pem())?;
        Ok(Ok(forky))
    }

    /// This run's folder, with `server.pem` and `server.key`.
    pub(in crate::sidecar) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A path as programs see it that run in there.
    pub(in crate::sidecar) fn inside(&self, path: &Path) -> PathBuf {
        let inner = path.strip_prefix(&self.root).unwrap_or(path);
        Path::new("/").join(inner)
    }

    /// A command in there, in a folder of it.
    pub(in crate::sidecar) fn command(&self, folder: &Path, program: &str) -> Command {
        let mut command = Command::new("chroot");
        command.args(self.arguments(folder, program));
        command
    }

    /// The same as `chroot`'s arguments.
    pub(super) fn arguments(&self, folder: &Path, program: &str) -> [PathBuf; 5] {
        [
            self.root.clone(),
            "env".into(),
            "-C".into(),
            self.inside(folder),
            program.into(),
        ]
    }

    /// What a SIPp in there needs for TLS.
    pub(in crate::sidecar) fn certificate_of_sipp(&self) -> [PathBuf; 4] {
        [
            "-tls_cert".into(),
            self.inside(&self.folder().join("server.pem")),
            "-tls_key".into(),
            self.inside(&self.folder().join("server.key")),
        ]
    }
}
