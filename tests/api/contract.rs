//! The OpenAPI document against the running server: every route answers as documented, and nothing answers that is not documented.

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::house::House;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

async fn document(house: &House) -> Value {
    let text = Client::new().get(format!("{}/v1/openapi.json", house.base)).send().await.unwrap().text().await.unwrap();
    serde_json::from_str(&text).unwrap()
}

fn routes(document: &Value) -> Vec<(String, Method, Value)> {
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in METHODS {
            if let Some(operation) = item.get(method) {
                routes.push((path.clone(), method.to_uppercase().parse().unwrap(), operation.clone()));
            }
        }
    }
    routes
}

/// Every `{parameter}` of a path filled with something that is not there.
fn filled(path: &str) -> String {
    let mut out = String::new();
    for piece in path.split_inclusive('}') {
        let (before, parameter) = piece.split_once('{').map_or((piece, false), |(before, _)| (before, true));
        out.push_str(before);
        out.push_str(if parameter { "nothing_here" } else { "" });
    }
    out
}

/// The schema's required keys are there, down through references, lists and compositions.
fn check(document: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(name) = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/components/schemas/")) {
        let target = &document["components"]["schemas"][name];
        assert!(target.is_object(), "{at}: the document has no schema {name}");
        return check(document, target, value, at);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        check(document, part, value, at);
    }
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        assert!(value.get(key).is_some(), "{at}: '{key}' is documented as required, but missing in {value}");
    }
    for (key, part) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(inner) = value.get(key).filter(|inner| !inner.is_null()) {
            check(document, part, inner, &format!("{at}/{key}"));
        }
    }
    for inner in value.as_array().into_iter().flatten() {
        check(document, &schema["items"], inner, at);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_route_answers_as_documented() {
    let house = House::open().await;
    let document = document(&house).await;
    let client = Client::new();
    let all = routes(&document);
    assert!(all.len() > 60, "{} routes are documented", all.len());
    for (path, method, operation) in all {
        if path.ends_with("/sse") {
            continue; // it never ends; its own test reads it
        }
        let mut request = client.request(method.clone(), format!("{}{}", house.base, filled(&path))).bearer_auth(&house.admin);
        if operation.get("requestBody").is_some() {
            request = request.json(&json!({}));
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16().to_string();
        let kind = response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned()).unwrap_or_default();
        let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default();
        let documented = &operation["responses"][&status];
        assert!(documented.is_object(), "{method} {path} answered {status}, which is not documented: {body}");
        assert_ne!(status, "405", "{method} {path} is documented, but not served");
        assert_ne!(body["code"], "route_unknown", "{method} {path} is documented, but not served");
        if let Some(content) = documented["content"].as_object() {
            let wanted = content.keys().find(|wanted| kind.starts_with(wanted.as_str()));
            let wanted = wanted.unwrap_or_else(|| panic!("{method} {path} answered {status} as '{kind}', documented are {content:?}"));
            if kind.contains("json") {
                check(&document, &content[wanted]["schema"], &body, &format!("{method} {path} {status}"));
            }
        }
        if kind.starts_with("application/problem+json") {
            assert!(body["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{body}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_keyed_route_refuses_a_missing_and_a_foreign_key() {
    let house = House::open().await;
    let document = document(&house).await;
    let client = Client::new();
    let mut refused = 0;
    for (path, method, operation) in routes(&document) {
        let open = operation["security"] == json!([{}]) || path.starts_with("/v1/channels/web/messages") || path.ends_with("/ws");
        for (key, code) in [(None, "key_missing"), (Some("hl_foreign"), "key_unknown")] {
            let request = client.request(method.clone(), format!("{}{}", house.base, filled(&path)));
            let request = if let Some(key) = key { request.bearer_auth(key) } else { request };
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            if !open {
                let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default();
                assert_eq!((status, &body["code"]), (401, &json!(code)), "{method} {path}");
                refused += 1;
            }
        }
    }
    assert!(refused > 100, "{refused}");
}
