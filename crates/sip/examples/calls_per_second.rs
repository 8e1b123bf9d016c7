//! Calls per second on one core without sockets: INVITE, 200 with SDP, ACK, BYE, 200, both ends in one thread.
//!
//! `cargo run --release -p skillcall-sip --example calls_per_second`

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use skillcall_sip::endpoint::{Endpoint, EndpointConfig, Event, Flow, OutgoingInvite, Party};
use skillcall_sip::message::Uri;
use skillcall_sip::sdp::{Capabilities, MediaSession};

const CALLS: u32 = 100_000;
/// Calls that begin in each millisecond of virtual time: ten thousand a second.
const PER_MS: u32 = 10;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (a, b): (SocketAddr, SocketAddr) = ("127.0.0.1:5060".parse()?, "127.0.0.1:5070".parse()?);
    let mut caller = Endpoint::new(EndpointConfig::new(a, [1; 32]));
    let mut callee = Endpoint::new(EndpointConfig::new(b, [2; 32]));
    let (to_a, to_b) = (Flow::udp(a, b), Flow::udp(b, a));
    let desk: Uri = "sip:desk@127.0.0.1:5070".parse()?;
    let from = Party::new("sip:room@127.0.0.1".parse()?);
    let offer = MediaSession::new(Capabilities::new(a.ip(), 40000), 1).offer();
    let mut now = Instant::now();
    let (mut ended, mut at_callee, mut messages) = (0u32, Duration::ZERO, 0u64);
    let begun = Instant::now();
    for i in 0..CALLS {
        if i % PER_MS == 0 {
            now += Duration::from_millis(1);
            caller.handle_timeout(now);
            let start = Instant::now();
            callee.handle_timeout(now);
            at_callee += start.elapsed();
        }
        caller.invite(
            now,
            OutgoingInvite::new(desk.clone(), b, from.clone(), Some(offer.clone())),
        )?;
        loop {
            let to_callee: Vec<Bytes> = std::iter::from_fn(|| caller.poll_transmit())
                .map(|sent| sent.bytes)
                .collect();
            let start = Instant::now();
            for bytes in &to_callee {
                callee.receive(now, &to_b, bytes);
            }
            while let Some(event) = callee.poll_event() {
                if let Event::Invite {
                    call,
                    offer: Some(offer),
                    ..
                } = event
                {
                    let mut media =
                        MediaSession::new(Capabilities::new(b.ip(), 40002), u64::from(i));
                    let (answer, _) = media.answer(&offer)?;
                    callee.accept(now, call, &[], Some(answer))?;
                }
            }
            let to_caller: Vec<Bytes> = std::iter::from_fn(|| callee.poll_transmit())
                .map(|sent| sent.bytes)
                .collect();
            at_callee += start.elapsed();
            messages += (to_callee.len() + to_caller.len()) as u64;
            for bytes in &to_caller {
                caller.receive(now, &to_a, bytes);
            }
            while let Some(event) = caller.poll_event() {
                match event {
                    Event::Answered { call, .. } => caller.bye(now, call, &[])?,
                    Event::Ended { .. } => ended += 1,
                    _ => {}
                }
            }
            if to_callee.is_empty() && to_caller.is_empty() {
                break;
            }
        }
    }
    let whole = begun.elapsed();
    println!("{ended} calls ended, {messages} messages, {:?}", whole);
    println!(
        "both ends: {:.1} us a call",
        whole.as_secs_f64() * 1e6 / f64::from(CALLS)
    );
    println!(
        "the called end alone: {:.1} us a call",
        at_callee.as_secs_f64() * 1e6 / f64::from(CALLS)
    );
    println!("kept at the called end: {:?}", callee.counts());
    Ok(())
}
