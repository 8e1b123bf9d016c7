//! The OpenAPI document, kept as YAML and served as JSON.

use std::sync::OnceLock;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;

const YAML: &str = include_str!("../../../docs/openapi/sidecar.yaml");

fn json() -> Result<&'static serde_json::Value, &'static str> {
    static DOCUMENT: OnceLock<Result<serde_json::Value, String>> = OnceLock::new();
    DOCUMENT
        .get_or_init(|| serde_yaml_ng::from_str(YAML).map_err(|error| error.to_string()))
        .as_ref()
        .map_err(String::as_str)
}

pub(super) async fn document() -> Response {
    match json() {
        Ok(document) => axum::Json(document).into_response(),
        Err(error) => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::ROUTES;
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_document_has_exactly_the_routes() {
        let paths = json().unwrap()["paths"].as_object().unwrap();
        let documented: BTreeSet<(&str, &str)> = paths
            .iter()
            .flat_map(|(path, item)| {
                item.as_object()
                    .unwrap()
                    .keys()
                    .filter(|key| *key != "parameters")
                    .map(move |method| (method.as_str(), path.as_str()))
            })
            .collect();
        assert_eq!(documented, ROUTES.iter().copied().collect());
    }
}
