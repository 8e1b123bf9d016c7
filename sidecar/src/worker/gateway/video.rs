//! H.264 that passes through: what each side is told of the other one's, the phone's ports, packets, key frames.

use std::io;
use std::time::Instant;

use bytes::Bytes;
use mio::{Interest, Token};
use skillcall_sip::endpoint::CallHandle;
use skillcall_sip::message::{HeaderName, Method, Request};
use skillcall_sip::sdp::{Negotiated, VideoPlace};
use skillcall_video::Terms;

use super::super::call::{CallKey, LegState};
use super::super::{FIRST_VIDEO, Running};
use crate::bridge::Passed;
use crate::engine::LegId;
use crate::figures::Held;
use crate::gateway::{Input, Side, Video};
use crate::leg::{Agreed, DeviceMedia, LegMedia, LegOffers, VideoPacket, VideoPorts};
use crate::trunks::Trunk;

/// Packets of one leg that are taken before others get their turn.
const BURST: usize = 64;
/// The media type of requests for a key frame (RFC 5168 §7.1).
const MEDIA_CONTROL: &str = "application/media_control+xml";
/// What is asked for by it.
const UPDATE: &str = "picture_fast_update";
/// The longest body of an INFO that is read as such a request.
const LONGEST_CONTROL: usize = 2_048;

impl Running {
    fn video_of(&mut self, key: CallKey) -> Option<&mut Video> {
        Some(&mut self.call_mut(key)?.engine.gateway()?.video)
    }

    /// What a side is to be told now.
    fn terms_for(&self, key: CallKey, side: Side) -> Option<Terms> {
        let gateway = self.call(key)?.engine.as_gateway()?;
        gateway.video.terms_for(side)
    }

    fn note_told(&mut self, key: CallKey, side: Side, terms: Option<Terms>) {
        if let Some(video) = self.video_of(key) {
            video.told(side, terms);
        }
    }

    /// Lets what is due be told, once what goes on now is over.
    pub(super) fn settle_video(&mut self, key: CallKey) {
        let Some(video) = self.video_of(key) else {
            return;
        };
        let (alexa, phone) = (video.is_due(Side::Alexa), video.is_due(Side::Phone));
        if alexa || phone {
            self.gateway_input(key, Input::VideoDue { alexa, phone });
        }
    }

    /// Ports for a phone's video, beside its voice in a slot.
    fn open_video(
        &mut self,
        key: CallKey,
        slot: usize,
        trunk: Option<&Trunk>,
    ) -> Option<VideoPlace> {
        let place = |media: &LegMedia| Some(media.video.as_ref()?.ports.as_ref()?.place().clone());
        if let Some(known) = self.media.get(slot).and_then(place) {
            return Some(known);
        }
        let now = Instant::now();
        let opened = self.ports.take(now).map_err(|error| error.to_string());
        let figures = &self.shared.figures;
        let held = [
            Held::new(figures, |figures| &figures.port_pairs, 1),
            Held::new(figures, |figures| &figures.sockets, 2),
        ];
        let opened = opened.and_then(|pair| {
            let srtp = trunk.map_or(self.shared.config.dialog.srtp, |trunk| trunk.config.srtp);
            let mut ports = VideoPorts::new(pair, srtp.keys(), held);
            let registry = self.poll.registry();
            let first = FIRST_VIDEO + 2 * slot;
            let registered = registry
                .register(&mut ports.rtp, Token(first), Interest::READABLE)
                .and_then(|()| {
                    registry.register(&mut ports.rtcp, Token(first + 1), Interest::READABLE)
                });
            match registered {
                Ok(()) => Ok(ports),
                Err(error) => {
                    self.ports.release(ports.into_ports(), now);
                    Err(error.to_string())
                }
            }
        });
        match opened {
            Ok(ports) => {
                self.media.get_mut(slot)?.give_video(ports);
                self.capture_video(slot, key);
                self.media.get(slot).and_then(place)
            }
            Err(why) => {
                self.note(key, true, &format!("no ports for video: {why}"));
                None
            }
        }
    }

    /// What the phone is told of video, with ports for it.
    fn video_for_phone(
        &mut self,
        key: CallKey,
        slot: Option<usize>,
        trunk: Option<&Trunk>,
    ) -> Option<(VideoPlace, Terms)> {
        let terms = self.terms_for(key, Side::Phone)?;
        Some((self.open_video(key, slot?, trunk)?, terms))
    }

    /// Says in an offer for a phone of the gateway what there is to say of video.
    pub(in crate::worker) fn offer_video(
        &mut self,
        key: CallKey,
        leg: LegId,
        slot: usize,
        trunk: Option<&Trunk>,
        offers: &mut LegOffers,
    ) {
        if !self.is_gateway(key) {
            return;
        }
        let told = self.video_for_phone(key, Some(slot), trunk);
        let terms = say(offers, told);
        if leg == LegId::A {
            self.note_told(key, Side::Phone, terms);
        }
    }

    /// The same for a phone that is there; `offer`: what it offers, where it is to be answered.
    pub(in crate::worker) fn prepare_video(
        &mut self,
        key: CallKey,
        leg: LegId,
        offer: Option<&[u8]>,
    ) {
        if leg != LegId::A || !self.is_gateway(key) {
            return;
        }
        let entry = self.call(key).and_then(|call| call.leg(leg));
        let (slot, trunk) = entry.map_or((None, None), |it| (it.media, it.trunk.clone()));
        if let Some(offer) = offer {
            let offers = entry.and_then(|entry| entry.offers.as_ref());
            let said = offers.and_then(|offers| offers.video_in(offer));
            if let Some(video) = self.video_of(key) {
                video.offers(Side::Phone, said);
            }
        }
        let told = self.video_for_phone(key, slot, trunk.as_deref());
        let offers = self
            .call_mut(key)
            .and_then(|call| call.leg_mut(leg)?.offers.as_mut());
        let terms = offers.and_then(|offers| say(offers, told));
        self.note_told(key, Side::Phone, terms);
    }

    /// A phone's description is agreed on; `answer`: it is its answer to our offer.
    pub(in crate::worker) fn video_agreed(
        &mut self,
        key: CallKey,
        negotiated: &Negotiated,
        answer: bool,
    ) {
        let Some(video) = self.video_of(key) else {
            return;
        };
        if answer {
            video.answers(Side::Phone, negotiated.video_of_peer.clone());
        }
        video.holds(Side::Phone, negotiated.held);
        self.amend_answer(key);
        self.settle_video(key);
    }

    /// The answer that the device was not given yet says what is known of the phone's video now.
    fn amend_answer(&mut self, key: CallKey) {
        let gateway = self.call(key).and_then(|call| call.engine.as_gateway());
        if !gateway.is_some_and(|gateway| gateway.session.holds_answer()) {
            return;
        }
        let terms = self.terms_for(key, Side::Alexa);
        let Some(media) = self.leg_media(key, LegId::B) else {
            return;
        };
        let Some(device) = media.device_mut() else {
            return;
        };
        if terms.is_none() && device.video().is_none() {
            return;
        }
        device.set_video(terms.clone());
        let Some(answer) = device.answer_anew() else {
            return;
        };
        media.follow_device();
        if let Some(gateway) = self.call_mut(key).and_then(|call| call.engine.gateway()) {
            gateway.session.amend_answer(answer);
            gateway.video.told(Side::Alexa, terms);
        }
    }

    /// What our next description to the device says of video.
    pub(super) fn tell_device_of_video(&mut self, key: CallKey) {
        let terms = self.terms_for(key, Side::Alexa);
        let media = self.leg_media(key, LegId::B);
        if let Some(device) = media.and_then(|media| media.device_mut()) {
            device.set_video(terms.clone());
        }
        self.note_told(key, Side::Alexa, terms);
    }

    /// The device offers anew: what is answered of video.
    pub(super) fn device_offers_video(&mut self, key: CallKey, offer: &str) {
        if let Some(video) = self.video_of(key) {
            video.offers(Side::Alexa, DeviceMedia::video_in(offer));
        }
        self.tell_device_of_video(key);
    }

    /// The device's offer was answered; `held`: it holds.
    pub(super) fn device_has_offered(&mut self, key: CallKey, held: bool) {
        if let Some(video) = self.video_of(key) {
            video.holds(Side::Alexa, held);
        }
    }

    /// Whether a side is still to be told by an offer for that alone: an offer for a hold may have said it meanwhile.
    pub(super) fn is_video_due(&self, key: CallKey, side: Side) -> bool {
        let gateway = self.call(key).and_then(|call| call.engine.as_gateway());
        gateway.is_some_and(|gateway| gateway.video.is_due(side))
    }

    /// What follows of video from the device's answer.
    pub(super) fn device_has_answered(&mut self, key: CallKey) {
        let device = self.leg_media(key, LegId::B);
        let device = device.and_then(|media| media.device_mut());
        let said = device.and_then(|device| device.video_of_device());
        if let Some(video) = self.video_of(key) {
            video.answers(Side::Alexa, said);
        }
        self.answer_phone_anew(key);
        self.settle_video(key);
    }

    /// The answer that a calling phone was not given yet says what is known of the device's video now.
    fn answer_phone_anew(&mut self, key: CallKey) {
        let gateway = self.call_mut(key).and_then(|call| call.engine.gateway());
        let Some(offer) = gateway.and_then(|gateway| gateway.phone_offer.take()) else {
            return;
        };
        let waits = self
            .call(key)
            .and_then(|call| call.leg(LegId::A))
            .is_some_and(|entry| {
                entry.state == LegState::Incoming
                    && entry.answer.is_some()
                    && !entry.described_reliably
            });
        if !waits || self.terms_for(key, Side::Phone).is_none() {
            return;
        }
        self.prepare_video(key, LegId::A, None);
        let Some(entry) = self.call_mut(key).and_then(|call| call.leg_mut(LegId::A)) else {
            return;
        };
        let answered = entry
            .offers
            .as_mut()
            .map(|offers| offers.answer(None, &offer));
        // It was answered before, without video.
        let Some(Ok((answer, negotiated))) = answered else {
            return;
        };
        entry.answer = Some(answer);
        if let Some(media) = self.leg_media(key, LegId::A) {
            media.agree(&Agreed::from(&negotiated));
        }
    }

    /// Another party has taken the phone's place.
    pub(in crate::worker) fn video_replaced(&mut self, key: CallKey) {
        let entry = self.call(key).and_then(|call| call.leg(LegId::A));
        let negotiated = entry
            .and_then(|entry| entry.offers.as_ref()?.negotiated())
            .map(|agreed| (agreed.video.is_some(), agreed.video_of_peer.clone()));
        let Some(video) = self.video_of(key) else {
            return;
        };
        video.replaced(Side::Phone);
        match negotiated {
            // It has offered, and was answered without.
            Some((false, Some(said))) => video.offers(Side::Phone, Some(said)),
            Some((_, said)) => {
                video.told(Side::Phone, video.terms_for(Side::Phone));
                video.answers(Side::Phone, said);
            }
            None => {}
        }
        self.settle_video(key);
    }

    /// The phone has refused an offer of ours.
    pub(in crate::worker) fn video_refused(&mut self, key: CallKey) {
        if let Some(video) = self.video_of(key) {
            video.refuses(Side::Phone);
            self.settle_video(key);
        }
    }

    /// Video of a phone's.
    pub(in crate::worker) fn read_video(&mut self, slot: usize, now: Instant) {
        let mut out: VideoPacket = [0; 2_048];
        for _ in 0..BURST {
            let ports = self.media.get(slot).and_then(|media| media.video.as_ref());
            let Some(ports) = ports.and_then(|video| video.ports.as_ref()) else {
                return;
            };
            match ports.rtp.recv_from(&mut self.packet[..]) {
                Ok((len, from)) => {
                    let datagram = self.packet.get_mut(..len).unwrap_or_default();
                    if let Some(capture) = &ports.capture {
                        capture.received(from, datagram);
                    }
                    let legs = &mut self.media;
                    let passed =
                        crate::bridge::receive_video(legs, slot, now, from, datagram, &mut out);
                    if passed == Passed::Begins {
                        self.ask_for_key_frame(slot, now);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // ICMP's answer to a packet sent earlier: the peer's port is closed (yet).
                Err(_) => {}
            }
        }
        self.read_video_again(slot);
    }

    /// RTCP of a phone's video.
    pub(in crate::worker) fn read_video_rtcp(&mut self, slot: usize, now: Instant) {
        for _ in 0..BURST {
            let Some(media) = self.media.get_mut(slot) else {
                return;
            };
            let bridged = media.bridged;
            let Some(video) = &mut media.video else {
                return;
            };
            let Some(ports) = &video.ports else { return };
            match ports.rtcp.recv_from(&mut self.packet[..]) {
                Ok((len, from)) => {
                    let datagram = self.packet.get_mut(..len).unwrap_or_default();
                    let asks = video.receive_rtcp(now, from, datagram);
                    if let Some(other) = bridged.filter(|_| asks) {
                        self.ask_for_key_frame(other, now);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {}
            }
        }
        self.read_video_again(slot);
    }

    /// A socket of a slot's video was not read empty.
    fn read_video_again(&mut self, slot: usize) {
        if !self.unread_video.contains(&slot) {
            self.unread_video.push(slot);
        }
    }

    /// An opened packet of the device's video, in the worker's buffer.
    pub(super) fn deliver_video(&mut self, slot: usize, len: usize, now: Instant) {
        let mut out: VideoPacket = [0; 2_048];
        let packet = self.packet.get(..len).unwrap_or_default();
        let passed = crate::bridge::deliver_video(&mut self.media, slot, now, packet, &mut out);
        if passed == Passed::Begins {
            self.ask_for_key_frame(slot, now);
        }
    }

    /// Asks the peer of a leg for a key frame of its video.
    pub(super) fn ask_for_key_frame(&mut self, slot: usize, now: Instant) {
        let by_info = self
            .media
            .get_mut(slot)
            .is_some_and(|media| media.ask_key_frame(now));
        let owner = self.media_owner.get(slot).copied().flatten();
        let Some((key, leg)) = owner.filter(|_| by_info) else {
            return;
        };
        let entry = self.call(key).and_then(|call| call.leg(leg));
        let connected = entry.filter(|entry| entry.state == LegState::Connected);
        if let Some(handle) = connected.and_then(|entry| entry.handle) {
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<media_control><vc_primitive><to_encoder><{UPDATE}/>\
                 </to_encoder></vc_primitive></media_control>\r\n"
            );
            let body = Some((MEDIA_CONTROL, Bytes::from(body)));
            // Without a place for it, the picture comes back with the next key frame.
            let _ = self
                .endpoint
                .request_in_call(now, handle, Method::Info, &[], body);
        }
    }

    /// An INFO of a phone's. True: it asks for a key frame of the device's video.
    pub(in crate::worker) fn asks_by_info(&mut self, call: CallHandle, request: &Request) -> bool {
        if !is_media_control(request) {
            return false;
        }
        if let Some(&(key, leg)) = self.by_handle.get(&call)
            && leg == LegId::A
            && self.is_gateway(key)
            && let Some(slot) = self.media_slot(key, LegId::B)
        {
            self.ask_for_key_frame(slot, Instant::now());
        }
        true
    }
}

/// Sets what is said of video; gives it back without the place.
fn say(offers: &mut LegOffers, told: Option<(VideoPlace, Terms)>) -> Option<Terms> {
    let Some((place, terms)) = told else {
        offers.set_video(None);
        return None;
    };
    offers.set_video_place(&place);
    offers.set_video(Some(&terms));
    Some(terms)
}

/// Whether an INFO asks for a key frame (RFC 5168).
fn is_media_control(request: &Request) -> bool {
    let kind = request.headers().get(HeaderName::ContentType);
    let kind = kind.and_then(|kind| kind.split(|byte| matches!(byte, b';' | b' ')).next());
    let body = request.body();
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case(MEDIA_CONTROL.as_bytes()))
        && body.len() <= LONGEST_CONTROL
        && body
            .windows(UPDATE.len())
            .any(|part| part == UPDATE.as_bytes())
}
