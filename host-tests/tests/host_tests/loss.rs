//! What a leg sounds like, estimated (ITU-T G.107): well without loss, worse with it, each direction on its own.

use std::collections::BTreeMap;

use skillcall_host_tests::{Stage, Staging, plans, until};
use skillcall_protocol::trace::{Kind, MediaFigures, Party};
use skillcall_simulator::config::PhoneConfig;
use skillcall_simulator::line::{Call, CallState, Voice};

/// G.711 without loss, at a delay that nobody notices: 4.4 (ITU-T G.107). Below this, something is wrong.
const GOOD: f64 = 4.2;

/// A call of some seconds, in which the device's network loses this share of what the device says. The device's and the
/// phone's call, and the sidecar's figures of both legs.
async fn talk(loss: f64) -> (Call, Call, BTreeMap<String, MediaFigures>) {
    let staging = Staging::new(plans::straight()).simulator(|simulator| {
        simulator.device.voice = Voice::Tone { hz: 440.0 };
        simulator.device.loss = loss;
        simulator.phone = Some(PhoneConfig {
            voice: Voice::Tone { hz: 1000.0 },
            ..PhoneConfig::default()
        });
    });
    let stage = staging.start().await;
    let (said, call) = stage.call().await;
    let phone = stage.phone(CallState::Talking).await;
    stage
        .call_is(&phone.id, |call| call.media.received >= 300)
        .await;
    stage.simulator.hang_up(&phone.id).await.expect("hung up");
    let device = stage.over(&call.id).await;
    let phone = stage.over(&phone.id).await;
    stage.quiet().await;
    let legs = legs(&stage, &said.request_id.expect("a request")).await;
    stage.end().await;
    (device, phone, legs)
}

async fn legs(stage: &Stage, id: &str) -> BTreeMap<String, MediaFigures> {
    until("the figures of both legs", async || {
        let trace = stage.trace(id).await;
        let of_sidecar = trace
            .records
            .iter()
            .filter(|record| record.part == Party::Sidecar);
        let legs: BTreeMap<String, MediaFigures> = of_sidecar
            .filter_map(|record| match &record.kind {
                Kind::Media(figures) => Some((figures.leg.as_str().to_owned(), figures.clone())),
                _ => None,
            })
            .collect();
        (legs.len() == 2).then_some(legs)
    })
    .await
}

/// Share of packets lost.
fn share(lost: u64, received: u64) -> f64 {
    lost as f64 / (lost + received).max(1) as f64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clean_call_sounds_good_and_each_loss_makes_it_worse_in_its_direction_alone() {
    let (device, phone, clean) = talk(0.0).await;
    for (leg, figures) in &clean {
        assert_eq!(figures.lost, 0, "{leg}: {figures:?}");
        assert!(figures.mos >= GOOD, "{leg}: {figures:?}");
    }
    assert_eq!((device.media.lost, phone.media.lost), (0, 0));

    let mut before = clean["LEG-A"].mos;
    for (loss, at_most, at_least) in [(0.05, 4.1, 3.5), (0.2, 3.0, 2.0)] {
        let (device, phone, legs) = talk(loss).await;
        let (guest, desk) = (&legs["LEG-A"], &legs["LEG-B"]);
        let lost = share(guest.lost, guest.received);
        assert!((lost - loss).abs() < 0.02, "{loss}: {guest:?}");
        assert!(
            (at_least..at_most).contains(&guest.mos) && guest.mos < before,
            "{loss}: {guest:?}"
        );
        before = guest.mos;
        // The bridge hands the loss on, and the phone counts it; what goes the other way is as good as before.
        let heard = share(phone.media.lost, phone.media.received);
        assert!((heard - loss).abs() < 0.03, "{loss}: {:?}", phone.media);
        let mos = phone.media.mos.expect("an estimate");
        assert!(mos < at_most, "{loss}: {:?}", phone.media);
        assert!(desk.lost == 0 && desk.mos >= GOOD, "{loss}: {desk:?}");
        assert_eq!(device.media.lost, 0, "{loss}");
    }
}
