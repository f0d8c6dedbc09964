//! `hotline notice`: words that everybody hears before the greeting, until their hour.

use std::process::ExitCode;

use anyhow::{Context, bail};
use jiff::civil::Time;
use jiff::{Timestamp, ToSpan, Zoned};
use reqwest::Method;
use serde_json::{Value, json};

use super::asking::{Refused, Server};
use super::on_runtime;

/// Notices: set one that the next caller hears on every plan, list them, clear one.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  hotline notice set \"因台风影响，理赔可能延迟。\" --until 18:00 --lang en=\"Claims may be late because of the typhoon.\"\n  hotline notice list\n  hotline notice clear ntc_01J…"
)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand, Debug)]
enum Action {
    /// Says it to every new caller and chat, before the greeting
    #[command(after_help = "Example:\n  hotline notice set \"系统维护中，请稍后再拨。\" --until 18:00 --plan driver-hotline")]
    Set(Set),
    /// Lists what is said now
    #[command(after_help = "Example:\n  hotline notice list")]
    List {
        #[command(flatten)]
        server: Server,
    },
    /// Says it no more
    #[command(after_help = "Example:\n  hotline notice clear ntc_01JD8ZK2V3W4X5Y6Z7A8B9C0D1\n  hotline notice clear all")]
    Clear {
        /// The notice's id, or `all`
        id: String,
        #[command(flatten)]
        server: Server,
    },
}

#[derive(clap::Args, Debug)]
struct Set {
    /// The words, in languages that no --lang names
    text: String,
    /// 18:00 (the next one, by this machine's clock), or 2026-11-22T18:00:00+08:00
    #[arg(long)]
    until: String,
    /// On this plan only
    #[arg(long, value_name = "ID")]
    plan: Option<String>,
    /// The words in another language: en=…; may be repeated
    #[arg(long, value_name = "LANG=TEXT")]
    lang: Vec<String>,
    #[command(flatten)]
    server: Server,
}

/// Runs the command.
///
/// # Errors
/// A time or language that is none, a server that does not answer.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.action {
        Action::Set(new) => set(new),
        Action::List { server } => list(server),
        Action::Clear { id, server } => clear(id, server),
    }
}

fn ask(server: &Server, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Result<Value, Refused>> {
    let asking = server.asking()?;
    on_runtime(asking.send(method, path, body))
}

fn set(new: &Set) -> anyhow::Result<ExitCode> {
    let until = hour(&new.until, &Zoned::now())?;
    let mut by_lang = serde_json::Map::new();
    for one in &new.lang {
        let Some((lang, text)) = one.split_once('=') else { bail!("--lang {one}: write LANG=TEXT, as en=\"Offices are closed.\"") };
        by_lang.insert(lang.to_owned(), text.into());
    }
    let body = json!({"text": new.text, "by_lang": by_lang, "until": until.to_string(), "plan": new.plan});
    match ask(&new.server, Method::POST, "/v1/notices", Some(&body))? {
        Err(refused) => Ok(refused.told()),
        Ok(notice) => {
            let text = |name: &str| notice[name].as_str().unwrap_or_default().to_owned();
            println!("{} is said from now until {}", text("id"), text("until"));
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// A time of day is the next such one; all else is a point in time.
fn hour(text: &str, now: &Zoned) -> anyhow::Result<Timestamp> {
    if let Ok(time) = Time::strptime("%H:%M", text) {
        let today = now.with().time(time).build()?;
        let next = if today.timestamp() > now.timestamp() { today } else { today.checked_add(1.day())? };
        return Ok(next.timestamp());
    }
    text.parse().with_context(|| format!("--until {text}: write 18:00 or 2026-11-22T18:00:00+08:00"))
}

fn list(server: &Server) -> anyhow::Result<ExitCode> {
    let notices = match ask(server, Method::GET, "/v1/notices", None)? {
        Err(refused) => return Ok(refused.told()),
        Ok(notices) => notices,
    };
    let all: Vec<&Value> = notices["data"].as_array().into_iter().flatten().collect();
    if all.is_empty() {
        println!("no notice is said");
    }
    for notice in all {
        let text = |name: &str| notice[name].as_str().unwrap_or_default().to_owned();
        let place = notice["plan"].as_str().map_or_else(|| "every plan".to_owned(), |plan| format!("plan {plan}"));
        println!("{}  until {} on {place}: {}", text("id"), text("until"), text("text"));
        for (lang, words) in notice["by_lang"].as_object().into_iter().flatten() {
            println!("    {lang}: {}", words.as_str().unwrap_or_default());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn clear(id: &str, server: &Server) -> anyhow::Result<ExitCode> {
    let ids = if id == "all" {
        match ask(server, Method::GET, "/v1/notices", None)? {
            Err(refused) => return Ok(refused.told()),
            Ok(all) => all["data"].as_array().into_iter().flatten().filter_map(|one| one["id"].as_str().map(str::to_owned)).collect(),
        }
    } else {
        vec![id.to_owned()]
    };
    for id in &ids {
        if let Err(refused) = ask(server, Method::DELETE, &format!("/v1/notices/{id}"), None)? {
            return Ok(refused.told());
        }
        println!("{id} is not said any more");
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s87_an_hour_is_the_next_one_and_a_point_in_time_is_itself() {
        let now: Zoned = "2026-11-22T15:30:00+08:00[Asia/Shanghai]".parse().unwrap();
        let at = |text: &str| hour(text, &now).map(|at| at.to_string());
        assert_eq!(at("18:00").unwrap(), "2026-11-22T10:00:00Z");
        assert_eq!(at("09:00").unwrap(), "2026-11-23T01:00:00Z");
        assert_eq!(at("2026-11-24T00:00:00+08:00").unwrap(), "2026-11-23T16:00:00Z");
        assert!(at("later").unwrap_err().to_string().contains("18:00"));
    }
}
