//! What fails: of the calls to each service one in twenty, in every way that the facts have for it (C, D, H, A5).

use serde_json::{Value, json};

/// One call in so many of a service fails.
const ONE_IN: u32 = 20;

/// The orders for the simulator.
pub(crate) fn five_percent() -> Vec<Value> {
    let statuses = |statuses: &[u16]| -> Vec<Value> {
        let answer = |status| json!({"fault": "answer", "status": status});
        statuses.iter().map(answer).collect()
    };
    let network = || {
        ["nonsense", "close", "silence"]
            .map(|fault| json!({"fault": fault}))
            .to_vec()
    };
    let slow = || vec![json!({"fault": "delay", "milliseconds": 2500})];
    let started = vec![
        json!({"fault": "started-then-answer", "status": 500}),
        json!({"fault": "started-then-answer", "status": 429}),
        json!({"fault": "started-then-silence"}),
        json!({"fault": "started-then-close"}),
    ];
    let places = [
        // Facts C1.
        (
            "profile",
            [statuses(&[204, 401, 403, 429, 500]), network(), slow()].concat(),
        ),
        // Facts C2.
        (
            "userinfo",
            [statuses(&[204, 401, 403, 429, 500]), network(), slow()].concat(),
        ),
        // Facts D2.
        (
            "start-session",
            [
                statuses(&[400, 401, 403, 404, 429, 500]),
                network(),
                slow(),
                started,
            ]
            .concat(),
        ),
        // Facts H.
        (
            "login",
            [statuses(&[400, 401, 500]), network(), slow()].concat(),
        ),
        (
            "messaging",
            [statuses(&[400, 403, 429, 500]), network(), slow()].concat(),
        ),
        // Facts A5.
        (
            "directives",
            [statuses(&[400, 401, 403]), network()].concat(),
        ),
    ];
    let mut orders = Vec::new();
    for (place, faults) in places {
        let many = ONE_IN * u32::try_from(faults.len()).unwrap_or(u32::MAX);
        for mut order in faults {
            order["at"] = place.into();
            order["times"] = json!({"one-in": many});
            orders.push(order);
        }
    }
    orders
}
