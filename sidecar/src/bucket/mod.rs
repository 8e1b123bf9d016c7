//! Buckets: a name and a key become a path below the bucket's folder, and never one outside it.
//!
//! Actions name files as S3 does, by bucket and key (facts F6); the sidecar keeps them in
//! local folders. A key comes from a handler, so it is not trusted: no `..`, no absolute path,
//! no symbolic link.

mod key;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub use key::{Key, KeyError};

/// The largest file that is played (facts F6, PlayAudio).
pub const MAX_AUDIO_BYTES: u64 = 50 * 1024 * 1024;

/// All buckets of a sidecar.
#[derive(Debug, Clone, Default)]
pub struct Buckets {
    folders: BTreeMap<String, PathBuf>,
}

/// A bucket or key that gives no file.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// No such bucket is configured.
    #[error("bucket `{0}` is not configured")]
    UnknownBucket(String),
    /// The key is no path below the folder.
    #[error("key `{key}`: {reason}")]
    Key {
        /// The key.
        key: String,
        /// What is wrong in it.
        reason: KeyError,
    },
    /// The way to the file leads out of the folder, by a symbolic link.
    #[error("key `{0}` leads out of its bucket")]
    Outside(String),
    /// The file is larger than [`MAX_AUDIO_BYTES`].
    #[error("key `{key}` has {bytes} bytes; at most {MAX_AUDIO_BYTES} are played")]
    TooLarge {
        /// The key.
        key: String,
        /// The file's size.
        bytes: u64,
    },
    /// The system refused.
    #[error("key `{key}`: {error}")]
    Io {
        /// The key.
        key: String,
        /// What it said.
        error: io::Error,
    },
}

impl Buckets {
    /// Buckets by name.
    pub fn new(folders: impl IntoIterator<Item = (String, PathBuf)>) -> Self {
        Self {
            folders: folders.into_iter().collect(),
        }
    }

    /// Reads a whole file.
    ///
    /// # Errors
    /// [`BucketError`]; the caller reports it as InvalidAudioSource.
    pub fn read(&self, bucket: &str, key: &str) -> Result<Vec<u8>, BucketError> {
        let (folder, parsed) = self.locate(bucket, key)?;
        let io = |error| BucketError::Io {
            key: key.to_owned(),
            error,
        };
        let path = folder.join(parsed.as_path());
        let real = path.canonicalize().map_err(io)?;
        if !real.starts_with(&folder) || real != path {
            return Err(BucketError::Outside(key.to_owned()));
        }
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(&real)
            .map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if !metadata.is_file() {
            return Err(BucketError::Outside(key.to_owned()));
        }
        if metadata.len() > MAX_AUDIO_BYTES {
            return Err(BucketError::TooLarge {
                key: key.to_owned(),
                bytes: metadata.len(),
            });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
        io::Read::read_to_end(&mut io::Read::take(file, MAX_AUDIO_BYTES), &mut bytes)
            .map_err(io)?;
        Ok(bytes)
    }

    /// Makes a new file, with the folders above it; an existing one is never overwritten.
    ///
    /// # Errors
    /// [`BucketError`]; the caller reports it as NoAccessToDestination or InvalidActionParameter.
    pub fn create(&self, bucket: &str, key: &str) -> Result<(File, PathBuf), BucketError> {
        let (folder, parsed) = self.locate(bucket, key)?;
        let io = |error| BucketError::Io {
            key: key.to_owned(),
            error,
        };
        let mut path = folder;
        let mut names = parsed.names().peekable();
        while let Some(name) = names.next() {
            path.push(name);
            if names.peek().is_none() {
                break;
            }
            match std::fs::symlink_metadata(&path) {
                Ok(found) if found.is_dir() => {}
                Ok(_) => return Err(BucketError::Outside(key.to_owned())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    // Two recordings may make the day's folder at the same time.
                    if let Err(error) = std::fs::create_dir(&path)
                        && error.kind() != io::ErrorKind::AlreadyExists
                    {
                        return Err(io(error));
                    }
                }
                Err(error) => return Err(io(error)),
            }
        }
        let file = OpenOptions::new()
            .write(true)
            .read(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&path)
            .map_err(io)?;
        Ok((file, path))
    }

    /// When a file was changed, and its size: a cheap way to see that it is still the same.
    ///
    /// # Errors
    /// As [`Buckets::read`].
    pub fn stamp(
        &self,
        bucket: &str,
        key: &str,
    ) -> Result<(std::time::SystemTime, u64), BucketError> {
        let (folder, parsed) = self.locate(bucket, key)?;
        let io = |error| BucketError::Io {
            key: key.to_owned(),
            error,
        };
        let metadata = std::fs::symlink_metadata(folder.join(parsed.as_path())).map_err(io)?;
        if !metadata.is_file() {
            return Err(BucketError::Outside(key.to_owned()));
        }
        Ok((metadata.modified().map_err(io)?, metadata.len()))
    }

    /// Whether a bucket is configured.
    pub fn contains(&self, bucket: &str) -> bool {
        self.folders.contains_key(bucket)
    }

    fn locate(&self, bucket: &str, key: &str) -> Result<(PathBuf, Key), BucketError> {
        let folder = self
            .folders
            .get(bucket)
            .ok_or_else(|| BucketError::UnknownBucket(bucket.to_owned()))?;
        let parsed = Key::parse(key).map_err(|reason| BucketError::Key {
            key: key.to_owned(),
            reason,
        })?;
        let folder = real_folder(folder).map_err(|error| BucketError::Io {
            key: key.to_owned(),
            error,
        })?;
        Ok((folder, parsed))
    }
}

fn real_folder(folder: &Path) -> io::Result<PathBuf> {
    folder.canonicalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn buckets(folder: &Path) -> Buckets {
        Buckets::new([("prompts".to_owned(), folder.to_owned())])
    }

    #[test]
    fn reads_what_lies_below_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("en")).unwrap();
        std::fs::write(folder.path().join("en/hello.wav"), b"RIFF").unwrap();
        let buckets = buckets(folder.path());
        assert_eq!(buckets.read("prompts", "en/hello.wav").unwrap(), b"RIFF");
        assert!(matches!(
            buckets.read("other", "x"),
            Err(BucketError::UnknownBucket(_))
        ));
        assert!(matches!(
            buckets.read("prompts", "none.wav"),
            Err(BucketError::Io { .. })
        ));
        assert!(buckets.read("prompts", "en").is_err());
    }

    #[test]
    fn nothing_leads_out() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), b"s").unwrap();
        let folder = tempfile::tempdir().unwrap();
        symlink(outside.path().join("secret"), folder.path().join("link")).unwrap();
        symlink(outside.path(), folder.path().join("dir")).unwrap();
        std::fs::write(folder.path().join("fine"), b"f").unwrap();
        symlink("fine", folder.path().join("inner")).unwrap();
        let buckets = buckets(folder.path());
        let absolute = outside.path().join("secret");
        for key in [
            "../secret",
            "a/../../secret",
            "link",
            "dir/secret",
            "inner",
            "/etc/passwd",
            absolute.to_str().unwrap(),
            "",
            ".",
        ] {
            assert!(buckets.read("prompts", key).is_err(), "read {key}");
        }
        for key in [
            "../new",
            "dir/new",
            "link/new",
            "/tmp/new",
            "a/../../new",
            "link",
            "",
        ] {
            assert!(buckets.create("prompts", key).is_err(), "created {key}");
        }
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    }

    #[test]
    fn makes_folders_and_never_overwrites() {
        let folder = tempfile::tempdir().unwrap();
        let buckets = buckets(folder.path());
        let (_, path) = buckets.create("prompts", "2026/11/21/call.wav").unwrap();
        assert!(path.is_file());
        assert!(matches!(
            buckets.create("prompts", "2026/11/21/call.wav"),
            Err(BucketError::Io { .. })
        ));
    }
}
