//! Folders as buckets: what is read, what is written, and what is refused.

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
    let made = buckets.create("prompts", "2026/11/21/call.wav").unwrap();
    assert!(made.path.is_file());
    assert!(matches!(
        buckets.create("prompts", "2026/11/21/call.wav"),
        Err(BucketError::Io { .. })
    ));
}
