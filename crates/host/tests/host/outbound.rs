//! What the component may call.

use crate::support::client::get;
use crate::support::upstream::Upstream;
use crate::support::{serve, until};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use skillcall_host::outbound::Origin;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};

#[tokio::test(flavor = "multi_thread")]
async fn only_allowed_origins_are_called() {
    let (allowed, other) = (Upstream::start().await, Upstream::start().await);
    let origin = Origin::parse(&allowed.url("")).expect("an origin");
    let server = serve(|config| config.outbound.allow = Some(vec![origin])).await;
    let fetch = async |url: String| get(server.address(), &format!("/fetch?{url}")).await.body;
    assert_eq!(fetch(allowed.url("/a")).await, "200");
    let by_name = format!("http://localhost:{}/a", allowed.address.port());
    for denied in [
        other.url("/a"),
        by_name,
        format!("https://{}/", allowed.address),
    ] {
        assert_eq!(
            fetch(denied.clone()).await,
            "ErrorCode::HttpRequestDenied",
            "{denied}"
        );
    }
    assert_eq!((allowed.requests(), other.connections()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_used_again() {
    let upstream = Upstream::start().await;
    let server = serve(|_| {}).await;
    for request in 1..=5 {
        let reply = get(server.address(), &format!("/fetch?{}", upstream.url("/a"))).await;
        assert_eq!(reply.body, "200", "request {request}");
    }
    assert_eq!((upstream.requests(), upstream.connections()), (5, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_and_refusal_are_errors_in_time() {
    let upstream = Upstream::start().await;
    let server = serve(|config| {
        config.outbound.first_byte = Duration::from_millis(300);
        config.outbound.connect = Duration::from_millis(50);
    })
    .await;
    let fetch = async |url: String| get(server.address(), &format!("/fetch?{url}")).await.body;
    assert_eq!(
        fetch(upstream.url("/hold")).await,
        "ErrorCode::ConnectionReadTimeout"
    );
    // A server that waits for plain HTTP answers no TLS handshake.
    let silent = format!("https://{}/", upstream.address);
    assert_eq!(fetch(silent).await, "ErrorCode::ConnectionTimeout");
    let closed = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        listener.local_addr().expect("it is bound")
    };
    assert_eq!(
        fetch(format!("http://{closed}/")).await,
        "ErrorCode::ConnectionRefused"
    );
}

/// An authority's certificate, and a server that shows one of its certificates for 127.0.0.1.
fn authority() -> (CertificateDer<'static>, TlsAcceptor) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&key).expect("a root").der().clone();
    let issuer = Issuer::new(params, key);
    let leaf_key = KeyPair::generate().expect("a key");
    let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()])
        .and_then(|params| params.signed_by(&leaf_key, &issuer))
        .expect("a leaf");
    let private = PrivateKeyDer::try_from(leaf_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], private)
        .expect("a certificate");
    (root, TlsAcceptor::from(Arc::new(config)))
}

#[tokio::test(flavor = "multi_thread")]
async fn https_is_checked_against_the_roots() {
    let (root, tls) = authority();
    let upstream = Upstream::start_with(Some(tls)).await;
    let path = format!("/fetch?https://{}/", upstream.address);
    let distrusting = serve(|_| {}).await;
    let reply = get(distrusting.address(), &path).await;
    assert_eq!(reply.body, "ErrorCode::TlsCertificateError");
    assert_eq!(upstream.requests(), 0);
    let trusting = serve(|config| config.outbound.extra_roots = vec![root]).await;
    assert_eq!(get(trusting.address(), &path).await.body, "200");
    until("the request came through TLS", || upstream.requests() == 1).await;
}
