//! The trace's files: one a day and size, the oldest removed when there are too many or too old.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A file is at most this part of all.
const PARTS: u64 = 16;
/// The smallest bound of a file, in bytes.
const SMALLEST: u64 = 64 * 1024;
const PREFIX: &str = "trace-";
const SUFFIX: &str = ".jsonl";

/// Writes lines, and keeps the folder within its bounds.
pub(crate) struct Files {
    folder: PathBuf,
    most_bytes: u64,
    most_age: Duration,
    open: Option<Open>,
    complained: bool,
}

struct Open {
    writer: BufWriter<File>,
    day: String,
    bytes: u64,
}

impl Files {
    /// Makes the folder if it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn new(folder: &Path, most_bytes: u64, most_age: Duration) -> io::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let files = Self {
            folder: folder.to_owned(),
            most_bytes,
            most_age,
            open: None,
            complained: false,
        };
        files.remove_old();
        Ok(files)
    }

    /// Writes a line. A disk that is full costs records, no call: it is told once in the log.
    pub(super) fn write(&mut self, line: &str) {
        let written = self.try_write(line);
        match written {
            Ok(()) => self.complained = false,
            Err(error) => {
                self.open = None;
                if !std::mem::replace(&mut self.complained, true) {
                    tracing::error!(folder = %self.folder.display(), %error, "the trace cannot be written");
                }
            }
        }
    }

    fn try_write(&mut self, line: &str) -> io::Result<()> {
        let day = today();
        let limit = (self.most_bytes / PARTS).max(SMALLEST);
        if self
            .open
            .as_ref()
            .is_some_and(|open| open.day != day || open.bytes >= limit)
        {
            self.open = None;
        }
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                self.remove_old();
                self.open.insert(open_next(&self.folder, day, limit)?)
            }
        };
        open.writer.write_all(line.as_bytes())?;
        open.writer.write_all(b"\n")?;
        open.bytes += line.len() as u64 + 1;
        Ok(())
    }

    pub(super) fn flush(&mut self) {
        if let Some(open) = &mut self.open
            && let Err(error) = open.writer.flush()
        {
            tracing::error!(folder = %self.folder.display(), %error, "the trace cannot be written");
            self.open = None;
        }
    }

    fn remove_old(&self) {
        let files = list(&self.folder);
        let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
        let now = SystemTime::now();
        for (path, size, modified) in files {
            let age = now.duration_since(modified).unwrap_or_default();
            // Room for a file that is begun now.
            let limit = self.most_bytes - self.most_bytes / PARTS;
            if (age > self.most_age || total > limit) && fs::remove_file(&path).is_ok() {
                total -= size;
            }
        }
    }
}

fn open_next(folder: &Path, day: String, limit: u64) -> io::Result<Open> {
    // Numbers go on after the day's last file, which is continued while it has room.
    let last = list(folder)
        .into_iter()
        .filter_map(|(path, size, _)| Some((number(&path, &day)?, size)))
        .max_by_key(|(number, _)| *number);
    let number = match last {
        Some((number, size)) if size < limit => number,
        Some((number, _)) => number + 1,
        None => 0,
    };
    let path = folder.join(format!("{PREFIX}{day}-{number:04}{SUFFIX}"));
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    let bytes = file.metadata()?.len();
    Ok(Open {
        writer: BufWriter::new(file),
        day,
        bytes,
    })
}

fn number(path: &Path, day: &str) -> Option<u32> {
    let name = path.file_name()?.to_str()?;
    name.strip_prefix(PREFIX)?
        .strip_prefix(day)?
        .strip_prefix('-')?
        .strip_suffix(SUFFIX)?
        .parse()
        .ok()
}

/// The trace's files, the oldest first, with size and time of change.
pub(super) fn list(folder: &Path) -> Vec<(PathBuf, u64, SystemTime)> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<_> = entries
        .flatten()
        .filter(|entry| {
            entry
                .file_name()
                .to_str()
                .is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX))
        })
        .filter_map(|entry| {
            let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            Some((entry.path(), metadata.len(), metadata.modified().ok()?))
        })
        .collect();
    files.sort();
    files
}

fn today() -> String {
    jiff::Timestamp::now().strftime("%Y%m%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_stays_within_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let most = 1 << 20;
        let mut files = Files::new(folder.path(), most, Duration::from_secs(86_400)).unwrap();
        let line = "x".repeat(1000);
        for _ in 0..4000 {
            files.write(&line);
        }
        files.flush();
        let total: u64 = list(folder.path()).iter().map(|(_, size, _)| size).sum();
        assert!(total <= most, "{total}");
        assert!(total > most / 2, "{total}");
    }

    #[test]
    fn a_restart_goes_on_in_the_last_file_and_forgets_what_is_old() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let mut files = Files::new(folder.path(), 1 << 20, Duration::from_secs(60)).unwrap();
            files.write("line");
            files.flush();
        }
        let found = list(folder.path());
        assert_eq!(found.len(), 1);
        assert_eq!(fs::read_to_string(&found[0].0).unwrap(), "line\nline\n");
        let old = folder.path().join("trace-20200101-0000.jsonl");
        File::create(&old)
            .unwrap()
            .set_modified(SystemTime::now() - Duration::from_secs(120))
            .unwrap();
        let foreign = folder.path().join("notes.txt");
        fs::write(&foreign, "keep").unwrap();
        drop(Files::new(folder.path(), 1 << 20, Duration::from_secs(60)).unwrap());
        assert!(!old.exists() && foreign.exists());
    }
}
