//! Media of the device's leg: its descriptions, and its datagrams.

use std::time::Instant;

use skillcall_media::encoding::Encoding;
use skillcall_media::rtp::MAX_PACKET;
use skillcall_protocol::sma::action::Digit;
use skillcall_video::Terms;
use skillcall_webrtc::Carrier;

use super::super::Running;
use super::super::call::CallKey;
use crate::engine::LegId;
use crate::gateway::{Input, Reanswered};
use crate::leg::{DeviceMedia, FromDevice, Opened};

/// Milliseconds of a digit whose length is not known.
const DIGIT_MS: u32 = 100;
/// Why there is nothing to negotiate with.
const NO_MEDIA: &str = "the device's leg has no media";

impl Running {
    /// Ports for a device that offers, and our answer.
    pub(super) fn answer_first(
        &mut self,
        offer: &str,
        now: Instant,
    ) -> Result<(usize, String), String> {
        let settings = self.shared.devices.clone().ok_or(NO_MEDIA)?;
        let (slot, ways, ssrc) = self.take_device_media(now)?;
        match DeviceMedia::answer(&settings, ways, ssrc, offer, now) {
            Ok((device, answer)) => {
                if let Some(media) = self.media.get_mut(slot) {
                    media.give_device(device);
                }
                Ok((slot, answer))
            }
            Err(why) => {
                self.release_media(slot, now);
                Err(why)
            }
        }
    }

    /// Ports for a device that is called, and our offer.
    /// `first` is what the phone speaks, `video` what it says of its video.
    pub(super) fn offer_first(
        &mut self,
        first: Option<Encoding>,
        video: Option<Terms>,
        now: Instant,
    ) -> Result<(usize, String), String> {
        let settings = self.shared.devices.clone().ok_or(NO_MEDIA)?;
        let (slot, ways, ssrc) = self.take_device_media(now)?;
        let (device, offer) = DeviceMedia::offer(&settings, ways, ssrc, first, video, now);
        if let Some(media) = self.media.get_mut(slot) {
            media.give_device(device);
        }
        Ok((slot, offer))
    }

    /// The device's answer to our last offer.
    pub(super) fn take_device_answer(
        &mut self,
        key: CallKey,
        answer: &str,
        now: Instant,
    ) -> Result<(), String> {
        let media = self.leg_media(key, LegId::B).ok_or(NO_MEDIA)?;
        media
            .device_mut()
            .ok_or(NO_MEDIA)?
            .take_answer(answer, now)?;
        media.follow_device();
        self.device_has_answered(key);
        self.poll_device_of(key, now);
        Ok(())
    }

    /// Our answer to a later offer of the device's.
    pub(super) fn answer_device(
        &mut self,
        key: CallKey,
        offer: &str,
        now: Instant,
    ) -> Result<Reanswered, String> {
        self.device_offers_video(key, offer);
        let media = self.leg_media(key, LegId::B).ok_or(NO_MEDIA)?;
        let again = media
            .device_mut()
            .ok_or(NO_MEDIA)?
            .answer_again(offer, now)?;
        media.follow_device();
        self.device_has_offered(key, again.held);
        self.poll_device_of(key, now);
        Ok(Reanswered {
            sdp: again.answer,
            held: again.held,
        })
    }

    /// Our later offer to the device.
    pub(super) fn offer_device_again(
        &mut self,
        key: CallKey,
        held: bool,
        now: Instant,
    ) -> Result<String, String> {
        self.tell_device_of_video(key);
        let media = self.leg_media(key, LegId::B).ok_or(NO_MEDIA)?;
        let offer = media.device_mut().ok_or(NO_MEDIA)?.offer_again(held);
        self.poll_device_of(key, now);
        Ok(offer)
    }

    fn poll_device_of(&mut self, key: CallKey, now: Instant) {
        if let Some(slot) = self.media_slot(key, LegId::B) {
            self.poll_device(slot, now);
        }
    }

    /// A datagram, or a message of a connection, of `len` bytes in the worker's buffer that came for a device's leg.
    pub(in crate::worker) fn receive_of_device(
        &mut self,
        slot: usize,
        len: usize,
        from: Carrier,
        now: Instant,
        out: &mut [u8; MAX_PACKET],
    ) -> bool {
        let Some(media) = self.media.get_mut(slot) else {
            return false;
        };
        let Some(datagram) = self.packet.get_mut(..len) else {
            return false;
        };
        let opened = media.device_mut().map_or(Opened::Foreign, |device| {
            device.receive(now, from, datagram)
        });
        match opened {
            Opened::Rtp(len) => {
                media.note_heard(now);
                let packet = self.packet.get(..len).unwrap_or_default();
                crate::bridge::deliver(&mut self.media, slot, now, packet, out)
            }
            Opened::Video(len) => {
                media.note_heard(now);
                self.deliver_video(slot, len, now);
                false
            }
            Opened::Rtcp(len) => {
                media.note_heard(now);
                let report = self.packet.get_mut(..len).unwrap_or_default();
                let bridged = media.bridged;
                let video = media.video.as_mut().filter(|video| video.is_agreed());
                let asks = video.is_some_and(|video| video.session.receive_rtcp(now, report));
                if let Some(device) = media.device_mut() {
                    device.rewrite_rtcp(report);
                }
                // What is no RTCP changes nothing.
                let _ = media.session.receive_rtcp(now, report);
                if let Some(phone) = bridged.filter(|_| asks) {
                    self.ask_for_key_frame(phone, now);
                }
                false
            }
            Opened::Handled => {
                media.note_heard(now);
                self.poll_device(slot, now);
                false
            }
            Opened::Server => {
                self.poll_device(slot, now);
                false
            }
            Opened::Foreign => false,
        }
    }

    /// Sends what a device's leg has to send, and tells what has happened to it.
    pub(in crate::worker) fn poll_device(&mut self, slot: usize, now: Instant) {
        let owner = self.media_owner.get(slot).copied().flatten();
        loop {
            let Some(media) = self.media.get_mut(slot) else {
                return;
            };
            let Some(next) = media.device_mut().and_then(|device| device.poll(now)) else {
                return;
            };
            match next {
                FromDevice::Send(to, bytes) => media.send_datagram(&bytes, to),
                FromDevice::Connected => {
                    if let Some((key, _)) = owner {
                        self.gateway_input(key, Input::Connected);
                    }
                }
                FromDevice::Disconnected(reason) => {
                    if let Some((key, _)) = owner {
                        self.gateway_input(key, Input::Disconnected { reason });
                    }
                }
            }
        }
    }

    /// A digit that the phone has sent beside its audio: its tones for the device, which takes no telephone events.
    pub(in crate::worker) fn press_for_device(&mut self, key: CallKey, digit: Digit) {
        if let Some(media) = self.leg_media(key, LegId::B)
            && media.is_device()
        {
            media.press(digit.as_char(), DIGIT_MS);
        }
    }

    /// Lets devices' legs do what is due by now.
    pub(in crate::worker) fn tick_device(&mut self, slot: usize, now: Instant) {
        let due = self
            .media
            .get_mut(slot)
            .and_then(|media| media.device_mut())
            .is_some_and(|device| device.is_due(now));
        if due {
            self.poll_device(slot, now);
        }
    }
}
