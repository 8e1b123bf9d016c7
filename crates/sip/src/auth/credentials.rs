//! Credentials: Authorization and Proxy-Authorization (RFC 7616 §3.4).

use std::fmt;

use super::algorithm::{Algorithm, Hash, Proof, Secret};
use super::challenge::Qop;
use super::params::{AuthParams, plain, quote};
use crate::message::ValueError;

/// The answer to a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub username: String,
    /// The challenge's realm.
    pub realm: String,
    /// The challenge's nonce.
    pub nonce: String,
    /// The URI that the proof is about.
    pub uri: String,
    /// The proof, lower-case hexadecimal.
    pub response: String,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// Quality, count and the client's nonce; `None` for a client of RFC 2069.
    pub qop: Option<QopAnswer>,
    /// The challenge's opaque.
    pub opaque: Option<String>,
}

/// What goes with a `qop`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QopAnswer {
    /// The quality chosen.
    pub qop: Qop,
    /// How often the nonce was used, this request included: from 1.
    pub count: u32,
    /// The client's nonce.
    pub cnonce: String,
}

impl Credentials {
    /// Reads the value of an Authorization or Proxy-Authorization header.
    ///
    /// # Errors
    /// Another scheme than Digest, an unknown algorithm or `qop`, a missing parameter, or an `nc` that is not eight
    /// hexadecimal digits.
    pub fn parse(value: &[u8]) -> Result<Self, ValueError> {
        let params = AuthParams::digest(value)?;
        let wrong = |expected| ValueError { at: 0, expected };
        let algorithm = match params.get("algorithm") {
            None => Algorithm::plain(Hash::Md5),
            Some(name) => Algorithm::from_name(name)
                .ok_or(wrong("an algorithm among MD5, SHA-256 and SHA-512-256"))?,
        };
        let qop = match params.get("qop") {
            None => None,
            Some(name) => {
                let qop = Qop::from_name(name).ok_or(wrong("qop `auth` or `auth-int`"))?;
                let nc = params.need("nc", "the parameter `nc`")?;
                let count = u32::from_str_radix(nc, 16)
                    .ok()
                    .filter(|_| nc.len() == 8 && !nc.starts_with('+'));
                Some(QopAnswer {
                    qop,
                    count: count.ok_or(wrong("nc of eight hexadecimal digits"))?,
                    cnonce: params.need("cnonce", "the parameter `cnonce`")?.to_owned(),
                })
            }
        };
        Ok(Self {
            username: params
                .need("username", "the parameter `username`")?
                .to_owned(),
            realm: params.need("realm", "the parameter `realm`")?.to_owned(),
            nonce: params.need("nonce", "the parameter `nonce`")?.to_owned(),
            uri: params.need("uri", "the parameter `uri`")?.to_owned(),
            response: params
                .need("response", "the parameter `response`")?
                .to_ascii_lowercase(),
            algorithm,
            qop,
            opaque: params.get("opaque").map(str::to_owned),
        })
    }

    /// What `response` must be for this secret; `None` if the secret is an HA1 of another hash function.
    pub(super) fn expected(&self, secret: &Secret, method: &str, body: &[u8]) -> Option<String> {
        let nc = self
            .qop
            .as_ref()
            .map(|answer| format!("{:08x}", answer.count))
            .unwrap_or_default();
        let proof = Proof {
            algorithm: self.algorithm,
            user: &self.username,
            realm: &self.realm,
            nonce: &self.nonce,
            qop: self
                .qop
                .as_ref()
                .map(|answer| (answer.qop, nc.as_str(), answer.cnonce.as_str())),
            method,
            uri: &self.uri,
            body,
        };
        proof.response(secret)
    }
}

impl fmt::Display for Credentials {
    /// The header's value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        quote(&mut out, "username", &self.username);
        quote(&mut out, "realm", &self.realm);
        quote(&mut out, "nonce", &self.nonce);
        quote(&mut out, "uri", &self.uri);
        quote(&mut out, "response", &self.response);
        plain(&mut out, "algorithm", self.algorithm.name());
        if let Some(answer) = &self.qop {
            quote(&mut out, "cnonce", &answer.cnonce);
            // RFC 3261 §25.1: qop and nc stand without quotes in credentials.
            plain(&mut out, "qop", answer.qop.as_str());
            plain(&mut out, "nc", &format!("{:08x}", answer.count));
        }
        if let Some(opaque) = &self.opaque {
            quote(&mut out, "opaque", opaque);
        }
        f.write_str(&out)
    }
}
