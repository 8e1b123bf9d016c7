//! AWS Lambda's invocation path: what the runtime interface emulator, `sam local` and the like serve.
//!
//! The payload is the event itself. A function that failed is told by a header, or, by the emulator, in the body alone;
//! both count as a failed attempt, not as a reply (facts F3).

use serde_json::Value;
use url::Url;

/// The header that tells how to invoke.
pub(super) const INVOCATION_TYPE: (&str, &str) = ("x-amz-invocation-type", "RequestResponse");
/// The header that tells that the function failed.
pub(super) const FUNCTION_ERROR: &str = "x-amz-function-error";

/// Whether a URL is of the form `/2015-03-31/functions/NAME/invocations`.
pub(super) fn is_invocation(url: &Url) -> bool {
    let mut parts = url.path().split('/').skip(1);
    matches!(
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next()),
        (Some("2015-03-31"), Some("functions"), Some(name), Some("invocations"), None) if !name.is_empty()
    )
}

/// Why the function failed, if it did.
pub(super) fn function_error(header: Option<&str>, body: &[u8]) -> Option<String> {
    let told = match serde_json::from_slice(body) {
        Ok(Value::Object(map)) => {
            let text = |key: &str| map.get(key).and_then(Value::as_str).map(str::to_owned);
            // A reply may hold anything, so both keys, and no reply's.
            let failed = !map.contains_key("SchemaVersion") && map.contains_key("errorMessage");
            failed.then(|| {
                let kind = text("errorType").unwrap_or_else(|| "error".to_owned());
                format!("{kind}: {}", text("errorMessage").unwrap_or_default())
            })
        }
        Ok(_) => None,
        Err(_) => {
            let text = String::from_utf8_lossy(body);
            // The emulator's words for a time-out are no JSON.
            text.contains("Task timed out after")
                .then(|| text.trim().to_owned())
        }
    };
    let told = told.map(|told| told.chars().take(200).collect::<String>());
    match (header, told) {
        (Some(header), Some(told)) => Some(format!("the function failed ({header}): {told}")),
        (Some(header), None) => Some(format!("the function failed ({header})")),
        (None, Some(told)) => Some(format!("the function failed: {told}")),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invocation_paths() {
        let is = |path: &str| is_invocation(&Url::parse(&format!("http://h:9000{path}")).unwrap());
        assert!(is("/2015-03-31/functions/function/invocations"));
        assert!(is("/2015-03-31/functions/my-sma/invocations?Qualifier=1"));
        for other in [
            "/",
            "/2015-03-31/functions//invocations",
            "/2015-03-31/functions/f/invocations/x",
            "/2016-03-31/functions/f/invocations",
            "/media/events",
        ] {
            assert!(!is(other), "{other}");
        }
    }

    #[test]
    fn failed_functions_are_told_from_replies() {
        let error = br#"{"errorType":"TypeError","errorMessage":"x is undefined","trace":[]}"#;
        for (header, body, told) in [
            (
                Some("Unhandled"),
                &error[..],
                Some("the function failed (Unhandled): TypeError: x is undefined"),
            ),
            (
                None,
                &error[..],
                Some("the function failed: TypeError: x is undefined"),
            ),
            (
                None,
                b"2026-11-21T07:00:00Z 1234 Task timed out after 3.00 seconds",
                Some(
                    "the function failed: 2026-11-21T07:00:00Z 1234 Task timed out after 3.00 seconds",
                ),
            ),
            (
                None,
                br#"{"SchemaVersion":"1.0","errorMessage":"mine"}"#,
                None,
            ),
            (None, b"null", None),
            (None, b"", None),
        ] {
            assert_eq!(function_error(header, body).as_deref(), told);
        }
    }
}
