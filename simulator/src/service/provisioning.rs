//! The provisioning services (facts G8). Statuses and the shape of lists are our choice, as none are published.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use skillcall_protocol::provisioning::{Contact, ExternalUser, Network, SCOPE, ServiceProvider};

use super::{is_json, refusal, text_of};
use crate::alexa::{Alexa, lock};
use crate::login::Holder;
use crate::provisioning::RegistryError;

type Answer = Result<Response, Box<Response>>;

/// The routes of service providers and address books.
pub(super) fn router() -> Router<Arc<Alexa>> {
    Router::new()
        .route(
            "/v1/communications/serviceProviders",
            get(providers).post(add_provider),
        )
        .route(
            "/v1/communications/serviceProviders/{id}",
            get(provider).put(rename).delete(remove),
        )
        .route(
            "/v1/communications/serviceProviders/{id}/network",
            get(network).post(add_network).put(change_network),
        )
        .route(
            "/v1/communications/serviceProviders/{id}/externalUsers",
            post(add_user),
        )
        .route(
            "/v1/communications/serviceProviders/{id}/externalUsers/query",
            post(users),
        )
        .route(
            "/v1/communications/serviceProviders/{id}/externalUsers/{user}",
            put(change_user).delete(remove_user),
        )
        .route(
            "/v1/addressBooks/{book}/contacts",
            get(contacts).post(add_contact),
        )
}

/// Whether the token may provision: the organisation's own for the scope, or one that an account has granted.
pub(super) fn allowed(alexa: &Alexa, headers: &HeaderMap) -> Result<(), Box<Response>> {
    let refuse =
        |status, code: &str, message: String| Err(Box::new(refusal(status, code, message)));
    match alexa.login.holder(text_of(headers, header::AUTHORIZATION)) {
        Ok(Holder::Customer(_)) => Ok(()),
        Ok(Holder::Skill(scope)) if scope == SCOPE => Ok(()),
        Ok(Holder::Skill(scope)) => refuse(
            StatusCode::FORBIDDEN,
            "AccessDenied",
            format!("the token is for {scope}; expected {SCOPE}"),
        ),
        Err(error) => refuse(StatusCode::UNAUTHORIZED, "BadToken", error.to_string()),
    }
}

/// The body, with no member beside `known`.
fn read<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: &[u8],
    known: &[&str],
) -> Result<T, Box<Response>> {
    let invalid = |why: String| Box::new(refusal(StatusCode::BAD_REQUEST, "InvalidInput", why));
    if !is_json(headers) {
        return Err(invalid("Content-Type must be application/json".to_owned()));
    }
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| invalid(format!("the body is no JSON: {error}")))?;
    let unknown = value
        .as_object()
        .into_iter()
        .flatten()
        .find(|(name, _)| !known.contains(&name.as_str()));
    if let Some((name, _)) = unknown {
        return Err(invalid(format!("{name:?} is none of {known:?}")));
    }
    serde_json::from_value(value).map_err(|error| invalid(error.to_string()))
}

fn done<T: Serialize>(status: StatusCode, done: Result<T, RegistryError>) -> Answer {
    match done {
        Ok(value) => Ok((status, Json(value)).into_response()),
        Err(error) => {
            let (status, code) = match error {
                RegistryError::NotFound => (StatusCode::NOT_FOUND, "ResourceNotFound"),
                RegistryError::Exists => (StatusCode::CONFLICT, "ResourceConflict"),
                RegistryError::TooMany => (StatusCode::TOO_MANY_REQUESTS, "Throttling"),
            };
            Err(Box::new(refusal(status, code, error.to_string())))
        }
    }
}

fn out(answer: Answer) -> Response {
    answer.unwrap_or_else(|refused| *refused)
}

fn named(provider: &ServiceProvider) -> Result<(), Box<Response>> {
    let has_names = !provider.display_name.is_empty()
        && provider
            .display_name
            .iter()
            .all(|name| !name.locale.is_empty() && !name.value.is_empty());
    if provider.service_provider_logical_id.is_empty() || !has_names {
        return Err(Box::new(refusal(
            StatusCode::BAD_REQUEST,
            "InvalidInput",
            "serviceProviderLogicalId and displayName[].locale and .value must not be empty",
        )));
    }
    Ok(())
}

const PROVIDER: [&str; 2] = ["serviceProviderLogicalId", "displayName"];
const NETWORK: [&str; 2] = ["networkType", "skillConfiguration"];
const USER: [&str; 3] = ["externalUserId", "amazonId", "amazonIdType"];

async fn providers(State(alexa): State<Arc<Alexa>>, headers: HeaderMap) -> Response {
    out(allowed(&alexa, &headers).and_then(|()| {
        done(
            StatusCode::OK,
            Ok(json!({"results": alexa.registry.providers()})),
        )
    }))
}

async fn add_provider(
    State(alexa): State<Arc<Alexa>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answer = || {
        allowed(&alexa, &headers)?;
        let provider: ServiceProvider = read(&headers, &body, &PROVIDER)?;
        named(&provider)?;
        done(StatusCode::CREATED, alexa.registry.add(provider))
    };
    out(answer())
}

async fn provider(
    State(alexa): State<Arc<Alexa>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    out(allowed(&alexa, &headers).and_then(|()| done(StatusCode::OK, alexa.registry.provider(&id))))
}

async fn rename(
    State(alexa): State<Arc<Alexa>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answer = || {
        allowed(&alexa, &headers)?;
        let provider: ServiceProvider = read(&headers, &body, &PROVIDER)?;
        named(&provider)?;
        done(StatusCode::OK, alexa.registry.rename(&id, provider))
    };
    out(answer())
}

async fn remove(
    State(alexa): State<Arc<Alexa>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    out(allowed(&alexa, &headers)
        .and_then(|()| done(StatusCode::NO_CONTENT, alexa.registry.remove(&id))))
}

async fn network(
    State(alexa): State<Arc<Alexa>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    out(allowed(&alexa, &headers).and_then(|()| done(StatusCode::OK, alexa.registry.network(&id))))
}

fn put_network(alexa: &Alexa, id: &str, headers: &HeaderMap, body: &[u8], is_new: bool) -> Answer {
    allowed(alexa, headers)?;
    let network: Network = read(headers, body, &NETWORK)?;
    if network.network_type != "SKILL" || network.skill_configuration.skill_id != alexa.skill_id {
        return Err(Box::new(refusal(
            StatusCode::BAD_REQUEST,
            "InvalidInput",
            "expected networkType SKILL and the id of a skill of this organisation",
        )));
    }
    done(
        StatusCode::OK,
        alexa.registry.set_network(id, network, is_new),
    )
}

async fn add_network(
    State(alexa): State<Arc<Alexa>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    out(put_network(&alexa, &id, &headers, &body, true))
}

async fn change_network(
    State(alexa): State<Arc<Alexa>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    out(put_network(&alexa, &id, &headers, &body, false))
}

fn put_user(
    alexa: &Alexa,
    id: &str,
    named: Option<&str>,
    headers: &HeaderMap,
    body: &[u8],
) -> Answer {
    allowed(alexa, headers)?;
    let user: ExternalUser = read(headers, body, &USER)?;
    let is_profile = user.amazon_id_type == "communication-profile"
        && user
            .amazon_id
            .starts_with("amzn1.alexa.communications.profile.did.");
    if user.external_user_id.is_empty()
        || !is_profile
        || named.is_some_and(|named| named != user.external_user_id)
    {
        return Err(Box::new(refusal(
            StatusCode::BAD_REQUEST,
            "InvalidInput",
            "expected externalUserId as in the path, amazonId amzn1.alexa.communications.profile.did.…, amazonIdType communication-profile",
        )));
    }
    done(
        StatusCode::OK,
        alexa.registry.set_user(id, user, named.is_none()),
    )
}

async fn add_user(
    State(alexa): State<Arc<Alexa>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    out(put_user(&alexa, &id, None, &headers, &body))
}

async fn change_user(
    State(alexa): State<Arc<Alexa>>,
    Path((id, user)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    out(put_user(&alexa, &id, Some(&user), &headers, &body))
}

async fn remove_user(
    State(alexa): State<Arc<Alexa>>,
    Path((id, user)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    out(allowed(&alexa, &headers).and_then(|()| {
        done(
            StatusCode::NO_CONTENT,
            alexa.registry.remove_user(&id, &user),
        )
    }))
}

#[derive(serde::Deserialize)]
struct Query {
    filters: Filters,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Filters {
    external_user_ids: Vec<String>,
}

async fn users(
    State(alexa): State<Arc<Alexa>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answer = || {
        allowed(&alexa, &headers)?;
        let query: Query = read(&headers, &body, &["filters"])?;
        let found = alexa.registry.users(&id, &query.filters.external_user_ids);
        done(StatusCode::OK, found.map(|users| json!({"results": users})))
    };
    out(answer())
}

async fn contacts(
    State(alexa): State<Arc<Alexa>>,
    Path(book): Path<String>,
    headers: HeaderMap,
) -> Response {
    out(allowed(&alexa, &headers)
        .and_then(|()| done(StatusCode::OK, Ok(alexa.registry.contacts(&book)))))
}

#[derive(serde::Deserialize)]
struct ToAdd {
    contact: Contact,
}

async fn add_contact(
    State(alexa): State<Arc<Alexa>>,
    Path(book): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answer = || {
        allowed(&alexa, &headers)?;
        let ToAdd { contact } = read(&headers, &body, &["contact"])?;
        done(
            StatusCode::CREATED,
            alexa.registry.add_contact(&book, contact),
        )
    };
    out(answer())
}

#[derive(serde::Deserialize)]
struct NewProfile {
    entity: Entity,
    name: String,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Entity {
    #[serde(rename = "type")]
    kind: String,
    id: String,
}

/// `POST /v1/communications/profile`: the communication profile of a unit.
pub(super) async fn make_profile(
    State(alexa): State<Arc<Alexa>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answer = || {
        allowed(&alexa, &headers)?;
        let NewProfile { entity, name } = read(&headers, &body, &["entity", "name"])?;
        let made = if entity.kind != "UNIT" || name.is_empty() {
            return Err(Box::new(refusal(
                StatusCode::BAD_REQUEST,
                "InvalidInput",
                "expected entity.type UNIT, entity.id and a name",
            )));
        } else {
            let mut customers = lock(&alexa.customers);
            let unit = Some(&entity.id);
            let customer = customers
                .iter_mut()
                .find(|customer| customer.persistent_unit_id.as_ref() == unit);
            match customer {
                None => Err(RegistryError::NotFound),
                Some(customer) if customer.communication_profile.is_some() => {
                    Err(RegistryError::Exists)
                }
                Some(customer) => {
                    let id = uuid::Uuid::new_v4();
                    let profile = format!("amzn1.alexa.communications.profile.did.{id}");
                    customer.communication_profile = Some(profile.clone());
                    Ok(json!({"profileId": {"profileId": profile}}))
                }
            }
        };
        done(StatusCode::CREATED, made)
    };
    out(answer())
}
