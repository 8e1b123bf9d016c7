//! Header names.

macro_rules! names {
    ($($variant:ident $canonical:literal $(/ $compact:literal)?;)*) => {
        /// The name of a header this crate knows, or [`HeaderName::Other`] for one whose bytes the message keeps.
        ///
        /// Names compare without regard to case, and compact forms are the same name (RFC 3261 §7.3.1, §7.3.3).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum HeaderName {
            $(
                #[doc = concat!("`", $canonical, "`")]
                $variant,
            )*
            /// A name that this crate does not know.
            Other,
        }

        impl HeaderName {
            /// The name in the spelling of its RFC; empty for [`HeaderName::Other`].
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $canonical,)*
                    Self::Other => "",
                }
            }

            const ALL: &[(&str, Self)] = &[$(($canonical, Self::$variant),)*];
            const COMPACT: &[(u8, Self)] = &[$($(($compact, Self::$variant),)?)*];
        }
    };
}

names! {
    Via "Via" / b'v';
    From "From" / b'f';
    To "To" / b't';
    CallId "Call-ID" / b'i';
    CSeq "CSeq";
    Contact "Contact" / b'm';
    MaxForwards "Max-Forwards";
    ContentLength "Content-Length" / b'l';
    ContentType "Content-Type" / b'c';
    ContentEncoding "Content-Encoding" / b'e';
    ContentDisposition "Content-Disposition";
    Route "Route";
    RecordRoute "Record-Route";
    Allow "Allow";
    Supported "Supported" / b'k';
    Require "Require";
    ProxyRequire "Proxy-Require";
    Unsupported "Unsupported";
    Accept "Accept";
    AcceptEncoding "Accept-Encoding";
    UserAgent "User-Agent";
    Server "Server";
    Reason "Reason";
    RetryAfter "Retry-After";
    UserToUser "User-to-User";
    Diversion "Diversion";
    RSeq "RSeq";
    RAck "RAck";
    Subject "Subject" / b's';
    Date "Date";
    Expires "Expires";
    Event "Event" / b'o';
    AllowEvents "Allow-Events" / b'u';
    ReferTo "Refer-To" / b'r';
    ReferredBy "Referred-By" / b'b';
    SessionExpires "Session-Expires" / b'x';
    MinSe "Min-SE";
    Warning "Warning";
    InfoPackage "Info-Package";
    PAssertedIdentity "P-Asserted-Identity";
    PPreferredIdentity "P-Preferred-Identity";
    Privacy "Privacy";
    HistoryInfo "History-Info";
    Path "Path";
    ServiceRoute "Service-Route";
    MinExpires "Min-Expires";
    Replaces "Replaces";
    ReferSub "Refer-Sub";
    SubscriptionState "Subscription-State";
    Authorization "Authorization";
    WwwAuthenticate "WWW-Authenticate";
    ProxyAuthenticate "Proxy-Authenticate";
    ProxyAuthorization "Proxy-Authorization";
    Identity "Identity" / b'y';
    AlexaClientId "X-Alexa-LWA-ClientId";
}

/// Longest known name, plus one.
const LENGTHS: usize = 24;

/// For each length the slice of `BY_LENGTH` that holds the names of that length.
const INDEX: ([(u8, u8); LENGTHS], [u8; HeaderName::ALL.len()]) = index();

const fn index() -> ([(u8, u8); LENGTHS], [u8; HeaderName::ALL.len()]) {
    let mut ranges = [(0, 0); LENGTHS];
    let mut order = [0; HeaderName::ALL.len()];
    let mut filled = 0;
    let mut length = 0;
    while length < LENGTHS {
        let start = filled;
        let mut i = 0;
        while i < HeaderName::ALL.len() {
            if HeaderName::ALL[i].0.len() == length {
                order[filled] = i as u8;
                filled += 1;
            }
            i += 1;
        }
        ranges[length] = (start as u8, filled as u8);
        length += 1;
    }
    (ranges, order)
}

impl HeaderName {
    /// The name written as `name`, in any case and in its compact form too.
    pub fn from_bytes(name: &[u8]) -> Self {
        if let [letter] = name {
            let letter = letter.to_ascii_lowercase();
            return Self::COMPACT
                .iter()
                .find(|(compact, _)| *compact == letter)
                .map_or(Self::Other, |(_, name)| *name);
        }
        let (start, end) = INDEX.0.get(name.len()).copied().unwrap_or((0, 0));
        INDEX
            .1
            .get(usize::from(start)..usize::from(end))
            .unwrap_or_default()
            .iter()
            .filter_map(|&at| Self::ALL.get(usize::from(at)))
            .find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name))
            .map_or(Self::Other, |(_, name)| *name)
    }

    /// Headers of which a message may carry one at most (RFC 3261 §20, RFC 4475 §3.3.8).
    pub(crate) const fn is_single(self) -> bool {
        matches!(
            self,
            Self::From
                | Self::To
                | Self::CallId
                | Self::CSeq
                | Self::MaxForwards
                | Self::ContentLength
                | Self::ContentType
                | Self::RSeq
                | Self::RAck
        )
    }
}

#[cfg(test)]
mod tests {
    use super::HeaderName;

    #[test]
    fn every_name_is_found_in_any_case_and_compact() {
        for (text, name) in HeaderName::ALL {
            assert_eq!(HeaderName::from_bytes(text.as_bytes()), *name, "{text}");
            assert_eq!(
                HeaderName::from_bytes(text.to_ascii_uppercase().as_bytes()),
                *name,
                "{text}"
            );
        }
        for (letter, name) in HeaderName::COMPACT {
            assert_eq!(
                HeaderName::from_bytes(&[letter.to_ascii_uppercase()]),
                *name
            );
        }
        assert_eq!(HeaderName::from_bytes(b"X-Nobody-Knows"), HeaderName::Other);
        assert_eq!(HeaderName::from_bytes(b""), HeaderName::Other);
        assert_eq!(HeaderName::from_bytes(&[b'a'; 300]), HeaderName::Other);
    }
}
