//! Where the book is kept over a restart: one JSON file, replaced whole.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::book::Book;

/// The file's name in the state folder.
const NAME: &str = "sip-media-applications.json";
/// A larger file was not written here: 1000 applications and 1000 rules of 25 targets stay below 8 MB.
const LARGEST: u64 = 32 << 20;

/// The file.
#[derive(Debug, Clone)]
pub(super) struct BookFile {
    path: PathBuf,
}

impl BookFile {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            path: folder.join(NAME),
        }
    }

    /// What was kept; an empty book when nothing was.
    ///
    /// # Errors
    /// The file is there and cannot be used: it must not be overwritten then.
    pub(super) fn load(&self) -> io::Result<Book> {
        let told = |error: &dyn std::fmt::Display| {
            io::Error::other(format!(
                "{}: {error}; repair it, or move it away to begin anew",
                self.path.display()
            ))
        };
        let size = match fs::metadata(&self.path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Book::default()),
            Err(error) => return Err(told(&error)),
        };
        if size > LARGEST {
            return Err(told(&format!("{size} bytes; expected at most {LARGEST}")));
        }
        let text = fs::read(&self.path).map_err(|error| told(&error))?;
        serde_json::from_slice(&text).map_err(|error| told(&error))
    }

    /// Keeps a book: it is on the disk when this returns.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn save(&self, book: &Book) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let new = self.path.with_extension("json.new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec_pretty(book)?)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        // The new name is on the disk once its folder is.
        File::open(folder)?.sync_all()
    }
}
