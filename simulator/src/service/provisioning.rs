//! The provisioning services (facts G8). Statuses and the shape of lists are our choice, as none are published.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Serialize;
use serde_json::json;
use skillcall_protocol::provisioning::{Contact, ExternalUser, Network, ServiceProvider};

use super::provisioner::{Members, Provisioner, Refused, Strict};
use crate::alexa::{Alexa, lock};
use crate::provisioning::RegistryError;

type Answer = Result<Response, Refused>;
type AlexaState = State<Arc<Alexa>>;

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

impl Members for ServiceProvider {
    const MEMBERS: &'static [&'static str] = &["serviceProviderLogicalId", "displayName"];
}

impl Members for Network {
    const MEMBERS: &'static [&'static str] = &["networkType", "skillConfiguration"];
}

impl Members for ExternalUser {
    const MEMBERS: &'static [&'static str] = &["externalUserId", "amazonId", "amazonIdType"];
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
            Err(Refused::new(status, code, error.to_string()))
        }
    }
}

fn named(provider: &ServiceProvider) -> Result<(), Refused> {
    let has_names = !provider.display_name.is_empty()
        && provider
            .display_name
            .iter()
            .all(|name| !name.locale.is_empty() && !name.value.is_empty());
    if provider.service_provider_logical_id.is_empty() || !has_names {
        return Err(Refused::invalid(
            "serviceProviderLogicalId and displayName[].locale and .value must not be empty",
        ));
    }
    Ok(())
}

async fn providers(_: Provisioner, State(alexa): AlexaState) -> Answer {
    let all = json!({"results": alexa.registry.providers()});
    done(StatusCode::OK, Ok(all))
}

async fn add_provider(
    _: Provisioner,
    State(alexa): AlexaState,
    Strict(provider): Strict<ServiceProvider>,
) -> Answer {
    named(&provider)?;
    done(StatusCode::CREATED, alexa.registry.add(provider))
}

async fn provider(_: Provisioner, State(alexa): AlexaState, Path(id): Path<String>) -> Answer {
    done(StatusCode::OK, alexa.registry.provider(&id))
}

async fn rename(
    _: Provisioner,
    State(alexa): AlexaState,
    Path(id): Path<String>,
    Strict(provider): Strict<ServiceProvider>,
) -> Answer {
    named(&provider)?;
    done(StatusCode::OK, alexa.registry.rename(&id, provider))
}

async fn remove(_: Provisioner, State(alexa): AlexaState, Path(id): Path<String>) -> Answer {
    done(StatusCode::NO_CONTENT, alexa.registry.remove(&id))
}

async fn network(_: Provisioner, State(alexa): AlexaState, Path(id): Path<String>) -> Answer {
    done(StatusCode::OK, alexa.registry.network(&id))
}

fn put_network(alexa: &Alexa, id: &str, network: Network, is_new: bool) -> Answer {
    if network.network_type != "SKILL" || network.skill_configuration.skill_id != alexa.skill_id {
        return Err(Refused::invalid(
            "expected networkType SKILL and the id of a skill of this organisation",
        ));
    }
    let put = alexa.registry.set_network(id, network, is_new);
    done(StatusCode::OK, put)
}

async fn add_network(
    _: Provisioner,
    State(alexa): AlexaState,
    Path(id): Path<String>,
    Strict(network): Strict<Network>,
) -> Answer {
    put_network(&alexa, &id, network, true)
}

async fn change_network(
    _: Provisioner,
    State(alexa): AlexaState,
    Path(id): Path<String>,
    Strict(network): Strict<Network>,
) -> Answer {
    put_network(&alexa, &id, network, false)
}

fn put_user(alexa: &Alexa, id: &str, named: Option<&str>, user: ExternalUser) -> Answer {
    let is_profile = user.amazon_id_type == "communication-profile"
        && user
            .amazon_id
            .starts_with("amzn1.alexa.communications.profile.did.");
    if user.external_user_id.is_empty()
        || !is_profile
        || named.is_some_and(|named| named != user.external_user_id)
    {
        return Err(Refused::invalid(
            "expected externalUserId as in the path, amazonId amzn1.alexa.communications.profile.did.…, amazonIdType communication-profile",
        ));
    }
    let put = alexa.registry.set_user(id, user, named.is_none());
    done(StatusCode::OK, put)
}

async fn add_user(
    _: Provisioner,
    State(alexa): AlexaState,
    Path(id): Path<String>,
    Strict(user): Strict<ExternalUser>,
) -> Answer {
    put_user(&alexa, &id, None, user)
}

async fn change_user(
    _: Provisioner,
    State(alexa): AlexaState,
    Path((id, named)): Path<(String, String)>,
    Strict(user): Strict<ExternalUser>,
) -> Answer {
    put_user(&alexa, &id, Some(&named), user)
}

async fn remove_user(
    _: Provisioner,
    State(alexa): AlexaState,
    Path((id, user)): Path<(String, String)>,
) -> Answer {
    let removed = alexa.registry.remove_user(&id, &user);
    done(StatusCode::NO_CONTENT, removed)
}

#[derive(serde::Deserialize)]
struct Query {
    filters: Filters,
}

impl Members for Query {
    const MEMBERS: &'static [&'static str] = &["filters"];
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Filters {
    external_user_ids: Vec<String>,
}

async fn users(
    _: Provisioner,
    State(alexa): AlexaState,
    Path(id): Path<String>,
    Strict(query): Strict<Query>,
) -> Answer {
    let found = alexa.registry.users(&id, &query.filters.external_user_ids);
    done(StatusCode::OK, found.map(|users| json!({"results": users})))
}

async fn contacts(_: Provisioner, State(alexa): AlexaState, Path(book): Path<String>) -> Answer {
    done(StatusCode::OK, Ok(alexa.registry.contacts(&book)))
}

#[derive(serde::Deserialize)]
struct ToAdd {
    contact: Contact,
}

impl Members for ToAdd {
    const MEMBERS: &'static [&'static str] = &["contact"];
}

async fn add_contact(
    _: Provisioner,
    State(alexa): AlexaState,
    Path(book): Path<String>,
    Strict(ToAdd { contact }): Strict<ToAdd>,
) -> Answer {
    let added = alexa.registry.add_contact(&book, contact);
    done(StatusCode::CREATED, added)
}

#[derive(serde::Deserialize)]
pub(super) struct NewProfile {
    entity: Entity,
    name: String,
}

impl Members for NewProfile {
    const MEMBERS: &'static [&'static str] = &["entity", "name"];
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
    _: Provisioner,
    State(alexa): AlexaState,
    Strict(NewProfile { entity, name }): Strict<NewProfile>,
) -> Answer {
    if entity.kind != "UNIT" || name.is_empty() {
        return Err(Refused::invalid(
            "expected entity.type UNIT, entity.id and a name",
        ));
    }
    let mut customers = lock(&alexa.customers);
    let unit = Some(&entity.id);
    let customer = customers
        .iter_mut()
        .find(|customer| customer.persistent_unit_id.as_ref() == unit);
    let made = match customer {
        None => Err(RegistryError::NotFound),
        Some(customer) if customer.communication_profile.is_some() => Err(RegistryError::Exists),
        Some(customer) => {
            let id = uuid::Uuid::new_v4();
            let profile = format!("amzn1.alexa.communications.profile.did.{id}");
            customer.communication_profile = Some(profile.clone());
            Ok(json!({"profileId": {"profileId": profile}}))
        }
    };
    done(StatusCode::CREATED, made)
}
