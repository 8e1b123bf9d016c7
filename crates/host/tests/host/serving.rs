//! Requests, replies, and the work after them.

use crate::support::client::{get, get_with};
use crate::support::upstream::Upstream;
use crate::support::{LIMIT, config, serve, settings, until};
use skillcall_host::{Server, StartError};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn each_request_gets_the_components_answer() {
    let server = serve(|_| {}).await;
    let reply = get(server.address(), "/nothing").await;
    assert_eq!((reply.status, reply.body.as_str()), (404, "no such trick"));
    let reply = get_with(server.address(), "/headers", b"X-A: 1\r\nx-a: 2\r\n").await;
    assert_eq!(reply.status, 200);
    assert!(
        reply.body.contains("authority Some(\"test.example\")"),
        "{}",
        reply.body
    );
    assert!(reply.body.contains("x-a: 1\nx-a: 2\n"), "{}", reply.body);
    assert!(!reply.body.contains("host:"), "{}", reply.body);
    assert!(server.shutdown().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_and_a_missing_answer_are_problems_of_500() {
    let server = serve(|_| {}).await;
    for path in ["/trap", "/silent"] {
        let reply = get(server.address(), path).await;
        assert_eq!(reply.status, 500, "{path}");
        assert!(
            reply
                .head
                .contains("content-type: application/problem+json"),
            "{}",
            reply.head
        );
        assert!(reply.body.contains("\"status\":500"), "{}", reply.body);
        assert!(
            !reply.body.contains("wasm"),
            "nothing of the inside: {}",
            reply.body
        );
    }
    assert_eq!(get(server.address(), "/headers").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn work_goes_on_after_the_reply_and_is_waited_for() {
    let upstream = Upstream::start().await;
    let server = serve(|config| config.drain = LIMIT).await;
    let reply = get(
        server.address(),
        &format!("/later?{}", upstream.url("/hold")),
    )
    .await;
    assert_eq!((reply.status, reply.body.as_str()), (202, "later"));
    until("the work after the reply calls out", || {
        upstream.requests() == 1
    })
    .await;
    assert_eq!(server.skill().running(), 1);
    let skill = server.skill().clone();
    let mut stopping = tokio::spawn(server.shutdown());
    let early = tokio::time::timeout(Duration::from_millis(50), &mut stopping).await;
    assert!(early.is_err(), "the shutdown did not wait");
    upstream.release(1);
    assert!(stopping.await.expect("no panic"), "all work ended");
    assert_eq!(skill.running(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shutdown_waits_no_longer_than_its_limit() {
    let upstream = Upstream::start().await;
    let server = serve(|config| config.drain = Duration::from_millis(20)).await;
    get(
        server.address(),
        &format!("/later?{}", upstream.url("/hold")),
    )
    .await;
    until("the work after the reply calls out", || {
        upstream.requests() == 1
    })
    .await;
    assert!(!server.shutdown().await, "work was left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_is_gone() {
    let server = serve(|_| {}).await;
    let address = server.address();
    assert!(server.shutdown().await);
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_address_wants_to_be_meant_and_secrets() {
    let mut public = config();
    public.listen = "0.0.0.0:0".parse().expect("an address");
    let refused = Server::start(public.clone()).await;
    assert!(matches!(refused, Err(StartError::Public(_))));
    public.public = true;
    let refused = Server::start(public.clone()).await;
    assert!(matches!(
        refused,
        Err(StartError::PublicWithoutSecret { .. })
    ));
    public.settings = settings(&[("sidecar_keys", "a:b"), ("session_key", "c")]);
    assert!(Server::start(public).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_and_a_missing_component_are_named() {
    let first = serve(|_| {}).await;
    let mut second = config();
    second.listen = first.address();
    let Err(error) = Server::start(second).await else {
        panic!("the port is taken");
    };
    assert!(
        error.to_string().contains(&first.address().to_string()),
        "{error}"
    );
    let mut missing = config();
    missing.component = std::path::Path::new("/nowhere/skill.wasm").into();
    let Err(error) = Server::start(missing).await else {
        panic!("the component is missing");
    };
    assert!(error.to_string().contains("/nowhere/skill.wasm"), "{error}");
}
