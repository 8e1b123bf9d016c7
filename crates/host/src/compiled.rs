//! The component's code, compiled once for a machine and kept in a folder: a start then takes milliseconds, not seconds.
//!
//! Compiled code is run as it is found, so it is only taken from a folder and a file that belong to the user of this process
//! and that nobody else may write, and only if its own hash is right. Its name is the hash of the component, of the
//! engine's version and of its settings. Whatever is wrong with it, the component is compiled again.

use sha2::{Digest, Sha256};
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Files that are kept, the newest: a component, the one before, and the same for another engine.
const KEPT: usize = 4;
const EXTENSION: &str = "cwasm";
const HASH: usize = 32;

/// Where the code came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Compiled,
    Cache,
}

/// The component in `bytes`, from `folder` if its code lies there; else compiled, and kept there.
///
/// # Errors
/// When the bytes are no component.
pub(crate) fn component(
    engine: &Engine,
    bytes: &[u8],
    folder: Option<&Path>,
) -> wasmtime::Result<(Component, Origin)> {
    let Some(folder) = folder else {
        return Ok((Component::new(engine, bytes)?, Origin::Compiled));
    };
    let file = folder.join(name(engine, bytes));
    match read(folder, &file) {
        // SAFETY: the code is of `keep`, for this engine: nobody else can write here, and it is whole.
        Ok(Some(code)) => match unsafe { Component::deserialize(engine, code) } {
            Ok(component) => return Ok((component, Origin::Cache)),
            Err(error) => tracing::info!("{} is not used: {error:#}", file.display()),
        },
        Ok(None) => {}
        Err(error) => tracing::warn!("compiled code is not read: {error}"),
    }
    let component = Component::new(engine, bytes)?;
    let kept = component
        .serialize()
        .map_err(io::Error::other)
        .and_then(|code| keep(folder, &file, &code));
    if let Err(error) = kept {
        tracing::warn!("compiled code is not kept: {error}");
    }
    Ok((component, Origin::Compiled))
}

fn name(engine: &Engine, bytes: &[u8]) -> String {
    let mut settings = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut settings);
    let component: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{component}-{:016x}.{EXTENSION}", settings.finish())
}

/// The code in the file; none when there is no file.
fn read(folder: &Path, file: &Path) -> io::Result<Option<Vec<u8>>> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW)
        .open(file);
    let mut opened = match opened {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(file, &error)),
    };
    ours_alone(folder, &fs::symlink_metadata(folder)?)?;
    ours_alone(file, &opened.metadata()?)?;
    let mut bytes = Vec::new();
    opened.read_to_end(&mut bytes)?;
    match bytes.split_first_chunk::<HASH>() {
        Some((hash, code)) if *hash == <[u8; HASH]>::from(Sha256::digest(code)) => {
            Ok(Some(bytes.split_off(HASH)))
        }
        _ => Err(wrong(file, "is not whole")),
    }
}

fn keep(folder: &Path, file: &Path, code: &[u8]) -> io::Result<()> {
    let mut folders = DirBuilder::new();
    folders.recursive(true).mode(0o700);
    folders.create(folder).map_err(|error| at(folder, &error))?;
    ours_alone(folder, &fs::symlink_metadata(folder)?)?;
    let part = file.with_extension(format!("{}.part", std::process::id()));
    let written = write(&part, code).and_then(|()| fs::rename(&part, file));
    if let Err(error) = written {
        // What is half written is of no use; that it cannot be removed says nothing new.
        let _ = fs::remove_file(&part);
        return Err(at(file, &error));
    }
    forget_the_oldest(folder)
}

fn write(file: &Path, code: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut opened: File = options.custom_flags(libc::O_NOFOLLOW).open(file)?;
    opened.write_all(&Sha256::digest(code))?;
    opened.write_all(code)
}

fn forget_the_oldest(folder: &Path) -> io::Result<()> {
    let mut files: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == EXTENSION) {
            files.push((fs::symlink_metadata(&path)?.modified()?, path));
        }
    }
    files.sort();
    for (_, path) in files.iter().rev().skip(KEPT) {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// Whether this belongs to the user of this process, and nobody else may write it.
fn ours_alone(path: &Path, found: &Metadata) -> io::Result<()> {
    // SAFETY: it reads a number and cannot fail.
    let user = unsafe { libc::geteuid() };
    if found.uid() != user {
        return Err(wrong(path, "belongs to another user"));
    }
    if found.mode() & 0o022 != 0 {
        return Err(wrong(path, "can be written by others: chmod go-w"));
    }
    Ok(())
}

fn wrong(path: &Path, what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("{} {what}", path.display()),
    )
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// The least component: its header alone.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";
    /// Another: with a custom section of the name "a".
    const OTHER: &[u8] = b"\0asm\x0d\0\x01\0\0\x02\x01a";

    fn origin(bytes: &[u8], folder: &Path) -> Origin {
        let engine = Engine::default();
        component(&engine, bytes, Some(folder))
            .expect("a component")
            .1
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).expect("a folder");
        entries
            .map(|entry| entry.expect("an entry").path())
            .collect()
    }

    #[test]
    fn the_second_time_it_is_not_compiled() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("state/code");
        assert_eq!(origin(EMPTY, &folder), Origin::Compiled);
        assert_eq!(origin(EMPTY, &folder), Origin::Cache);
        assert_eq!(origin(OTHER, &folder), Origin::Compiled);
        assert_eq!(origin(EMPTY, &folder), Origin::Cache);
        let mode = |path: &Path| fs::metadata(path).expect("there").mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        let files = files(&folder);
        assert_eq!(files.len(), 2);
        assert!(files.iter().all(|file| mode(file) == 0o600));
    }

    #[test]
    fn what_others_may_write_or_is_damaged_is_not_run() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("code");
        assert_eq!(origin(EMPTY, &folder), Origin::Compiled);
        let file = files(&folder).remove(0);
        let mode = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
        };
        mode(&file, 0o622);
        assert_eq!(origin(EMPTY, &folder), Origin::Compiled);
        assert_eq!(origin(EMPTY, &folder), Origin::Cache, "it was written anew");
        mode(&folder, 0o777);
        assert_eq!(origin(EMPTY, &folder), Origin::Compiled);
        mode(&folder, 0o700);
        let mut bytes = fs::read(&file).expect("there");
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::write(&file, bytes).expect("ours");
        assert_eq!(origin(EMPTY, &folder), Origin::Compiled);
        assert_eq!(origin(EMPTY, &folder), Origin::Cache);
        let elsewhere = place.path().join("elsewhere");
        fs::rename(&file, &elsewhere).expect("moved");
        std::os::unix::fs::symlink(&elsewhere, &file).expect("a link");
        assert_eq!(
            origin(EMPTY, &folder),
            Origin::Compiled,
            "a link is not followed"
        );
    }

    #[test]
    fn the_oldest_go() {
        let place = tempfile::tempdir().expect("a folder");
        for name in b'a'..=b'h' {
            let bytes = [EMPTY, &[0, 2, 1, name]].concat();
            assert_eq!(origin(&bytes, place.path()), Origin::Compiled);
        }
        assert_eq!(files(place.path()).len(), KEPT);
    }
}
