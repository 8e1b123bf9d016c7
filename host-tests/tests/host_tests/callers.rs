//! Where the caller's number comes from, asked of the simulated services (facts C1, C2, D1, D5).

use serde_json::{Value, json};
use skillcall_host_tests::handler::action;
use skillcall_host_tests::{Handler, Stage, Staging, plans};
use skillcall_plan::TextKey;
use skillcall_simulator::customer::{Customer, MobileNumber};
use skillcall_simulator::trouble::{Fault, Place, Trouble};
use skillcall_simulator::{Outcome, Said};

/// A plan whose callers are found in this order; the userinfo endpoint is set once the simulator runs.
fn plan(order: &str, userinfo: &str) -> String {
    format!(
        "{}\n[caller]\norder = {order}\n[caller.account-link]\nuserinfo = \"{userinfo}\"\nnumber = \"/phone_number\"\n\
         [[caller.fixed]]\ndevice = \"amzn1.ask.device.ROOM12\"\nnumber = \"+12045550112\"\n",
        plans::straight().replace("caller = [\"profile\"]\n", "")
    )
}

struct Hotel {
    stage: Stage,
    _busy: Handler,
}

impl Hotel {
    /// With this order of sources; each call is refused as busy, as these tests are about what comes before.
    async fn open(order: &str, customer: Customer) -> Self {
        let busy =
            Handler::playing(vec![action("Hangup", json!({"SipResponseCode": "486"}))]).await;
        let stage = Staging::new(plan(order, "http://127.0.0.1:1/"))
            .with_login()
            .customers(vec![customer])
            .handled_by(busy.url())
            .start()
            .await;
        let userinfo = format!("{}/userinfo", stage.simulator.api_endpoint());
        stage.settings.set_plan(&plan(order, &userinfo));
        Self { stage, _busy: busy }
    }

    async fn say(&self) -> Said {
        let said = self.stage.simulator.say("call the front desk").await;
        let said = said.expect("said");
        assert_eq!(said.outcome, Outcome::Answered, "{said:?}");
        said
    }

    /// Who calls, when a call is placed.
    async fn caller(&self) -> String {
        let said = self.say().await;
        let call = said
            .call
            .unwrap_or_else(|| panic!("no call: {:?}", said.spoken));
        self.stage.over(&call.id).await;
        call.from
    }

    /// What is said, and the card, when none is.
    async fn told(&self, key: TextKey) -> Value {
        let said = self.say().await;
        let words = said.spoken.last().map(String::as_str);
        assert_eq!(words, key.built_in("en-US"), "{key:?}");
        assert!(said.call.is_none());
        said.reply.and_then(|reply| reply.card).unwrap_or_default()
    }

    fn trouble(&self, place: Place, status: u16) {
        let fault = Fault::Answer {
            status,
            code: None,
            message: None,
        };
        self.stage.simulator.no_more_trouble();
        let order = Trouble::always(place, fault);
        self.stage.simulator.trouble(order).expect("ordered");
    }

    fn change(&self, change: impl FnOnce(&mut Customer)) {
        assert!(self.stage.simulator.change_customer(None, change));
    }
}

fn guest() -> Customer {
    let mut customer = Customer::default();
    customer.linked_numbers.insert("+12045550188".to_owned());
    customer.person_linked_number = Some("+12045550177".to_owned());
    customer.person_mobile_number = Some(MobileNumber {
        country_code: "+1".to_owned(),
        phone_number: "(204) 555-0166".to_owned(),
    });
    customer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_linked_account_tells_the_number_and_its_failures_lead_to_their_cards() {
    let hotel = Hotel::open("[\"account-link\"]", guest()).await;
    let link = json!({"type": "LinkAccount"});
    assert_eq!(hotel.told(TextKey::LinkAccount).await, link, "not linked");
    hotel.change(|customer| customer.access_token = Some("linked".to_owned()));
    assert_eq!(hotel.caller().await, "+12045550188");
    hotel.change(|customer| {
        customer.person_id = Some("amzn1.ask.person.P".to_owned());
        customer.person_access_token = Some("persons".to_owned());
    });
    assert_eq!(
        hotel.caller().await,
        "+12045550177",
        "the speaker's comes first"
    );
    for (status, key, card) in [
        (401, TextKey::LinkAccount, link.clone()),
        (403, TextKey::LinkAccount, link),
        (204, TextKey::NumberMissing, Value::Null),
        (429, TextKey::Busy, Value::Null),
        (500, TextKey::NumberUnavailable, Value::Null),
    ] {
        hotel.trouble(Place::Userinfo, status);
        assert_eq!(hotel.told(key).await, card, "{status}");
    }
    hotel.stage.simulator.no_more_trouble();
    hotel.change(|customer| customer.person_linked_number = Some("not a number".to_owned()));
    hotel.told(TextKey::NumberMalformed).await;
    hotel.stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recognised_speaker_calls_with_their_own_number() {
    let hotel = Hotel::open("[\"person\"]", guest()).await;
    hotel.told(TextKey::NotRecognised).await;
    hotel.change(|customer| customer.person_id = Some("amzn1.ask.person.P".to_owned()));
    let card = hotel.told(TextKey::NumberPermission).await;
    assert_eq!(
        card["permissions"],
        json!(["alexa::profile:mobile_number:read", "alexa::person_id:read"])
    );
    hotel.change(|customer| {
        customer.granted.insert("alexa::person_id:read".to_owned());
    });
    assert_eq!(hotel.caller().await, "+12045550166");
    hotel.stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_of_the_plan_calls_with_its_number_and_another_as_its_customer() {
    let mut room = guest();
    room.device_id = "amzn1.ask.device.ROOM12".to_owned();
    room.linked_numbers.insert("+12045550112".to_owned());
    let hotel = Hotel::open("[\"fixed\", \"profile\"]", room).await;
    assert_eq!(hotel.caller().await, "+12045550112");
    hotel.stage.end().await;
    let hotel = Hotel::open("[\"fixed\", \"profile\"]", guest()).await;
    assert_eq!(hotel.caller().await, "+12045550100");
    hotel.stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_units_communication_profile_is_asked_from_alexa() {
    let mut room = guest();
    room.unit_id = Some("amzn1.ask.unit.U".to_owned());
    room.persistent_unit_id = Some("amzn1.alexa.unit.did.7".to_owned());
    let hotel = Hotel::open("[\"unit\"]", room).await;
    hotel.told(TextKey::NumberUnknownHere).await;
    let profile = "amzn1.alexa.communications.profile.did.7";
    hotel.change(|customer| customer.communication_profile = Some(profile.to_owned()));
    assert_eq!(hotel.caller().await, profile);
    assert_eq!(hotel.caller().await, profile);
    assert_eq!(hotel.stage.simulator.login_figures().clients, 1);
    for (place, status, key) in [
        (Place::CommunicationProfile, 401, TextKey::NumberUnavailable),
        (Place::CommunicationProfile, 404, TextKey::NumberUnknownHere),
        (Place::CommunicationProfile, 429, TextKey::Busy),
        (Place::CommunicationProfile, 500, TextKey::NumberUnavailable),
    ] {
        hotel.trouble(place, status);
        hotel.told(key).await;
    }
    hotel.stage.end().await;
}
