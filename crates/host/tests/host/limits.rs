//! Deadline, memory, and the number of instances.

use crate::support::client::get;
use crate::support::upstream::Upstream;
use crate::support::{LIMIT, serve, until};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_and_a_waiting_guest_are_stopped_at_the_deadline() {
    let upstream = Upstream::start().await;
    let server = serve(|config| config.engine.deadline = Duration::from_millis(100)).await;
    let waiting = format!("/fetch?{}", upstream.url("/hold"));
    for path in ["/spin", &waiting] {
        let reply = get(server.address(), path).await;
        assert_eq!(reply.status, 504, "{path}: {}", reply.body);
        assert!(
            reply.head.contains("application/problem+json"),
            "{}",
            reply.head
        );
    }
    assert!(server.skill().idle(LIMIT).await);
}

#[tokio::test(flavor = "current_thread")]
async fn a_busy_guest_lets_others_run() {
    let server = serve(|config| config.engine.deadline = LIMIT).await;
    let address = server.address();
    let busy = tokio::spawn(async move { get(address, "/spin").await });
    until("the busy guest runs", || server.skill().running() == 1).await;
    assert_eq!(get(address, "/nothing").await.status, 404);
    busy.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn work_after_the_reply_has_a_limit_of_its_own() {
    let upstream = Upstream::start().await;
    let server = serve(|config| {
        config.engine.deadline = LIMIT;
        config.engine.after_reply = Duration::from_millis(50);
    })
    .await;
    get(
        server.address(),
        &format!("/later?{}", upstream.url("/hold")),
    )
    .await;
    assert!(
        server.skill().idle(LIMIT).await,
        "the instance was not stopped"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_has_no_more_memory_than_it_may() {
    let server = serve(|config| config.engine.memory = 8 << 20).await;
    let reply = get(server.address(), "/grow").await;
    assert_eq!(reply.status, 500);
    assert_eq!(get(server.address(), "/headers").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pool_turns_requests_away_after_a_while() {
    let upstream = Upstream::start().await;
    let server = serve(|config| {
        config.engine.concurrency = 2;
        config.engine.queue_wait = Duration::from_millis(20);
    })
    .await;
    let (address, path) = (
        server.address(),
        format!("/fetch?{}", upstream.url("/hold")),
    );
    let hold = || {
        let path = path.clone();
        tokio::spawn(async move { get(address, &path).await })
    };
    let (first, second) = (hold(), hold());
    until("both instances are at work", || upstream.requests() == 2).await;
    let third = get(address, "/headers").await;
    assert_eq!(third.status, 503);
    assert!(third.head.contains("retry-after: 1"), "{}", third.head);
    upstream.release(2);
    assert_eq!(first.await.expect("no panic").body, "200");
    assert_eq!(second.await.expect("no panic").body, "200");
    assert!(server.skill().idle(LIMIT).await);
    assert_eq!(get(address, "/headers").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_waits_for_a_free_instance() {
    let upstream = Upstream::start().await;
    let server = serve(|config| {
        config.engine.concurrency = 1;
        config.engine.queue_wait = LIMIT;
        config.engine.deadline = LIMIT;
        config.outbound.first_byte = LIMIT;
    })
    .await;
    let (address, path) = (
        server.address(),
        format!("/fetch?{}", upstream.url("/hold")),
    );
    let first = tokio::spawn(async move { get(address, &path).await });
    until("the instance is at work", || upstream.requests() == 1).await;
    let second = tokio::spawn(async move { get(address, "/headers").await });
    upstream.release(1);
    assert_eq!(first.await.expect("no panic").body, "200");
    assert_eq!(second.await.expect("no panic").status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pool_gives_back_what_it_lent() {
    let server = serve(|config| config.engine.concurrency = 2).await;
    for round in 0..20 {
        for path in ["/trap", "/silent", "/headers", "/log?something"] {
            let reply = get(server.address(), path).await;
            assert_ne!(reply.status, 503, "{path} in round {round}");
        }
    }
    assert!(server.skill().idle(LIMIT).await);
}
