//! A certificate that ends while its key is cached (facts B): the key is used exactly as long as the certificate is valid.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;
use skillcall_host_tests::alexa::Envelope;
use skillcall_host_tests::{Answer, Handler, Stage, Staging, plans, until};
use skillcall_simulator::authority::Chain;

/// A launch, signed with this chain's key and naming its URL.
async fn launch(stage: &Stage, chain: &Chain) -> StatusCode {
    let mut envelope = Envelope::call_the_front_desk(&stage.simulator);
    envelope.body["request"]["type"] = json!("LaunchRequest");
    let signed = envelope.signed(chain);
    let mut request = stage.http.post(stage.component("/alexa")).body(signed.body);
    for (name, value) in &signed.headers {
        request = request.header(name, value);
    }
    request.send().await.expect("an answer").status()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cached_key_ends_with_its_certificate_and_the_next_costs_one_fetch() {
    let stage = Staging::new(plans::straight()).start().await;
    let authority = stage.simulator.authority();
    // Where chains lie: it counts who asks.
    let served = Arc::new(Mutex::new(String::new()));
    let serve = |chain: &Chain| {
        *served.lock().unwrap_or_else(PoisonError::into_inner) = chain.pem().to_owned();
    };
    let place = Arc::clone(&served);
    let chains = Handler::start(move |_| {
        Answer::Text(place.lock().unwrap_or_else(PoisonError::into_inner).clone())
    })
    .await;
    let fetches = || chains.events().len();
    stage
        .settings
        .set("chain_origin", chains.url().origin().ascii_serialization());

    let short = authority
        .short_lived_chain(Duration::from_secs(8))
        .expect("a chain");
    serve(&short);
    for _ in 0..5 {
        assert_eq!(launch(&stage, &short).await, StatusCode::OK);
    }
    assert_eq!(fetches(), 1, "the key is cached");
    until("the certificate's end", async || {
        let before = fetches();
        match launch(&stage, &short).await {
            StatusCode::OK => {
                assert_eq!(before, 1, "while it is valid, nothing is fetched");
                None
            }
            status => {
                assert_eq!(status, StatusCode::BAD_REQUEST);
                Some(())
            }
        }
    })
    .await;
    assert_eq!(fetches(), 2, "it is looked for once more, and still ended");
    assert_eq!(launch(&stage, &short).await, StatusCode::BAD_REQUEST);

    // The same URL has a new certificate, and then another URL does.
    let long = authority.chain();
    serve(&long);
    let before = fetches();
    for _ in 0..3 {
        assert_eq!(launch(&stage, &short).await, StatusCode::OK);
    }
    assert_eq!(fetches(), before + 1, "one fetch for the new certificate");
    for _ in 0..3 {
        assert_eq!(launch(&stage, &long).await, StatusCode::OK);
    }
    assert_eq!(fetches(), before + 2, "one fetch for the new URL");
    stage.end().await;
}
