//! The signed body of a request, with the trouble that is ordered for it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Alexa, SayError};
use crate::authority::AuthorityError;
use crate::customer::Customer;
use crate::skill::{Asking, RequestKind, Session};
use crate::tokens::{Grant, TOKEN_LIFE};
use crate::trouble::Fault;

/// Header names and values.
type Headers = Vec<(&'static str, String)>;

impl Alexa {
    /// The body and its signature headers.
    pub(super) fn signed(
        &self,
        kind: &RequestKind,
        request_id: &str,
        session: Option<&Session>,
        customer: &Customer,
        faults: &[Fault],
    ) -> Result<(Vec<u8>, Headers), SayError> {
        let mut skill_id = self.skill_id.as_str();
        let mut api_endpoint = self.api_endpoint.as_str();
        let mut timestamp = Some(Timestamp::now());
        let mut token_age = Duration::ZERO;
        let mut with_token = true;
        for fault in faults {
            match fault {
                Fault::OtherSkill { skill_id: other } => skill_id = other,
                Fault::OtherApiEndpoint { url } => api_endpoint = url,
                Fault::NoTimestamp => timestamp = None,
                Fault::Stale { seconds } => timestamp = shifted(timestamp, *seconds, true),
                Fault::Future { seconds } => timestamp = shifted(timestamp, *seconds, false),
                Fault::ExpiredToken => token_age = TOKEN_LIFE + Duration::from_secs(1),
                Fault::NoToken => with_token = false,
                _ => {}
            }
        }
        let token = if with_token {
            let grant = Grant {
                request_id: request_id.to_owned(),
                skill_id: self.skill_id.clone(),
                device_id: customer.device_id.clone(),
                user_id: customer.user_id.clone(),
                audience: self.api_endpoint.clone(),
                scopes: customer.granted.iter().cloned().collect(),
            };
            Some(self.mint.mint(grant, token_age)?)
        } else {
            None
        };
        let asking = Asking {
            kind,
            request_id,
            timestamp,
            locale: self.model.locale(),
            skill_id,
            session,
            customer,
            api_endpoint,
            api_access_token: token.as_deref(),
            // The older form of the same token (facts A1).
            consent_token: token.as_deref(),
        };
        let body = asking.to_json().to_string().into_bytes();
        let headers = self.signature(&body, faults)?;
        Ok((body, headers))
    }

    fn signature(&self, body: &[u8], faults: &[Fault]) -> Result<Headers, AuthorityError> {
        let mut chain = self.authority.chain();
        for fault in faults {
            if let Fault::BadChain { chain: fault } = fault {
                chain = self.authority.faulty_chain(*fault)?;
            }
        }
        let tampered: Vec<u8>;
        let signed_body = if faults.contains(&Fault::Tampered) {
            tampered = [body, b" "].concat();
            &tampered
        } else {
            body
        };
        let mut signature = chain.sign(signed_body)?;
        let mut without: Vec<&str> = Vec::new();
        for fault in faults {
            match fault {
                Fault::ChainUrl { url } => signature.chain_url.clone_from(url),
                Fault::NoChainUrl => without.push("SignatureCertChainUrl"),
                Fault::LegacySignatureOnly => without.push("Signature-256"),
                Fault::Unsigned => {
                    without.extend(["SignatureCertChainUrl", "Signature-256", "Signature"])
                }
                _ => {}
            }
        }
        Ok(signature
            .pairs()
            .into_iter()
            .filter(|(name, _)| !without.contains(name))
            .map(|(name, value)| (name, value.to_owned()))
            .collect())
    }
}

fn shifted(timestamp: Option<Timestamp>, seconds: u64, back: bool) -> Option<Timestamp> {
    let by = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    timestamp.map(|at| {
        let moved = if back {
            at.checked_sub(by)
        } else {
            at.checked_add(by)
        };
        moved.unwrap_or(at)
    })
}
