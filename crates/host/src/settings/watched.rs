//! A file that is read again when it has changed.

use bytes::Bytes;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Why a file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileFault {
    /// It cannot be read.
    #[error("{path}: {reason}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// It holds a secret, and others than its owner can read it.
    #[error("{path} holds a secret, but its mode {mode:04o} lets others read it; run: chmod 600 {path}", path = path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// What it holds was refused by who translates it.
    #[error("{path}: {reason}", path = path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Turns a file's bytes into the setting's, as a compiler does with a call plan.
type Translate = Arc<dyn Fn(&Path, Bytes) -> Result<Bytes, String> + Send + Sync>;

/// A file whose bytes are kept as long as it does not change.
pub struct WatchedFile {
    path: PathBuf,
    secret: bool,
    translate: Option<Translate>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    stamp: Option<Stamp>,
    /// The last bytes that were good.
    good: Option<Bytes>,
    /// Why the file of `stamp` is not.
    fault: Option<FileFault>,
}

/// What changes when a file changes.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    identity: (u64, u64, i64, i64),
    mode: u32,
}

/// File systems give times in steps: within this time after a change, a second one may show the same.
const STEP: Duration = Duration::from_millis(100);

impl WatchedFile {
    /// Watches `path`. A `secret` file is refused when others than its owner can read it.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, secret: bool) -> Self {
        Self {
            path: path.into(),
            secret,
            translate: None,
            kept: Mutex::default(),
        }
    }

    /// The same, with what the file holds put through `translate`, once for each change. When it
    /// refuses a changed file, the log says so, and the last good one stays in force.
    #[must_use]
    pub fn translated(
        path: impl Into<PathBuf>,
        translate: impl Fn(&Path, Bytes) -> Result<Bytes, String> + Send + Sync + 'static,
    ) -> Self {
        let mut file = Self::new(path, false);
        file.translate = Some(Arc::new(translate));
        file
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the file holds now.
    ///
    /// # Errors
    /// See [`FileFault`]. A file that was good and is refused now is no error: see [`Self::translated`].
    pub fn bytes(&self) -> Result<Bytes, FileFault> {
        let metadata = std::fs::metadata(&self.path).map_err(|error| self.unreadable(&error))?;
        let stamp = Stamp::of(&metadata);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.stamp.as_ref() != Some(&stamp) {
            self.read_again(&mut kept, &stamp);
            kept.stamp = (!stamp.is_recent()).then_some(stamp);
        }
        match (&kept.good, &kept.fault) {
            (Some(good), None | Some(FileFault::Refused { .. })) => Ok(good.clone()),
            (_, Some(fault)) => Err(fault.clone()),
            (None, None) => Ok(Bytes::new()),
        }
    }

    fn read_again(&self, kept: &mut Kept, stamp: &Stamp) {
        let fault = match self.read(stamp) {
            Ok(bytes) => {
                kept.good = Some(bytes);
                None
            }
            Err(fault) => Some(fault),
        };
        if let Some(fault) = &fault
            && kept.good.is_some()
            && kept.fault.as_ref() != Some(fault)
        {
            tracing::warn!("{fault}; what it held before stays in force if that was good");
        }
        kept.fault = fault;
    }

    fn read(&self, stamp: &Stamp) -> Result<Bytes, FileFault> {
        if self.secret && stamp.mode & 0o077 != 0 {
            return Err(FileFault::Exposed {
                path: self.path.clone(),
                mode: stamp.mode & 0o777,
            });
        }
        let bytes = std::fs::read(&self.path).map_err(|error| self.unreadable(&error))?;
        match &self.translate {
            None => Ok(bytes.into()),
            Some(translate) => {
                translate(&self.path, bytes.into()).map_err(|reason| FileFault::Refused {
                    path: self.path.clone(),
                    reason,
                })
            }
        }
    }

    fn unreadable(&self, error: &std::io::Error) -> FileFault {
        FileFault::Unreadable {
            path: self.path.clone(),
            reason: error.to_string(),
        }
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let (identity, mode) = {
            use std::os::unix::fs::MetadataExt;
            let m = metadata;
            ((m.dev(), m.ino(), m.ctime(), m.ctime_nsec()), m.mode())
        };
        #[cfg(not(unix))]
        let (identity, mode) = ((0, 0, 0, 0), 0);
        Self {
            modified: metadata.modified().ok(),
            length: metadata.len(),
            identity,
            mode,
        }
    }

    fn is_recent(&self) -> bool {
        // A file from the future is one whose next change may look the same, too.
        self.modified
            .is_some_and(|at| at.elapsed().map_or(true, |age| age < STEP))
    }
}
