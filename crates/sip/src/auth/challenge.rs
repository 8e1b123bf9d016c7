//! Challenges: WWW-Authenticate and Proxy-Authenticate (RFC 7616 §3.3).

use std::fmt;

use super::Algorithm;
use super::algorithm::Hash;
use super::params::{AuthParams, plain, quote};
use crate::message::{TokenList, ValueError};

/// The quality of protection (RFC 7616 §3.3 `qop-options`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Qop {
    /// `auth`: method and URI are protected.
    Auth,
    /// `auth-int`: the body is, too.
    AuthInt,
}

impl Qop {
    /// The name as it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }

    /// The quality called `name`, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Auth, Self::AuthInt]
            .into_iter()
            .find(|qop| qop.as_str().eq_ignore_ascii_case(name))
    }
}

/// One digest challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Whose users are asked for.
    pub realm: String,
    /// The server's nonce.
    pub nonce: String,
    /// To be given back unchanged.
    pub opaque: Option<String>,
    /// The credentials were right, only their nonce was too old.
    pub stale: bool,
    /// The algorithm; MD5 if the challenge names none.
    pub algorithm: Algorithm,
    /// What the server takes; empty for one of RFC 2069, which knows no `qop`.
    pub qop: Vec<Qop>,
}

impl Challenge {
    /// Reads the value of a WWW-Authenticate or Proxy-Authenticate header.
    ///
    /// # Errors
    /// Another scheme than Digest, an unknown algorithm, no `realm` or `nonce`, or a `qop` that names nothing known:
    /// each is a challenge that cannot be answered, and another one of the same response may do (RFC 8760 §2.3).
    pub fn parse(value: &[u8]) -> Result<Self, ValueError> {
        let params = AuthParams::digest(value)?;
        let unknown = ValueError {
            at: 0,
            expected: "an algorithm among MD5, SHA-256 and SHA-512-256",
        };
        let algorithm = match params.get("algorithm") {
            None => Algorithm::plain(Hash::Md5),
            Some(name) => Algorithm::from_name(name).ok_or(unknown)?,
        };
        let options = params.get("qop");
        let qop: Vec<Qop> = options
            .into_iter()
            .flat_map(|options| TokenList::new(options.as_bytes()))
            .filter_map(|name| Qop::from_name(std::str::from_utf8(name).ok()?))
            .collect();
        if options.is_some_and(|options| !options.trim().is_empty()) && qop.is_empty() {
            return Err(ValueError {
                at: 0,
                expected: "`auth` or `auth-int` in qop",
            });
        }
        Ok(Self {
            realm: params.need("realm", "the parameter `realm`")?.to_owned(),
            nonce: params.need("nonce", "the parameter `nonce`")?.to_owned(),
            opaque: params.get("opaque").map(str::to_owned),
            stale: params
                .get("stale")
                .is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
            algorithm,
            qop,
        })
    }
}

impl fmt::Display for Challenge {
    /// The header's value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        quote(&mut out, "realm", &self.realm);
        quote(&mut out, "nonce", &self.nonce);
        if let Some(opaque) = &self.opaque {
            quote(&mut out, "opaque", opaque);
        }
        if self.stale {
            plain(&mut out, "stale", "true");
        }
        plain(&mut out, "algorithm", self.algorithm.name());
        if !self.qop.is_empty() {
            let list: Vec<&str> = self.qop.iter().map(|qop| qop.as_str()).collect();
            quote(&mut out, "qop", &list.join(","));
        }
        f.write_str(&out)
    }
}
