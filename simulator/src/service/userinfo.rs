//! What the provider of linked accounts says of a customer (facts C2): Login with Amazon's profile, which has no phone
//! number, and a developer's own provider (OpenID Connect Core §5.3), which has.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::{About, text_of, trouble};
use crate::alexa::{Alexa, lock};
use crate::customer::Customer;
use crate::login::bearer;
use crate::trouble::Place;

/// `GET /user/profile`: Login with Amazon.
pub(super) async fn amazon(State(alexa): State<Arc<Alexa>>, headers: HeaderMap) -> Response {
    answer(&alexa, &headers, |customer, _| {
        json!({"user_id": customer.user_id, "name": customer.name, "email": customer.email})
    })
    .await
}

/// `GET /userinfo`: a developer's own provider.
pub(super) async fn own(State(alexa): State<Arc<Alexa>>, headers: HeaderMap) -> Response {
    answer(&alexa, &headers, |customer, speaker| {
        let number = if speaker {
            customer.person_linked_number.clone()
        } else {
            customer.linked_numbers.first().cloned()
        };
        let mut answer = json!({"sub": customer.user_id, "name": customer.name});
        if let Some(number) = number {
            answer["phone_number"] = number.into();
        }
        answer
    })
    .await
}

/// `say`: the answer about a customer; the second argument tells whether the token is the recognised speaker's.
async fn answer(
    alexa: &Alexa,
    headers: &HeaderMap,
    say: impl Fn(&Customer, bool) -> Value,
) -> Response {
    if let Some(fault) = alexa.orders.take(Place::Userinfo)
        && let Some(response) = trouble::in_place_of_answer(&fault, &alexa.stopping).await
    {
        return response;
    }
    let Some(token) = bearer(text_of(headers, header::AUTHORIZATION)) else {
        return refused("Bearer");
    };
    let found = lock(&alexa.customers).iter().find_map(|customer| {
        let is = |own: &Option<String>| own.as_deref() == Some(token);
        if is(&customer.access_token) {
            Some(say(customer, false))
        } else if is(&customer.person_access_token) {
            Some(say(customer, true))
        } else {
            None
        }
    });
    match found {
        Some(answer) => Json(answer).into_response(),
        None => refused("Bearer error=\"invalid_token\""),
    }
}

/// RFC 6750 §3.1.
fn refused(challenge: &'static str) -> Response {
    let mut response = (
        StatusCode::UNAUTHORIZED,
        [(header::WWW_AUTHENTICATE, challenge)],
    )
        .into_response();
    response.extensions_mut().insert(About {
        problems: vec!["userinfo: no token of a linked account".to_owned()],
        ..About::default()
    });
    response
}
