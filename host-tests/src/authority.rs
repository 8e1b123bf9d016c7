//! The simulator's authority: RSA keys take seconds to make, so they are made once and each stage gets a copy.

use std::path::{Path, PathBuf};

use skillcall_simulator::authority::{Authority, ChainFault};
use tokio::sync::OnceCell;

use crate::component;

static MADE: OnceCell<PathBuf> = OnceCell::const_new();

/// Puts an authority into `folder`.
///
/// # Panics
/// When a file cannot be written.
pub async fn copy_into(folder: &Path) {
    let made = MADE
        .get_or_init(|| async {
            tokio::task::spawn_blocking(make)
                .await
                .expect("the authority is made")
        })
        .await;
    std::fs::create_dir_all(folder).expect("the authority's folder");
    for entry in std::fs::read_dir(made).expect("the authority") {
        let entry = entry.expect("a file of the authority");
        std::fs::copy(entry.path(), folder.join(entry.file_name())).expect("a copy");
    }
}

/// Beside the component, where what is built lies; a second test program finds it there.
fn make() -> PathBuf {
    let beside = component::path()
        .canonicalize()
        .expect("the component's path");
    let beside = beside.parent().expect("the component's folder").to_owned();
    let made = beside.join("host-tests-authority");
    if !made.is_dir() {
        let fresh = tempfile::tempdir_in(&beside).expect("a folder beside the component");
        let authority = Authority::open(fresh.path()).expect("an authority");
        // Its key is made with the first such chain.
        authority
            .faulty_chain(ChainFault::ForeignRoot)
            .expect("a chain of nobody's");
        // Another program may have been faster: then its authority serves.
        let _ = std::fs::rename(fresh.path(), &made);
    }
    made
}
