//! Which names (JSON members, headers, form fields) say what their value is.

/// What a value is by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A secret: hidden wholly.
    Secret,
    /// Digits that a caller pressed: how many is said, one or several, but not which.
    Digits,
    /// A phone number, even a short one or one without `+`.
    Number,
    /// An identifier of a person or a device: its last characters stay.
    Personal,
    /// An identifier or a time, in which a run of digits is no phone number.
    Plain,
    /// Said by the value alone.
    Unknown,
}

/// Names whose value is secret, in lower case without `-` and `_`.
pub(super) const SECRET: &[&str] = &[
    "accesstoken",
    "apiaccesstoken",
    "apikey",
    "authorization",
    "authorizationcode",
    "bearertoken",
    "clientsecret",
    "consenttoken",
    "cookie",
    "icepwd",
    "idtoken",
    "jointoken",
    "password",
    "privatekey",
    "proxyauthorization",
    "refreshtoken",
    "secret",
    "sessionkey",
    "setcookie",
    "sidecarkeys",
    "token",
    "xamzsecuritytoken",
];

const DIGITS: &[&str] = &["digits", "receiveddigits", "skillcall.digits"];
const NUMBER: &[&str] = &["calleridnumber", "mobilenumber", "phonenumber"];
const PERSONAL: &[&str] = &[
    "deviceid",
    "endpointid",
    "persistentendpointid",
    "personid",
    "userid",
];
const PLAIN: &[&str] = &[
    "awsaccountid",
    "callid",
    "clientsessionid",
    "requestid",
    "sessionid",
    "sipmediaapplicationid",
    "sipruleid",
    "skillcallnonce",
    "skillcallsignature",
    "skillcalltimestamp",
    "starttimeinmilliseconds",
    "timestamp",
    "traceparent",
    "transactionid",
    "usertouser",
    "xalexalwaclientid",
];

/// The meaning of a value that stands under `name`, itself a member of `parent`.
pub(super) fn meaning(name: &str, parent: &str) -> Meaning {
    let Some(plain_name) = plain(name) else {
        return Meaning::Unknown;
    };
    let name = plain_name.as_str();
    let is = |list: &[&str]| list.contains(&name);
    let is_grant = || plain(parent).is_some_and(|parent| parent.as_str() == "grant");
    if is(SECRET) || (name == "code" && is_grant()) {
        Meaning::Secret
    } else if is(DIGITS) {
        Meaning::Digits
    } else if is(NUMBER) {
        Meaning::Number
    } else if is(PERSONAL) {
        Meaning::Personal
    } else if is(PLAIN) {
        Meaning::Plain
    } else {
        Meaning::Unknown
    }
}

/// Bytes that a known name has at most.
const LONGEST: usize = 24;

/// A name that may be a known one.
pub(super) struct PlainName {
    bytes: [u8; LONGEST],
    length: usize,
}

impl PlainName {
    pub(super) fn as_str(&self) -> &str {
        // All of it is ASCII.
        str::from_utf8(self.bytes.get(..self.length).unwrap_or_default()).unwrap_or_default()
    }
}

/// The name in lower case without `-` and `_`, so that `api-access-token`, `api_access_token` and `apiAccessToken` are one;
/// none when it is longer than all that are known, or has letters that none of them has.
pub(super) fn plain(name: &str) -> Option<PlainName> {
    let mut plain = PlainName {
        bytes: [0; LONGEST],
        length: 0,
    };
    for byte in name.bytes().filter(|byte| !matches!(byte, b'-' | b'_')) {
        if !byte.is_ascii() {
            return None;
        }
        *plain.bytes.get_mut(plain.length)? = byte.to_ascii_lowercase();
        plain.length += 1;
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_fits() {
        for name in [SECRET, DIGITS, NUMBER, PERSONAL, PLAIN].concat() {
            assert_eq!(
                plain(name).map(|plain| plain.as_str() == name),
                Some(true),
                "{name}"
            );
        }
    }
}
