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
    let name = plain(name);
    let is = |list: &[&str]| list.contains(&name.as_str());
    if is(SECRET) || (name == "code" && plain(parent) == "grant") {
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

/// The name in lower case without `-` and `_`, so that `api-access-token`, `api_access_token` and `apiAccessToken` are one.
pub(super) fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '-' | '_'))
        .map(|c| c.to_ascii_lowercase())
        .collect()
}
