//! Bots: asked over HTTP, in the request shapes of Lex V2's runtime; speech becomes text first where they want text.
//!
//! Runs on tokio. What is said when, and what the answers mean for the call, is the action engine's.

mod lex;
mod recognizer;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use reqwest::{Client, Response, StatusCode};
use serde_json::Value;
use skillcall_protocol::sma::ErrorType;

use crate::config::{BotConfig, BotSpeech, SidecarConfig};
use crate::engine::{BotAbility, BotOutcome, BotTurn, Failure, Said};
use lex::Answer;
pub(crate) use lex::address;
use recognizer::Recognizer;

/// The largest answer that is read.
const MOST_ANSWER_BYTES: usize = 256 * 1024;
/// The audio that RecognizeUtterance is given: 8 kHz, 16 bits, one channel, the lower byte first.
const AUDIO: &str =
    "audio/lpcm; sample-rate=8000; sample-size-bits=16; channel-count=1; is-big-endian=false";

/// All bots.
pub(crate) struct Bots {
    client: Client,
    bots: HashMap<String, BotConfig>,
    recognizer: Option<Recognizer>,
}

impl Bots {
    /// The bots of the configuration; `key` is the recogniser's.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub(crate) fn new(config: &SidecarConfig, key: Option<String>) -> reqwest::Result<Self> {
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("skillcall-sidecar/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let bots = config.bot.iter();
        Ok(Self {
            bots: bots
                .map(|bot| (bot.alias_arn.clone(), bot.clone()))
                .collect(),
            recognizer: Recognizer::new(&config.recognizer, key),
            client,
        })
    }

    /// Asks a bot.
    ///
    /// # Errors
    /// For the action's event: ResourceNotFound, ResourceAccessDenied, ActionExecutionThrottled, InvalidActionParameter
    /// or SystemException (facts F6).
    pub(crate) async fn ask(&self, turn: BotTurn) -> Result<BotOutcome, Failure> {
        let bot = self.bots.get(&turn.alias_arn);
        let (Some(bot), Some(address)) = (bot, address(&turn.alias_arn)) else {
            let told = format!("no [[bot]] has the alias-arn {}", turn.alias_arn);
            return Err(Failure::new(ErrorType::ResourceNotFound, told));
        };
        let limit = Duration::from_secs(bot.timeout_seconds.into());
        let path = |operation| lex::path(address, &turn.locale, &turn.session, operation);
        let answer = match &turn.said {
            Said::Text(text) => self.text(bot, limit, &path("text"), text, &turn).await?,
            Said::Audio(audio) if bot.speech == BotSpeech::Audio => {
                self.utterance(bot, limit, &path("utterance"), audio, &turn)
                    .await?
            }
            Said::Audio(audio) => {
                let Some(recognizer) = &self.recognizer else {
                    return Err(failed("no [recognizer] url is configured"));
                };
                let text = recognizer
                    .text(&self.client, limit, audio, &turn.locale)
                    .await
                    .map_err(|told| failed(&format!("the recogniser: {told}")))?;
                let text = text.trim();
                if text.is_empty() {
                    return Ok(BotOutcome::NothingSaid);
                }
                self.text(bot, limit, &path("text"), text, &turn).await?
            }
        };
        Ok(BotOutcome::Replied(Box::new(answer.reply(&turn.session))))
    }

    async fn text(
        &self,
        bot: &BotConfig,
        limit: Duration,
        path: &str,
        text: &str,
        turn: &BotTurn,
    ) -> Result<Answer, Failure> {
        let response = self
            .client
            .post(endpoint(bot, path))
            .timeout(limit)
            .json(&lex::text_request(text, turn.start.as_ref()))
            .send()
            .await
            .map_err(|error| failed(&told(&error)))?;
        let body = body(checked(response).await?).await?;
        serde_json::from_slice(&body)
            .map_err(|error| failed(&format!("the bot's answer is not RecognizeText's: {error}")))
    }

    async fn utterance(
        &self,
        bot: &BotConfig,
        limit: Duration,
        path: &str,
        audio: &[i16],
        turn: &BotTurn,
    ) -> Result<Answer, Failure> {
        let bytes: Vec<u8> = audio
            .iter()
            .flat_map(|sample| sample.to_le_bytes())
            .collect();
        let mut request = self
            .client
            .post(endpoint(bot, path))
            .timeout(limit)
            .header("content-type", AUDIO)
            .header("response-content-type", "text/plain;charset=utf-8");
        if let Some(start) = &turn.start {
            let state = lex::packed(&lex::session_state(start))
                .map_err(|error| failed(&error.to_string()))?;
            request = request.header("x-amz-lex-session-state", state);
        }
        let response = request
            .body(bytes)
            .send()
            .await
            .map_err(|error| failed(&told(&error)))?;
        let response = checked(response).await?;
        let header = |name: &str| -> Result<Option<Value>, Failure> {
            let Some(value) = response.headers().get(name) else {
                return Ok(None);
            };
            let value = value.to_str().map_err(|error| error.to_string());
            let value = value.and_then(lex::unpacked);
            value
                .map(Some)
                .map_err(|error| failed(&format!("the bot's answer: {name}: {error}")))
        };
        let parts = [
            ("messages", header("x-amz-lex-messages")?),
            ("sessionState", header("x-amz-lex-session-state")?),
            ("interpretations", header("x-amz-lex-interpretations")?),
        ];
        let whole: serde_json::Map<String, Value> = parts
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect();
        let mut answer: Answer = serde_json::from_value(Value::Object(whole)).map_err(|error| {
            failed(&format!(
                "the bot's answer is not RecognizeUtterance's: {error}"
            ))
        })?;
        answer.session_id = response
            .headers()
            .get("x-amz-lex-session-id")
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        Ok(answer)
    }
}

/// What the action engine must know of the bots.
pub(crate) fn abilities(config: &SidecarConfig) -> BTreeMap<String, BotAbility> {
    let ability = |bot: &BotConfig| BotAbility {
        hears: bot.speech != BotSpeech::None,
        voice: bot.voice.clone(),
    };
    let bots = config.bot.iter();
    bots.map(|bot| (bot.alias_arn.clone(), ability(bot)))
        .collect()
}

fn endpoint(bot: &BotConfig, path: &str) -> String {
    format!("{}/{path}", bot.url.as_str().trim_end_matches('/'))
}

fn failed(told: &str) -> Failure {
    Failure::new(ErrorType::SystemException, told)
}

/// An error with its causes.
fn told(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        told.push_str(": ");
        told.push_str(&error.to_string());
        cause = error.source();
    }
    told
}

/// An answer of success; what else came is a failure, by the names of Lex's exceptions.
async fn checked(response: Response) -> Result<Response, Failure> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let kind = match status {
        StatusCode::BAD_REQUEST => ErrorType::InvalidActionParameter,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ErrorType::ResourceAccessDenied,
        StatusCode::NOT_FOUND => ErrorType::ResourceNotFound,
        StatusCode::TOO_MANY_REQUESTS => ErrorType::ActionExecutionThrottled,
        _ => ErrorType::SystemException,
    };
    let body = body(response).await.unwrap_or_default();
    let detail: String = String::from_utf8_lossy(&body).chars().take(200).collect();
    let told = format!("the bot replied {}: {detail}", status.as_u16());
    Err(Failure::new(kind, told))
}

async fn body(mut response: Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= MOST_ANSWER_BYTES => {
                body.extend_from_slice(&chunk);
            }
            Ok(Some(_)) => {
                let limit = format!("the answer is longer than {MOST_ANSWER_BYTES} bytes");
                return Err(failed(&limit));
            }
            Ok(None) => return Ok(body),
            Err(error) => return Err(failed(&told(&error))),
        }
    }
}
