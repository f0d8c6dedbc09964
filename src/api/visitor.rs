//! Visitors of the web chat: a short JSON Web Token (HS256, RFC 7519) says which address they write from.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::ApiState;
use super::auth::bearer;
use super::problem::Problem;
use crate::clock::now;
use crate::control::time::Time;

/// How long a token of ours is good.
pub const LIFE: Duration = Duration::from_secs(12 * 3_600);

/// What a token says.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Claims {
    /// The visitor's address on the channel.
    pub sub: String,
    /// The channel.
    pub channel: String,
    /// Seconds since the epoch when it ends.
    pub exp: u64,
    /// What the shop knows of him: `phone`, `name`, `lang` …
    #[serde(default)]
    pub profile: serde_json::Map<String, serde_json::Value>,
}

/// The secret shared with the shop's server.
#[derive(Clone)]
pub struct VisitorSecret(Vec<u8>);

impl VisitorSecret {
    /// A secret of at least 32 bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> VisitorSecret {
        VisitorSecret(bytes)
    }

    fn mac(&self, signed: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(signed.as_bytes());
        mac
    }

    /// Signs claims.
    #[must_use]
    pub fn sign(&self, claims: &Claims) -> String {
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let body = URL_SAFE_NO_PAD.encode(serde_json::to_vec(claims).unwrap_or_default());
        let signed = format!("{head}.{body}");
        let mac = URL_SAFE_NO_PAD.encode(self.mac(&signed).finalize().into_bytes());
        format!("{signed}.{mac}")
    }

    /// The claims of a token that is ours and still good.
    ///
    /// # Errors
    /// 401 `visitor_token_invalid` or `visitor_token_expired`.
    pub fn verify(&self, token: &str, now: Time) -> Result<Claims, Problem> {
        let bad =
            || Problem::new(StatusCode::UNAUTHORIZED, "visitor_token_invalid", "this visitor token is not signed with the shop's secret");
        let (signed, mac) = token.rsplit_once('.').ok_or_else(bad)?;
        let (head, body) = signed.split_once('.').ok_or_else(bad)?;
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| bad());
        let header: serde_json::Value = serde_json::from_slice(&decode(head)?).map_err(|_| bad())?;
        if header["alg"] != "HS256" {
            return Err(bad());
        }
        self.mac(signed).verify_slice(&decode(mac)?).map_err(|_| bad())?;
        let claims: Claims = serde_json::from_slice(&decode(body)?).map_err(|_| bad())?;
        if claims.exp <= now.millis() / 1_000 {
            return Err(Problem::new(StatusCode::UNAUTHORIZED, "visitor_token_expired", "this visitor token has ended: get a new one"));
        }
        Ok(claims)
    }
}

/// Lets a request with a good visitor's token through.
pub async fn admit(State(state): State<ApiState>, mut request: Request, next: Next) -> Response {
    let missing = || Problem::new(StatusCode::UNAUTHORIZED, "visitor_token_missing", "send the visitor token as Bearer");
    let claims = bearer(request.headers()).ok_or_else(missing).and_then(|token| state.visitors.verify(token, now()));
    match claims {
        Ok(claims) => {
            request.extensions_mut().insert(claims);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_unexpired_tokens_are_good() {
        let secret = VisitorSecret::new(vec![7; 32]);
        let claims = Claims { sub: "v1".to_owned(), channel: "web".to_owned(), exp: 100, profile: serde_json::Map::new() };
        let token = secret.sign(&claims);
        assert_eq!(secret.verify(&token, Time(99_000_000)).unwrap(), claims);
        assert_eq!(secret.verify(&token, Time(100_000_000)).unwrap_err().code, "visitor_token_expired");
        assert_eq!(VisitorSecret::new(vec![8; 32]).verify(&token, Time(0)).unwrap_err().code, "visitor_token_invalid");
        let none = format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), token.split('.').nth(1).unwrap());
        assert_eq!(secret.verify(&none, Time(0)).unwrap_err().code, "visitor_token_invalid");
    }
}
