//! The server's side: challenges, and what a request's credentials are worth.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use subtle::ConstantTimeEq;

use super::Role;
use super::algorithm::{Algorithm, Hash, Secret};
use super::challenge::{Challenge, Qop};
use super::credentials::Credentials;
use super::nonce::{NonceVerdict, Nonces};
use crate::message::{ExtraHeader, Request, UriRef};

/// The most Authorization headers of one request that are looked at.
const MAX_HEADERS: usize = 8;

/// What a request's credentials are worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The request was sent by this user.
    User(String),
    /// Answer with [`Authenticator::challenge`].
    Refused(Refused),
}

/// Why a request does not count as authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It has no credentials for our realm.
    Absent,
    /// The proof is right, but its nonce is too old or was not ours: the challenge says `stale=true`, and the client
    /// tries again without asking anybody.
    Stale,
    /// The proof was sent before. The challenge says `stale=true`: a client that does not count gets a new nonce.
    Replayed,
    /// Unknown user, wrong password, or credentials that do not fit the request.
    Wrong,
}

impl Refused {
    /// Whether the challenge that follows says `stale=true`.
    pub const fn is_stale(self) -> bool {
        matches!(self, Self::Stale | Self::Replayed)
    }
}

/// Asks for credentials in one realm and judges them.
#[derive(Debug)]
pub struct Authenticator {
    role: Role,
    realm: String,
    hashes: Vec<Hash>,
    qop: Vec<Qop>,
    nonces: Nonces,
    random: StdRng,
}

impl Authenticator {
    /// An authenticator for `realm` with SHA-256 before MD5, `auth`, nonces of 5 minutes, and 100,000 nonces remembered
    /// at most. `seed` are 32 random bytes from the operating system.
    pub fn new(role: Role, realm: impl Into<String>, seed: [u8; 32], now: Instant) -> Self {
        let mut random = StdRng::from_seed(seed);
        let mut key = [0; 32];
        random.fill_bytes(&mut key);
        Self {
            role,
            realm: realm.into(),
            hashes: vec![Hash::Sha256, Hash::Md5],
            qop: vec![Qop::Auth],
            nonces: Nonces::new(key, now, Duration::from_secs(300), 100_000),
            random,
        }
    }

    /// The same with these algorithms, best first (RFC 8760 §2.4: one challenge for each).
    pub fn algorithms(mut self, hashes: impl IntoIterator<Item = Hash>) -> Self {
        self.hashes = hashes.into_iter().collect();
        self
    }

    /// The same with these qualities of protection, best first.
    pub fn qualities(mut self, qop: impl IntoIterator<Item = Qop>) -> Self {
        self.qop = qop.into_iter().collect();
        self
    }

    /// The same with nonces that live for `lifetime` from `now` on, `capacity` of them remembered as used at most.
    pub fn lifetime(mut self, now: Instant, lifetime: Duration, capacity: usize) -> Self {
        let mut key = [0; 32];
        self.random.fill_bytes(&mut key);
        self.nonces = Nonces::new(key, now, lifetime, capacity);
        self
    }

    /// Which status and headers this authenticator uses.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The realm.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// How many nonces are remembered as used.
    pub fn remembered(&self) -> usize {
        self.nonces.remembered()
    }

    /// The headers for a 401 or 407 ([`Role::status`]) to a request from `source`: one challenge an algorithm.
    pub fn challenge(&mut self, now: Instant, source: IpAddr, why: Refused) -> Vec<ExtraHeader> {
        let nonce = self.nonces.make(now, source, self.random.next_u64());
        let challenges = self.hashes.iter().map(|hash| Challenge {
            realm: self.realm.clone(),
            nonce: nonce.clone(),
            opaque: None,
            stale: why.is_stale(),
            algorithm: Algorithm::plain(*hash),
            qop: self.qop.clone(),
        });
        let name = self.role.challenge_header().as_str();
        challenges
            .filter_map(|challenge| ExtraHeader::new(name, challenge.to_string()).ok())
            .collect()
    }

    /// Judges the credentials of `request`, which came from `source`. `secret` gives a user's secret for a
    /// hash function; `None` where there is no such user, or none that may use it.
    ///
    /// Never asked to authenticate are ACK and CANCEL: they cannot be sent again with credentials (RFC 3261 §22.1).
    pub fn judge(
        &mut self,
        now: Instant,
        source: IpAddr,
        request: &Request,
        mut secret: impl FnMut(&str, Hash) -> Option<Secret>,
    ) -> Verdict {
        let mut worst = Refused::Absent;
        let values = request.headers().all(self.role.answer_header());
        for value in values.take(MAX_HEADERS) {
            let Ok(credentials) = Credentials::parse(value) else {
                worst = Refused::Wrong;
                continue;
            };
            if credentials.realm != self.realm {
                continue;
            }
            match self.judge_one(now, source, request, &credentials, &mut secret) {
                Ok(()) => return Verdict::User(credentials.username),
                Err(why) => worst = why,
            }
        }
        Verdict::Refused(worst)
    }

    fn judge_one(
        &mut self,
        now: Instant,
        source: IpAddr,
        request: &Request,
        credentials: &Credentials,
        secret: &mut impl FnMut(&str, Hash) -> Option<Secret>,
    ) -> Result<(), Refused> {
        // An algorithm or a quality that was not offered would let the client choose the weakest.
        let offered = self.hashes.contains(&credentials.algorithm.hash)
            && !credentials.algorithm.session
            && match &credentials.qop {
                Some(answer) => self.qop.contains(&answer.qop),
                None => self.qop.is_empty(),
            };
        if !offered || !same_target(&credentials.uri, request) {
            return Err(Refused::Wrong);
        }
        let age = self.nonces.age(now, source, &credentials.nonce);
        // An unknown user costs as much as a known one, so that time does not tell them apart.
        let known = secret(&credentials.username, credentials.algorithm.hash);
        let nobody = Secret::Password(String::new());
        let expected = credentials.expected(
            known.as_ref().unwrap_or(&nobody),
            request.method().as_str(),
            request.body(),
        );
        let right = expected.is_some_and(|expected| {
            bool::from(expected.as_bytes().ct_eq(credentials.response.as_bytes()))
        });
        if known.is_none() || !right {
            return Err(Refused::Wrong);
        }
        if age != NonceVerdict::Good {
            return Err(Refused::Stale);
        }
        let count = credentials.qop.as_ref().map_or(0, |answer| answer.count);
        match self.nonces.spend(now, source, &credentials.nonce, count) {
            NonceVerdict::Good => Ok(()),
            NonceVerdict::Replayed => Err(Refused::Replayed),
            NonceVerdict::Stale | NonceVerdict::Foreign => Err(Refused::Stale),
        }
    }
}

/// Whether `uri` names what the request is for. Proxies rewrite Request-URIs, so user and host are compared, not the
/// text (RFC 3261 §22.4 point 7); a URI of another scheme must be the same text.
fn same_target(uri: &str, request: &Request) -> bool {
    if uri.as_bytes() == request.raw_uri() {
        return true;
    }
    let (Ok(said), asked) = (UriRef::parse(uri.as_bytes()), request.uri()) else {
        return false;
    };
    match (said.host(), asked.host()) {
        (Some(said_host), Some(asked_host)) => {
            said.user() == asked.user()
                && said_host
                    .to_string()
                    .eq_ignore_ascii_case(&asked_host.to_string())
        }
        _ => false,
    }
}
