//! `[[lambda]]`: which handler stands behind a `LambdaArn` of the control plane (facts F10).

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

use super::ApplicationConfig;

/// A Lambda function, as SIP media applications that are made through the API name it, and the handler that stands for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LambdaConfig {
    /// `LambdaArn`, such as `arn:aws:lambda:us-east-1:111122223333:function:my-sma`.
    pub arn: String,
    /// Where events are posted, http or https.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub handler: Url,
    /// Where events are posted when `handler` cannot be reached or fails, in this order; default: nowhere else.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub fallback_handlers: Vec<Url>,
    /// Events that each handler is asked at a time; as in `[[application]]`.
    #[serde(default)]
    pub handler_concurrency: Option<u16>,
    /// Numbers that calls of its applications may show as the caller; default: any.
    #[serde(default)]
    pub own_numbers: Vec<String>,
    /// Whether a handler's reply without a valid signature is refused; default: whether there is a `keys-file`.
    #[serde(default)]
    pub require_signed_replies: Option<bool>,
    /// File with the signing keys (mode 0600), as in `[[application]]`; or env `SKILLCALL_SIDECAR_KEYS`.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub keys_file: Option<PathBuf>,
}

impl LambdaConfig {
    /// The application with this id that calls it.
    pub fn application(&self, id: &str, region: &str) -> ApplicationConfig {
        let mut application = ApplicationConfig::new(id, self.handler.clone());
        if let Some(account) = account(&self.arn) {
            account.clone_into(&mut application.aws_account);
        }
        region.clone_into(&mut application.region);
        application
            .fallback_handlers
            .clone_from(&self.fallback_handlers);
        application.handler_concurrency = self.handler_concurrency;
        application.own_numbers.clone_from(&self.own_numbers);
        application.require_signed_replies = self.signs();
        application.keys_file.clone_from(&self.keys_file);
        application
    }

    /// Whether its replies must be signed.
    pub fn signs(&self) -> bool {
        self.require_signed_replies
            .unwrap_or(self.keys_file.is_some())
    }
}

/// The account in the ARN of a Lambda function; none when the text is none (the pattern of `FunctionArn`).
pub(crate) fn account(arn: &str) -> Option<&str> {
    let parts: Vec<&str> = arn.split(':').collect();
    let (account, name) = match parts.as_slice() {
        [
            "arn",
            partition,
            "lambda",
            region,
            account,
            "function",
            name,
        ]
        | [
            "arn",
            partition,
            "lambda",
            region,
            account,
            "function",
            name,
            _,
        ] if partition.starts_with("aws") && !region.is_empty() => (*account, *name),
        _ => return None,
    };
    let named = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    (is_account && !name.is_empty() && name.chars().all(named)).then_some(account)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_stand_in_arns() {
        for arn in [
            "arn:aws:lambda:us-east-1:111122223333:function:my-sma",
            "arn:aws-us-gov:lambda:us-gov-west-1:111122223333:function:my_sma:$LATEST",
        ] {
            assert_eq!(account(arn), Some("111122223333"), "{arn}");
        }
        for other in [
            "",
            "http://127.0.0.1/",
            "arn:aws:lambda:us-east-1:1:function:f",
            "arn:aws:lambda:us-east-1:111122223333:function:",
            "arn:aws:lex:us-east-1:111122223333:function:f",
        ] {
            assert_eq!(account(other), None, "{other}");
        }
    }
}
