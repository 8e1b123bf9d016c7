//! The folder in which recordings of a bucket elsewhere lie until they are stored.
//!
//! Beside each file lies its metadata, as `KEY.json`. What an earlier process left is stored by the next one.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::remote::Metadata;

const LOCK: &str = ".lock";
/// Files of a spool that are looked at, at start.
const MOST_LEFT: usize = 100_000;

/// Takes a spool for this process; whoever has it keeps the file.
///
/// # Errors
/// It cannot be made, or another process has it.
pub(super) fn take(folder: &Path) -> io::Result<File> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let lock = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(folder.join(LOCK))?;
    lock.try_lock().map_err(|_| {
        io::Error::other("another sidecar has this spool; give each a folder of its own")
    })?;
    Ok(lock)
}

/// The file beside a recording that holds its metadata.
pub(super) fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".json");
    name.into()
}

/// Writes the metadata beside a recording.
pub(super) fn describe(file: &Path, metadata: &Metadata) -> io::Result<()> {
    use io::Write as _;
    let mut beside = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(beside(file))?;
    beside.write_all(&serde_json::to_vec(metadata)?)
}

/// What a file was described with; nothing where it was not.
pub(super) fn description(file: &Path) -> Metadata {
    fs::read(beside(file))
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}

/// Removes a file that was stored.
pub(super) fn forget(file: &Path) {
    // It may have had no description; and what stays is stored again by the next process.
    let _ = fs::remove_file(beside(file));
    let _ = fs::remove_file(file);
}

/// What an earlier process left: keys and files.
pub(super) fn left(folder: &Path) -> Vec<(String, PathBuf)> {
    let mut folders = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(next) = folders.pop() {
        let Ok(entries) = fs::read_dir(&next) else {
            continue;
        };
        for entry in entries.flatten() {
            let (path, kind) = (entry.path(), entry.file_type());
            if kind.as_ref().is_ok_and(fs::FileType::is_dir) {
                folders.push(path);
            } else if kind.is_ok_and(|kind| kind.is_file())
                && path.extension().is_some_and(|extension| extension == "wav")
                && found.len() < MOST_LEFT
                && let Some(key) = path.strip_prefix(folder).ok().and_then(Path::to_str)
            {
                found.push((key.to_owned(), path.clone()));
            }
        }
    }
    found
}
