//! What Spin does with a request before the component sees it.

use super::manifest::Route;
use crate::problem;
use crate::server::Gate;
use http::header::HOST;
use http::{HeaderName, HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use std::net::SocketAddr;
use std::sync::Arc;

/// The gate of a component with these routes.
pub(super) fn gate(routes: Vec<Route>) -> Gate {
    let public = |route| match route {
        Route::Public(route) => Some(route),
        Route::Private { .. } => None,
    };
    let routes: Vec<String> = routes.into_iter().filter_map(public).collect();
    Arc::new(move |mut request, peer| {
        let path = request.uri().path();
        let Some(route) = routes.iter().find(|route| matches(route, path)) else {
            return Err(Box::new(problem::plain(
                StatusCode::NOT_FOUND,
                "No route of spin.toml fits.",
            )));
        };
        let unreadable = |value: &HeaderValue| std::str::from_utf8(value.as_bytes()).is_err();
        if request.headers().values().any(unreadable) {
            let detail = "A header's value is not UTF-8.";
            return Err(Box::new(problem::plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                detail,
            )));
        }
        add_headers(&mut request, route, peer);
        Ok(request)
    })
}

fn matches(route: &str, path: &str) -> bool {
    let Some(above) = route.strip_suffix("/...") else {
        return route.trim_end_matches('/') == path.trim_end_matches('/');
    };
    let below = path.strip_prefix(above);
    below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
}

/// Adds the `spin-…` headers behind those that the client sent under the same names.
fn add_headers(request: &mut Request<Incoming>, route: &str, peer: SocketAddr) {
    let above = route.strip_suffix("/...").unwrap_or(route);
    let path = request.uri().path();
    let info = path.strip_prefix(above).unwrap_or_default().to_owned();
    let host = request
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok());
    let full = format!("http://{}{}", host.unwrap_or_default(), request.uri());
    let headers = [
        ("spin-full-url", full),
        ("spin-path-info", info),
        ("spin-matched-route", route.to_owned()),
        ("spin-raw-component-route", route.to_owned()),
        ("spin-component-route", above.to_owned()),
        ("spin-base-path", "/".to_owned()),
        ("spin-client-addr", peer.to_string()),
    ];
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            request
                .headers_mut()
                .append(HeaderName::from_static(name), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn routes_fit_as_spins_do() {
        assert!(matches("/...", "/alexa") && matches("/...", "/"));
        assert!(matches("/a/...", "/a") && matches("/a/...", "/a/b"));
        assert!(!matches("/a/...", "/ab") && !matches("/a", "/a/b"));
        assert!(matches("/a", "/a") && matches("/a", "/a/"));
    }
}
