//! The HTTP client of the edges: rustls with ring, no proxies, no redirects.

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};

fn builder() -> ClientBuilder {
    // A second installation says that one is there already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let agent = concat!("hotline/", env!("CARGO_PKG_VERSION"));
    Client::builder().redirect(Policy::none()).no_proxy().user_agent(agent)
}

/// A client with `more` settings. On a machine without root certificates `http:` works all the same, and `https:` is refused.
///
/// # Errors
/// What the settings are refused for.
pub fn client(more: impl Fn(ClientBuilder) -> ClientBuilder) -> Result<Client, reqwest::Error> {
    more(builder()).build().or_else(|error| {
        tracing::warn!(%error, "this machine has no root certificates (Debian: apt install ca-certificates): https requests will fail");
        more(builder()).tls_certs_only(Vec::new()).build()
    })
}
