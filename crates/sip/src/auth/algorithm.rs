//! The hash algorithms and what is hashed (RFC 7616 §3.4).

use std::fmt;

use md5::Md5;
use sha2::{Digest, Sha256, Sha512_256};

/// A hash function (RFC 8760 §2.1), weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hash {
    /// MD5, which every peer knows.
    Md5,
    /// SHA-256.
    Sha256,
    /// SHA-512/256.
    Sha512_256,
}

impl Hash {
    /// The hash of the parts joined, in lower-case hexadecimal.
    pub fn hex(self, parts: &[&[u8]]) -> String {
        fn of<D: Digest>(parts: &[&[u8]]) -> String {
            let mut digest = D::new();
            for part in parts {
                digest.update(part);
            }
            hex(&digest.finalize())
        }
        match self {
            Self::Md5 => of::<Md5>(parts),
            Self::Sha256 => of::<Sha256>(parts),
            Self::Sha512_256 => of::<Sha512_256>(parts),
        }
    }
}

/// Bytes in lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for half in [byte >> 4, byte & 15] {
            out.push(char::from_digit(u32::from(half), 16).unwrap_or('0'));
        }
    }
    out
}

/// The `algorithm` parameter (RFC 7616 §3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Algorithm {
    /// The hash function.
    pub hash: Hash,
    /// `-sess`: the secret is hashed once more with both nonces.
    pub session: bool,
}

impl Algorithm {
    const NAMES: [(&'static str, Hash, bool); 6] = [
        ("MD5", Hash::Md5, false),
        ("MD5-sess", Hash::Md5, true),
        ("SHA-256", Hash::Sha256, false),
        ("SHA-256-sess", Hash::Sha256, true),
        ("SHA-512-256", Hash::Sha512_256, false),
        ("SHA-512-256-sess", Hash::Sha512_256, true),
    ];

    /// The algorithm of a plain hash.
    pub const fn plain(hash: Hash) -> Self {
        Self {
            hash,
            session: false,
        }
    }

    /// The algorithm called `name`, in any case; `None` for one that this crate does not know.
    pub fn from_name(name: &str) -> Option<Self> {
        let found = Self::NAMES
            .iter()
            .find(|(known, ..)| known.eq_ignore_ascii_case(name));
        found.map(|&(_, hash, session)| Self { hash, session })
    }

    /// The name as it stands on the wire.
    pub fn name(self) -> &'static str {
        let found = Self::NAMES
            .iter()
            .find(|(_, hash, session)| (*hash, *session) == (self.hash, self.session));
        found.map_or("MD5", |(name, ..)| name)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What proves an identity. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The password.
    Password(String),
    /// H(user:realm:password) in hexadecimal, of one hash function only (RFC 7616 §3.4.2).
    Ha1 {
        /// The hash function it was made with.
        hash: Hash,
        /// The hash, lower-case hexadecimal.
        hex: String,
    },
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password(hidden)",
            Self::Ha1 { .. } => "Ha1(hidden)",
        })
    }
}

impl Secret {
    /// Whether the secret can be used with `hash`.
    pub fn serves(&self, hash: Hash) -> bool {
        match self {
            Self::Password(_) => true,
            Self::Ha1 { hash: own, .. } => *own == hash,
        }
    }

    fn ha1(&self, hash: Hash, user: &str, realm: &str) -> Option<String> {
        match self {
            Self::Password(password) => Some(hash.hex(&[
                user.as_bytes(),
                b":",
                realm.as_bytes(),
                b":",
                password.as_bytes(),
            ])),
            Self::Ha1 { hash: own, hex } => (*own == hash).then(|| hex.to_ascii_lowercase()),
        }
    }
}

/// All that goes into a `response` (RFC 7616 §3.4.1).
#[derive(Debug, Clone, Copy)]
pub(super) struct Proof<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) user: &'a str,
    pub(super) realm: &'a str,
    pub(super) nonce: &'a str,
    /// `qop`, `nc` as written, `cnonce`; `None` for a peer of RFC 2069.
    pub(super) qop: Option<(super::Qop, &'a str, &'a str)>,
    pub(super) method: &'a str,
    pub(super) uri: &'a str,
    pub(super) body: &'a [u8],
}

impl Proof<'_> {
    /// The `response`; `None` if the secret is an HA1 of another hash function.
    pub(super) fn response(&self, secret: &Secret) -> Option<String> {
        let hash = self.algorithm.hash;
        let mut ha1 = secret.ha1(hash, self.user, self.realm)?;
        let nonce = self.nonce.as_bytes();
        if self.algorithm.session {
            let cnonce = self.qop.map_or("", |(_, _, cnonce)| cnonce);
            ha1 = hash.hex(&[ha1.as_bytes(), b":", nonce, b":", cnonce.as_bytes()]);
        }
        let ha2 = match self.qop {
            Some((super::Qop::AuthInt, ..)) => {
                let body = hash.hex(&[self.body]);
                hash.hex(&[
                    self.method.as_bytes(),
                    b":",
                    self.uri.as_bytes(),
                    b":",
                    body.as_bytes(),
                ])
            }
            _ => hash.hex(&[self.method.as_bytes(), b":", self.uri.as_bytes()]),
        };
        Some(match self.qop {
            Some((qop, nc, cnonce)) => hash.hex(&[
                ha1.as_bytes(),
                b":",
                nonce,
                b":",
                nc.as_bytes(),
                b":",
                cnonce.as_bytes(),
                b":",
                qop.as_str().as_bytes(),
                b":",
                ha2.as_bytes(),
            ]),
            None => hash.hex(&[ha1.as_bytes(), b":", nonce, b":", ha2.as_bytes()]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Qop;
    use super::*;

    /// RFC 7616 §3.9.1 for MD5 and SHA-256; RFC 2617 §3.5's with auth-int and SHA-512-256's by an independent
    /// computation (Python's hashlib) over the same fields.
    #[test]
    fn the_examples_of_the_rfcs_come_out() {
        let proof = |hash, session, qop| Proof {
            algorithm: Algorithm { hash, session },
            user: "Mufasa",
            realm: "http-auth@example.org",
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            qop: Some((
                qop,
                "00000001",
                "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            )),
            method: "GET",
            uri: "/dir/index.html",
            body: b"v=0\r\n",
        };
        let secret = Secret::Password("Circle of Life".to_owned());
        let response = |hash, session, qop| proof(hash, session, qop).response(&secret).unwrap();
        assert_eq!(
            response(Hash::Md5, false, Qop::Auth),
            "8ca523f5e9506fed4657c9700eebdbec"
        );
        assert_eq!(
            response(Hash::Sha256, false, Qop::Auth),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
        for (hash, session, qop, expected) in [
            (
                Hash::Sha512_256,
                false,
                Qop::Auth,
                "430d05014cecc49cab6fbe03176d41a1da86cbfe24a16580e22aaad928d960d0",
            ),
            (
                Hash::Md5,
                false,
                Qop::AuthInt,
                "d1b8e2ac3f6782372de4bf3d8735b406",
            ),
            (
                Hash::Sha256,
                true,
                Qop::AuthInt,
                "cade7e5b751d9c3c2f066a95f2405c5509ad0171cf93f117e98b7f0ebb212e57",
            ),
            (
                Hash::Sha512_256,
                true,
                Qop::AuthInt,
                "1ba4333021256e8b4eebe5c8d20ba53b167f1dac1f6d8c916a08c17ef99eae9a",
            ),
        ] {
            assert_eq!(response(hash, session, qop), expected);
        }
        // RFC 2069's form, RFC 2617 §3.5's fields.
        let old = Proof {
            qop: None,
            realm: "testrealm@host.com",
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            ..proof(Hash::Md5, false, Qop::Auth)
        };
        let secret = Secret::Password("Circle Of Life".to_owned());
        assert_eq!(
            old.response(&secret).unwrap(),
            "670fd8c2df070c60b045671b8b24ff02"
        );
        let ha1 = Secret::Ha1 {
            hash: Hash::Md5,
            hex: "939E7578ED9E3C518A452ACEE763BCE9".to_owned(),
        };
        assert_eq!(
            old.response(&ha1).unwrap(),
            "670fd8c2df070c60b045671b8b24ff02"
        );
        let other = Proof {
            algorithm: Algorithm::plain(Hash::Sha256),
            ..old
        };
        assert_eq!(other.response(&ha1), None);
        assert!(!format!("{ha1:?}{secret:?}").contains("ircle"));
    }
}
