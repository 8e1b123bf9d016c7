//! Registrations over a restart: one file, written aside and renamed, readable by its owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use skillcall_sip::registration::Binding;

/// The largest file that is read: about 100,000 registrations.
const LARGEST: u64 = 64 << 20;

/// Where registrations are kept.
#[derive(Debug)]
pub(super) struct BindingFile {
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Kept {
    address: String,
    #[serde(flatten)]
    binding: Binding,
}

impl BindingFile {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What it holds; nothing where it is not there.
    ///
    /// # Errors
    /// It cannot be used. It must not be overwritten then.
    pub(super) fn read(&self) -> io::Result<Vec<(String, Binding)>> {
        let told = |error: &dyn std::fmt::Display| {
            let path = self.path.display();
            io::Error::other(format!(
                "{path}: {error}; repair it, or move it away to begin without registrations"
            ))
        };
        let size = match fs::metadata(&self.path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(told(&error)),
        };
        if size > LARGEST {
            return Err(told(&format!("{size} bytes; expected at most {LARGEST}")));
        }
        let text = fs::read(&self.path).map_err(|error| told(&error))?;
        let kept: Vec<Kept> = serde_json::from_slice(&text).map_err(|error| told(&error))?;
        Ok(kept
            .into_iter()
            .map(|kept| (kept.address, kept.binding))
            .collect())
    }

    /// Writes it anew: it is on the disk when this returns.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn write(&self, bindings: &[(String, Binding)]) -> io::Result<()> {
        let kept: Vec<Kept> = bindings
            .iter()
            .map(|(address, binding)| Kept {
                address: address.clone(),
                binding: binding.clone(),
            })
            .collect();
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let aside = self.path.with_extension("json.new");
        // One that was left there might be readable by others.
        match fs::remove_file(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&aside)?;
        file.write_all(&serde_json::to_vec(&kept)?)?;
        file.sync_all()?;
        fs::rename(&aside, &self.path)?;
        // The new name is on the disk once its folder is.
        File::open(folder)?.sync_all()
    }
}
