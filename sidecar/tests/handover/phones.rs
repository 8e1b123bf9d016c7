//! Phones that have registered with the older process.

use serde_json::json;

use crate::ONE;
use crate::installation::{Running, handler, installation};
use crate::support::pjsua::Pjsua;
use crate::support::{Behaviour, NUMBER, Phone, write_secret};

const PASSWORD: &str = "sesame";
/// A phone, and all numbers lead to it.
const SETTINGS: &str = "[phones]\nmin-expires = 1\n[[phone]]\nuser = \"102\"\n\
    password-file = \"secrets/phone.password\"\nnetworks = [\"127.0.0.0/8\"]\n\
    [[route]]\nprefix = \"+\"\nphone = \"102\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_registered_before_it_is_called_and_registers_after_it() {
    let one = ONE.lock().await;
    let handler = handler().await;
    let (folder, file) = installation(&handler, None, SETTINGS);
    write_secret(&folder.path().join("secrets/phone.password"), PASSWORD);
    tokio::task::block_in_place(|| {
        let first = Running::start(&file);
        let sip = first.sip;
        let phone = Pjsua::start(&json!({
            "id": format!("sip:102@{sip}"), "registrar": format!("sip:{sip}"), "user": "102",
            "password": PASSWORD, "answers": 200, "tone": 600, "register-seconds": 8,
        }));
        let registers = |mark: usize| {
            phone.wait_after(mark, "registration", |event| {
                event["event"] == "registration" && event["code"] == 200
            });
        };
        registers(0);
        let next = first.hands_over(&file);
        let caller = Phone::start(400.0, Behaviour::Answer);
        caller.call(next.sip, NUMBER, &[("X-To", "desk")]);
        phone.is("1", "CONFIRMED");
        caller.hears(600.0);
        // It registers anew with the newer one, before and after the older one has ended.
        registers(phone.mark());
        drop(one);
        first.ends_by_itself();
        registers(phone.mark());
        caller.hang_up();
        phone.is("1", "DISCONNECTED");
        caller.forget();
        caller.call(next.sip, NUMBER, &[("X-To", "desk")]);
        phone.is("2", "CONFIRMED");
        caller.hang_up();
        phone.is("2", "DISCONNECTED");
    });
}
