//! When two URIs are the same (RFC 3261 §19.1.4).

use super::uri::{Scheme, UriRef};

/// Parameters that, standing in one URI alone, make it another one.
const TELLING: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];

impl UriRef<'_> {
    /// Whether both mean the same by RFC 3261 §19.1.4; URIs that are no `sip:` or `sips:` are compared as text, without
    /// regard to the scheme's case.
    pub fn is_equivalent(&self, other: &UriRef<'_>) -> bool {
        if self.scheme() != other.scheme() {
            return false;
        }
        if !matches!(self.scheme(), Scheme::Sip | Scheme::Sips) {
            let rest = |uri: &UriRef<'_>| {
                uri.as_str()
                    .split_once(':')
                    .map(|(_, rest)| rest.to_owned())
            };
            return rest(self) == rest(other);
        }
        let host = |uri: &UriRef<'_>| uri.host().map(|host| host.to_string().to_ascii_lowercase());
        self.user() == other.user()
            && self.password() == other.password()
            && host(self) == host(other)
            && self.port() == other.port()
            && self.params_agree(other)
            && other.params_agree(self)
            && self.headers_agree(other)
    }

    /// Each parameter of ours is the same there, or absent and of no weight. Of one that stands twice the first counts.
    fn params_agree(&self, other: &UriRef<'_>) -> bool {
        self.params()
            .all(|(name, _)| match (self.param(&name), other.param(&name)) {
                (Some(ours), Some(theirs)) => ours.eq_ignore_ascii_case(&theirs),
                _ => !TELLING
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(&name)),
            })
    }

    fn headers_agree(&self, other: &UriRef<'_>) -> bool {
        let sorted = |uri: &UriRef<'_>| {
            let mut all: Vec<_> = uri
                .headers()
                .map(|(name, value)| (name.to_ascii_lowercase(), value.into_owned()))
                .collect();
            all.sort();
            all
        };
        sorted(self) == sorted(other)
    }
}

#[cfg(test)]
mod tests {
    use super::super::UriRef;

    /// The examples of RFC 3261 §19.1.4.
    #[test]
    fn equal_and_unequal_as_the_rfc_lists_them() {
        let same = |a: &str, b: &str| {
            let (a, b) = (
                UriRef::parse(a.as_bytes()).unwrap(),
                UriRef::parse(b.as_bytes()).unwrap(),
            );
            assert_eq!(a.is_equivalent(&b), b.is_equivalent(&a));
            a.is_equivalent(&b)
        };
        for (a, b) in [
            (
                "sip:%61lice@atlanta.com;transport=TCP",
                "sip:alice@AtLanTa.CoM;Transport=tcp",
            ),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
            ("tel:+1607", "TEL:+1607"),
            ("sip:a@b;x=1;x=2", "sip:a@b;x=1;x=2"),
        ] {
            assert!(same(a, b), "{a} and {b}");
        }
        for (a, b) in [
            (
                "SIP:ALICE@AtLanTa.CoM;Transport=udp",
                "sip:alice@AtLanTa.CoM;Transport=UDP",
            ),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            (
                "sip:bob@biloxi.com",
                "sip:bob@biloxi.com:6000;transport=tcp",
            ),
            (
                "sip:carol@chicago.com",
                "sip:carol@chicago.com?Subject=next%20meeting",
            ),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            (
                "sip:carol@chicago.com;security=on",
                "sip:carol@chicago.com;security=off",
            ),
            ("sip:a@b", "sips:a@b"),
            ("sip:a@b", "tel:a"),
        ] {
            assert!(!same(a, b), "{a} and {b}");
        }
    }
}
