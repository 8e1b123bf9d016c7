//! Calls between two endpoints that know all that trunks and PBXs speak.
#![allow(dead_code, unreachable_pub)]

use std::time::Duration;

use bytes::Bytes;
use skillcall_sip::endpoint::{CallHandle, EndpointConfig, Event};
use skillcall_sip::message::{Framing, Message, Method, Request, Response, parse};

use crate::network::{Network, Trouble};

pub const SHORT: Duration = Duration::from_secs(8);
pub const LONG: Duration = Duration::from_secs(4000);

pub fn able(config: &mut EndpointConfig) {
    config.supported = vec!["100rel".into(), "replaces".into(), "norefersub".into()];
    config.methods = vec![
        Method::Update,
        Method::Refer,
        Method::Notify,
        Method::Message,
    ];
}

pub fn network() -> Network {
    Network::with(2, Trouble::default(), 11, |_, config| able(config))
}

pub fn sdp(text: &str) -> Option<Bytes> {
    Some(Bytes::copy_from_slice(format!("v=0 {text}").as_bytes()))
}

pub fn incoming(network: &mut Network, peer: usize) -> CallHandle {
    network.wait(peer, SHORT, |event| match event {
        Event::Invite { call, .. } => Some(*call),
        _ => None,
    })
}

/// A call that is up: its handle at the caller and at the callee.
pub fn established(network: &mut Network) -> (CallHandle, CallHandle) {
    let caller = network.call(0, 1, Some("v=0 offer"));
    let callee = incoming(network, 1);
    network.act(1, |endpoint, now| {
        endpoint.accept(now, callee, &[], sdp("answer")).unwrap()
    });
    network.wait(0, SHORT, |event| {
        matches!(event, Event::Answered { .. }).then_some(())
    });
    network.wait(1, SHORT, |event| {
        matches!(event, Event::Acknowledged { .. }).then_some(())
    });
    (caller, callee)
}

pub fn requests(network: &Network, peer: usize, method: &str) -> Vec<Request> {
    messages(network, peer)
        .into_iter()
        .filter_map(|message| match message {
            Message::Request(request) if request.method().as_str() == method => Some(request),
            _ => None,
        })
        .collect()
}

/// The responses that `peer` sent to requests of a method.
pub fn responses(network: &Network, peer: usize, method: &str) -> Vec<Response> {
    messages(network, peer)
        .into_iter()
        .filter_map(|message| match message {
            Message::Response(response) if response.headers().cseq().method.as_str() == method => {
                Some(response)
            }
            _ => None,
        })
        .collect()
}

fn messages(network: &Network, peer: usize) -> Vec<Message> {
    network.peers[peer]
        .sent
        .iter()
        .map(|(_, bytes)| parse(bytes.clone(), Framing::Datagram).unwrap())
        .collect()
}

/// Ends the call at the caller and checks that nothing is left.
pub fn finish(network: &mut Network, caller: CallHandle) {
    network.act(0, |endpoint, now| endpoint.bye(now, caller, &[]).unwrap());
    network.wait(0, SHORT, |event| {
        matches!(event, Event::Ended { .. }).then_some(())
    });
    network.wait(1, SHORT, |event| {
        matches!(event, Event::Ended { .. }).then_some(())
    });
    network.assert_empty();
}

pub fn text(bytes: Option<&Bytes>) -> String {
    String::from_utf8(bytes.map(|bytes| bytes.to_vec()).unwrap_or_default()).unwrap()
}
