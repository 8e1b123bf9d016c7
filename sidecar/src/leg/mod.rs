//! A leg: one side of a call, with its SIP dialog and its audio.

mod capture;
mod device;
mod media;
mod negotiation;
mod offers;
mod shim;
mod srtp;
mod streams;
mod target;
mod video;
mod ways;

pub(crate) use capture::MediaCapture;
pub(crate) use device::{DeviceMedia, DeviceSettings, FromDevice, Opened};
pub(crate) use media::{LegMedia, Playing, SentFrame};
pub(crate) use negotiation::{Agreed, codec, codec_name, encoding};
pub(crate) use offers::LegOffers;
pub(crate) use streams::FromStream;
pub(crate) use target::Target;
pub(crate) use video::{VideoPacket, VideoPorts};
pub(crate) use ways::Ways;
