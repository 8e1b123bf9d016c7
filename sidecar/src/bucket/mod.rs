//! Buckets: a name and a key become a path below the bucket's folder, and never one outside it.
//!
//! Actions name files as S3 does, by bucket and key (facts F6). A bucket is a folder of this machine, an object store that
//! speaks S3, or, for reading, a web server. A key comes from a handler, so it is not trusted: no `..`, no absolute path, no
//! symbolic link.

mod key;
mod remote;
mod spool;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use key::{Key, KeyError};
pub(crate) use remote::{Metadata, RemoteSetting, check_url};

use remote::{Network, Remote};

/// The largest file that is played (facts F6, PlayAudio).
pub const MAX_AUDIO_BYTES: u64 = 50 * 1024 * 1024;
/// So long a prompt of a folder is played without a look at its file: the disk is asked once for a burst of calls.
const FRESH: Duration = Duration::from_secs(1);

/// All buckets of a sidecar.
#[derive(Debug, Clone, Default)]
pub struct Buckets {
    stores: BTreeMap<String, Store>,
    /// The spools are this process's.
    _spools: Arc<Vec<File>>,
}

#[derive(Debug, Clone)]
enum Store {
    Folder(PathBuf),
    Remote(Arc<Remote>),
}

/// A bucket as it is configured, with the secrets read.
#[derive(Debug, Clone)]
pub(crate) enum BucketSetting {
    Folder(PathBuf),
    Remote(RemoteSetting),
}

/// What tells whether a file has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    modified: SystemTime,
    length: u64,
    tag: Option<String>,
}

/// A new file, and where it goes when it is complete.
pub(crate) struct NewFile {
    pub(crate) file: File,
    path: PathBuf,
    upload: Option<(Arc<Remote>, Key)>,
}

/// The way of a complete file to its bucket.
pub(crate) struct Storing {
    path: PathBuf,
    upload: Option<(Arc<Remote>, Key)>,
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
    /// The bucket is a web server's.
    #[error("key `{0}`: its bucket is read only; recordings go to a folder or to S3")]
    ReadOnly(String),
    /// The bucket lies elsewhere, and did not give or take the file.
    #[error("key `{key}`: {error}")]
    Elsewhere {
        /// The key.
        key: String,
        /// What the store, or the way to it, said.
        error: String,
        /// The store answered that there is no such object.
        missing: bool,
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
    /// Buckets that are folders, by name.
    pub fn new(folders: impl IntoIterator<Item = (String, PathBuf)>) -> Self {
        let folders = folders.into_iter();
        Self {
            stores: folders
                .map(|(name, folder)| (name, Store::Folder(folder)))
                .collect(),
            _spools: Arc::default(),
        }
    }

    /// Buckets of any kind. With `spools`, recordings may be made, and what an earlier process left there is stored.
    ///
    /// # Errors
    /// The bucket's name, and what is wrong with it.
    pub(crate) fn of(
        settings: impl IntoIterator<Item = (String, BucketSetting)>,
        spools: bool,
    ) -> Result<Self, (String, String)> {
        let mut network = None;
        let mut taken = Vec::new();
        let mut stores = BTreeMap::new();
        for (name, setting) in settings {
            let store = match setting {
                BucketSetting::Folder(folder) => Store::Folder(folder),
                BucketSetting::Remote(setting) => {
                    let failed = |error: String| (name.clone(), error);
                    let network = match &network {
                        Some(network) => Network::clone(network),
                        None => {
                            let started =
                                Network::start().map_err(|error| failed(error.to_string()))?;
                            network.insert(started).clone()
                        }
                    };
                    let remote = Arc::new(Remote::new(setting, network).map_err(&failed)?);
                    if spools && remote.is_writable() {
                        let folder = &remote.spool;
                        let lock = spool::take(folder).map_err(|error| {
                            failed(format!("spool {}: {error}", folder.display()))
                        })?;
                        taken.push(lock);
                        store_what_is_left(&name, &remote);
                    }
                    Store::Remote(remote)
                }
            };
            stores.insert(name, store);
        }
        Ok(Self {
            stores,
            _spools: Arc::new(taken),
        })
    }

    /// So long a file of this bucket is played without a look whether it has changed.
    pub(crate) fn fresh(&self, bucket: &str) -> Duration {
        match self.stores.get(bucket) {
            Some(Store::Remote(remote)) => remote.fresh,
            _ => FRESH,
        }
    }

    /// Reads a whole file.
    ///
    /// # Errors
    /// [`BucketError`]; the caller reports it as InvalidAudioSource.
    pub fn read(&self, bucket: &str, key: &str) -> Result<Vec<u8>, BucketError> {
        let (store, parsed) = self.locate(bucket, key)?;
        let folder = match store {
            Store::Remote(remote) => return remote.read(&parsed),
            Store::Folder(folder) => real_folder(folder, key)?,
        };
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
    pub(crate) fn create(&self, bucket: &str, key: &str) -> Result<NewFile, BucketError> {
        let (store, parsed) = self.locate(bucket, key)?;
        let io = |error| BucketError::Io {
            key: key.to_owned(),
            error,
        };
        let (mut path, upload) = match store {
            Store::Folder(folder) => (real_folder(folder, key)?, None),
            Store::Remote(remote) => {
                let spool = remote.spool_of(&parsed)?;
                (
                    real_folder(&spool, key)?,
                    Some((Arc::clone(remote), parsed.clone())),
                )
            }
        };
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
        Ok(NewFile { file, path, upload })
    }

    /// What tells whether a file is still the same.
    ///
    /// # Errors
    /// As [`Buckets::read`].
    pub fn stamp(&self, bucket: &str, key: &str) -> Result<Stamp, BucketError> {
        let (store, parsed) = self.locate(bucket, key)?;
        let folder = match store {
            Store::Remote(remote) => return remote.stamp(&parsed),
            Store::Folder(folder) => real_folder(folder, key)?,
        };
        let io = |error| BucketError::Io {
            key: key.to_owned(),
            error,
        };
        let metadata = std::fs::symlink_metadata(folder.join(parsed.as_path())).map_err(io)?;
        if !metadata.is_file() {
            return Err(BucketError::Outside(key.to_owned()));
        }
        Ok(Stamp {
            modified: metadata.modified().map_err(io)?,
            length: metadata.len(),
            tag: None,
        })
    }

    /// Whether a bucket is configured.
    pub fn contains(&self, bucket: &str) -> bool {
        self.stores.contains_key(bucket)
    }

    fn locate(&self, bucket: &str, key: &str) -> Result<(&Store, Key), BucketError> {
        let store = self
            .stores
            .get(bucket)
            .ok_or_else(|| BucketError::UnknownBucket(bucket.to_owned()))?;
        let parsed = Key::parse(key).map_err(|reason| BucketError::Key {
            key: key.to_owned(),
            reason,
        })?;
        Ok((store, parsed))
    }
}

impl NewFile {
    /// The file, and its way once it is complete.
    pub(crate) fn split(self) -> (File, Storing) {
        let Self { file, path, upload } = self;
        (file, Storing { path, upload })
    }
}

impl Storing {
    /// The file is complete: it goes where it belongs, and `done` is told, at once or later.
    pub(crate) fn store(
        self,
        metadata: Metadata,
        done: impl FnOnce(Result<(), BucketError>) + Send + 'static,
    ) {
        if !metadata.is_empty()
            && let Err(error) = spool::describe(&self.path, &metadata)
        {
            let key = self.path.display().to_string();
            return done(Err(BucketError::Io { key, error }));
        }
        match self.upload {
            None => done(Ok(())),
            Some((remote, key)) => remote.store(&key, self.path, metadata, done),
        }
    }
}

impl BucketError {
    /// Whether the file may be there all the same: the way to it is not.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Elsewhere { missing: false, .. })
    }
}

fn real_folder(folder: &Path, key: &str) -> Result<PathBuf, BucketError> {
    folder.canonicalize().map_err(|error| BucketError::Io {
        key: key.to_owned(),
        error,
    })
}

/// Stores recordings that an earlier process did not get rid of.
fn store_what_is_left(bucket: &str, remote: &Arc<Remote>) {
    for (key, path) in spool::left(&remote.spool) {
        let Ok(parsed) = Key::parse(&key) else {
            tracing::warn!(
                bucket,
                key,
                "a file in the spool has no usable name; it stays"
            );
            continue;
        };
        let bucket = bucket.to_owned();
        let metadata = spool::description(&path);
        remote.store(&parsed, path, metadata, move |result| match result {
            Ok(()) => tracing::info!(bucket, key, "a recording of an earlier run is stored"),
            Err(error) => tracing::warn!(bucket, %error, "a recording stays in the spool"),
        });
    }
}

#[cfg(test)]
mod tests;
