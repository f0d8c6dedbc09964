//! How fast one key or one visitor may ask: a steady rate with room for bursts (GCRA), told in `RateLimit-*` headers; beyond it 429.
//!
//! A caller's state is one number, the time at which his bucket would be full again; requests move it without waiting for each other.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::ApiState;
use super::auth::Caller;
use super::problem::Problem;
use super::visitor::Claims;
use crate::clock::now;

/// Seconds' worth of requests that may come at once.
const BURST_S: u64 = 10;
/// Requests of one visitor a second, on the long run: a page that asks for news, and somebody who types.
const VISITOR_RATE: u32 = 5;
/// Callers remembered; with more, all begin anew.
const CALLERS: usize = 10_000;
const SECOND: u64 = 1_000_000;

/// The limits of keys and of visitors.
pub struct Limits {
    keys: Limiter,
    visitors: Limiter,
}

impl Limits {
    /// `rate`: requests of one key a second.
    #[must_use]
    pub fn new(rate: u32) -> Limits {
        Limits { keys: Limiter::new(rate), visitors: Limiter::new(VISITOR_RATE) }
    }
}

struct Limiter {
    rate: u64,
    full_at: ArcSwap<HashMap<String, Arc<AtomicU64>>>,
}

/// How a caller stands after a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Standing {
    /// Requests that may come at once.
    limit: u64,
    /// Of these, so many are left now.
    remaining: u64,
    /// Seconds until all are.
    reset: u64,
    /// Seconds after which a refused request may come again; 0 when it was taken.
    retry: u64,
}

impl Limiter {
    fn new(rate: u32) -> Limiter {
        Limiter { rate: u64::from(rate.max(1)), full_at: ArcSwap::from_pointee(HashMap::new()) }
    }

    fn bucket(&self, caller: &str) -> Arc<AtomicU64> {
        if let Some(bucket) = self.full_at.load().get(caller) {
            return bucket.clone();
        }
        let fresh = Arc::new(AtomicU64::new(0));
        self.full_at.rcu(|known| {
            let mut known = if known.len() < CALLERS { HashMap::clone(known) } else { HashMap::new() };
            known.entry(caller.to_owned()).or_insert_with(|| fresh.clone());
            known
        });
        self.full_at.load().get(caller).cloned().unwrap_or(fresh)
    }

    /// `at` in microseconds.
    fn take(&self, caller: &str, at: u64) -> Standing {
        let (each, room) = (SECOND / self.rate, BURST_S * SECOND);
        let taken = self.bucket(caller).fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
            let next = full_at.max(at) + each;
            (next - at <= room).then_some(next)
        });
        let limit = BURST_S * self.rate;
        match taken {
            Ok(before) => {
                let owed = before.max(at) + each - at;
                Standing { limit, remaining: (room - owed) / each.max(1), reset: owed.div_ceil(SECOND), retry: 0 }
            }
            Err(full_at) => {
                let owed = full_at - at;
                Standing { limit, remaining: 0, reset: owed.div_ceil(SECOND), retry: (owed + each - room).div_ceil(SECOND).max(1) }
            }
        }
    }
}

/// Counts a request of a known caller; refuses it when he asks too fast.
pub async fn limit(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let at = now().0;
    let standing = match (request.extensions().get::<Caller>(), request.extensions().get::<Claims>()) {
        (Some(caller), _) => state.limits.keys.take(&caller.0.id, at),
        (None, Some(claims)) => state.limits.visitors.take(&format!("{}/{}", claims.channel, claims.sub), at),
        (None, None) => return next.run(request).await,
    };
    let mut response = if standing.retry > 0 { refused(standing).into_response() } else { next.run(request).await };
    tell(response.headers_mut(), standing);
    response
}

fn refused(standing: Standing) -> Problem {
    let detail = format!("more than {} requests at once: ask again in {} s", standing.limit, standing.retry);
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail)
}

fn tell(headers: &mut HeaderMap, standing: Standing) {
    let mut put = |name: &'static str, number: u64| drop(headers.insert(name, HeaderValue::from(number)));
    put("ratelimit-limit", standing.limit);
    put("ratelimit-remaining", standing.remaining);
    put("ratelimit-reset", standing.reset);
    if standing.retry > 0 {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(standing.retry));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_then_the_rate_holds_for_this_caller_alone() {
        let limiter = Limiter::new(2);
        let at = 1_000 * SECOND;
        let left: Vec<u64> = (0..20).map(|_| limiter.take("a", at)).map(|standing| standing.remaining).collect();
        assert_eq!(left, (0..20).rev().collect::<Vec<u64>>());
        let refused = limiter.take("a", at);
        assert_eq!((refused.retry, refused.remaining, refused.limit), (1, 0, 20));
        assert_eq!(limiter.take("b", at).retry, 0);
        assert_eq!(limiter.take("a", at + SECOND / 2).retry, 0);
        assert_ne!(limiter.take("a", at + SECOND / 2).retry, 0);
        assert_eq!(limiter.take("a", at + 60 * SECOND).remaining, 19);
    }

    #[test]
    fn the_memory_of_callers_is_bounded() {
        let limiter = Limiter::new(1);
        for at in (0..=CALLERS).step_by(500) {
            limiter.take(&at.to_string(), 0);
        }
        assert!(limiter.full_at.load().len() <= CALLERS);
    }
}
