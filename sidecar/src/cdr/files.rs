//! The records' files: a new one each day, and when one is full.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Amazon's folder (facts F11).
const FOLDER: &str = "Amazon-Chime-SMADRs";
const SUFFIX: &str = ".jsonl";
/// The smallest bound of a file, in bytes.
const SMALLEST: u64 = 64 * 1024;

/// Appends lines, and removes files that are too old.
pub(super) struct Files {
    folder: PathBuf,
    most_bytes: u64,
    most_age: Duration,
    open: Option<Open>,
    dirty: bool,
    complained: bool,
}

struct Open {
    file: File,
    day: String,
    bytes: u64,
}

impl Files {
    pub(super) fn new(folder: &Path, most_bytes: u64, most_age: Duration) -> io::Result<Self> {
        let folder = folder.join(FOLDER);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)?;
        Ok(Self {
            folder,
            most_bytes: most_bytes.max(SMALLEST),
            most_age,
            open: None,
            dirty: false,
            complained: false,
        })
    }

    /// Whether something is written and not surely on the disk.
    pub(super) fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Appends a line. A disk that is full is told once in the log, and costs no call.
    pub(super) fn write(&mut self, line: &str) {
        match self.append(line) {
            Ok(()) => self.complained = false,
            Err(error) => self.complain(&error),
        }
    }

    /// Brings what is written to the disk.
    pub(super) fn sync(&mut self) {
        self.dirty = false;
        if let Some(open) = &self.open
            && let Err(error) = open.file.sync_data()
        {
            self.complain(&error);
        }
    }

    fn complain(&mut self, error: &io::Error) {
        self.open = None;
        if !std::mem::replace(&mut self.complained, true) {
            tracing::error!(folder = %self.folder.display(), %error, "call detail records cannot be written");
        }
    }

    fn append(&mut self, line: &str) -> io::Result<()> {
        let day = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
        let mut whole = Vec::with_capacity(line.len() + 1);
        whole.extend_from_slice(line.as_bytes());
        whole.push(b'\n');
        let length = whole.len() as u64;
        let fits =
            |open: &Open| open.day == day && open.bytes.saturating_add(length) <= self.most_bytes;
        let open = match self.open.take().filter(fits) {
            Some(open) => self.open.insert(open),
            None => {
                self.remove_old();
                let begun = begin(&self.folder, day, self.most_bytes, length)?;
                self.open.insert(begun)
            }
        };
        // One call, so that a crash leaves whole lines.
        open.file.write_all(&whole)?;
        open.bytes += length;
        self.dirty = true;
        Ok(())
    }

    fn remove_old(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return;
        };
        let now = SystemTime::now();
        for entry in entries.flatten() {
            let ours = entry.file_name().to_string_lossy().ends_with(SUFFIX);
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            let old = modified.is_ok_and(|modified| {
                now.duration_since(modified).unwrap_or_default() > self.most_age
            });
            if ours && old {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// The day's last file while it has room, else the next one.
fn begin(folder: &Path, day: String, most: u64, length: u64) -> io::Result<Open> {
    let last = fs::read_dir(folder)?
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let number = name
                .to_str()?
                .strip_prefix(&day)?
                .strip_prefix('-')?
                .strip_suffix(SUFFIX)?
                .parse::<u32>()
                .ok()?;
            Some((number, entry.metadata().ok()?.len()))
        })
        .max();
    let number = match last {
        Some((number, size)) if size.saturating_add(length) <= most => number,
        Some((number, _)) => number.saturating_add(1),
        None => 0,
    };
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(folder.join(format!("{day}-{number:06}{SUFFIX}")))?;
    let bytes = file.metadata()?.len();
    Ok(Open { file, day, bytes })
}
