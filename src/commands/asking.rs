//! Asking the API of a running server.

use std::path::PathBuf;

use anyhow::{Context, bail};
use reqwest::{Client, Response, StatusCode};

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

impl Asking {
    /// The answer to a GET of this path.
    ///
    /// # Errors
    /// When no server answers, or with anything but 200.
    pub async fn get(&self, path: &str) -> anyhow::Result<Response> {
        let url = format!("{}{path}", self.api);
        let asked = self.client.get(&url).bearer_auth(&self.key).send().await;
        let answer = asked.with_context(|| format!("no server answers at {}: give --api", self.api))?;
        match answer.status() {
            StatusCode::OK => Ok(answer),
            status => bail!("the server says {status}: {}", answer.text().await.unwrap_or_default()),
        }
    }
}
