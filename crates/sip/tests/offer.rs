//! Offer and answer as a machine: every pair of directions, hold in all its spellings, refusals, and keys.

use std::net::IpAddr;

use skillcall_sip::message::StatusCode;
use skillcall_sip::offer::{OfferAnswer, OfferError, OfferState, Shift};
use skillcall_sip::sdp::{
    Capabilities, Codec, CryptoSuite, Direction, MediaSession, SdpError, Srtp, SrtpPolicy,
};

use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};

const ALL: [Direction; 4] = [SendRecv, SendOnly, RecvOnly, Inactive];

fn machine(port: u16, change: impl FnOnce(&mut Capabilities)) -> OfferAnswer {
    let mut capabilities = Capabilities::new(IpAddr::from([127, 0, 0, 1]), port);
    change(&mut capabilities);
    OfferAnswer::new(MediaSession::new(capabilities, u64::from(port)))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The direction that a description says.
fn said(description: &[u8]) -> Direction {
    let text = text(description);
    let found = ALL
        .into_iter()
        .find(|direction| text.contains(&format!("a={direction}\r\n")));
    found.unwrap_or_default()
}

/// One exchange from `a` to `b`.
fn exchange(a: &mut OfferAnswer, b: &mut OfferAnswer, hold: Option<bool>) -> (Shift, Shift) {
    let offer = a.offer(hold).unwrap();
    let (answer, _, at_b) = b.answer(&offer).unwrap();
    let (_, at_a) = a.answered(&answer).unwrap();
    (at_a, at_b)
}

/// RFC 3264 §6.1 for each wish against each offer: what the answer says, and what either side then does.
#[test]
fn every_pair_of_directions() {
    let table = [
        // Offered, wanted by the answerer, answered.
        (SendRecv, SendRecv, SendRecv),
        (SendRecv, SendOnly, SendOnly),
        (SendRecv, RecvOnly, RecvOnly),
        (SendRecv, Inactive, Inactive),
        (SendOnly, SendRecv, RecvOnly),
        (SendOnly, SendOnly, Inactive),
        (SendOnly, RecvOnly, RecvOnly),
        (SendOnly, Inactive, Inactive),
        (RecvOnly, SendRecv, SendOnly),
        (RecvOnly, SendOnly, SendOnly),
        (RecvOnly, RecvOnly, Inactive),
        (RecvOnly, Inactive, Inactive),
        (Inactive, SendRecv, Inactive),
        (Inactive, SendOnly, Inactive),
        (Inactive, RecvOnly, Inactive),
        (Inactive, Inactive, Inactive),
    ];
    assert_eq!(table.len(), ALL.len() * ALL.len());
    for (offered, wanted, answered) in table {
        let mut a = machine(4000, |own| own.direction = offered);
        let mut b = machine(5000, |own| own.direction = wanted);
        let offer = a.offer(None).unwrap();
        assert_eq!(said(&offer), offered);
        let (answer, at_b, _) = b.answer(&offer).unwrap();
        assert_eq!(said(&answer), answered, "{offered} against {wanted}");
        assert_eq!(at_b.direction, answered);
        let (at_a, _) = a.answered(&answer).unwrap();
        // What one sends the other receives, and nothing else.
        assert_eq!(
            at_a.direction.sends(),
            answered.receives(),
            "{offered} {wanted}"
        );
        assert_eq!(
            at_a.direction.receives(),
            answered.sends(),
            "{offered} {wanted}"
        );
        // The answerer is held by an offer that does not receive; the offerer by an answer that does not.
        assert_eq!(at_b.held, !offered.receives());
        assert_eq!(at_a.held, !answered.receives());
    }
}

/// Every change from one pair of wishes to another, offered by either side.
#[test]
fn every_change_of_directions_can_be_taken_back() {
    for first in ALL {
        for second in ALL {
            let mut a = machine(4000, |own| own.direction = first);
            let mut b = machine(5000, |own| own.direction = second);
            exchange(&mut a, &mut b, None);
            let before = [a.negotiated().cloned(), b.negotiated().cloned()];
            for by_a in [true, false] {
                let (holder, held) = if by_a {
                    (&mut a, &mut b)
                } else {
                    (&mut b, &mut a)
                };
                exchange(holder, held, Some(true));
                let agreed = held.negotiated().unwrap();
                assert!(!agreed.direction.sends(), "{first} {second}");
                assert!(held.is_held());
                // A refresh by the held side does not end the hold (RFC 6337 §5.3), nor does one by the holder.
                let (at_held, at_holder) = exchange(held, holder, None);
                assert_eq!((at_held.direction, at_holder.direction), (false, false));
                exchange(holder, held, None);
                assert!(!held.negotiated().unwrap().direction.sends());
                exchange(holder, held, Some(false));
                let direction = |agreed: Option<&skillcall_sip::sdp::Negotiated>| {
                    agreed.map(|agreed| agreed.direction)
                };
                let now = [a.negotiated().cloned(), b.negotiated().cloned()];
                for at in [0, 1] {
                    assert_eq!(
                        direction(now[at].as_ref()),
                        direction(before[at].as_ref()),
                        "{first} {second}"
                    );
                }
            }
        }
    }
}

#[test]
fn both_can_hold_and_the_first_to_resume_still_waits_for_the_other() {
    let (mut a, mut b) = (machine(4000, |_| {}), machine(5000, |_| {}));
    exchange(&mut a, &mut b, None);
    exchange(&mut a, &mut b, Some(true));
    exchange(&mut b, &mut a, Some(true));
    assert_eq!(b.negotiated().unwrap().direction, Inactive);
    exchange(&mut a, &mut b, Some(false));
    assert!(b.is_holding() && !a.is_holding() && a.is_held());
    assert_eq!(a.negotiated().unwrap().direction, RecvOnly);
    exchange(&mut b, &mut a, Some(false));
    assert_eq!(a.negotiated().unwrap().direction, SendRecv);
}

#[test]
fn hold_as_rfc_2543_had_it_moves_no_media() {
    let mut ours = machine(4000, |_| {});
    let offer = |address: &str, line: &str| {
        format!(
            "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\nm=audio 9000 RTP/AVP 8 0\r\n{line}"
        )
    };
    ours.answer(offer("192.0.2.1", "").as_bytes()).unwrap();
    let (answer, agreed, shift) = ours.answer(offer("0.0.0.0", "").as_bytes()).unwrap();
    assert!(agreed.held && !agreed.direction.sends() && agreed.direction.receives());
    assert_eq!(said(&answer), RecvOnly);
    assert_eq!(
        (shift.moved, shift.direction, shift.held),
        (false, true, true)
    );
    let (_, agreed, shift) = ours.answer(offer("192.0.2.1", "").as_bytes()).unwrap();
    assert_eq!(agreed.direction, SendRecv);
    assert!(!agreed.held && shift.held && shift.moved && !shift.coding);
    let (_, agreed, _) = ours
        .answer(offer("0.0.0.0", "a=inactive\r\n").as_bytes())
        .unwrap();
    assert_eq!(agreed.direction, Inactive);
}

#[test]
fn one_offer_is_open_at_a_time_and_a_refused_one_leaves_nothing() {
    let (mut a, mut b) = (machine(4000, |_| {}), machine(5000, |_| {}));
    exchange(&mut a, &mut b, None);
    let agreed = a.negotiated().cloned();
    let theirs = b.offer(Some(true)).unwrap();
    a.offer(Some(true)).unwrap();
    assert_eq!(a.state(), OfferState::Ours);
    assert_eq!(a.offer(None), Err(OfferError::Glare));
    let glare = a.answer(&theirs).unwrap_err();
    assert_eq!(glare.status(), StatusCode::REQUEST_PENDING);
    a.refused().unwrap();
    assert_eq!((a.state(), a.is_holding()), (OfferState::Idle, false));
    assert_eq!(a.negotiated(), agreed.as_ref());
    assert_eq!(a.refused(), Err(OfferError::NotOpen));
    // The peer's turn now; and an answer that cannot be used is a refusal as well.
    let (answer, ..) = a.answer(&theirs).unwrap();
    b.answered(&answer).unwrap();
    assert!(a.is_held() && b.is_holding());
    a.offer(Some(true)).unwrap();
    assert!(matches!(
        a.answered(b"v=0\r\n"),
        Err(OfferError::Description(_))
    ));
    assert_eq!((a.state(), a.is_holding()), (OfferState::Idle, false));
    assert_eq!(a.answered(&answer), Err(OfferError::NotOpen));
    // After a rollback the version still only rises (RFC 3264 §8).
    let first = a.offer(None).unwrap();
    a.refused().unwrap();
    let second = a.offer(Some(true)).unwrap();
    let version = |description: &[u8]| -> u64 {
        let text = text(description);
        let origin = text.lines().find(|line| line.starts_with("o=")).unwrap();
        origin.split(' ').nth(2).unwrap().parse().unwrap()
    };
    assert_eq!(
        version(&second),
        version(&first) + 1,
        "another text under the same number"
    );
    a.refused().unwrap();
    let third = a.offer(Some(true)).unwrap();
    assert_eq!(third, second);
}

#[test]
fn a_refresh_shifts_nothing_and_numbers_and_lines_stay() {
    let mut ours = machine(4000, |own| own.codecs = vec![Codec::Pcmu]);
    let offer = "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=image 9 udptl t38\r\n\
         m=audio 9000 RTP/AVP 97 98\r\na=rtpmap:97 PCMU/8000\r\na=rtpmap:98 telephone-event/8000\r\nm=video 9 RTP/AVP 31\r\n";
    let (answer, first, _) = ours.answer(offer.as_bytes()).unwrap();
    let lines = |description: &[u8]| -> Vec<String> {
        text(description)
            .lines()
            .filter(|line| line.starts_with("m="))
            .map(str::to_owned)
            .collect()
    };
    let expected = [
        "m=image 0 udptl t38",
        "m=audio 4000 RTP/AVP 97 98",
        "m=video 0 RTP/AVP 31",
    ];
    assert_eq!(lines(&answer), expected);
    let (again, second, shift) = ours.answer(offer.as_bytes()).unwrap();
    assert_eq!((again, &second), (answer, &first));
    assert!(shift.is_none());
    assert_eq!(lines(&ours.offer(None).unwrap()), expected);
    ours.refused().unwrap();
    // Fax alone is refused, and the call goes on as it was.
    let fax =
        "v=0\r\no=- 1 2 IN IP4 h\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=image 9 udptl t38\r\n";
    let refused = ours.answer(fax.as_bytes()).unwrap_err();
    assert_eq!(refused.status(), StatusCode::NOT_ACCEPTABLE_HERE);
    assert_eq!(ours.negotiated(), Some(&first));
}

fn secure(port: u16, policy: SrtpPolicy, suites: &[CryptoSuite]) -> OfferAnswer {
    let mut byte = port as u8;
    let srtp = Srtp::new(policy, suites.iter().copied(), |bytes| {
        byte = byte.wrapping_add(1);
        bytes.fill(byte);
    });
    machine(port, |own| own.srtp = srtp)
}

/// Each policy against each: encrypted, plain, or refused.
#[test]
fn every_pair_of_encryption_policies() {
    use CryptoSuite::{AeadAes128Gcm, AesCm128Sha1_32, AesCm128Sha1_80};
    use SrtpPolicy::{Off, Preferred, Required};
    for (offers, answers, expected) in [
        (Off, Off, Some(false)),
        (Off, Preferred, Some(false)),
        (Off, Required, None),
        (Preferred, Off, Some(false)),
        (Preferred, Preferred, Some(true)),
        (Preferred, Required, Some(true)),
        (Required, Off, None),
        (Required, Preferred, Some(true)),
        (Required, Required, Some(true)),
    ] {
        let mut a = secure(4000, offers, &[AeadAes128Gcm, AesCm128Sha1_80]);
        let mut b = secure(5000, answers, &[AesCm128Sha1_32, AesCm128Sha1_80]);
        let offer = a.offer(None).unwrap();
        let profile = if offers == Required {
            "RTP/SAVP "
        } else {
            "RTP/AVP "
        };
        assert!(text(&offer).contains(profile));
        let answer = b.answer(&offer);
        let Some(encrypted) = expected else {
            assert_eq!(
                answer.unwrap_err().status(),
                StatusCode::NOT_ACCEPTABLE_HERE
            );
            continue;
        };
        let (answer, at_b, _) = answer.unwrap();
        let (at_a, _) = a.answered(&answer).unwrap();
        assert_eq!(at_a.srtp.is_some(), encrypted, "{offers:?} {answers:?}");
        if let (Some(at_a), Some(at_b)) = (&at_a.srtp, &at_b.srtp) {
            assert_eq!((&at_a.send, &at_a.receive), (&at_b.receive, &at_b.send));
            assert_eq!(at_a.send.suite(), AesCm128Sha1_80);
            assert_eq!((at_a.tag, at_b.tag), (2, 2));
            assert_ne!(at_a.send, at_b.send);
            assert_eq!((at_a.send.key().len(), at_a.send.salt().len()), (16, 14));
        }
        // Hold, resume and refreshes from either side keep the keys.
        for (hold, by_a) in [
            (Some(true), true),
            (Some(false), true),
            (None, false),
            (Some(true), false),
        ] {
            let (x, y) = if by_a {
                (&mut a, &mut b)
            } else {
                (&mut b, &mut a)
            };
            let (at_x, at_y) = exchange(x, y, hold);
            assert!(!at_x.keys && !at_y.keys, "{offers:?} {answers:?}");
        }
        assert!(!format!("{a:?}").contains("[4, 4") && !format!("{a:?}").contains("161, 161"));
    }
}

#[test]
fn crypto_lines_are_read_by_the_rfc_and_what_cannot_be_used_is_passed_over() {
    let key = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
    let offer = |profile: &str, lines: &str| {
        format!(
            "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 9000 {profile} 0\r\n{lines}"
        )
    };
    let good = format!("a=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:{key}");
    for (line, taken) in [
        (good.clone(), true),
        (format!("{good}|2^20"), true),
        (format!("{good}|1048576 WSH=64 -X=y KDR=0"), true),
        (format!("{good}|2^20|1:4"), false),
        (format!("{good}|1:4"), false),
        (format!("{good} UNENCRYPTED_SRTP"), false),
        (format!("{good} UNAUTHENTICATED_SRTP"), false),
        (format!("{good} KDR=1"), false),
        (format!("{good};inline:{key}"), false),
        (good.replace("inline:", "uri:"), false),
        (good.replace("_80", "_99"), false),
        (good.replace("crypto:7", "crypto:"), false),
        (good.replace("crypto:7", "crypto:1234567890"), false),
        (good.replace("crypto:7", "crypto:x"), false),
        (good.replace(key, &key[4..]), false),
        (good.replace(key, "é"), false),
        ("a=crypto:".to_owned(), false),
        ("a=crypto".to_owned(), false),
    ] {
        let mut ours = secure(4000, SrtpPolicy::Required, &[CryptoSuite::AesCm128Sha1_80]);
        let answer = ours.answer(offer("RTP/SAVP", &format!("{line}\r\n")).as_bytes());
        match answer {
            Ok((answer, agreed, _)) => {
                assert!(taken, "{line}");
                assert_eq!(agreed.srtp.unwrap().tag, 7);
                assert!(text(&answer).contains("m=audio 4000 RTP/SAVP 0\r\n"));
                assert!(text(&answer).contains("a=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:"));
            }
            Err(error) => {
                assert!(!taken, "{line}: {error}");
                let expected = OfferError::Description(SdpError::SrtpRequired {
                    expected: "AES_CM_128_HMAC_SHA1_80".into(),
                });
                assert_eq!(error, expected);
            }
        }
    }
    // Two lines for one audio, as some phones offer it: the encrypted one where we want that, else the plain one.
    let two = format!("{good}\r\nm=audio 9002 RTP/AVP 0\r\n");
    for (policy, lines) in [
        (
            SrtpPolicy::Preferred,
            ["m=audio 4000 RTP/SAVP 0", "m=audio 0 RTP/AVP 0"],
        ),
        (
            SrtpPolicy::Off,
            ["m=audio 0 RTP/SAVP 0", "m=audio 4000 RTP/AVP 0"],
        ),
    ] {
        let mut ours = secure(4000, policy, &[CryptoSuite::AesCm128Sha1_80]);
        let (answer, ..) = ours.answer(offer("RTP/SAVP", &two).as_bytes()).unwrap();
        for line in lines {
            assert!(text(&answer).contains(line), "{line}");
        }
    }
}

#[test]
fn an_answer_that_changes_the_encryption_is_refused() {
    let suites = [CryptoSuite::AesCm128Sha1_80, CryptoSuite::AesCm128Sha1_32];
    let key = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
    let answer = |profile: &str, line: &str| {
        format!(
            "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 9000 {profile} 0\r\n{line}"
        )
    };
    let line = |tag: u32, suite: &str| format!("a=crypto:{tag} {suite} inline:{key}\r\n");
    for (policy, profile, line, good) in [
        (
            SrtpPolicy::Required,
            "RTP/SAVP",
            line(2, "AES_CM_128_HMAC_SHA1_32"),
            true,
        ),
        (
            SrtpPolicy::Required,
            "RTP/SAVP",
            line(1, "AES_CM_128_HMAC_SHA1_32"),
            false,
        ),
        (
            SrtpPolicy::Required,
            "RTP/SAVP",
            line(3, "AES_CM_128_HMAC_SHA1_80"),
            false,
        ),
        (
            SrtpPolicy::Required,
            "RTP/AVP",
            line(1, "AES_CM_128_HMAC_SHA1_80"),
            false,
        ),
        (SrtpPolicy::Required, "RTP/SAVP", String::new(), false),
        (SrtpPolicy::Preferred, "RTP/AVP", String::new(), true),
        (
            SrtpPolicy::Preferred,
            "RTP/AVP",
            line(1, "AES_CM_128_HMAC_SHA1_80"),
            true,
        ),
        (
            SrtpPolicy::Preferred,
            "RTP/SAVP",
            line(1, "AES_CM_128_HMAC_SHA1_80"),
            false,
        ),
        (
            SrtpPolicy::Off,
            "RTP/AVP",
            line(1, "AES_CM_128_HMAC_SHA1_80"),
            true,
        ),
    ] {
        let mut ours = secure(4000, policy, &suites);
        ours.offer(None).unwrap();
        let result = ours.answered(answer(profile, &line).as_bytes());
        assert_eq!(
            result.is_ok(),
            good,
            "{policy:?} {profile} {line}: {result:?}"
        );
    }
}

/// An offerless re-INVITE: whose 200 carries the offer, and whose ACK the answer. It neither ends a hold of the side that
/// has to offer nor loses one of the side that asks.
#[test]
fn being_asked_for_an_offer_keeps_every_hold_and_a_lost_answer_changes_nothing() {
    for holder_is_asked in [true, false] {
        let (mut asked, mut asking) = (machine(4000, |_| {}), machine(5000, |_| {}));
        exchange(&mut asked, &mut asking, None);
        let (holder, held) = if holder_is_asked {
            (&mut asked, &mut asking)
        } else {
            (&mut asking, &mut asked)
        };
        exchange(holder, held, Some(true));
        let before = [asked.negotiated().cloned(), asking.negotiated().cloned()];
        let offer = asked.offer(None).unwrap();
        let expected = if holder_is_asked { SendOnly } else { SendRecv };
        assert_eq!(said(&offer), expected);
        // The ACK came without a description.
        asked.refused().unwrap();
        assert_eq!(asked.negotiated().cloned(), before[0]);
        let (at_asked, at_asking) = exchange(&mut asked, &mut asking, None);
        assert!(at_asked.is_none() && at_asking.is_none());
        // Resumed by the holder, and by nobody else.
        let (holder, held) = if holder_is_asked {
            (&mut asked, &mut asking)
        } else {
            (&mut asking, &mut asked)
        };
        exchange(holder, held, Some(false));
        assert_eq!(held.negotiated().unwrap().direction, SendRecv);
        assert!(!held.is_held());
    }
}
