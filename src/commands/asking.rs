//! Asking the API of a running server.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

use crate::web_client;

/// Where the first administrator's key lies below the home folder.
const KEY_FILE: &str = "data/admin-key";

/// Which server.
#[derive(clap::Args, Debug)]
pub struct Server {
    /// The server's API
    #[arg(long, env = "HOTLINE_API", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub api: String,
    /// A key of it; otherwise the one in the home folder
    #[arg(long, env = "HOTLINE_API_KEY", hide_env_values = true, value_name = "KEY")]
    pub key: Option<String>,
    /// The server's home folder, where the first administrator's key lies
    #[arg(long, env = "HOTLINE_HOME", default_value = ".", value_name = "DIR")]
    pub home: PathBuf,
}

/// A server and the key to it.
#[derive(Debug)]
pub struct Asking {
    client: Client,
    key: String,
    api: String,
}

impl Server {
    /// Reads the key.
    ///
    /// # Errors
    /// When there is none.
    pub fn asking(&self) -> anyhow::Result<Asking> {
        let file = self.home.join(KEY_FILE);
        let key = match &self.key {
            Some(key) => key.clone(),
            None => std::fs::read_to_string(&file)
                .map(|key| key.trim().to_owned())
                .with_context(|| format!("no key in {}: give --key, or --home with the server's folder", file.display()))?,
        };
        Ok(Asking { client: web_client::client(|builder| builder)?, key, api: self.api.trim_end_matches('/').to_owned() })
    }
}

/// What a refused request says: the detail, and what a checker found.
#[derive(Debug)]
pub struct Refused {
    /// In words.
    pub detail: String,
    /// One by one.
    pub findings: Vec<String>,
}

impl Refused {
    /// Says it, and with what a command ends that was refused.
    #[must_use]
    pub fn told(&self) -> ExitCode {
        self.findings.iter().for_each(|finding| eprintln!("{finding}"));
        eprintln!("{}", self.detail);
        ExitCode::FAILURE
    }
}

impl Asking {
    /// Sends JSON with this method and reads JSON; `Err` in the answer is the server's own refusal (a 4xx).
    ///
    /// # Errors
    /// When no server answers, or it is broken itself.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Result<Value, Refused>> {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let answer = self.answer(request).await?;
        let status = answer.status();
        let body: Value = serde_json::from_str(&answer.text().await?).unwrap_or_default();
        if status.is_success() {
            return Ok(Ok(body));
        }
        let detail = body["detail"].as_str().unwrap_or_default().to_owned();
        if !status.is_client_error() {
            bail!("the server says {status}: {detail}");
        }
        let findings = body["findings"].as_array().into_iter().flatten().filter_map(|one| one.as_str().map(str::to_owned)).collect();
        Ok(Err(Refused { detail: format!("{status}: {detail}"), findings }))
    }

    /// The answer to a GET of this path.
    ///
    /// # Errors
    /// When no server answers, or with anything but 200.
    pub async fn get(&self, path: &str) -> anyhow::Result<Response> {
        let answer = self.answer(self.request(Method::GET, path)).await?;
        match answer.status() {
            StatusCode::OK => Ok(answer),
            status => bail!("the server says {status}: {}", answer.text().await.unwrap_or_default()),
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.api)).bearer_auth(&self.key)
    }

    async fn answer(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        request.send().await.with_context(|| format!("no server answers at {}: give --api", self.api))
    }
}
