//! Who asks: a Bearer key with scopes. `admin` may everything; `tickets:write` implies `tickets:read`.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::ApiState;
use super::problem::Problem;
use crate::control::words::AgentId;
use crate::store::Store;
use crate::store::keys::ApiKey;

/// The scope that implies all others.
pub const ADMIN: &str = "admin";

/// The key that a request came with.
#[derive(Clone, Debug)]
pub struct Caller(pub ApiKey);

impl Caller {
    /// The agent whose own this key is.
    #[must_use]
    pub fn agent(&self) -> Option<AgentId> {
        self.0.agent.as_ref().and_then(|agent| agent.parse().ok())
    }

    /// May this key do it?
    ///
    /// # Errors
    /// 403 `scope_missing`.
    pub fn may(&self, scope: &str) -> Result<(), Problem> {
        let has = |wanted: &str| self.0.scopes.iter().any(|own| own == wanted);
        let by_write = scope.strip_suffix(":read").is_some_and(|what| has(&format!("{what}:write")));
        if has(ADMIN) || has(scope) || by_write {
            return Ok(());
        }
        let detail = format!("the key '{}' lacks the scope '{scope}'", self.0.name);
        Err(Problem::new(StatusCode::FORBIDDEN, "scope_missing", detail))
    }
}

/// The key of a secret.
///
/// # Errors
/// 401 `key_unknown`.
pub async fn known(store: &Store, secret: &str) -> Result<Caller, Problem> {
    let key = store.key_of(secret).await?;
    key.map(Caller).ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "key_unknown", "this key is not known here, or was revoked"))
}

/// The secret of an `Authorization: Bearer` header.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, secret) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

/// Lets a request with a known key through.
pub async fn admit(State(state): State<ApiState>, mut request: Request, next: Next) -> Response {
    let Some(secret) = bearer(request.headers()) else {
        let detail = "send your API key as 'Authorization: Bearer hl_…'";
        return Problem::new(StatusCode::UNAUTHORIZED, "key_missing", detail).into_response();
    };
    match known(&state.store, secret).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Caller, Problem> {
        let caller = parts.extensions.get::<Caller>().cloned();
        caller.ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "key_missing", "this route wants an API key"))
    }
}
