//! Our registration with a registrar (RFC 3261 §10.2, RFC 5626 §4.5).

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::contacts::seconds;
use crate::auth::Wallet;
use crate::endpoint::{Destination, OutgoingRequest, OwnContact, Party, Transport};
use crate::message::{
    ExtraHeader, HeaderName, Method, Response, StatusCode, Uri, UriRef, decimal, text,
};

/// The longest time that a registrar may make us ask for by 423: a day. More is a misconfiguration.
const MAX_EXPIRES: u32 = 86_400;
/// What a REGISTER's CSeq may have risen by while the endpoint answered challenges that led nowhere.
const CSEQ_MARGIN: u32 = 8;
/// The most Service-Route hops that are kept.
const MAX_ROUTES: usize = 8;

/// What is registered where.
#[derive(Debug, Clone)]
pub struct RegistrationConfig {
    /// The Request-URI: the registrar's domain.
    pub registrar: Uri,
    /// Where to send.
    pub destination: Destination,
    /// Over which transport.
    pub transport: Transport,
    /// The address of record.
    pub address: Party,
    /// The Contact URI that the endpoint writes ([`Endpoint::contact`](crate::endpoint::Endpoint::contact)), to find our
    /// binding among others; `None` takes the only one, or the first.
    pub contact: Option<Uri>,
    /// The user part of the Contact that is written; `None` leaves the endpoint's.
    pub contact_user: Option<String>,
    /// Seconds to ask for.
    pub expires: u32,
    /// Our device's URN (`urn:uuid:…`), to be told apart (RFC 5626 §4.1).
    pub instance: Option<String>,
    /// Which of our flows, from 1; needs `instance`.
    pub reg_id: Option<u32>,
    /// What challenges are answered with.
    pub wallet: Option<Arc<Wallet>>,
    /// Routes to take, first hop first: outbound proxies.
    pub routes: Vec<String>,
    /// The wait after the first failure; each further one doubles it, and half to the whole of it is waited.
    pub first_wait: Duration,
    /// The longest wait after failures, and the wait after a refusal (403, 404, wrong password).
    pub longest_wait: Duration,
}

impl RegistrationConfig {
    /// A registration over UDP for an hour; waits of 30 s to 30 min after failures (RFC 5626 §4.5).
    pub fn new(registrar: Uri, destination: impl Into<Destination>, address: Party) -> Self {
        Self {
            registrar,
            destination: destination.into(),
            transport: Transport::Udp,
            address,
            contact: None,
            contact_user: None,
            expires: 3600,
            instance: None,
            reg_id: None,
            wallet: None,
            routes: Vec::new(),
            first_wait: Duration::from_secs(30),
            longest_wait: Duration::from_secs(1800),
        }
    }
}

/// How a registration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrationState {
    /// Not registered, and nothing is on its way.
    Off,
    /// Registered until then.
    Registered {
        /// When the binding ends.
        until: Instant,
    },
    /// Not registered; the next attempt is made then, or is on its way.
    Trying {
        /// The next attempt.
        next: Instant,
    },
}

/// What an answer came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Registered, or renewed, for so many seconds.
    Registered {
        /// Seconds.
        expires: u32,
    },
    /// The binding is taken back.
    Unregistered,
    /// It is tried again at once: with a longer time that the registrar wants.
    Again,
    /// It failed and is tried again.
    Failed {
        /// The status that came, or that stands for it.
        status: StatusCode,
        /// When it is tried again.
        next: Instant,
    },
}

/// The client of one registration: says which REGISTER is due, reads what came of it.
///
/// ```text
/// loop { if let Some(request) = registration.poll(now) { id = endpoint.request(now, request)? }
///        on Event::Response of id: registration.on_response(now, status, response)
///        wait until registration.next_timeout() }
/// ```
#[derive(Debug)]
pub struct Registration {
    config: RegistrationConfig,
    random: StdRng,
    call_id: String,
    cseq: u32,
    expires: u32,
    wanted: bool,
    sent: bool,
    /// A binding of ours may stand at the registrar.
    bound: bool,
    until: Option<Instant>,
    next: Option<Instant>,
    failures: u32,
    brief: bool,
    service_route: Vec<String>,
}

impl Registration {
    /// A registration that begins at once. `seed` are 32 random bytes from the operating system.
    pub fn new(now: Instant, config: RegistrationConfig, seed: [u8; 32]) -> Self {
        let mut random = StdRng::from_seed(seed);
        let call_id = format!("{:016x}{:016x}", random.next_u64(), random.next_u64());
        Self {
            expires: config.expires,
            config,
            random,
            call_id,
            cseq: 0,
            wanted: true,
            sent: false,
            bound: false,
            until: None,
            next: Some(now),
            failures: 0,
            brief: false,
            service_route: Vec::new(),
        }
    }

    /// How it stands at `now`.
    pub fn state(&self, now: Instant) -> RegistrationState {
        match (self.until.filter(|until| *until > now), self.next) {
            (Some(until), _) if self.wanted => RegistrationState::Registered { until },
            (_, next) if self.wanted => RegistrationState::Trying {
                next: next.unwrap_or(now),
            },
            _ => RegistrationState::Off,
        }
    }

    /// The Contact URI that is written from now on ([`RegistrationConfig::contact`]): another transport has another one.
    pub fn set_contact(&mut self, contact: Option<Uri>) {
        self.config.contact = contact;
    }

    /// The route that our requests take, as the registrar told us (RFC 3608 §5), first hop first.
    pub fn service_route(&self) -> &[String] {
        &self.service_route
    }

    /// When [`Registration::poll`] has something to send; `None` while an answer is awaited, or nothing is wanted.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.next.filter(|_| !self.sent)
    }

    /// Takes the binding back at the next poll. While a REGISTER is on its way, after its answer.
    pub fn unregister(&mut self, now: Instant) {
        self.wanted = false;
        self.next = (self.bound || self.sent).then_some(now);
        self.failures = 0;
    }

    /// Registers again at the next poll: after `unregister`, or when our address or the connection changed.
    pub fn register(&mut self, now: Instant) {
        self.wanted = true;
        self.next = Some(now);
    }

    /// The REGISTER that is due at `now`, to be sent by [`Endpoint::request`](crate::endpoint::Endpoint::request).
    pub fn poll(&mut self, now: Instant) -> Option<OutgoingRequest> {
        if self.sent || self.next.is_none_or(|next| next > now) {
            return None;
        }
        self.next = None;
        self.sent = true;
        self.cseq = self.cseq.saturating_add(1).min((1 << 31) - 1);
        let expires = if self.wanted { self.expires } else { 0 };
        let mut contact = format!(";expires={expires}");
        let quoted = self.config.instance.as_ref();
        if let Some(instance) =
            quoted.filter(|urn| urn.bytes().all(|b| b.is_ascii_graphic() && b != b'"'))
        {
            contact.push_str(&format!(";+sip.instance=\"<{instance}>\""));
            if let Some(reg_id) = self.config.reg_id {
                contact.push_str(&format!(";reg-id={reg_id}"));
            }
        }
        let supported = if self.config.reg_id.is_some() {
            "path, outbound"
        } else {
            "path"
        };
        let headers = [
            ExtraHeader::new("Expires", expires.to_string()),
            ExtraHeader::new("Supported", supported),
        ];
        let config = &self.config;
        let mut request = OutgoingRequest::new(
            Method::Register,
            config.registrar.clone(),
            config.destination.clone(),
            config.address.clone(),
        );
        request.to = config.address.clone();
        request.transport = config.transport;
        request.call_id = Some(self.call_id.clone());
        request.cseq = self.cseq;
        request.contact = match &config.contact_user {
            Some(user) => OwnContact::As {
                user: user.clone(),
                params: contact,
            },
            None => OwnContact::Ours(contact),
        };
        request.routes = config.routes.clone();
        request.headers = headers.into_iter().flatten().collect();
        request.wallet = config.wallet.clone();
        Some(request)
    }

    /// Reads what came of the last REGISTER; `response` is `None` when none came.
    pub fn on_response(
        &mut self,
        now: Instant,
        status: StatusCode,
        response: Option<&Response>,
    ) -> Outcome {
        self.sent = false;
        self.cseq = response
            .map_or(self.cseq.saturating_add(CSEQ_MARGIN), |response| {
                response.headers().cseq().number
            })
            .max(self.cseq);
        let header = |name| response.and_then(|response| response.headers().get(name));
        if status.is_success() {
            return self.on_success(now, response);
        }
        if status == StatusCode::INTERVAL_TOO_BRIEF && self.wanted {
            let least = header(HeaderName::MinExpires)
                .and_then(decimal)
                .and_then(|least| u32::try_from(least).ok())
                .filter(|least| *least > self.expires && *least <= MAX_EXPIRES);
            if let Some(least) = least.filter(|_| !self.brief) {
                self.brief = true;
                self.expires = least;
                self.next = Some(now);
                return Outcome::Again;
            }
        }
        if !self.wanted {
            // Nobody to ask any more: the binding runs out by itself.
            self.off();
            return Outcome::Unregistered;
        }
        self.failures = self.failures.saturating_add(1);
        let asked = response
            .and_then(|response| response.headers().retry_after())
            .map(|after| Duration::from_secs(u64::from(after.seconds)));
        let wait = if is_hopeless(status) {
            self.config.longest_wait
        } else {
            self.back_off()
        };
        let wait = wait.max(asked.unwrap_or_default().min(self.config.longest_wait));
        let next = now + wait;
        self.next = Some(next);
        Outcome::Failed { status, next }
    }

    fn on_success(&mut self, now: Instant, response: Option<&Response>) -> Outcome {
        self.failures = 0;
        self.brief = false;
        if !self.wanted {
            // A REGISTER that was on its way when the binding was given up: now it is taken back.
            if self.next.is_some() {
                self.bound = true;
                return Outcome::Again;
            }
            self.off();
            return Outcome::Unregistered;
        }
        let granted = response.map_or(self.expires, |response| self.granted(response));
        if granted == 0 {
            self.failures = 1;
            let next = now + self.back_off();
            self.next = Some(next);
            return Outcome::Failed {
                status: StatusCode::OK,
                next,
            };
        }
        if let Some(response) = response {
            let routes = response.headers().addresses(HeaderName::ServiceRoute);
            self.service_route = routes
                .filter_map(|route| Some(text(route.ok()?.raw()).into_owned()))
                .take(MAX_ROUTES)
                .collect();
        }
        self.bound = true;
        self.until = Some(now + Duration::from_secs(u64::from(granted)));
        // Early enough for a REGISTER that is retransmitted for 32 s, but never before half of the time.
        let margin = (granted / 10).max(32.min(granted / 2)).max(1);
        let after = granted.saturating_sub(margin).max(1);
        self.next = Some(now + Duration::from_secs(u64::from(after)));
        Outcome::Registered { expires: granted }
    }

    fn off(&mut self) {
        self.bound = false;
        self.until = None;
        self.next = None;
        self.service_route.clear();
    }

    /// The seconds that the registrar gives our Contact (RFC 3261 §10.2.4).
    fn granted(&self, response: &Response) -> u32 {
        let headers = response.headers();
        let own = self.config.contact.as_ref();
        let mut first = None;
        let mut ours = None;
        for address in headers.addresses(HeaderName::Contact).flatten() {
            let expires = address.params().find("expires").and_then(|param| param.raw);
            let expires = expires.map(seconds);
            first.get_or_insert(expires);
            let same = own.is_some_and(|own| {
                let own = UriRef::parse(own.as_str().as_bytes());
                matches!((own, address.uri()), (Ok(own), Ok(listed)) if own.is_equivalent(&listed))
            });
            let device = self.config.instance.as_deref().is_some_and(|urn| {
                let named = address.params().value("+sip.instance");
                named.is_some_and(|named| named.trim_matches(['<', '>']) == urn)
            });
            if same || device {
                ours = Some(expires);
                break;
            }
        }
        let general = || headers.get(HeaderName::Expires).map(seconds);
        // A registrar that lists nobody has said yes all the same.
        ours.or(first)
            .flatten()
            .or_else(general)
            .unwrap_or(self.expires)
    }

    /// Half to the whole of the wait that doubles with each failure (RFC 5626 §4.5).
    fn back_off(&mut self) -> Duration {
        let doubled = self
            .config
            .first_wait
            .saturating_mul(1u32 << self.failures.saturating_sub(1).min(16))
            .min(self.config.longest_wait);
        let half = doubled / 2;
        let millis = u64::try_from(half.as_millis()).unwrap_or(u64::MAX).max(1);
        half + Duration::from_millis(self.random.next_u64() % millis)
    }
}

/// Refusals that the same REGISTER will meet again: asked rarely, so that nobody is locked out or hammered.
const fn is_hopeless(status: StatusCode) -> bool {
    matches!(status.get(), 400..=407 | 410..=479 | 488..=499 | 600..=699)
}
