//! What Alexa sends: the envelope, the chain's URL, the time stamp.

use std::time::Duration;

use crate::alexa::{Envelope, Freshness, SKILL_EVENT_TOLERANCE, SignatureUrl, TOLERANCE};

/// A request body: what is accepted can be read through every getter, and is the same after it was written and read
/// again.
///
/// # Panics
/// When it is another one.
pub fn envelope(data: &[u8]) {
    let envelope = match Envelope::read(data) {
        Ok(envelope) => envelope,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let _ = (
        envelope.request.kind(),
        envelope.skill_id(),
        envelope.user(),
    );
    if let Some(intent) = &envelope.request.intent {
        for slot in intent.slots.values() {
            let _ = slot.matches().count();
        }
    }
    let written = serde_json::to_vec(&envelope).expect("an envelope can be written");
    let again = Envelope::read(&written).expect("what was written can be read");
    assert_eq!(again, envelope);
}

/// A chain URL: what is accepted lies in Amazon's folder, and is accepted again as the same.
///
/// # Panics
/// When a URL is accepted that leads elsewhere.
pub fn signature_url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let url = match SignatureUrl::check(text) {
        Ok(url) => url,
        Err(error) => {
            assert!(error.to_string().contains("SignatureCertChainUrl"));
            return;
        }
    };
    let path = url.path();
    assert!(path.starts_with("/echo.api/") && path.len() > "/echo.api/".len());
    assert!(path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\'));
    for segment in path.split('/') {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        assert!(plain != "." && plain != "..", "{path:?}");
    }
    assert!(!path.contains(['?', '#']));
    assert_eq!(SignatureUrl::check(&url.at_amazon()).as_ref(), Ok(&url));
}

/// A time stamp behind the time that it is compared with (eight bytes): what is fresh now is stale when the tolerance
/// has passed twice, and was too early the same time before.
///
/// # Panics
/// When a request can be fresh for longer than its tolerance.
pub fn freshness(data: &[u8]) {
    let (now, rest) = super::number(data);
    let Ok(text) = std::str::from_utf8(rest) else {
        return;
    };
    // Any time of the years 0 to 9999 or so; random 64-bit numbers would never come near a time stamp.
    let now = now % 300_000_000_000;
    let ages = [
        ("IntentRequest", TOLERANCE),
        ("AlexaSkillEvent.SkillEnabled", SKILL_EVENT_TOLERANCE),
    ];
    for (name, tolerance) in ages {
        for rule in [
            Freshness::default(),
            Freshness::within(Duration::from_secs(u64::MAX)),
        ] {
            let Err(error) = rule.check(name, Some(text), now) else {
                let seconds = i64::try_from(tolerance.as_secs()).unwrap_or(i64::MAX);
                let ahead = i64::try_from(TOLERANCE.as_secs()).unwrap_or(i64::MAX);
                let span = seconds + ahead + 1;
                assert!(rule.check(name, Some(text), now + span).is_err());
                assert!(rule.check(name, Some(text), now - span).is_err());
                continue;
            };
            assert!(error.to_string().starts_with("request.timestamp is"));
        }
    }
    let _ = Freshness::default().check("IntentRequest", Some(text), i64::MIN);
    let _ = Freshness::default().check("IntentRequest", Some(text), i64::MAX);
}
