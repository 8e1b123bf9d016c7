//! Later offers: hold, resume, another codec, both sides at once.

use std::time::Duration;

use skillcall_media::encoding::Encoding;

use super::network::{A, B, Network, config};
use crate::{Config, Direction, OfferError, dtls::Role};

const SECOND: Duration = Duration::from_secs(1);

/// `who` offers, the other answers; whether direction, codec and network changed.
fn renegotiate(network: &mut Network, who: usize, direction: Direction) -> (bool, bool, bool) {
    let offer = network.peers[who].offer_again(direction);
    let now = network.now;
    let answered = network.peers[1 - who].answer_again(&offer, now).unwrap();
    network.peers[who]
        .take_answer(&answered.answer, now)
        .unwrap();
    (
        answered.direction_changed,
        answered.codec_changed,
        answered.ice_restarted,
    )
}

#[test]
fn hold_and_resume_keep_keys_roles_and_numbers() {
    let mut network = Network::connected();
    network.assert_talk(b"before");
    let before = [A, B].map(|who| *network.peers[who].audio().unwrap());
    for who in [A, B] {
        for (direction, ours, theirs) in [
            (
                Direction::SendOnly,
                Direction::SendOnly,
                Direction::RecvOnly,
            ),
            (
                Direction::Inactive,
                Direction::Inactive,
                Direction::Inactive,
            ),
            (
                Direction::SendRecv,
                Direction::SendRecv,
                Direction::SendRecv,
            ),
        ] {
            let changed = renegotiate(&mut network, who, direction);
            assert_eq!(changed, (true, false, false));
            let audio = |who: usize| *network.peers[who].audio().unwrap();
            assert_eq!(audio(who).direction, ours);
            assert_eq!(audio(1 - who).direction, theirs);
            assert_eq!(audio(1 - who).is_held(), direction != Direction::SendRecv);
            assert_eq!(
                renegotiate(&mut network, who, direction),
                (false, false, false)
            );
        }
        network.run(SECOND);
    }
    assert_eq!(
        [A, B].map(|who| *network.peers[who].audio().unwrap()),
        before
    );
    assert_eq!(network.peers[A].role(), Some(Role::Server));
    assert_eq!(network.peers[B].role(), Some(Role::Client));
    assert_eq!(network.handshakes(), 1);
    network.assert_connected();
    network.assert_talk(b"after");
}

#[test]
fn who_holds_stays_on_hold_through_the_peer_s_offers() {
    let mut network = Network::connected();
    network.peers[B].set_direction(Direction::SendOnly);
    renegotiate(&mut network, A, Direction::SendRecv);
    let audio = |who: usize| *network.peers[who].audio().unwrap();
    assert_eq!(audio(B).direction, Direction::SendOnly);
    assert_eq!(audio(A).direction, Direction::RecvOnly);
}

#[test]
fn another_codec_gets_the_number_that_it_always_had() {
    let mut network = Network::connected();
    let text = network.peers[B].offer_again(Direction::SendRecv);
    for line in [
        "a=rtpmap:96 opus/48000/2",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:97 telephone-event/48000",
        "a=rtpmap:98 telephone-event/8000",
        "a=setup:actpass",
    ] {
        assert!(text.contains(&format!("{line}\r\n")), "{line} in {text}");
    }
    network.peers[B].set_codecs(vec![Encoding::Pcma]);
    let (_, codec_changed, _) = renegotiate(&mut network, B, Direction::SendRecv);
    assert!(codec_changed);
    for who in [A, B] {
        let audio = network.peers[who].audio().unwrap();
        assert_eq!((audio.encoding, audio.send.number()), (Encoding::Pcma, 8));
        assert!(
            audio
                .events
                .is_some_and(|events| events.send.number() == 98)
        );
    }
    assert_eq!(network.handshakes(), 1);
    network.assert_talk(b"in another voice");
}

#[test]
fn an_offer_in_vain_changes_nothing() {
    let mut network = Network::connected();
    let before = *network.peers[B].audio().unwrap();
    network.peers[A].set_codecs(vec![Encoding::G722]);
    let offer = network.peers[A].offer_again(Direction::Inactive);
    let now = network.now;
    network.peers[B].set_codecs(vec![Encoding::Pcmu]);
    assert!(matches!(
        network.peers[B].answer_again(&offer, now),
        Err(OfferError::NoCodec { .. })
    ));
    assert_eq!(*network.peers[B].audio().unwrap(), before);
    network.peers[A].withdraw_offer();
    assert_eq!(
        network.peers[A].take_answer("v=0\r\n", now),
        Err(OfferError::NotOffered)
    );
    network.run(SECOND);
    network.assert_talk(b"undisturbed");
}

#[test]
fn both_offer_at_once_and_the_one_that_answers_yields() {
    let mut network = Network::connected();
    let now = network.now;
    let _lost = network.peers[A].offer_again(Direction::SendOnly);
    let offer = network.peers[B].offer_again(Direction::SendRecv);
    let answered = network.peers[A].answer_again(&offer, now).unwrap();
    network.peers[B].take_answer(&answered.answer, now).unwrap();
    assert_eq!(
        network.peers[A].audio().unwrap().direction,
        Direction::SendOnly
    );
    assert_eq!(
        network.peers[A].take_answer(&answered.answer, now),
        Err(OfferError::NotOffered)
    );
    network.run(SECOND);
    network.assert_talk(b"once is enough");
}

#[test]
fn another_certificate_is_another_handshake() {
    let mut network = Network::connected();
    let now = network.now;
    // The device has restarted: a leg of its own, with the address of the old one.
    let config = Config {
        identity: super::network::identity(2),
        ..config(A)
    };
    let (again, offer) = crate::Peer::offer(config, now);
    let answered = network.peers[B].answer_again(&offer, now).unwrap();
    assert!(answered.ice_restarted);
    network.peers[A] = again;
    network.peers[A].take_answer(&answered.answer, now).unwrap();
    network.run(3 * SECOND);
    assert_eq!(network.handshakes(), 2);
    network.assert_talk(b"who is there");
}
