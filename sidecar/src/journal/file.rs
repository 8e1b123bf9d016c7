//! The journal's file, and the calls that it holds.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::SYNC;
use super::disk::Disk;
use super::line::Line;
use super::live::{Left, Live, apply};

const NAME: &str = "calls.jsonl";
/// Held by who writes there.
const LOCK: &str = "lock";
/// The file of a process that was taken over from and still has calls, and what it holds.
const BEFORE: (&str, &str) = ("calls-before.jsonl", "lock-before");
/// A process that has ended may hold its files for a moment more.
const ENDING: Duration = Duration::from_secs(2);
/// The smallest bound of the file, in bytes.
const SMALLEST: u64 = 64 * 1024;
/// A file that could not be written anew is tried again after this time.
const AGAIN: Duration = Duration::from_secs(60);
/// What ended leaves the file within this time: it names who spoke with whom.
const FORGET: Duration = Duration::from_secs(60);

/// The file.
pub(super) struct JournalFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    most_bytes: u64,
    live: BTreeMap<String, Live>,
    dirty_since: Option<Instant>,
    /// Since when the file names a call that has ended.
    ended_since: Option<Instant>,
    not_before: Option<Instant>,
    complained: bool,
    /// Held for as long as this process writes there.
    lock: File,
    is_aside: bool,
    disk: Disk,
}

impl JournalFile {
    /// Opens the file of a folder; the calls that it holds were left.
    pub(super) fn open(folder: &Path, most_bytes: u64) -> io::Result<(Self, Left)> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let lock = locked(&folder.join(LOCK))?.ok_or_else(|| {
            io::Error::other(
                "another sidecar writes its journal there; give each a folder of its own",
            )
        })?;
        let path = folder.join(NAME);
        let file = options().read(true).open(&path)?;
        let mut live = BTreeMap::new();
        read_into(&mut live, &file)?;
        let before = folder.join(BEFORE.0);
        // One that is held belongs to a process that was taken over from, and still has calls.
        let lock_before = match before.exists() {
            true => locked(&folder.join(BEFORE.1))?,
            false => None,
        };
        let left_before = lock_before.as_ref().map(|_| File::open(&before));
        let was_left = match left_before {
            Some(Ok(file)) => {
                read_into(&mut live, &file)?;
                true
            }
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            // There is none, or its process has ended just now and left nothing.
            Some(Err(_)) | None => false,
        };
        let left = Left::take(&mut live);
        let mut journal = Self {
            bytes: file.metadata()?.len(),
            path,
            file,
            most_bytes: most_bytes.max(SMALLEST),
            live,
            dirty_since: None,
            ended_since: None,
            not_before: None,
            complained: false,
            lock,
            is_aside: false,
            disk: Disk::start()?,
        };
        // Whole lines again, and no more than is needed.
        journal.write_anew()?;
        if was_left {
            fs::remove_file(before)?;
        }
        Ok((journal, left))
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.path.with_file_name(name)
    }

    /// Writes on beside the file, which another process takes.
    pub(super) fn step_aside(&mut self) -> io::Result<()> {
        let lock = locked(&self.beside(BEFORE.1))?.ok_or_else(|| {
            io::Error::other("a process that was taken over from earlier still has calls")
        })?;
        let before = self.beside(BEFORE.0);
        fs::rename(&self.path, &before)?;
        self.path = before;
        self.is_aside = true;
        self.lock = lock;
        Ok(())
    }

    /// Takes the file back from a process that is gone, with the calls that it left.
    pub(super) fn step_back(&mut self) -> io::Result<Left> {
        if !self.is_aside {
            return Ok(Left::default());
        }
        let lock = released(&self.beside(LOCK))?;
        let (aside, path) = (self.path.clone(), self.beside(NAME));
        let mut theirs = BTreeMap::new();
        match File::open(&path) {
            Ok(file) => read_into(&mut theirs, &file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let left = Left::take(&mut theirs);
        self.live.append(&mut theirs);
        self.path = path;
        self.is_aside = false;
        self.write_anew()?;
        self.lock = lock;
        fs::remove_file(aside)?;
        Ok(left)
    }

    /// Takes over the calls of a process that wrote on beside the file, and is gone.
    pub(super) fn absorb(&mut self) -> io::Result<Left> {
        let _lock = released(&self.beside(BEFORE.1))?;
        let before = self.beside(BEFORE.0);
        let mut theirs = BTreeMap::new();
        match File::open(&before) {
            Ok(file) => read_into(&mut theirs, &file)?,
            // It had ended them all.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Left::default()),
            Err(error) => return Err(error),
        }
        let left = Left::take(&mut theirs);
        self.live.append(&mut theirs);
        self.write_anew()?;
        fs::remove_file(before)?;
        Ok(left)
    }

    /// When there is something to do without a line: what is written to be brought to the disk, what ended to be removed.
    pub(super) fn due(&self) -> Option<Instant> {
        let sync = self.dirty_since.map(|since| since + SYNC);
        let forget = self.ended_since.map(|since| since + FORGET);
        let forget = forget.max(self.not_before.filter(|_| forget.is_some()));
        [sync, forget].into_iter().flatten().min()
    }

    /// Appends a line; false when it is not written.
    pub(super) fn write(&mut self, line: Line) -> bool {
        let written = to_line(&line).and_then(|text| {
            // One call, so that a crash leaves whole lines.
            self.file.write_all(&text)?;
            self.bytes += text.len() as u64;
            Ok(())
        });
        if matches!(line, Line::Ended { .. }) {
            self.ended_since.get_or_insert_with(Instant::now);
        }
        apply(&mut self.live, line);
        self.dirty_since.get_or_insert_with(Instant::now);
        let is_written = written.is_ok();
        self.tell(written);
        if self.bytes > self.most_bytes {
            self.shorten();
        }
        is_written
    }

    /// Does what is due: see [`Self::due`].
    pub(super) fn tend(&mut self) {
        let passed = |since: Option<Instant>, time| since.is_some_and(|at| at.elapsed() >= time);
        if passed(self.dirty_since, SYNC) {
            let handed_over = self.file.try_clone().map(|file| self.disk.sync(file));
            // While it is still busy with the last time's, this one waits.
            let waits = matches!(handed_over, Ok(false));
            self.dirty_since = waits.then(Instant::now);
            self.tell(handed_over.map(drop));
        }
        if passed(self.ended_since, FORGET) {
            self.shorten();
        }
    }

    /// Leaves a file on the disk that holds the calls that run, and nothing else.
    pub(super) fn close(mut self) {
        self.not_before = None;
        self.shorten();
        // Nobody looks for a file beside that holds nothing.
        if self.is_aside
            && self.live.is_empty()
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(file = %self.path.display(), %error, "the journal's file is left");
        }
    }

    /// Writes the file anew, unless that was tried in vain a short time ago.
    fn shorten(&mut self) {
        if self.not_before.is_some_and(|time| Instant::now() < time) {
            return;
        }
        let anew = self.write_anew();
        // Calls that run may need more than the bound.
        let in_vain = anew.is_err() || self.bytes > self.most_bytes / 2;
        self.not_before = in_vain.then(|| Instant::now() + AGAIN);
        self.tell(anew);
    }

    /// A disk that is full is told once in the log, and costs no call.
    fn tell(&mut self, done: io::Result<()>) {
        match done {
            Ok(()) => self.complained = false,
            Err(error) if !std::mem::replace(&mut self.complained, true) => {
                tracing::error!(file = %self.path.display(), %error, "the journal cannot be written");
            }
            Err(_) => {}
        }
    }

    /// Writes the calls that run into a new file, which takes the old one's place.
    fn write_anew(&mut self) -> io::Result<()> {
        let aside = self.path.with_extension("new");
        let mut whole = Vec::new();
        for (transaction, live) in &self.live {
            for line in live.lines(transaction) {
                whole.extend(to_line(&line)?);
            }
        }
        let mut file = options()
            .truncate(true)
            .append(false)
            .write(true)
            .open(&aside)?;
        file.write_all(&whole)?;
        file.sync_data()?;
        fs::rename(&aside, &self.path)?;
        self.file = options().open(&self.path)?;
        self.bytes = whole.len() as u64;
        self.dirty_since = None;
        self.ended_since = None;
        Ok(())
    }
}

/// A file that this process holds from now on; none where another one does.
fn locked(path: &Path) -> io::Result<Option<File>> {
    let file = options().open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The same of a file whose holder ends just now.
fn released(path: &Path) -> io::Result<File> {
    let until = Instant::now() + ENDING;
    loop {
        if let Some(lock) = locked(path)? {
            return Ok(lock);
        }
        if Instant::now() >= until {
            return Err(io::Error::other(
                "the other process still writes its journal",
            ));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn read_into(live: &mut BTreeMap<String, Live>, file: &File) -> io::Result<()> {
    for line in BufReader::new(file).split(b'\n') {
        // The last line may have been cut off.
        if let Ok(line) = serde_json::from_slice(&line?) {
            apply(live, line);
        }
    }
    Ok(())
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600);
    options
}

fn to_line(line: &Line) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    Ok(text)
}

#[cfg(test)]
mod tests;
