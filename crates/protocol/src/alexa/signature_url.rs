//! Where the signing certificate's chain may lie (facts B).

/// A chain URL that follows every rule of facts B.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureUrl {
    path: String,
}

/// Which rule a chain URL breaks (facts B).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureUrlError {
    /// The text is no URL.
    #[error(
        "SignatureCertChainUrl is no absolute URL; expected https://s3.amazonaws.com/echo.api/…"
    )]
    NoUrl,
    /// Not https.
    #[error("SignatureCertChainUrl has the scheme {0:?}; it must be https")]
    Scheme(String),
    /// Another host.
    #[error("SignatureCertChainUrl names the host {0:?}; it must be s3.amazonaws.com")]
    Host(String),
    /// Another port.
    #[error("SignatureCertChainUrl names the port {0:?}; it must be absent or 443")]
    Port(String),
    /// User name or password in it.
    #[error("SignatureCertChainUrl carries a user name; it must not")]
    UserInfo,
    /// Another path, after `.` and `..` are resolved.
    #[error(
        "the path of SignatureCertChainUrl is {0:?}; it must begin with /echo.api/ (in that case)"
    )]
    Path(String),
}

impl SignatureUrl {
    /// Checks a `SignatureCertChainUrl` header.
    ///
    /// Scheme and host are compared without regard to case, the path with; `.` and `..` (also as
    /// `%2e`) are resolved before it is compared, so that `/echo.api/../evil` is refused.
    ///
    /// # Errors
    /// Names the rule that is broken.
    pub fn check(text: &str) -> Result<Self, SignatureUrlError> {
        let (scheme, rest) = text
            .trim()
            .split_once("://")
            .ok_or(SignatureUrlError::NoUrl)?;
        if !scheme.eq_ignore_ascii_case("https") {
            return Err(SignatureUrlError::Scheme(scheme.to_owned()));
        }
        if rest
            .contains(|c: char| c.is_control() || c == '\\' || c.is_whitespace() || !c.is_ascii())
        {
            return Err(SignatureUrlError::NoUrl);
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        if authority.contains('@') {
            return Err(SignatureUrlError::UserInfo);
        }
        let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
        if !host.eq_ignore_ascii_case("s3.amazonaws.com") {
            return Err(SignatureUrlError::Host(host.to_owned()));
        }
        if !matches!(port, "" | "443") {
            return Err(SignatureUrlError::Port(port.to_owned()));
        }
        let path = tail.split(['?', '#']).next().unwrap_or_default();
        let path = normalised(path);
        if !path.starts_with("/echo.api/") || path.len() == "/echo.api/".len() {
            return Err(SignatureUrlError::Path(path));
        }
        Ok(Self { path })
    }

    /// The path, with `.` and `..` resolved: what is fetched, from Amazon or from the setting
    /// `chain_origin`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The whole URL at Amazon.
    #[must_use]
    pub fn at_amazon(&self) -> String {
        format!("https://s3.amazonaws.com{}", self.path)
    }
}

/// Removes dot segments (RFC 3986 §5.2.4).
fn normalised(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment.to_ascii_lowercase().replace("%2e", ".").as_str() {
            "." if last => kept.push(""),
            "." => {}
            ".." => {
                kept.pop();
                if last {
                    kept.push("");
                }
            }
            _ => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_amazon_may_use_pass() {
        for url in [
            "https://s3.amazonaws.com/echo.api/echo-api-cert.pem",
            "https://s3.amazonaws.com:443/echo.api/echo-api-cert.pem",
            "https://s3.amazonaws.com/echo.api/../echo.api/echo-api-cert.pem",
            "HTTPS://S3.AmazonAWS.com/echo.api/echo-api-cert.pem",
        ] {
            let checked = SignatureUrl::check(url).unwrap();
            assert_eq!(checked.path(), "/echo.api/echo-api-cert.pem", "{url}");
            assert_eq!(
                checked.at_amazon(),
                "https://s3.amazonaws.com/echo.api/echo-api-cert.pem"
            );
        }
    }

    #[test]
    fn each_broken_rule_is_named() {
        use SignatureUrlError as E;
        let evil_path = |path: &str| E::Path(path.to_owned());
        for (url, error) in [
            ("", E::NoUrl),
            ("s3.amazonaws.com/echo.api/c.pem", E::NoUrl),
            (
                "http://s3.amazonaws.com/echo.api/c.pem",
                E::Scheme("http".to_owned()),
            ),
            (
                "https://notamazon.com/echo.api/c.pem",
                E::Host("notamazon.com".to_owned()),
            ),
            (
                "https://s3.amazonaws.com.evil.com/echo.api/c.pem",
                E::Host("s3.amazonaws.com.evil.com".to_owned()),
            ),
            (
                "https://s3.amazonaws.com:563/echo.api/c.pem",
                E::Port("563".to_owned()),
            ),
            (
                "https://s3.amazonaws.com@evil.com/echo.api/c.pem",
                E::UserInfo,
            ),
            (
                "https://s3.amazonaws.com/EcHo.aPi/c.pem",
                evil_path("/EcHo.aPi/c.pem"),
            ),
            (
                "https://s3.amazonaws.com/invalid.path/c.pem",
                evil_path("/invalid.path/c.pem"),
            ),
            (
                "https://s3.amazonaws.com/echo.api/../evil/c.pem",
                evil_path("/evil/c.pem"),
            ),
            (
                "https://s3.amazonaws.com/echo.api/%2E%2e/evil/c.pem",
                evil_path("/evil/c.pem"),
            ),
            (
                "https://s3.amazonaws.com/echo.api/",
                evil_path("/echo.api/"),
            ),
            ("https://s3.amazonaws.com", evil_path("/")),
            (
                "https://s3.amazonaws.com\\@evil.com/echo.api/c.pem",
                E::NoUrl,
            ),
        ] {
            assert_eq!(SignatureUrl::check(url).unwrap_err(), error, "{url}");
        }
    }
}
