//! AWS Signature Version 4, verified: so that an AWS SDK with another endpoint URL can use the control API.
//!
//! The rules are Amazon's ("Signature Version 4 signing process"): a canonical request of method, path, query, signed
//! headers and the body's hash; a string to sign of time, scope and its hash; a key derived from the secret.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, Method, Uri, header};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far a request's time may be from ours, in seconds, as at Amazon.
const TOLERANCE: i64 = 15 * 60;

/// Access key ids and their secrets.
#[derive(Clone, Default)]
pub(crate) struct AccessKeys(BTreeMap<String, String>);

impl AccessKeys {
    /// Reads `ID:SECRET`, several on lines of their own or parted by commas.
    ///
    /// # Errors
    /// What is wrong; never a secret.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut keys = BTreeMap::new();
        for (place, entry) in text
            .split([',', '\n'])
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .enumerate()
        {
            let wrong = || {
                format!(
                    "access key {} is not of the form ID:SECRET with 16 characters or more of a secret",
                    place + 1
                )
            };
            let (id, secret) = entry.split_once(':').ok_or_else(wrong)?;
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if id.is_empty() || !id.chars().all(plain) || secret.len() < 16 {
                return Err(wrong());
            }
            keys.insert(id.to_owned(), secret.to_owned());
        }
        Ok(Self(keys))
    }
}

/// What is signed.
pub(super) struct Signed<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

/// Whether a request carries a signature of this kind.
pub(super) fn is_signed(headers: &HeaderMap) -> bool {
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with(ALGORITHM))
}

/// Verifies a request at a time in seconds since 1970.
///
/// # Errors
/// Why it is not taken, for whoever sent it.
pub(super) fn verify(keys: &AccessKeys, request: &Signed<'_>, now: i64) -> Result<(), String> {
    let text = |name: &str| {
        let mut values = request.headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(value)
    };
    let authorization = text("authorization")
        .and_then(|value| value.strip_prefix(ALGORITHM))
        .ok_or("Authorization is not that of AWS4-HMAC-SHA256")?;
    let part = |name: &str| {
        authorization
            .split(',')
            .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
    };
    let (Some(credential), Some(signed_headers), Some(signature)) =
        (part("Credential"), part("SignedHeaders"), part("Signature"))
    else {
        return Err("Authorization lacks Credential, SignedHeaders or Signature".into());
    };
    let scope: Vec<&str> = credential.split('/').collect();
    let [id, date, region, service, "aws4_request"] = scope.as_slice() else {
        return Err("Credential is not ID/date/region/service/aws4_request".into());
    };
    let time = text("x-amz-date").ok_or("X-Amz-Date is missing")?;
    if !time.starts_with(date)
        || (seconds(time).ok_or("X-Amz-Date is no time")? - now).abs() > TOLERANCE
    {
        return Err("X-Amz-Date is too far from our time, or from the Credential's date".into());
    }
    let names: Vec<&str> = signed_headers.split(';').collect();
    if !names.contains(&"host") || !names.contains(&"x-amz-date") {
        return Err("SignedHeaders lacks host or x-amz-date".into());
    }
    let hash = hex::encode(Sha256::digest(request.body));
    if text("x-amz-content-sha256").is_some_and(|told| told != hash) {
        return Err("X-Amz-Content-Sha256 is not the body's".into());
    }
    let mut canonical = format!(
        "{}\n{}\n{}\n",
        request.method,
        encoded_path(request.uri.path()),
        sorted_query(request.uri.query().unwrap_or_default())
    );
    for name in &names {
        let values: Vec<String> = request
            .headers
            .get_all(*name)
            .iter()
            .map(|value| {
                let value = String::from_utf8_lossy(value.as_bytes());
                value.split_whitespace().collect::<Vec<_>>().join(" ")
            })
            .collect();
        if values.is_empty() {
            return Err(format!("the signed header {name} is missing"));
        }
        canonical.push_str(&format!("{name}:{}\n", values.join(",")));
    }
    canonical.push_str(&format!("\n{signed_headers}\n{hash}"));
    let to_sign = format!(
        "{ALGORITHM}\n{time}\n{date}/{region}/{service}/aws4_request\n{}",
        hex::encode(Sha256::digest(canonical.as_bytes()))
    );
    let secret = keys.0.get(*id).ok_or("the access key id is not known")?;
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in [date, region, service, "aws4_request"] {
        key = mac(&key, part.as_bytes());
    }
    let expected = hex::encode(mac(&key, to_sign.as_bytes()));
    if bool::from(expected.as_bytes().ct_eq(signature.as_bytes())) {
        Ok(())
    } else {
        Err("the signature is not that of this request and key".into())
    }
}

fn mac(key: &[u8], data: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length.
    match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mut mac) => {
            mac.update(data);
            mac.finalize().into_bytes().to_vec()
        }
        Err(_) => Vec::new(),
    }
}

/// `20260121T070000Z` in seconds since 1970.
fn seconds(time: &str) -> Option<i64> {
    let digits = |from: usize, to: usize| time.get(from..to)?.parse::<i8>().ok();
    let year = time.get(..4)?.parse::<i16>().ok()?;
    if time.len() != 16 || time.get(8..9) != Some("T") || time.get(15..) != Some("Z") {
        return None;
    }
    let date = jiff::civil::Date::new(year, digits(4, 6)?, digits(6, 8)?).ok()?;
    let of_day =
        jiff::civil::Time::new(digits(9, 11)?, digits(11, 13)?, digits(13, 15)?, 0).ok()?;
    let zoned = date
        .to_datetime(of_day)
        .to_zoned(jiff::tz::TimeZone::UTC)
        .ok()?;
    Some(zoned.timestamp().as_second())
}

/// The path, encoded once more than it is on the wire.
fn encoded_path(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => encoded.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => encoded.push(byte.into()),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn sorted_query(query: &str) -> String {
    let mut pairs: Vec<String> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.contains('=') {
            true => pair.to_owned(),
            false => format!("{pair}="),
        })
        .collect();
    pairs.sort();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn keys() -> AccessKeys {
        AccessKeys::parse(&format!("AKIDEXAMPLE:{SECRET}")).unwrap()
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    /// `get-vanilla` and `get-vanilla-query-order-key-case` of Amazon's own test suite for Signature Version 4.
    #[test]
    fn amazons_own_vectors() {
        let now = seconds("20150830T123600Z").unwrap();
        assert_eq!(now, 1_440_938_160);
        for (uri, signature) in [
            (
                "/",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "/?Param2=value2&Param1=value1",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
        ] {
            let authorization = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature={signature}"
            );
            let headers = headers(&[
                ("host", "example.amazonaws.com"),
                ("x-amz-date", "20150830T123600Z"),
                ("authorization", &authorization),
            ]);
            let uri: Uri = uri.parse().unwrap();
            let request = |body| Signed {
                method: &Method::GET,
                uri: &uri,
                headers: &headers,
                body,
            };
            assert!(is_signed(&headers));
            verify(&keys(), &request(b""), now).unwrap();
            verify(&keys(), &request(b""), now + 899).unwrap();
            assert!(verify(&keys(), &request(b""), now + 901).is_err());
            assert!(
                verify(&keys(), &request(b"x"), now).is_err(),
                "another body"
            );
            let other = AccessKeys::parse("AKIDEXAMPLE:0123456789abcdef").unwrap();
            assert!(
                verify(&other, &request(b""), now).is_err(),
                "another secret"
            );
            assert!(verify(&AccessKeys::default(), &request(b""), now).is_err());
        }
    }

    #[test]
    fn keys_are_read_and_refused() {
        let two = AccessKeys::parse("A1:0123456789abcdef\nB-2:0123456789abcde:").unwrap();
        assert_eq!(two.0.len(), 2);
        for wrong in [
            "A1",
            "A1:short",
            ":0123456789abcdef",
            "A 1:0123456789abcdef",
        ] {
            let error = AccessKeys::parse(wrong).map(|_| ()).unwrap_err();
            assert!(
                error.contains("ID:SECRET") && !error.contains("0123"),
                "{error}"
            );
        }
    }
}
