//! Packages of npm that tests need, as their committed lock files name them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// Installs what `package-lock.json` in `folder` names, unless it is there already, and gives `node_modules`.
///
/// # Panics
/// When npm cannot.
#[must_use]
pub fn install(folder: &Path) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let modules = folder.join("node_modules");
    let _one = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(|poison| poison.into_inner());
    // npm writes this file last; it is as new as the lock file that it was made of.
    let time = |path: &Path| path.metadata().and_then(|found| found.modified()).ok();
    let lock = time(&folder.join("package-lock.json"));
    assert!(
        lock.is_some(),
        "{} has no package-lock.json",
        folder.display()
    );
    if time(&modules.join(".package-lock.json")) >= lock {
        return modules;
    }
    let output = Command::new("npm")
        // `npm ci` refuses a lock file that lacks an optional package for another system.
        .args([
            "install",
            "--no-save",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ])
        .current_dir(folder)
        .output()
        .expect("npm runs; tools/setup.sh installs it");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "npm install: {said}");
    modules
}
