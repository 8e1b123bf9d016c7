//! The whole endpoint, in the middle of calls.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::auth::Wallet;
use crate::endpoint::{
    Endpoint, EndpointConfig, Event, Flow, OutgoingInvite, Party, Referral, RequestId,
    SessionTimerPolicy,
};
use crate::message::{Framing, Method, StatusCode, Uri, parse};
use crate::peek::peek;

/// An endpoint that is sent anything, in the middle of calls of its own, while its user answers at random.
///
/// The input is cut at each byte 0xFF: the piece's first byte says what the user does, the rest is a datagram, in which
/// `{C}`, `{T}` and `{B}` stand for the Call-ID, tag and branch that the endpoint made last.
pub fn endpoint(data: &[u8]) {
    let mut now = Instant::now();
    let ours = SocketAddr::from(([127, 0, 0, 1], 5060));
    let theirs = SocketAddr::from(([127, 0, 0, 1], 5070));
    let flow = Flow::udp(ours, theirs);
    let mut config = EndpointConfig::new(ours, [7; 32]);
    config.limits.calls = 8;
    config.limits.transactions = 64;
    config.supported = vec!["100rel".into(), "replaces".into()];
    config.session_timer = Some(SessionTimerPolicy::default());
    config.methods = [
        Method::Update,
        Method::Refer,
        Method::Notify,
        Method::Message,
    ]
    .into_iter()
    .collect();
    let limits = config.limits;
    let mut endpoint = Endpoint::new(config);
    let mut last = Vec::new();
    let mut calls = Vec::new();
    let mut requests: Vec<RequestId> = Vec::new();
    let mut referral: Option<Referral> = None;
    let Ok(target) = Uri::parse("sip:x@127.0.0.1:5070") else {
        return;
    };
    for piece in data.split(|&byte| byte == 0xff).take(64) {
        let Some((&action, datagram)) = piece.split_first() else {
            continue;
        };
        if let Some(&call) = calls.last() {
            let sdp = Some(Bytes::from_static(b"v=0\r\n"));
            let _ = match action % 32 {
                0 => endpoint.accept(now, call, &[], sdp),
                1 => endpoint.reject(now, call, StatusCode::BUSY_HERE, "", &[]),
                2 => endpoint.provisional(now, call, StatusCode::RINGING, "", &[], sdp),
                3 => endpoint.bye(now, call, &[]),
                4 => endpoint.cancel(now, call, &[]),
                5 => endpoint.acknowledge(now, call, Bytes::new()),
                16 => endpoint.provisional_reliable(now, call, StatusCode::RINGING, "", &[], sdp),
                17 => endpoint.reinvite(now, call, sdp, &[]),
                18 => endpoint.reinvite(now, call, None, &[]),
                19 => endpoint.update(now, call, sdp, &[]),
                20 => endpoint.update(now, call, None, &[]),
                21 => endpoint
                    .refer(now, call, "<sip:x@y>", action & 32 == 0, &[])
                    .map(drop),
                22 => endpoint.prack(now, call, b"9", Bytes::new()),
                23 => requests.pop().map_or(Ok(()), |id| {
                    endpoint.respond(now, id, &StatusCode::OK.into())
                }),
                24 => referral.as_ref().map_or(Ok(()), |referral| {
                    endpoint.refer_progress(now, call, referral, StatusCode::RINGING, "")
                }),
                25 => endpoint
                    .request_in_call(now, call, Method::Message, &[], None)
                    .map(drop),
                26 => endpoint.replaces(call).map_or(Ok(()), |replaces| {
                    let _ = endpoint.replaced(&replaces);
                    Ok(())
                }),
                _ => Ok(()),
            };
        }
        if action % 16 == 8 {
            let mut invite =
                OutgoingInvite::new(target.clone(), theirs, Party::new(target.clone()), None);
            invite.wallet = Some(Arc::new(Wallet::password("a", "b")));
            invite.offer = (action & 64 != 0).then(|| Bytes::from_static(b"v=0\r\n"));
            calls.extend(endpoint.invite(now, invite));
        }
        endpoint.receive(now, &flow, &fill(datagram, &last));
        while let Some(transmit) = endpoint.poll_transmit() {
            if peek(&transmit.bytes).is_none_or(|peek| peek.method != b"ACK") {
                last = transmit.bytes.to_vec();
            }
            // Whatever strangers sent, what goes out can be parsed; an answer to what could not be parsed cannot.
            let parsed = parse(transmit.bytes.clone(), Framing::Stream);
            assert!(
                parsed.is_ok() || transmit.bytes.starts_with(b"SIP/2.0 "),
                "{parsed:?}"
            );
        }
        while let Some(event) = endpoint.poll_event() {
            match event {
                Event::Invite { call, .. } => calls.push(call),
                Event::Request { id, .. } | Event::Update { id, .. } => requests.push(id),
                Event::Refer {
                    id, referral: new, ..
                } => {
                    requests.push(id);
                    referral = Some(*new);
                }
                Event::Pracked { answer_with, .. } => requests.extend(answer_with),
                _ => {}
            }
        }
        now += Duration::from_millis(u64::from(action) * 8);
        endpoint.handle_timeout(now);
        let counts = endpoint.counts();
        assert!(counts.calls <= limits.calls);
        assert!(counts.server_transactions <= limits.transactions);
    }
    // With time, every transaction ends.
    for _ in 0..100 {
        now += Duration::from_secs(10);
        endpoint.handle_timeout(now);
    }
    while endpoint.poll_event().is_some() || endpoint.poll_transmit().is_some() {}
    let counts = endpoint.counts();
    assert_eq!(counts.server_transactions, unanswered(&endpoint));
    // An INVITE of ours waits for its answer as long as its call.
    assert!(counts.client_transactions <= counts.calls, "{counts:?}");
    assert_eq!(counts.waiting, 0);
}

/// Server transactions of INVITEs that the user has not answered stay as long as their calls.
fn unanswered(endpoint: &Endpoint) -> usize {
    endpoint
        .counts()
        .server_transactions
        .min(endpoint.counts().calls)
}

fn fill(datagram: &[u8], last: &[u8]) -> Vec<u8> {
    let seen = peek(last);
    let of = |name: u8| match (name, &seen) {
        (b'C', Some(seen)) => seen.call_id,
        (b'T', Some(seen)) if seen.is_request => seen.from_tag.unwrap_or_default(),
        (b'T', Some(seen)) => seen.to_tag.unwrap_or_default(),
        (b'B', Some(seen)) => seen.branch.unwrap_or_default(),
        _ => b"none",
    };
    let mut out = Vec::with_capacity(datagram.len() + 64);
    let mut rest = datagram;
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'{'
            && let [name, b'}', tail @ ..] = after
        {
            out.extend_from_slice(of(*name));
            rest = tail;
        } else {
            out.push(byte);
            rest = after;
        }
    }
    out
}
