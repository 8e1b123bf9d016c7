//! `skillcall:skill/skill-requests`: Alexa's requests without `wasi:http`.

use super::Skill;
use super::bindings::exports::skillcall::skill::skill_requests::{Guest, Header, Reply};
use super::outside::Outside;
use crate::http::{self, MAX_BODY, Problem, Request, Served};

impl Guest for Skill {
    fn handle(headers: Vec<Header>, body: Vec<u8>) -> Reply {
        let headers = headers
            .into_iter()
            .map(|header| (header.name, header.value))
            .collect();
        finish(&body, |host| {
            let request = Request {
                method: "POST".to_owned(),
                target: "/alexa".to_owned(),
                headers,
                body: body.clone(),
            };
            http::serve(host, &request)
        })
    }

    fn handle_trusted(body: Vec<u8>) -> Reply {
        finish(&body, |host| http::serve_trusted(host, &body))
    }
}

fn finish(body: &[u8], serve: impl FnOnce(&Outside) -> Served) -> Reply {
    let host = Outside;
    let served = if body.len() > MAX_BODY {
        Served::of(Problem::too_long(MAX_BODY).into())
    } else {
        serve(&host)
    };
    let response = served.response;
    served.aftermath.run_before_reply(&host);
    Reply {
        status: response.status,
        content_type: response.content_type().to_owned(),
        body: response.body,
    }
}
