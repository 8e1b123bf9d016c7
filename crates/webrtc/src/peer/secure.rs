//! The DTLS association of a leg: begun when there is a way, checked by the description's fingerprint, kept as long as that
//! stays (RFC 8842).

use std::time::Instant;

use super::{Disconnected, Dropped, Peer, put};
use crate::{
    dtls::{Role, Step},
    ice::Route,
    sdp::{OfferError, RemoteTransport, Setup},
};

impl Peer {
    /// Which role we get by the peer's description. `answering`: the description is an offer.
    pub(super) fn role_by(
        &self,
        remote: &RemoteTransport,
        answering: bool,
    ) -> Result<Role, OfferError> {
        match (remote.setup, answering) {
            (Setup::Active, _) => Ok(Role::Server),
            (Setup::Passive, _) => Ok(Role::Client),
            // RFC 8842 §5.3: an association that stays keeps its roles; a new one is ours to begin (RFC 5763 §5).
            (Setup::ActPass, true) if self.keeps_association(remote) => {
                Ok(self.role.unwrap_or(Role::Client))
            }
            (Setup::ActPass, true) => Ok(Role::Client),
            (Setup::ActPass, false) => Err(OfferError::Setup("actpass".to_owned())),
        }
    }

    /// Whether the peer's description is one of the association that there is (RFC 8842 §5.1): the certificate and the
    /// tls-id are as before, and the role is.
    fn keeps_association(&self, remote: &RemoteTransport) -> bool {
        let Some(role) = self.role else {
            return false;
        };
        let fits = match remote.setup {
            Setup::Active => role == Role::Server,
            Setup::Passive => role == Role::Client,
            Setup::ActPass => true,
        };
        // An association that failed is no reason to refuse a new one.
        fits && !self.dtls_over
            && self.fingerprints == remote.fingerprints
            && (self.tls_id == remote.tls_id || remote.tls_id.is_none())
    }

    /// Goes by a description: keeps the association, or forgets it for a new one.
    pub(super) fn set_association(&mut self, remote: &RemoteTransport, role: Role, now: Instant) {
        if self.keeps_association(remote) && self.role == Some(role) {
            return;
        }
        self.role = Some(role);
        self.fingerprints.clone_from(&remote.fingerprints);
        self.tls_id.clone_from(&remote.tls_id);
        self.dtls = None;
        self.dtls_over = false;
        self.verified = false;
        self.srtp = None;
        self.connected = false;
        self.give_up = Some(now + self.patience);
        if self.ice.route().is_some() {
            self.start_dtls(now);
        }
    }

    /// Begins the handshake, if it is not begun.
    pub(super) fn start_dtls(&mut self, now: Instant) {
        if let Some(role) = self.role
            && self.dtls.is_none()
            && !self.dtls_over
        {
            self.dtls = Some(self.identity.backend().start(role, now));
            self.dtls_due = Some(now);
            self.drive_dtls(now);
        }
    }

    pub(super) fn take_dtls(
        &mut self,
        now: Instant,
        route: Route,
        datagram: &[u8],
    ) -> Result<(), Dropped> {
        if !self.knows(route.remote) {
            return Err(Dropped::Stranger);
        }
        self.start_dtls(now);
        let dtls = self.dtls.as_mut().ok_or(Dropped::Early)?;
        self.dtls_route = Some(route);
        if let Err(error) = dtls.receive(now, datagram) {
            self.end_dtls(Disconnected::Dtls(error.0));
        }
        self.drive_dtls(now);
        Ok(())
    }

    pub(super) fn drive_dtls(&mut self, now: Instant) {
        if self.dtls_due.is_some_and(|due| due <= now)
            && let Some(dtls) = &mut self.dtls
            && let Err(error) = dtls.advance(now)
        {
            self.end_dtls(Disconnected::Dtls(error.0));
        }
        while let Some(dtls) = &mut self.dtls {
            match dtls.poll() {
                Step::Transmit(bytes) => {
                    if let Some(route) = self.ice.route().or(self.dtls_route) {
                        put(&mut self.waiting, &mut self.figures, route, bytes);
                    }
                }
                Step::Certificate(certificate) => {
                    self.verified = self
                        .fingerprints
                        .iter()
                        .any(|fingerprint| fingerprint.matches(&certificate));
                    if !self.verified {
                        self.end_dtls(Disconnected::WrongCertificate);
                    }
                }
                Step::Keys(keys) => {
                    if self.verified
                        && let Some(role) = self.role
                        && let Ok(streams) = keys.streams(role)
                    {
                        self.srtp = Some(Box::new(streams));
                        self.check_connected();
                    }
                }
                // The keys come with it, before or after.
                Step::Connected => {}
                Step::Closed => self.end_dtls(Disconnected::Closed),
                Step::Wait(due) => {
                    self.dtls_due = due;
                    return;
                }
            }
        }
        self.dtls_due = None;
    }

    fn end_dtls(&mut self, reason: Disconnected) {
        self.dtls = None;
        self.dtls_over = true;
        self.srtp = None;
        self.give_up = None;
        self.disconnect(reason);
    }

    /// Takes leave of the peer: the datagram that says so is [`Peer::poll`]'s next output, and nothing can be sent after.
    pub fn close(&mut self, now: Instant) {
        if let Some(dtls) = &mut self.dtls {
            dtls.close();
            self.drive_dtls(now);
        }
        self.dtls = None;
        self.dtls_due = None;
        self.dtls_over = true;
        self.srtp = None;
        self.connected = false;
        self.give_up = None;
    }
}
