//! `state`, by both implementations.

use crate::support::client::get;
use crate::support::serve;
use skillcall_host::StateConfig;
use skillcall_host::state::{
    Bounds, DurableState, Key, ManualClock, MemoryState, OpenError, State, StateError, Value,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

fn key(text: &str) -> Key {
    Key::new(text).expect("a good key")
}

fn value(text: &str) -> Value {
    Value::new(text.as_bytes().to_vec()).expect("a short value")
}

const MINUTE: Duration = Duration::from_secs(60);

/// Both implementations with a clock to turn; the folder lives as long as the file in it.
fn both() -> (Vec<Arc<dyn State>>, Arc<ManualClock>, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(ManualClock::at(1_000_000));
    let bounds = Bounds::default();
    let memory = MemoryState::with_clock(bounds, Arc::clone(&clock));
    let file = folder.path().join("new/folder/state.redb");
    let durable = DurableState::open_with_clock(&file, bounds, Arc::clone(&clock));
    let durable = durable.expect("it opens");
    (vec![Arc::new(memory), Arc::new(durable)], clock, folder)
}

#[tokio::test]
async fn values_come_back_until_they_end() {
    let (stores, clock, _folder) = both();
    for store in &stores {
        assert_eq!(store.get(&key("a")).await, Ok(None));
        store
            .set(key("a"), value("1"), Some(MINUTE))
            .await
            .expect("set");
        store.set(key("b"), value("2"), None).await.expect("set");
        assert_eq!(store.get(&key("a")).await, Ok(Some(value("1"))));
        store
            .set(key("b"), value("3"), None)
            .await
            .expect("replace");
        assert_eq!(store.get(&key("b")).await, Ok(Some(value("3"))));
        store.delete(key("b")).await.expect("delete");
        store
            .delete(key("b"))
            .await
            .expect("delete what is not there");
        assert_eq!(store.get(&key("b")).await, Ok(None));
    }
    clock.advance(MINUTE - Duration::from_millis(1));
    for store in &stores {
        assert_eq!(store.get(&key("a")).await, Ok(Some(value("1"))));
    }
    clock.advance(Duration::from_millis(1));
    for store in &stores {
        assert_eq!(store.get(&key("a")).await, Ok(None));
    }
}

#[tokio::test]
async fn a_claim_holds_until_it_ends_or_is_deleted() {
    let (stores, clock, _folder) = both();
    for store in &stores {
        assert_eq!(store.claim(key("a"), value("1"), MINUTE).await, Ok(true));
        assert_eq!(store.claim(key("a"), value("2"), MINUTE).await, Ok(false));
        assert_eq!(store.get(&key("a")).await, Ok(Some(value("1"))));
        store.delete(key("a")).await.expect("delete");
        assert_eq!(store.claim(key("a"), value("3"), MINUTE).await, Ok(true));
        store.set(key("b"), value("4"), None).await.expect("set");
        assert_eq!(store.claim(key("b"), value("5"), MINUTE).await, Ok(false));
    }
    clock.advance(MINUTE);
    for store in &stores {
        assert_eq!(store.claim(key("a"), value("6"), MINUTE).await, Ok(true));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_claims_at_one_instant_one_wins() {
    let (stores, _clock, _folder) = both();
    for store in stores {
        for round in 0..5 {
            let together = Arc::new(tokio::sync::Barrier::new(100));
            let claims: Vec<_> = (0..100)
                .map(|number| {
                    let (store, together) = (Arc::clone(&store), Arc::clone(&together));
                    tokio::spawn(async move {
                        let mine = value(&number.to_string());
                        together.wait().await;
                        let won = store.claim(key(&format!("round {round}")), mine.clone(), MINUTE);
                        won.await.expect("the store works").then_some(mine)
                    })
                })
                .collect();
            let mut winners = Vec::new();
            for claim in claims {
                winners.extend(claim.await.expect("no panic"));
            }
            assert_eq!(winners.len(), 1, "round {round}");
            let kept = store.get(&key(&format!("round {round}"))).await;
            assert_eq!(kept, Ok(winners.pop()), "round {round}");
        }
    }
}

fn state_file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("state.redb");
    (folder, file)
}

#[tokio::test]
async fn the_file_outlives_the_process() {
    let (_folder, file) = state_file();
    let clock = Arc::new(ManualClock::at(0));
    let open = || DurableState::open_with_clock(&file, Bounds::default(), Arc::clone(&clock));
    let store = open().expect("it opens");
    store
        .set(key("short"), value("1"), Some(MINUTE))
        .await
        .expect("set");
    store
        .set(key("long"), value("2"), Some(2 * MINUTE))
        .await
        .expect("set");
    store.set(key("gone"), value("3"), None).await.expect("set");
    store.delete(key("gone")).await.expect("delete");
    assert_eq!(
        store.claim(key("claim"), value("4"), 2 * MINUTE).await,
        Ok(true)
    );
    drop(store);
    clock.advance(MINUTE);
    let store = open().expect("it opens again");
    assert_eq!(store.get(&key("short")).await, Ok(None));
    assert_eq!(store.get(&key("long")).await, Ok(Some(value("2"))));
    assert_eq!(store.get(&key("gone")).await, Ok(None));
    assert_eq!(
        store.claim(key("claim"), value("5"), MINUTE).await,
        Ok(false)
    );
    assert_eq!(store.len(), 2, "what had ended was swept");
}

#[tokio::test]
async fn a_claim_is_on_the_disk_when_it_is_answered() {
    let (folder, file) = state_file();
    let store = DurableState::open(&file, Bounds::default()).expect("it opens");
    assert_eq!(store.claim(key("a"), value("1"), MINUTE).await, Ok(true));
    // As after a crash: what is on the disk at this instant, without the store's own end.
    let copy = folder.path().join("copy.redb");
    std::fs::copy(&file, &copy).expect("a copy");
    let after = DurableState::open(&copy, Bounds::default()).expect("it opens");
    assert_eq!(after.get(&key("a")).await, Ok(Some(value("1"))));
}

#[tokio::test]
async fn the_file_is_private_and_used_once() {
    let (_folder, file) = state_file();
    let store = DurableState::open(&file, Bounds::default()).expect("it opens");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&file)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let second = DurableState::open(&file, Bounds::default());
    assert!(matches!(second, Err(OpenError::InUse { .. })));
    drop(store);
    std::fs::write(&file, b"no database").expect("it is written");
    let damaged = DurableState::open(&file, Bounds::default());
    assert!(matches!(damaged, Err(OpenError::Damaged { .. })));
}

#[tokio::test]
async fn a_full_store_refuses_and_keeps_what_it_has() {
    let bounds = Bounds {
        entries: 1,
        bytes: 1000,
    };
    let store = MemoryState::new(bounds);
    store
        .set(key("a"), value("1"), None)
        .await
        .expect("room for one");
    let refused = store.claim(key("b"), value("2"), MINUTE).await;
    assert!(
        matches!(refused, Err(StateError::Unavailable(_))),
        "{refused:?}"
    );
    assert_eq!(store.get(&key("a")).await, Ok(Some(value("1"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_component_reaches_the_store_and_its_limits() {
    let (_folder, file) = state_file();
    let server = serve(|config| config.state = StateConfig::File(file, Bounds::default())).await;
    let ask = async |path: &str| get(server.address(), path).await.body;
    assert_eq!(ask("/get?a").await, "Ok(None)");
    assert_eq!(ask("/set?a").await, "Ok(())");
    assert_eq!(ask("/get?a").await, format!("Ok(Some({:?}))", b"value"));
    assert_eq!(ask("/claim?a").await, "Ok(false)");
    assert_eq!(ask("/delete?a").await, "Ok(())");
    assert_eq!(ask("/claim?a").await, "Ok(true)");
    assert_eq!(ask("/set-large?a").await, "Err(Error::TooLarge)");
    assert_eq!(ask("/get?").await, "Err(Error::BadKey)");
    assert_eq!(
        ask(&format!("/get?{}", "k".repeat(257))).await,
        "Err(Error::BadKey)"
    );
}
