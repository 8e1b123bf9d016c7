//! Scheme, host and port: what an allow-list compares.

use http::Uri;
use std::fmt;

/// An origin of `http` or `https` (RFC 6454 §4). Hosts are compared as they are written, without
/// regard to case: `localhost` and `127.0.0.1` are two.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    https: bool,
    host: String,
    port: u16,
}

/// The text is no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no http or https origin")]
pub struct BadOrigin(String);

impl Origin {
    /// Reads `https://host` or `http://host:port`, without a path.
    ///
    /// # Errors
    /// [`BadOrigin`].
    pub fn parse(text: &str) -> Result<Self, BadOrigin> {
        let bad = || BadOrigin(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| bad())?;
        if uri.path() != "/" || uri.query().is_some() || text.ends_with('/') {
            return Err(bad());
        }
        Self::of(&uri).ok_or_else(bad)
    }

    /// The origin of an absolute URI.
    #[must_use]
    pub fn of(uri: &Uri) -> Option<Self> {
        let https = match uri.scheme_str()? {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let authority = uri.authority()?;
        // Credentials would make two of one origin.
        if authority.host().is_empty() || authority.as_str().contains('@') {
            return None;
        }
        Some(Self {
            https,
            host: authority.host().to_ascii_lowercase(),
            port: authority.port_u16().unwrap_or(if https { 443 } else { 80 }),
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = if self.https {
            ("https", 443)
        } else {
            ("http", 80)
        };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port != usual {
            write!(f, ":{}", self.port)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let same = [
            ("https://Api.Example", "https://api.example:443"),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
            ("http://[::1]:7080", "http://[::1]:7080"),
        ];
        for (a, b) in same {
            assert_eq!(Origin::parse(a), Origin::parse(b), "{a}");
        }
        assert_ne!(
            Origin::parse("http://localhost:1"),
            Origin::parse("http://127.0.0.1:1")
        );
        assert_eq!(
            Origin::parse("http://localhost:7080")
                .expect("an origin")
                .to_string(),
            "http://localhost:7080"
        );
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for bad in [
            "",
            "api.example",
            "ftp://a",
            "https://a/",
            "https://a/b",
            "https://a?b",
            "https://u:p@a",
            "*",
        ] {
            assert!(Origin::parse(bad).is_err(), "{bad:?}");
        }
    }
}
