//! Random secrets in files that only their owner can read.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// 32 random bytes as standard base64.
pub(crate) fn key() -> anyhow::Result<String> {
    Ok(STANDARD.encode(random()?))
}

/// 32 random bytes in an alphabet that needs no quoting in a header.
pub(crate) fn token() -> anyhow::Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(random()?))
}

fn random() -> anyhow::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("the operating system's random source")?;
    Ok(bytes)
}

/// Makes a folder that only its owner can enter (mode 0700); one that exists is left as it is.
pub(crate) fn folder(path: &Path) -> anyhow::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("folder {}", path.display()))
}

/// Writes a new file of mode 0600. Answers false, and changes nothing, if the file exists.
pub(crate) fn write_new(path: &Path, text: &str) -> anyhow::Result<bool> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match file {
        Ok(mut file) => {
            file.write_all(text.as_bytes())
                .with_context(|| format!("file {}", path.display()))?;
            Ok(true)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error).with_context(|| format!("file {}", path.display())),
    }
}
