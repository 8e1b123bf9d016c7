//! Makes what is there be what shall be there. Nothing is ever removed.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context as _, bail};
use reqwest::Method;
use serde::Serialize;
use serde_json::{Value, json};
use skillcall_protocol::communication::profile_path;
use skillcall_protocol::provisioning::{
    Contact, ExternalUser, LocalName, Network, PROFILE_PATH, PROVIDERS_PATH, ProviderContact,
    ServiceProvider, contacts_path, listed, network_path, user_path, users_path, users_query_path,
};

use super::file::{User, Wanted};
use super::service::Service;

/// What became of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Done {
    Unchanged,
    Created,
    Changed,
    WouldCreate,
    WouldChange,
}

/// One thing.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    what: String,
    done: Done,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = match self.done {
            Done::Unchanged => "is there",
            Done::Created => "created",
            Done::Changed => "changed",
            Done::WouldCreate => "would create",
            Done::WouldChange => "would change",
        };
        write!(f, "{done:<13} {}", self.what)
    }
}

/// Works through the file.
struct Applying<'a> {
    service: &'a Service,
    wanted: &'a Wanted,
    dry_run: bool,
    steps: Vec<Step>,
}

pub(super) async fn apply(
    service: &Service,
    wanted: &Wanted,
    dry_run: bool,
) -> anyhow::Result<Vec<Step>> {
    let mut applying = Applying {
        service,
        wanted,
        dry_run,
        steps: Vec::new(),
    };
    // Without an id (a dry run before the first one) nothing of the provider's is there.
    let provider = applying.provider().await?;
    applying.network(provider.as_deref()).await?;
    applying.users(provider.as_deref()).await?;
    applying.contacts().await?;
    Ok(applying.steps)
}

/// What is there of what the file names.
pub(super) async fn list(service: &Service, wanted: &Wanted) -> anyhow::Result<Value> {
    let providers: Vec<ServiceProvider> = listed(&found(service, PROVIDERS_PATH).await?);
    let mut network = Value::Null;
    let mut users: Vec<ExternalUser> = Vec::new();
    let own = providers
        .iter()
        .find(|provider| provider.service_provider_logical_id == wanted.provider.id);
    if let Some(id) = own.and_then(|provider| provider.service_provider_id.as_deref()) {
        network = found(service, &network_path(id)).await?;
        users = known_users(service, id, wanted).await?;
    }
    let mut contacts = BTreeMap::new();
    for contact in &wanted.contacts {
        let book = &contact.address_book;
        if !contacts.contains_key(book) {
            let list: Vec<Contact> = listed(&found(service, &contacts_path(book)).await?);
            contacts.insert(book.clone(), list);
        }
    }
    Ok(
        json!({"serviceProviders": providers, "network": network, "externalUsers": users, "addressBooks": contacts}),
    )
}

async fn found(service: &Service, path: &str) -> anyhow::Result<Value> {
    Ok(service.get(path).await?.unwrap_or_default())
}

async fn known_users(
    service: &Service,
    provider: &str,
    wanted: &Wanted,
) -> anyhow::Result<Vec<ExternalUser>> {
    let ids: Vec<&str> = wanted.users.iter().map(|user| user.id.as_str()).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let query = json!({"filters": {"externalUserIds": ids}});
    let answer = service
        .done(Method::POST, &users_query_path(provider), &query)
        .await?;
    Ok(listed(&answer))
}

impl Applying<'_> {
    /// Makes a change, unless this is a dry run.
    async fn change(
        &mut self,
        what: String,
        method: Method,
        path: &str,
        body: Value,
    ) -> anyhow::Result<Value> {
        let is_new = method == Method::POST;
        let (done, answer) = if self.dry_run {
            let done = if is_new {
                Done::WouldCreate
            } else {
                Done::WouldChange
            };
            (done, Value::Null)
        } else {
            let answer = self
                .service
                .done(method, path, &body)
                .await
                .with_context(|| what.clone())?;
            let done = if is_new { Done::Created } else { Done::Changed };
            (done, answer)
        };
        self.steps.push(Step { what, done });
        Ok(answer)
    }

    fn unchanged(&mut self, what: String) {
        self.steps.push(Step {
            what,
            done: Done::Unchanged,
        });
    }

    async fn provider(&mut self) -> anyhow::Result<Option<String>> {
        let wanted = &self.wanted.provider;
        let what = format!("service provider {}", wanted.id);
        let body = ServiceProvider {
            service_provider_id: None,
            service_provider_logical_id: wanted.id.clone(),
            display_name: wanted
                .name
                .iter()
                .map(|(locale, value)| LocalName {
                    locale: locale.clone(),
                    value: value.clone(),
                })
                .collect(),
        };
        let Some(known) = self.known_provider().await? else {
            let answer = self
                .change(what, Method::POST, PROVIDERS_PATH, json!(body))
                .await?;
            if self.dry_run {
                return Ok(None);
            }
            let id = ["serviceProviderId", "id"]
                .iter()
                .find_map(|name| answer[*name].as_str().map(str::to_owned));
            let id = match id {
                Some(id) => Some(id),
                None => self
                    .known_provider()
                    .await?
                    .and_then(|known| known.service_provider_id),
            };
            return id
                .map(Some)
                .context("the service made a service provider, but tells no id of it");
        };
        let Some(id) = known.service_provider_id else {
            bail!("the service lists {what} without an id");
        };
        let mut names = known.display_name;
        names.sort();
        if names == body.display_name {
            self.unchanged(what);
        } else {
            let path = skillcall_protocol::provisioning::provider_path(&id);
            self.change(what, Method::PUT, &path, json!(body)).await?;
        }
        Ok(Some(id))
    }

    async fn known_provider(&self) -> anyhow::Result<Option<ServiceProvider>> {
        let all: Vec<ServiceProvider> = listed(&found(self.service, PROVIDERS_PATH).await?);
        let id = &self.wanted.provider.id;
        Ok(all
            .into_iter()
            .find(|known| known.service_provider_logical_id == *id))
    }

    async fn network(&mut self, provider: Option<&str>) -> anyhow::Result<()> {
        let network = Network::of_skill(&self.wanted.provider.skill);
        let what = format!("network of {}", self.wanted.provider.skill);
        let path = network_path(provider.unwrap_or("new"));
        let known = match provider {
            Some(_) => self.service.get(&path).await?,
            None => None,
        };
        let Some(known) = known else {
            self.change(what, Method::POST, &path, json!(network))
                .await?;
            return Ok(());
        };
        if serde_json::from_value::<Network>(known).is_ok_and(|known| known == network) {
            self.unchanged(what);
        } else {
            self.change(what, Method::PUT, &path, json!(network))
                .await?;
        }
        Ok(())
    }

    async fn users(&mut self, provider: Option<&str>) -> anyhow::Result<()> {
        let known = match provider {
            Some(id) => known_users(self.service, id, self.wanted).await?,
            None => Vec::new(),
        };
        let provider = provider.unwrap_or("new");
        let wanted = self.wanted;
        for user in &wanted.users {
            let profile = self.profile(user).await?;
            let body = ExternalUser::of_profile(&user.id, &profile);
            let what = format!("external user {}", user.id);
            match known.iter().find(|known| known.external_user_id == user.id) {
                Some(known) if *known == body => self.unchanged(what),
                Some(_) => {
                    let path = user_path(provider, &user.id);
                    self.change(what, Method::PUT, &path, json!(body)).await?;
                }
                None => {
                    let path = users_path(provider);
                    self.change(what, Method::POST, &path, json!(body)).await?;
                }
            }
        }
        Ok(())
    }

    /// The communication profile of a user; a unit's is made if it has none.
    async fn profile(&mut self, user: &User) -> anyhow::Result<String> {
        let Some(unit) = &user.unit else {
            return Ok(user.profile.clone().unwrap_or_default());
        };
        let what = format!("communication profile of {unit}");
        let of = |answer: &Value| {
            let id = answer["profileId"]["profileId"].as_str();
            id.map(str::to_owned)
        };
        if let Some(id) = of(&found(self.service, &profile_path(unit)).await?) {
            self.unchanged(what);
            return Ok(id);
        }
        let name = user.name.as_ref().unwrap_or(&user.id);
        let body = json!({"entity": {"type": "UNIT", "id": unit}, "name": name});
        let answer = self.change(what, Method::POST, PROFILE_PATH, body).await?;
        if self.dry_run {
            return Ok("new".to_owned());
        }
        match of(&answer) {
            Some(id) => Ok(id),
            None => of(&found(self.service, &profile_path(unit)).await?)
                .with_context(|| format!("the service made a profile of {unit}, but tells no id")),
        }
    }

    async fn contacts(&mut self) -> anyhow::Result<()> {
        let wanted = self.wanted;
        for contact in &wanted.contacts {
            let path = contacts_path(&contact.address_book);
            let known: Vec<Contact> = listed(&found(self.service, &path).await?);
            let body = Contact {
                name: contact.name.clone(),
                provider_contact: ProviderContact {
                    id: contact.user.clone(),
                },
            };
            let what = format!("contact {} in {}", contact.name, contact.address_book);
            if known.contains(&body) {
                self.unchanged(what);
            } else {
                let body = json!({"contact": body});
                self.change(what, Method::POST, &path, body).await?;
            }
        }
        Ok(())
    }
}
