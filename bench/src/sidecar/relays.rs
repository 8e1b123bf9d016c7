//! Who relays the media of bridged calls: the sidecar, or rtpengine.

use std::net::SocketAddr;

use super::parties::{Parties, media_of, put_through};
use super::peers::Rtpengine;
use super::process::{Answering, Setup, Sidecar};
use super::rtp::Secret;
use super::usage::Usage;
use skillcall_sip::sdp::{CryptoSuite, Srtp, SrtpPolicy};

/// Bridged calls through a relay.
pub(super) trait Relay {
    /// Makes calls until there are so many.
    fn reach(&mut self, calls: usize) -> anyhow::Result<()>;

    /// Where it takes RTP of the devices, and of the phone.
    fn legs(&self) -> (&[SocketAddr], &[SocketAddr]);

    /// The devices' keys, where their legs are encrypted.
    fn secrets(&self) -> &[Secret];

    /// What it has used up to now.
    fn used(&self) -> anyhow::Result<Usage>;

    /// Ticks that it counted as late, where it counts such.
    fn late_ticks(&self) -> anyhow::Result<u64>;

    /// Between two runs: why a call was lost, if one was.
    fn lost(&mut self) -> anyhow::Result<Option<String>>;
}

/// SRTP on the devices' legs, or none.
pub(super) fn srtp(encrypted: bool) -> Srtp {
    if encrypted {
        let suites = [CryptoSuite::AesCm128Sha1_80];
        Srtp::new(SrtpPolicy::Required, suites, |bytes| rand::fill(bytes))
    } else {
        Srtp::default()
    }
}

/// The sidecar, with calls by SIP.
pub(super) struct BySidecar {
    parties: Parties,
    sidecar: Sidecar,
}

impl BySidecar {
    /// Between a device and a phone whose RTP is wanted at these addresses.
    pub(super) fn start(
        device: SocketAddr,
        phone: SocketAddr,
        encrypted: bool,
    ) -> anyhow::Result<Self> {
        let parties = Parties::new(device, phone)?.encrypting(srtp(encrypted));
        let mut setup = Setup {
            answering: Answering::Handler,
            ..Setup::new(put_through())
        };
        if encrypted {
            let phone = parties.phone();
            setup.more = format!(
                "[dialog]\nsrtp = \"required\"\n[[trunk]]\nname = \"phone\"\nsrtp = \"off\"\n\
                 target = [{{ address = \"{phone}\" }}]\n[[route]]\nprefix = \"+\"\ntrunk = \"phone\"\n"
            );
        } else {
            setup.route = Some(parties.phone());
        }
        let sidecar = Sidecar::start(&setup)?;
        Ok(Self { parties, sidecar })
    }
}

impl Relay for BySidecar {
    fn reach(&mut self, calls: usize) -> anyhow::Result<()> {
        self.parties.call_until(self.sidecar.sip, calls)
    }

    fn legs(&self) -> (&[SocketAddr], &[SocketAddr]) {
        self.parties.legs()
    }

    fn secrets(&self) -> &[Secret] {
        self.parties.secrets()
    }

    fn used(&self) -> anyhow::Result<Usage> {
        self.sidecar.usage()
    }

    fn late_ticks(&self) -> anyhow::Result<u64> {
        Ok(self.sidecar.figures()?.get("lateTicks"))
    }

    fn lost(&mut self) -> anyhow::Result<Option<String>> {
        self.parties.pump()?;
        Ok(self.parties.lost().first().cloned())
    }
}

/// rtpengine's own process, with calls by its control protocol.
pub(super) struct ByRtpengine {
    rtpengine: Rtpengine,
    device: SocketAddr,
    phone: SocketAddr,
    encrypted: bool,
    legs: (Vec<SocketAddr>, Vec<SocketAddr>),
    secrets: Vec<Secret>,
}

impl ByRtpengine {
    /// Between a device and a phone whose RTP is wanted at these addresses.
    pub(super) fn start(
        device: SocketAddr,
        phone: SocketAddr,
        encrypted: bool,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            rtpengine: Rtpengine::start()?,
            device,
            phone,
            encrypted,
            legs: (Vec::new(), Vec::new()),
            secrets: Vec::new(),
        })
    }
}

impl Relay for ByRtpengine {
    fn reach(&mut self, calls: usize) -> anyhow::Result<()> {
        while self.legs.0.len() < calls {
            let call = format!("bench-{}", self.legs.0.len());
            let mut device = media_of(self.device, srtp(self.encrypted));
            let offer = self.rtpengine.offer(&call, &device.offer())?;
            let (answer, agreed) = media_of(self.phone, Srtp::default()).answer(&offer)?;
            self.legs.1.push(agreed.remote);
            let answer = self.rtpengine.answer(&call, &answer)?;
            let agreed = device.accept_answer(&answer)?;
            self.legs.0.push(agreed.remote);
            if let Some(keys) = &agreed.srtp {
                self.secrets.push(Secret::new(keys)?);
            }
        }
        Ok(())
    }

    fn legs(&self) -> (&[SocketAddr], &[SocketAddr]) {
        (&self.legs.0, &self.legs.1)
    }

    fn secrets(&self) -> &[Secret] {
        &self.secrets
    }

    fn used(&self) -> anyhow::Result<Usage> {
        Usage::of_tree(self.rtpengine.pid())
    }

    fn late_ticks(&self) -> anyhow::Result<u64> {
        Ok(0)
    }

    fn lost(&mut self) -> anyhow::Result<Option<String>> {
        Ok(None)
    }
}
