//! SIP rules, in Amazon's shapes (facts F10).

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Control;
use super::applications::Paging;
use super::exception::{Exception, page, shape};
use crate::applications::{Applications, NewRule, NewTarget, SipRule, TriggerType};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Create {
    name: String,
    trigger_type: TriggerType,
    trigger_value: String,
    #[serde(default)]
    disabled: Option<bool>,
    #[serde(default)]
    target_applications: Vec<TargetGiven>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Update {
    name: String,
    #[serde(default)]
    disabled: Option<bool>,
    #[serde(default)]
    target_applications: Option<Vec<TargetGiven>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TargetGiven {
    sip_media_application_id: String,
    priority: u32,
    #[serde(default)]
    aws_region: Option<String>,
}

/// What a list is asked for.
#[derive(Deserialize)]
pub(super) struct Listed {
    #[serde(rename = "sip-media-application")]
    application: Option<String>,
    #[serde(rename = "max-results")]
    max_results: Option<String>,
    #[serde(rename = "next-token")]
    next_token: Option<String>,
}

fn targets(given: Vec<TargetGiven>) -> Vec<NewTarget> {
    given
        .into_iter()
        .map(|target| NewTarget {
            application: target.sip_media_application_id,
            priority: target.priority,
            region: target.aws_region,
        })
        .collect()
}

fn shown(rule: &SipRule) -> Json<Value> {
    Json(json!({ "SipRule": rule }))
}

/// CreateSipRule.
pub(super) async fn create(
    State(control): State<Arc<Control>>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Exception> {
    let given: Create = shape(&body)?;
    let rule = NewRule {
        name: given.name,
        disabled: given.disabled.unwrap_or(false),
        trigger_type: given.trigger_type,
        trigger_value: given.trigger_value,
        targets: targets(given.target_applications),
    };
    let stamp = Applications::stamp();
    let made = control.change(move |book, configured| book.create_rule(configured, rule, stamp))?;
    Ok((StatusCode::CREATED, shown(&made)))
}

/// ListSipRules, of one application if one is named: those of the configuration file first.
pub(super) async fn list(
    State(control): State<Arc<Control>>,
    Query(listed): Query<Listed>,
) -> Result<Json<Value>, Exception> {
    let all: Vec<SipRule> = control.applications.look(|book, configured| {
        let leads = |rule: &&SipRule| {
            listed.application.as_ref().is_none_or(|id| {
                rule.target_applications
                    .iter()
                    .any(|target| target.sip_media_application_id == *id)
            })
        };
        let rules = configured.rules.iter().chain(book.rules.values());
        rules.filter(leads).cloned().collect()
    });
    let paging = Paging {
        max_results: listed.max_results,
        next_token: listed.next_token,
    };
    let (page, next) = page(all, &paging)?;
    let mut reply = json!({ "SipRules": page });
    if let Some(next) = next {
        reply["NextToken"] = json!(next);
    }
    Ok(Json(reply))
}

/// GetSipRule.
pub(super) async fn get(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Exception> {
    control.applications.look(|book, configured| {
        let rule = book.rule(configured, &id)?;
        Ok(shown(rule))
    })
}

/// UpdateSipRule.
pub(super) async fn update(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Exception> {
    let given: Update = shape(&body)?;
    let targets = given.target_applications.map(targets);
    let time = Applications::stamp().time;
    let made = control.change(move |book, configured| {
        book.update_rule(
            configured,
            &id,
            &given.name,
            given.disabled,
            targets.as_deref(),
            time,
        )
    })?;
    Ok((StatusCode::ACCEPTED, shown(&made)))
}

/// DeleteSipRule: only a disabled one.
pub(super) async fn delete(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Exception> {
    control.change(move |book, configured| book.delete_rule(configured, &id))?;
    Ok(StatusCode::NO_CONTENT)
}
