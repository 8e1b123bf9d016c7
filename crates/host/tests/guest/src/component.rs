//! The component.

#[allow(missing_docs, clippy::all, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        path: ["../../../../wit"],
        inline: "
            package skillcall:host-guest;
            world guest {
                import wasi:http/outgoing-handler@0.2.4;
                import skillcall:host/state@0.1.0;
                import skillcall:host/settings@0.1.0;
                export wasi:http/incoming-handler@0.2.4;
            }
        ",
        world: "skillcall:host-guest/guest",
        generate_all,
    });
}

use bindings::exports::wasi::http::incoming_handler::Guest;
use bindings::skillcall::host::{settings, state};
use bindings::wasi::http::outgoing_handler;
use bindings::wasi::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingRequest, OutgoingResponse, ResponseOutparam,
    Scheme,
};

struct Component;

bindings::export!(Component with_types_in bindings);

impl Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let (path, argument) = target.split_once('?').unwrap_or((&target, ""));
        let (status, text) = match path {
            "/headers" => (200, headers(&request)),
            "/get" => (200, format!("{:?}", state::get(argument))),
            "/set" => (
                200,
                format!("{:?}", state::set(argument, b"value", Some(60))),
            ),
            "/set-large" => (
                200,
                format!("{:?}", state::set(argument, &vec![0; 65537], None)),
            ),
            "/delete" => (200, format!("{:?}", state::delete(argument))),
            "/claim" => (200, format!("{:?}", state::claim(argument, b"claim", 60))),
            "/setting" => (200, format!("{:?}", settings::get(argument))),
            "/bytes" => (200, format!("{:?}", settings::get_bytes(argument))),
            "/fetch" => (200, fetch(argument)),
            "/later" => {
                respond(out, 202, "later");
                // What the fetch answers is nobody's business any more.
                let _answer = fetch(argument);
                return;
            }
            "/spin" => loop {
                std::hint::spin_loop();
            },
            "/grow" => {
                let mut kept = Vec::new();
                loop {
                    kept.push(vec![1_u8; 1 << 20]);
                    std::hint::black_box(&kept);
                }
            }
            "/trap" => std::process::abort(),
            "/log" => {
                eprintln!("the guest says {argument}");
                (200, String::new())
            }
            "/silent" => return,
            _ => (404, "no such trick".to_owned()),
        };
        respond(out, status, &text);
    }
}

fn headers(request: &IncomingRequest) -> String {
    let line =
        |(name, value): (String, Vec<u8>)| format!("{name}: {}\n", String::from_utf8_lossy(&value));
    let lines: String = request.headers().entries().into_iter().map(line).collect();
    format!("authority {:?}\n{lines}", request.authority())
}

fn respond(out: ResponseOutparam, status: u16, text: &str) {
    let response = OutgoingResponse::new(Fields::new());
    response.set_status_code(status).expect("a status");
    let body = response.body().expect("the first body");
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().expect("the first stream");
    for chunk in text.as_bytes().chunks(4096) {
        stream
            .blocking_write_and_flush(chunk)
            .expect("the host reads");
    }
    drop(stream);
    OutgoingBody::finish(body, None).expect("all is written");
}

/// The status of a GET, or the error's name.
fn fetch(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some(("https", rest)) => (Scheme::Https, rest),
        Some((_, rest)) => (Scheme::Http, rest),
        None => return "no url".to_owned(),
    };
    let slash = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(slash);
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme(Some(&scheme)).expect("a scheme");
    request
        .set_authority(Some(authority))
        .expect("an authority");
    request.set_path_with_query(Some(path)).expect("a path");
    let future = match outgoing_handler::handle(request, None) {
        Ok(future) => future,
        Err(code) => return format!("{code:?}"),
    };
    future.subscribe().block();
    match future.get() {
        Some(Ok(Ok(response))) => response.status().to_string(),
        Some(Ok(Err(code))) => format!("{code:?}"),
        other => format!("{other:?}"),
    }
}
