//! Bodies of the fuzz targets: each takes any bytes and must come back. Not part of the API.
//!
//! They assert what must hold for every input, so a fuzzer finds more than panics.

use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;

use crate::auth::{Authenticator, Challenge, Credentials, Role, Secret};
use crate::endpoint::{Flow, Referral, replaces_of};
use crate::headers::{
    Diversion, HistoryEntry, Identities, Privacy, Reason, SignedIdentity, UserToUser, Verstat,
};
use crate::message::{
    Addresses, CSeq, Framing, HeaderName, MediaType, Message, MessageWriter, MinSe, NameAddr, RAck,
    Replaces, RetryAfter, SessionExpires, SipFrag, StatusCode, StreamFramer, TokenList, Uri,
    UriRef, Via, parse, parts,
};
use crate::offer::OfferAnswer;
use crate::peek::{peek, stateless_response};
use crate::registration::{Registrar, RegistrarConfig};
use crate::sdp::{Capabilities, CryptoSuite, MediaSession, Srtp, SrtpPolicy};

mod endpoint;

pub use endpoint::endpoint;

/// A fuzz target.
pub type Target = fn(&[u8]);

/// The targets by name, for a replay of corpora.
pub const TARGETS: &[(&str, Target)] = &[
    ("message", message),
    ("stream", stream),
    ("uri", uri),
    ("headers", headers),
    ("sdp", sdp),
    ("endpoint", endpoint),
    ("trunk", trunk),
    ("offer", offer),
];

/// The message parser: what it accepts can be read through every getter, and means the same when written again.
pub fn message(data: &[u8]) {
    let _ = peek(data);
    let source = SocketAddr::from(([127, 0, 0, 1], 5060));
    if let Some((bytes, _)) = stateless_response(data, source, StatusCode::BAD_REQUEST, "", &[]) {
        assert!(bytes.starts_with(b"SIP/2.0 400 ") && bytes.ends_with(b"\r\n\r\n"));
    }
    for framing in [Framing::Datagram, Framing::Stream] {
        let Ok(parsed) = parse(Bytes::copy_from_slice(data), framing) else {
            continue;
        };
        read_all(&parsed);
        let again = parse(rewrite(&parsed), Framing::Stream);
        let again = again.unwrap_or_else(|error| panic!("written message is refused: {error}"));
        let pairs = |message: &Message| -> Vec<(Vec<u8>, Vec<u8>)> {
            let fields = message.headers();
            let kept = fields.iter().filter(|field| {
                !matches!(
                    field.name,
                    HeaderName::ContentLength | HeaderName::ContentType
                )
            });
            kept.map(|field| (field.raw_name.to_vec(), field.value.to_vec()))
                .collect()
        };
        assert_eq!(pairs(&parsed), pairs(&again));
        assert_eq!(parsed.body(), again.body());
        assert_eq!(parsed.headers().cseq(), again.headers().cseq());
    }
}

fn read_all(message: &Message) {
    let headers = message.headers();
    for field in headers.iter() {
        let _ = field.text();
        typed(field.value);
    }
    assert!(headers.via().is_ok() && headers.from().is_ok() && headers.to().is_ok());
    assert!(!headers.call_id().is_empty());
    let _ = (
        headers.contact().is_ok(),
        headers.max_forwards(),
        headers.content_type().is_ok(),
    );
    let _ = (
        headers.retry_after(),
        headers.user_to_user(),
        headers.named("x-anything"),
    );
    match message {
        Message::Request(request) => {
            assert_eq!(request.uri().as_str().as_bytes(), request.raw_uri());
            assert_eq!(*request.method(), headers.cseq().method);
        }
        Message::Response(response) => {
            let _ = (response.status(), response.reason());
        }
    }
}

fn rewrite(message: &Message) -> Bytes {
    let mut writer = match message {
        Message::Request(request) => MessageWriter::request(request.method(), request.raw_uri()),
        Message::Response(response) => MessageWriter::response(response.status(), "x"),
    };
    for field in message.headers().iter() {
        if !matches!(
            field.name,
            HeaderName::ContentLength | HeaderName::ContentType
        ) {
            writer.raw_header(field.raw_name, field.value);
        }
    }
    if message.body().is_empty() {
        writer.finish()
    } else {
        writer.finish_with("application/sdp", message.body())
    }
}

/// The stream framer: however the bytes are cut, the same frames come out, and none is over the limit.
pub fn stream(data: &[u8]) {
    let frames = |chunk: usize| {
        let mut framer = StreamFramer::new(4096);
        let mut frames = Vec::new();
        for piece in data.chunks(chunk) {
            framer.push(piece);
            loop {
                match framer.poll() {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => break,
                    Err(_) => return frames,
                }
            }
        }
        frames
    };
    let whole = frames(usize::MAX);
    for chunk in [1, 7] {
        assert_eq!(whole, frames(chunk), "cut every {chunk} bytes");
    }
}

/// URIs: every getter works, and the text parses to the same again.
pub fn uri(data: &[u8]) {
    let Ok(uri) = UriRef::parse(data) else { return };
    let _ = (
        uri.scheme(),
        uri.user(),
        uri.password(),
        uri.host(),
        uri.port(),
        uri.socket_addr(),
    );
    let _ = (
        uri.params().count(),
        uri.headers().count(),
        uri.param("lr"),
        uri.param("transport"),
    );
    let owned = uri.to_owned();
    assert_eq!(Uri::parse(owned.as_str()).as_ref(), Ok(&owned));
}

/// Every typed header.
pub fn headers(data: &[u8]) {
    typed(data);
    let boundary: String = data.iter().take(3).map(|&byte| char::from(byte)).collect();
    for part in parts(data, &boundary) {
        let _ = part.is("application", "sdp");
    }
}

fn typed(value: &[u8]) {
    if let Ok(via) = Via::parse_first(value) {
        let _ = (via.branch(), via.params.iter().count());
    }
    for via in Via::list(value).flatten() {
        let _ = (via.branch(), via.params.value("received"));
    }
    if let Ok(address) = NameAddr::parse(value) {
        let _ = (
            address.display(),
            address.uri().is_ok(),
            address.tag(),
            address.raw(),
        );
    }
    for address in Addresses::new(value).flatten() {
        let _ = (
            address.display(),
            address.uri().is_ok(),
            address.params().value("expires"),
        );
    }
    let _ = (
        CSeq::parse(value).is_ok(),
        RetryAfter::parse(value).is_ok(),
        TokenList::new(value).count(),
    );
    if let Ok(media) = MediaType::parse(value) {
        let _ = media.params.value("boundary");
    }
}

/// Offer and answer: what we answer to any offer is itself readable and of the same media lines.
pub fn sdp(data: &[u8]) {
    let session = || {
        let address = std::net::IpAddr::from([127, 0, 0, 1]);
        MediaSession::new(Capabilities::new(address, 40000), 1)
    };
    let mut ours = session();
    if let Ok((answer, negotiated)) = ours.answer(data) {
        assert!((10..=60).contains(&negotiated.ptime));
        let lines = |text: &[u8]| {
            text.split(|&byte| byte == b'\n')
                .filter(|line| line.starts_with(b"m="))
                .count()
        };
        let again = ours.offer();
        assert_eq!(lines(&answer), lines(&again));
        let _ = ours.accept_answer(&answer);
    }
    let mut asking = session();
    asking.offer();
    let _ = asking.accept_answer(data);
}

/// The headers of trunks and the two servers over them: what is read is written so that it is read again, a registrar
/// keeps its bounds, and nobody is let in without the password.
pub fn trunk(data: &[u8]) {
    trunk_values(data);
    let Ok(Message::Request(request)) = parse(Bytes::copy_from_slice(data), Framing::Datagram)
    else {
        return;
    };
    let headers = request.headers();
    let _ = (Reason::list(headers), Diversion::list(headers));
    let _ = (HistoryEntry::list(headers), UserToUser::list(headers));
    let _ = (SignedIdentity::list(headers), Privacy::read(headers));
    let _ = Identities::read(headers, HeaderName::PAssertedIdentity);
    let _ = (Referral::read(&request), replaces_of(&request));
    assert!(headers.redirect_targets().len() <= 16);
    let now = Instant::now();
    let source = std::net::IpAddr::from([127, 0, 0, 1]);
    let mut guard = Authenticator::new(Role::Server, "x", [1; 32], now);
    let secret = |_: &str, _| Some(Secret::Password("unknown to the fuzzer".into()));
    let verdict = guard.judge(now, source, &request, secret);
    assert!(matches!(verdict, crate::auth::Verdict::Refused(_)));
    let flow = Flow::udp(
        SocketAddr::from(([127, 0, 0, 1], 5060)),
        SocketAddr::from(([127, 0, 0, 1], 5070)),
    );
    let mut registrar = Registrar::new(RegistrarConfig::default());
    let outcome = registrar.register(1000, &request, &flow);
    assert!(registrar.len() <= RegistrarConfig::default().bindings_per_address);
    assert_eq!(registrar.bindings().count(), registrar.len());
    assert!(outcome.reply.status.is_final());
    let far = 1000 + u64::from(RegistrarConfig::default().max_expires);
    registrar.expire(far);
    assert!(registrar.is_empty());
}

fn trunk_values(data: &[u8]) {
    if let Ok(challenge) = Challenge::parse(data) {
        assert!(Challenge::parse(challenge.to_string().as_bytes()).is_ok());
    }
    if let Ok(credentials) = Credentials::parse(data) {
        assert!(Credentials::parse(credentials.to_string().as_bytes()).is_ok());
    }
    if let Ok(reason) = Reason::parse(data) {
        assert!(Reason::parse(reason.to_string().as_bytes()).is_ok());
    }
    if let Ok(diversion) = Diversion::parse(data) {
        assert!(Diversion::parse(diversion.to_string().as_bytes()).is_ok());
    }
    if let Ok(entry) = HistoryEntry::parse(data) {
        assert!(HistoryEntry::parse(entry.to_string().as_bytes()).is_ok());
    }
    if let Ok(uui) = UserToUser::parse(data) {
        let _ = uui.data();
        assert!(UserToUser::parse(uui.to_string().as_bytes()).is_ok());
    }
    if let Ok(identity) = SignedIdentity::parse(data) {
        assert!(SignedIdentity::parse(identity.to_string().as_bytes()).is_ok());
    }
    if let Ok(replaces) = Replaces::parse(data) {
        let _ = replaces.in_uri();
    }
    if let Ok(uri) = UriRef::parse(data) {
        assert!(uri.is_equivalent(&uri));
        let _ = (Verstat::of(&uri), UserToUser::of_uri(&uri));
    }
    let _ = (Privacy::parse(data), RAck::parse(data), MinSe::parse(data));
    let _ = (SessionExpires::parse(data), SipFrag::parse(data));
}

/// Offers and answers of anybody, cut at 0xFF: whatever comes, one offer is open at most, and a refused one leaves what
/// was agreed on before.
pub fn offer(data: &[u8]) {
    let policy = match data.first().map(|byte| byte % 3) {
        Some(0) => SrtpPolicy::Off,
        Some(1) => SrtpPolicy::Preferred,
        _ => SrtpPolicy::Required,
    };
    let mut capabilities = Capabilities::new(std::net::IpAddr::from([127, 0, 0, 1]), 40000);
    let suites = [CryptoSuite::AeadAes128Gcm, CryptoSuite::AesCm128Sha1_80];
    capabilities.srtp = Srtp::new(policy, suites, |bytes| bytes.fill(7));
    let mut ours = OfferAnswer::new(MediaSession::new(capabilities, 1));
    for piece in data.split(|&byte| byte == 0xff).take(32) {
        let Some((&action, description)) = piece.split_first() else {
            continue;
        };
        let before = ours.negotiated().cloned();
        match action % 8 {
            0 => drop(ours.offer(None)),
            1 => drop(ours.offer(Some(true))),
            2 => drop(ours.offer(Some(false))),
            3 => drop(ours.refused()),
            4 => {
                if ours.answered(description).is_err() {
                    assert_eq!(ours.negotiated(), before.as_ref());
                }
            }
            _ => match ours.answer(description) {
                Ok((answer, agreed, _)) => {
                    assert_eq!(ours.negotiated(), Some(&agreed));
                    assert!(policy != SrtpPolicy::Required || agreed.srtp.is_some());
                    assert!(policy != SrtpPolicy::Off || agreed.srtp.is_none());
                    assert!(!answer.is_empty());
                }
                Err(_) => assert_eq!(ours.negotiated(), before.as_ref()),
            },
        }
    }
}
