//! The skill: what it is asked, what it may do, and what it meets with.

use std::time::Duration;

use skillcall_protocol::manifest::Manifest;
use skillcall_protocol::trace::Record;

use super::Simulator;
use crate::alexa::{Said, SayError, Told, lock};
use crate::authority::AuthorityError;
use crate::customer::Customer;
use crate::login::LoginFigures;
use crate::tokens::Grant;
use crate::trouble::{Trouble, TroubleError};

impl Simulator {
    /// Sets where the skill's requests go: for a component that was started later.
    pub fn set_skill_endpoint(&self, url: impl Into<String>) {
        *lock(&self.alexa.endpoint) = url.into();
    }

    /// Replaces the skill's manifest.
    pub fn set_manifest(&self, manifest: Manifest) {
        *lock(&self.alexa.manifest) = manifest;
    }

    /// The first device hears an utterance.
    pub async fn say(&self, utterance: &str) -> Result<Said, SayError> {
        self.alexa.say(utterance, None).await
    }

    /// A device hears an utterance.
    pub async fn say_to(&self, device_id: &str, utterance: &str) -> Result<Said, SayError> {
        self.alexa.say(utterance, Some(device_id)).await
    }

    /// Sends the skill a request that nobody spoke: an event, a message, a task that came back. `request` is the object with
    /// its `type` and what belongs to it; id, time and locale are added. `device` names the customer; none: the first.
    pub async fn ask(
        &self,
        request: serde_json::Value,
        device_id: Option<&str>,
    ) -> Result<Told, SayError> {
        self.alexa.ask(request, device_id).await
    }

    /// A customer grants the skill to act in their name: Alexa.Authorization.Grant with a code of Login with Amazon
    /// (facts G7).
    pub async fn accept_grant(&self, device_id: Option<&str>) -> Result<Told, SayError> {
        self.alexa.accept_grant(device_id).await
    }

    /// A customer takes their grants back: Login with Amazon knows their refresh tokens no more.
    pub fn take_grants_back(&self, user_id: &str) {
        self.alexa.login.take_back(user_id);
    }

    /// Replaces the skill's client secrets at Login with Amazon, as the console does when they are rotated.
    pub fn set_client_secrets(&self, secrets: Vec<String>) {
        self.alexa.login.set_secrets(secrets);
    }

    /// How long access tokens of Login with Amazon live that are given out from now on.
    pub fn set_token_life(&self, life: Duration) {
        self.alexa.login.set_token_life(life);
    }

    /// What was asked of Login with Amazon.
    pub fn login_figures(&self) -> LoginFigures {
        self.alexa.login.figures()
    }

    /// Changes a customer: grants, number, region. `None` is the first; false if there is no such device.
    pub fn change_customer(
        &self,
        device_id: Option<&str>,
        change: impl FnOnce(&mut Customer),
    ) -> bool {
        let mut customers = lock(&self.alexa.customers);
        let customer = match device_id {
            None => customers.first_mut(),
            Some(id) => customers
                .iter_mut()
                .find(|customer| customer.device_id == id),
        };
        customer.map(change).is_some()
    }

    /// Mints an `apiAccessToken` as if a request had carried it; `age` is how long ago.
    pub fn mint_token(&self, grant: Grant, age: Duration) -> Result<String, AuthorityError> {
        self.alexa.mint.mint(grant, age)
    }

    /// The grant of a token for the first customer, as a request would carry it.
    pub fn grant(&self) -> Grant {
        let customer = self.alexa.customer(None).unwrap_or_default();
        Grant {
            request_id: crate::skill::new_id("amzn1.echo-api.request"),
            skill_id: self.alexa.skill_id.clone(),
            device_id: customer.device_id,
            user_id: customer.user_id,
            audience: self.alexa.api_endpoint.clone(),
            scopes: customer.granted.into_iter().collect(),
        }
    }

    /// Orders trouble, behind what is ordered already.
    pub fn trouble(&self, order: Trouble) -> Result<(), TroubleError> {
        self.alexa.orders.add(order)
    }

    /// Takes all trouble back.
    pub fn no_more_trouble(&self) {
        // An empty list breaks no rule.
        let _ = self.alexa.orders.replace(Vec::new());
    }

    /// How many requests changed what is provisioned (facts G8).
    pub fn provisioned_changes(&self) -> u64 {
        self.alexa.registry.changes()
    }

    /// The trace records that belong together with this id.
    pub fn trace(&self, id: &str) -> Vec<Record> {
        self.alexa.trace.find(id)
    }
}
