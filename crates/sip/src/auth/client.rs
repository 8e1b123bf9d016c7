//! The client's side: which challenge is answered, by which login, and how often.

use std::sync::Arc;

use super::Role;
use super::algorithm::{Proof, Secret};
use super::challenge::{Challenge, Qop};
use super::credentials::{Credentials, QopAnswer};
use crate::message::{HeaderName, Request, Response};

/// The most challenges of one response that are looked at: a few realms, three algorithms each.
const MAX_CHALLENGES: usize = 16;
/// The most realms whose challenges are remembered for one call.
const MAX_REALMS: usize = 4;
/// How often one request is sent again for the sake of challenges.
const MAX_ATTEMPTS: u8 = 6;
/// How often one realm may say that a nonce was stale during one request.
const MAX_STALE: u8 = 2;

/// A user of a realm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The realm that the secret is for; `None` serves every realm that asks. Name it where the peer is not trusted
    /// with a proof of the secret for any realm it makes up.
    pub realm: Option<String>,
    /// The user.
    pub username: String,
    /// The password or its hash.
    pub secret: Secret,
}

/// The logins that a request may answer challenges with; the first that fits is taken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wallet {
    logins: Vec<Login>,
}

impl Wallet {
    /// A wallet of these logins.
    pub fn new(logins: impl IntoIterator<Item = Login>) -> Self {
        Self {
            logins: logins.into_iter().collect(),
        }
    }

    /// A wallet of one login for every realm.
    pub fn password(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self::new([Login {
            realm: None,
            username: username.into(),
            secret: Secret::Password(password.into()),
        }])
    }

    /// The login for a challenge. One that names the realm goes before one that serves all.
    fn login(&self, challenge: &Challenge) -> Option<&Login> {
        let usable = || {
            self.logins
                .iter()
                .filter(|login| login.secret.serves(challenge.algorithm.hash))
        };
        usable()
            .find(|login| login.realm.as_deref() == Some(challenge.realm.as_str()))
            .or_else(|| usable().find(|login| login.realm.is_none()))
    }
}

/// A challenge that is being answered, and how often its nonce was used.
#[derive(Debug)]
struct Held {
    role: Role,
    challenge: Challenge,
    count: u32,
}

/// What one call, or one request outside calls, knows about those who asked for credentials. Later requests carry the
/// answers at once (RFC 3261 §22.3).
#[derive(Debug)]
pub(crate) struct Session {
    wallet: Arc<Wallet>,
    held: Vec<Held>,
}

/// How often one request was answered for which realm.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    total: u8,
    realms: Vec<(Role, String, u8)>,
}

impl Session {
    pub(crate) const fn new(wallet: Arc<Wallet>) -> Self {
        Self {
            wallet,
            held: Vec::new(),
        }
    }

    /// Takes the challenges of a 401 or 407; `true` if the request is to be sent again with [`Session::answers`].
    ///
    /// `false` when nobody in the wallet fits, or when the realm has refused our answer already: then only `stale=true`
    /// with another nonce is reason to try again, twice at most (RFC 3261 §22.1: the same credentials are not sent
    /// again).
    pub(crate) fn take(&mut self, attempts: &mut Attempts, response: &Response) -> bool {
        attempts.total = attempts.total.saturating_add(1);
        if attempts.total > MAX_ATTEMPTS {
            return false;
        }
        let mut best: Vec<(Role, Challenge)> = Vec::new();
        for role in [Role::Server, Role::Proxy] {
            let values = response.headers().all(role.challenge_header());
            let challenges = values
                .take(MAX_CHALLENGES)
                .filter_map(|value| Challenge::parse(value).ok());
            for challenge in challenges {
                if self.wallet.login(&challenge).is_none() {
                    continue;
                }
                let full = best.len() >= MAX_REALMS;
                let rival = best
                    .iter_mut()
                    .find(|(other, known)| *other == role && known.realm == challenge.realm);
                match rival {
                    // Of equals the first is the server's wish (RFC 8760 §2.3).
                    Some((_, known)) if known.algorithm.hash < challenge.algorithm.hash => {
                        *known = challenge;
                    }
                    Some(_) => {}
                    None if !full => best.push((role, challenge)),
                    None => {}
                }
            }
        }
        let mut fresh = false;
        for (role, challenge) in best {
            let known = attempts
                .realms
                .iter_mut()
                .find(|(other, realm, _)| *other == role && *realm == challenge.realm);
            let held = self
                .held
                .iter_mut()
                .find(|held| held.role == role && held.challenge.realm == challenge.realm);
            match known {
                None => attempts.realms.push((role, challenge.realm.clone(), 0)),
                Some((_, _, stale)) => {
                    let other_nonce = held
                        .as_ref()
                        .is_none_or(|held| held.challenge.nonce != challenge.nonce);
                    if !challenge.stale || !other_nonce || *stale >= MAX_STALE {
                        return false;
                    }
                    *stale += 1;
                }
            }
            fresh = true;
            match held {
                Some(held) => {
                    held.challenge = challenge;
                    held.count = 0;
                }
                None => {
                    if self.held.len() >= MAX_REALMS {
                        self.held.remove(0);
                    }
                    self.held.push(Held {
                        role,
                        challenge,
                        count: 0,
                    });
                }
            }
        }
        fresh
    }

    /// The headers that answer all challenges taken so far, for a request that is about to be sent.
    pub(crate) fn answers(
        &mut self,
        method: &str,
        uri: &str,
        body: &[u8],
        mut cnonce: impl FnMut() -> String,
    ) -> Vec<(HeaderName, String)> {
        let mut out = Vec::new();
        for held in &mut self.held {
            let Held {
                role,
                challenge,
                count,
            } = held;
            let Some(login) = self.wallet.login(challenge) else {
                continue;
            };
            *count = count.saturating_add(1);
            // `auth` where both are taken: proxies and session border controllers change bodies.
            let qop = if challenge.qop.contains(&Qop::Auth) {
                Some(Qop::Auth)
            } else {
                challenge.qop.first().copied()
            };
            let (nc, cnonce) = (format!("{count:08x}"), cnonce());
            let proof = Proof {
                algorithm: challenge.algorithm,
                user: &login.username,
                realm: &challenge.realm,
                nonce: &challenge.nonce,
                qop: qop.map(|qop| (qop, nc.as_str(), cnonce.as_str())),
                method,
                uri,
                body,
            };
            let Some(response) = proof.response(&login.secret) else {
                continue;
            };
            let credentials = Credentials {
                username: login.username.clone(),
                realm: challenge.realm.clone(),
                nonce: challenge.nonce.clone(),
                uri: uri.to_owned(),
                response,
                algorithm: challenge.algorithm,
                qop: qop.map(|qop| QopAnswer {
                    qop,
                    count: *count,
                    cnonce: cnonce.clone(),
                }),
                opaque: challenge.opaque.clone(),
            };
            out.push((role.answer_header(), credentials.to_string()));
        }
        out
    }

    /// As [`Session::answers`], for a request that was sent before without them.
    pub(crate) fn answers_for(
        &mut self,
        request: &Request,
        cnonce: impl FnMut() -> String,
    ) -> Vec<(HeaderName, String)> {
        let uri = String::from_utf8_lossy(request.raw_uri()).into_owned();
        self.answers(request.method().as_str(), &uri, request.body(), cnonce)
    }
}
