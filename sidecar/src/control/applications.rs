//! SIP media applications and their settings, in Amazon's shapes (facts F10, D6).

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Control;
use super::exception::{Exception, page, shape};
use crate::applications::{AlexaSkill, Applications, Logging, SipMediaApplication};

/// `max-results` and `next-token`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Paging {
    pub(super) max_results: Option<String>,
    pub(super) next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Create {
    aws_region: String,
    name: String,
    endpoints: Vec<EndpointGiven>,
    #[serde(default)]
    tags: Option<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Update {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    endpoints: Option<Vec<EndpointGiven>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EndpointGiven {
    #[serde(default)]
    lambda_arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutLogging {
    sip_media_application_logging_configuration: Logging,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutSkill {
    sip_media_application_alexa_skill_configuration: AlexaSkill,
}

fn arns(endpoints: Vec<EndpointGiven>) -> Vec<String> {
    endpoints.into_iter().map(|it| it.lambda_arn).collect()
}

fn shown(application: &SipMediaApplication) -> Json<Value> {
    Json(json!({ "SipMediaApplication": application }))
}

fn tags(tags: Option<Vec<Value>>) -> Result<Vec<Value>, Exception> {
    let tags = tags.unwrap_or_default();
    let fits = |tag: &Value| {
        let length = |key: &str| tag.get(key).and_then(Value::as_str).map(str::len);
        length("Key").is_some_and(|n| (1..=128).contains(&n))
            && length("Value").is_some_and(|n| n <= 256)
    };
    if tags.len() <= 50 && tags.iter().all(fits) {
        Ok(tags)
    } else {
        Err(Exception::bad_request(
            "Tags is no list of at most 50 of {Key, Value}, of at most 128 and 256 characters",
        ))
    }
}

/// CreateSipMediaApplication.
pub(super) async fn create(
    State(control): State<Arc<Control>>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Exception> {
    let given: Create = shape(&body)?;
    let (arns, tags) = (arns(given.endpoints), tags(given.tags)?);
    let stamp = Applications::stamp();
    let made = control.change(move |book, configured| {
        book.create_application(
            configured,
            &given.aws_region,
            &given.name,
            &arns,
            tags,
            stamp,
        )
    })?;
    Ok((StatusCode::CREATED, shown(&made)))
}

/// ListSipMediaApplications: those of the configuration file first.
pub(super) async fn list(
    State(control): State<Arc<Control>>,
    Query(paging): Query<Paging>,
) -> Result<Json<Value>, Exception> {
    let all: Vec<SipMediaApplication> = control.applications.look(|book, configured| {
        let fixed = configured.applications.iter();
        fixed.chain(book.applications.values()).cloned().collect()
    });
    let (page, next) = page(all, &paging)?;
    let mut reply = json!({ "SipMediaApplications": page });
    if let Some(next) = next {
        reply["NextToken"] = json!(next);
    }
    Ok(Json(reply))
}

/// GetSipMediaApplication.
pub(super) async fn get(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Exception> {
    control.applications.look(|book, configured| {
        let application = book.application(configured, &id)?;
        Ok(shown(application))
    })
}

/// UpdateSipMediaApplication.
pub(super) async fn update(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Exception> {
    let given: Update = shape(&body)?;
    let arns = given.endpoints.map(arns);
    let time = Applications::stamp().time;
    let made = control.change(move |book, configured| {
        book.update_application(
            configured,
            &id,
            given.name.as_deref(),
            arns.as_deref(),
            time,
        )
    })?;
    Ok(shown(&made))
}

/// DeleteSipMediaApplication. Calls that it has go on.
pub(super) async fn delete(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Exception> {
    control.change(move |book, configured| book.delete_application(configured, &id))?;
    Ok(StatusCode::NO_CONTENT)
}

fn logging(logging: Logging) -> Json<Value> {
    Json(json!({ "SipMediaApplicationLoggingConfiguration": logging }))
}

/// PutSipMediaApplicationLoggingConfiguration: whether every call is traced.
pub(super) async fn put_logging(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Exception> {
    let given: PutLogging = shape(&body)?;
    let put = given.sip_media_application_logging_configuration;
    control.change(move |book, configured| book.put_logging(configured, &id, put))?;
    Ok(logging(put))
}

/// GetSipMediaApplicationLoggingConfiguration.
pub(super) async fn get_logging(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Exception> {
    control.applications.look(|book, configured| {
        book.application(configured, &id)?;
        Ok(logging(book.settings(&id).logging.unwrap_or_default()))
    })
}

fn skill(skill: &AlexaSkill) -> Json<Value> {
    Json(json!({ "SipMediaApplicationAlexaSkillConfiguration": skill }))
}

/// PutSipMediaApplicationAlexaSkillConfiguration: which skill may call (facts D6).
pub(super) async fn put_skill(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Exception> {
    let given: PutSkill = shape(&body)?;
    let put = given.sip_media_application_alexa_skill_configuration;
    let shown = skill(&put);
    control.change(move |book, configured| book.put_alexa_skill(configured, &id, put))?;
    Ok(shown)
}

/// GetSipMediaApplicationAlexaSkillConfiguration.
pub(super) async fn get_skill(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Exception> {
    control.applications.look(|book, configured| {
        book.application(configured, &id)?;
        book.settings(&id)
            .alexa_skill
            .as_ref()
            .map(skill)
            .ok_or_else(|| Exception::not_found(format!("{id} has no Alexa skill configuration")))
    })
}
