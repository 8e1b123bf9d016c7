//! A leg that goes out: route, name, ports, INVITE.

use std::net::SocketAddr;
use std::time::Instant;

use skillcall_protocol::sma::action::BridgeEndpoint;
use skillcall_protocol::sma::{CallId, SipHeaders};
use skillcall_sip::endpoint::{OutgoingInvite, Party};
use skillcall_sip::message::{ExtraHeader, Host, Uri};

use super::call::{CallKey, LegEntry, LegState};
use super::{Running, ToWorker};
use crate::config::RouteTarget;
use crate::engine::{Input, LegId};
use crate::leg::{LegOffers, Target, TargetHost};

/// What an outgoing leg asks for.
pub(super) struct Dial {
    pub(super) leg: LegId,
    pub(super) call_id: CallId,
    pub(super) endpoint: BridgeEndpoint,
    pub(super) caller_id: String,
    pub(super) headers: SipHeaders,
}

impl Running {
    /// Calls another party. Whatever goes wrong is told as a refusal.
    pub(super) fn dial(&mut self, key: CallKey, dial: Dial) {
        let (leg, now) = (dial.leg, Instant::now());
        let held = self.count_leg();
        if let Some(call) = self.call_mut(key) {
            call.ids.add_leg(leg, &dial.call_id);
            call.legs.push(LegEntry::new(
                leg,
                dial.call_id.clone(),
                LegState::Dialing,
                held,
            ));
        }
        if let Err((status, reason)) = self.try_dial(key, dial, now) {
            self.set_state(key, leg, LegState::Gone);
            self.release_leg(key, leg);
            self.input(
                key,
                Input::Refused {
                    leg,
                    status,
                    reason,
                },
            );
        }
    }

    fn try_dial(&mut self, key: CallKey, dial: Dial, now: Instant) -> Result<(), (u16, String)> {
        let wanted = match &dial.endpoint {
            BridgeEndpoint::Pstn { uri } => RouteTarget::Number(uri),
            BridgeEndpoint::Aws { uri, arn } => RouteTarget::VoiceConnector {
                arn: arn.as_deref().unwrap_or_default(),
                user: uri,
            },
        };
        let uri = wanted
            .request_uri(&self.shared.config.route)
            .ok_or_else(|| {
                (
                    404,
                    format!("no [[route]] leads to {}", dial.endpoint.uri()),
                )
            })?;
        let target = Target::parse(&uri)
            .map_err(|error| (500, format!("the route's URI {uri}: {error}")))?;
        let slot = self.take_media(now).map_err(|error| (503, error))?;
        self.own_media(slot, key, dial.leg);
        if let Some(entry) = self.call_mut(key).and_then(|call| call.leg_mut(dial.leg)) {
            entry.media = Some(slot);
        }
        match &target.host {
            TargetHost::Address(address) => self.invite(key, &dial, &target, *address, now),
            TargetHost::Name(name, port) => {
                let (worker, name, port, leg) =
                    (self.handle.clone(), name.clone(), *port, dial.leg);
                let task = self.shared.runtime.spawn(async move {
                    let address = match tokio::net::lookup_host((name.as_str(), port)).await {
                        Ok(mut found) => {
                            found.next().ok_or_else(|| format!("{name} has no address"))
                        }
                        Err(error) => Err(format!("{name}: {error}")),
                    };
                    worker.send(ToWorker::Resolved {
                        call: key,
                        leg,
                        address,
                    });
                });
                let waiting = WaitingDial { dial, target };
                if let Some(entry) = self
                    .call_mut(key)
                    .and_then(|call| call.leg_mut(waiting.dial.leg))
                {
                    entry.lookup = Some(task.abort_handle());
                }
                self.waiting_dials.insert((key, leg), waiting);
                Ok(())
            }
        }
    }

    /// The name of the called host was looked up.
    pub(super) fn on_resolved(
        &mut self,
        key: CallKey,
        leg: LegId,
        address: Result<SocketAddr, String>,
    ) {
        let Some(WaitingDial { dial, target }) = self.waiting_dials.remove(&(key, leg)) else {
            return;
        };
        let now = Instant::now();
        let done = address
            .map_err(|reason| (503, reason))
            .and_then(|address| self.invite(key, &dial, &target, address, now));
        if let Err((status, reason)) = done {
            self.set_state(key, leg, LegState::Gone);
            self.release_leg(key, leg);
            self.input(
                key,
                Input::Refused {
                    leg,
                    status,
                    reason,
                },
            );
        }
    }

    fn invite(
        &mut self,
        key: CallKey,
        dial: &Dial,
        target: &Target,
        to: SocketAddr,
        now: Instant,
    ) -> Result<(), (u16, String)> {
        let Some(slot) = self.call(key).and_then(|call| call.leg(dial.leg)?.media) else {
            return Err((500, "the leg has no RTP ports".into()));
        };
        let mut offers = LegOffers::new(self.media_session(slot));
        let offer = offers
            .offer(None)
            .map_err(|error| (500, error.to_string()))?;
        let host = Host::Ip(self.shared.sip_host.ip());
        let from = Uri::sip(
            Some(&dial.caller_id),
            &host,
            Some(self.shared.sip_host.port()),
        )
        .map_err(|error| (500, error.to_string()))?;
        let mut invite = OutgoingInvite::new(target.uri.clone(), to, Party::new(from), Some(offer));
        invite.transport = target.transport;
        for (name, value) in dial.headers.iter() {
            let header = ExtraHeader::new(name, value).map_err(|error| (500, error.to_string()))?;
            invite.headers.push(header);
        }
        let handle = self
            .endpoint
            .invite(now, invite)
            .map_err(|error| (503, error.to_string()))?;
        if let Some(entry) = self.call_mut(key).and_then(|call| call.leg_mut(dial.leg)) {
            entry.handle = Some(handle);
            entry.offers = Some(offers);
        }
        self.note_dialog(handle, key, dial.leg);
        Ok(())
    }

    /// Gives up calling.
    pub(super) fn cancel_dial(&mut self, key: CallKey, leg: LegId) {
        let now = Instant::now();
        let handle = self.call(key).and_then(|call| call.leg(leg)?.handle);
        let cancelled = handle.is_some_and(|handle| self.endpoint.cancel(now, handle, &[]).is_ok());
        if !cancelled {
            // Still at its name: nobody was called.
            let waiting = self.waiting_dials.remove(&(key, leg)).is_some();
            if waiting || handle.is_none() {
                self.set_state(key, leg, LegState::Gone);
                self.release_leg(key, leg);
                self.input(
                    key,
                    Input::Refused {
                        leg,
                        status: 487,
                        reason: "cancelled".into(),
                    },
                );
            }
        }
    }
}

/// A leg whose host's name is being looked up.
pub(super) struct WaitingDial {
    dial: Dial,
    target: Target,
}
