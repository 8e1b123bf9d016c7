//! Trunks that know the older process by its registration with them.

use crate::api::Api;
use crate::installation::{Running, handler, installation};
use crate::support::asterisk::free_port;
use crate::support::kamailio::{Kamailio, PASSWORD, Proxy, routes, trunk};
use crate::support::{Behaviour, Phone, write_secret};
use crate::{ONE, PROMPT};

/// A proxy whose registrar takes one registration, and has no answer to any that comes later.
fn once(routes: &str) -> String {
    let registers = "route[REGISTER] {";
    let counts = format!(
        "{registers}\n    $shv(registers) = $shv(registers) + 1;\n    if ($shv(registers) > 2) {{\n        \
         xlog(\"L_NOTICE\", \"another REGISTER\\n\");\n        exit;\n    }}"
    );
    assert!(routes.contains(registers));
    routes.replace(registers, &counts)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_that_knows_us_by_registration_calls_before_it_is_registered_with_anew() {
    for transport in ["udp", "tcp"] {
        let one = ONE.lock().await;
        let handler = handler().await;
        let desk = Phone::start(600.0, Behaviour::Answer);
        let proxy = Kamailio::start(
            free_port(),
            &Proxy {
                routes: &once(&routes(desk.address)),
                algorithm: "SHA-256",
                max_expires: 3600,
                tls: None,
            },
        );
        let (folder, file) = installation(&handler, None, "");
        let text = std::fs::read_to_string(&file).unwrap();
        let target = format!(
            "{{ address = \"{}\", transport = \"{transport}\" }}",
            proxy.sip
        );
        let text = text.replacen("[limits]\n", &format!("{}[limits]\n", trunk(&target)), 1);
        std::fs::write(&file, text).unwrap();
        write_secret(&folder.path().join("secrets/proxy.password"), PASSWORD);
        let first = tokio::task::block_in_place(|| Running::start(&file));
        Api::new(first.control).is_registered().await;

        // A call of the older one's stays, and one more comes that the newer one gets and sends on.
        let earlier = Phone::start(400.0, Behaviour::Answer);
        let later = Phone::start(400.0, Behaviour::Answer);
        let next = tokio::task::block_in_place(|| {
            earlier.call(proxy.sip, "account", &[]);
            earlier.hears(PROMPT);
            let next = first.hands_over(&file);
            proxy.logs("another REGISTER");
            later.call(proxy.sip, "account", &[("X-To", "desk")]);
            later.hears(600.0);
            next
        });
        let newer = Api::new(next.control);
        assert_eq!(newer.calls().await.len(), 1, "it has the later one");
        // Once without credentials, once with them.
        let routed = proxy.log().matches("by service route").count();
        assert_eq!(routed, 2, "{}", proxy.log());
        drop(one);
        tokio::task::block_in_place(|| {
            for caller in [&earlier, &later] {
                caller.hang_up();
                caller.wait("the end", |state| state.ended);
            }
            first.ends_by_itself();
            drop(next);
        });
    }
}
