//! Phone numbers of a plan: their form by our own rule (facts D1), what they are by Google's metadata.

use skillcall_protocol::e164::E164;
use toml::Spanned;

use super::finding::Findings;

/// Checks a number: what is no E.164 is an error; what no country assigns is a warning, because numbering plans change
/// faster than this program.
pub(super) fn check(number: &Spanned<String>, place: &str, findings: &mut Findings<'_>) {
    let text = number.get_ref();
    if let Err(error) = E164::parse(text) {
        findings.error(&number.span(), place, error.to_string());
    } else if !is_assigned(text) {
        findings.warning(
            &number.span(),
            place,
            "no country assigns such numbers; is a digit missing or too many?",
        );
    }
}

/// Whether a number lies in a range that its country assigns.
fn is_assigned(text: &str) -> bool {
    phonenumber::parse(None, text).is_ok_and(|number| phonenumber::is_valid(&number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_nobody_has_are_noticed() {
        for right in [
            "+16075550199",
            "+14255550123",
            "+12045550100",
            "+493023125000",
            "+442079460000",
        ] {
            assert!(is_assigned(right), "{right}");
        }
        for wrong in [
            "+1607555019",
            "+160755501990",
            "+10000000000",
            "+999123456789",
            "+4930",
        ] {
            assert!(!is_assigned(wrong), "{wrong}");
        }
    }
}
