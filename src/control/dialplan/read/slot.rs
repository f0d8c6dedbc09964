//! Slots and lookups.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Context, Fields};
use crate::control::dialplan::pick::Place as Picked;
use crate::control::dialplan::plan::{Choices, FixedChoice, ListChoice, LookupSpec, Mask, Need, Readback, Slot, SlotType, Telling, Texts};
use crate::control::dialplan::syntax::{Kind, Place, Yaml};
use crate::control::dialplan::template::Template;

const TYPES: [(&str, Type); 18] = [
    ("digits", Type::Digits),
    ("code", Type::Code),
    ("phone", Type::Phone),
    ("plate_cn", Type::PlateCn),
    ("date", Type::Date),
    ("datetime", Type::DateTime),
    ("money", Type::Money),
    ("number", Type::Number),
    ("age", Type::Age),
    ("name", Type::Name),
    ("email", Type::Email),
    ("duration", Type::Duration),
    ("yes_no", Type::YesNo),
    ("choice", Type::Choice),
    ("id_cn", Type::IdCn),
    ("card", Type::Card),
    ("text", Type::Text),
    ("recording", Type::Recording),
];

use SlotType as Type;

/// A lookup's keys for its HTTP methods.
const METHODS: [(&str, &str); 5] = [("get", "GET"), ("post", "POST"), ("put", "PUT"), ("patch", "PATCH"), ("delete", "DELETE")];
const RECORDING: Duration = Duration::from_secs(60);
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(3);
const LONGEST_SLOT: usize = 256;

/// One slot.
pub fn slot(yaml: &Yaml, context: &mut Context<'_>) -> Option<Slot> {
    let mut fields = Fields::of(yaml, "a slot", context)?;
    let words: Vec<(&str, usize)> = TYPES.iter().enumerate().map(|(at, (word, _))| (*word, at)).collect();
    let kind = fields.need("type", context).and_then(|yaml| context.word(yaml, "a slot's type", &words)).map(|at| TYPES[at].1.clone());
    let kind = kind.unwrap_or(Type::Text);
    let length = fields.take("length").and_then(|yaml| length(yaml, context));
    let from = fields.take("from").and_then(|yaml| context.path(yaml, "from"));
    let ask = fields.take("ask").map(|yaml| context.texts(yaml, "the question")).unwrap_or_default();
    let choices = choices(&kind, &mut fields, context);
    let readback =
        fields.take("confirm").and_then(|yaml| context.word(yaml, "confirm", &[("readback", Readback::Yes), ("none", Readback::No)]));
    let optional = fields.take("optional").and_then(|yaml| context.truth(yaml, "optional")).unwrap_or(false);
    let mask = fields.take("mask").and_then(|yaml| context.truth(yaml, "mask")).unwrap_or(false);
    let max = fields.take("max").and_then(|yaml| context.duration(yaml, "max")).unwrap_or(RECORDING);
    let tries = fields.take("tries").and_then(|yaml| context.number(yaml, "tries", 1..=9));
    let valid = fields.take("valid").and_then(|yaml| valid(yaml, context));
    let hints = super::menu::grammars(&mut fields, context);
    if matches!(kind, Type::Card | Type::IdCn) && !mask {
        context.warn("D191", yaml.at, "a card or identity number is kept in clear", "add mask: true");
    }
    fields.finish(context);
    Some(Slot {
        kind,
        length,
        from,
        ask,
        readback: readback.unwrap_or_default(),
        need: if optional { Need::Optional } else { Need::Required },
        mask: if mask { Mask::Masked } else { Mask::Open },
        max,
        choices,
        valid,
        tries,
        hints,
    })
}

fn length(yaml: &Yaml, context: &mut Context<'_>) -> Option<(usize, usize)> {
    let text = context.text(yaml, "length")?;
    let pair = match text.split_once("..") {
        None => text.parse().ok().map(|exact| (exact, exact)),
        Some((from, until)) => from.parse().ok().zip(until.parse().ok()),
    };
    match pair {
        Some((from, until)) if 1 <= from && from <= until && until <= LONGEST_SLOT => Some((from, until)),
        _ => {
            context.mend("D104", yaml.at, format!("length is '{text}'"), "a number or a range: 11 or 6..8");
            None
        }
    }
}

fn choices(kind: &Type, fields: &mut Fields<'_>, context: &mut Context<'_>) -> Choices {
    let (values, list, label) = (fields.take("values"), fields.take("from_list"), fields.take("label"));
    if *kind != Type::Choice {
        for yaml in [values, list, label].into_iter().flatten() {
            context.mend("D110", yaml.at, "values, from_list and label belong to type: choice", "write type: choice");
        }
        return Choices::None;
    }
    let label = label.and_then(|yaml| context.text(yaml, "label")).unwrap_or_else(|| "title".to_owned());
    match (values, list) {
        (Some(yaml), None) => Choices::Fixed(fixed(yaml, context)),
        (None, Some(yaml)) => match context.path(yaml, "from_list") {
            Some(path) => {
                context.seen.paths.push((path.clone(), yaml.at));
                Choices::List(Box::new(ListChoice { path, label, most: usize::MAX, telling: Telling::Question }))
            }
            None => Choices::None,
        },
        _ => {
            context.mend("D105", fields.at, "a choice has neither or both of 'values' and 'from_list'", "give one of them");
            Choices::None
        }
    }
}

/// `[small, large]` or `{small: {en-US: [tall]}, large: …}`.
fn fixed(yaml: &Yaml, context: &mut Context<'_>) -> Vec<FixedChoice> {
    match &yaml.kind {
        Kind::Map(pairs) => pairs
            .iter()
            .map(|pair| FixedChoice { value: pair.key.clone(), words: context.sentences(&pair.value, "a choice's words") })
            .collect(),
        _ => {
            let values = context.list(yaml, "values").iter();
            let texts: Vec<String> = values.filter_map(|item| context.text(item, "a choice")).collect();
            texts.into_iter().map(|value| FixedChoice { value, words: BTreeMap::new() }).collect()
        }
    }
}

/// `{if: expr, say: texts}`.
fn valid(yaml: &Yaml, context: &mut Context<'_>) -> Option<(crate::control::dialplan::expr::Expr, Texts)> {
    let mut fields = Fields::of(yaml, "valid", context)?;
    let condition = fields.need("if", context).and_then(|yaml| context.expr(yaml));
    let say = fields.take("say").map(|yaml| context.texts(yaml, "what is said of a bad value")).unwrap_or_default();
    fields.finish(context);
    Some((condition?, say))
}

/// One lookup.
pub fn lookup(yaml: &Yaml, context: &mut Context<'_>) -> Option<LookupSpec> {
    let mut fields = Fields::of(yaml, "a lookup", context)?;
    let given: Vec<(&'static str, &Yaml)> = METHODS.iter().filter_map(|(key, method)| Some((*method, fields.take(key)?))).collect();
    let [(method, place)] = given[..] else {
        let what = if given.is_empty() { "a lookup asks nowhere" } else { "a lookup asks in two ways" };
        context.mend("D105", fields.at, what, "give one of get, post, put, patch and delete: get: \"${API}/path?x={slot}\"");
        return None;
    };
    let (url, mut missing_env) = url(place, context)?;
    let timeout = fields.take("timeout").and_then(|yaml| context.duration(yaml, "timeout"));
    if timeout.is_none() {
        context.warn("D160", yaml.at, "the lookup has no timeout; it gets 3 s", "add timeout: 1500ms");
    }
    let timeout = timeout.unwrap_or(LOOKUP_TIMEOUT);
    let wait_say = fields.take("wait_say").map(|yaml| context.texts(yaml, "wait_say")).unwrap_or_default();
    if timeout > Duration::from_secs(5) && wait_say.is_empty() {
        context.warn("D161", yaml.at, "the caller may hear nothing for more than 5 s", "add wait_say, or a shorter timeout");
    }
    let retries = retries(fields.take("retries"), method, context);
    let spec = LookupSpec {
        method,
        url,
        headers: referring(fields.take("headers"), "headers", &mut missing_env, context),
        body: fields.take("body").map(|yaml| referring(Some(yaml), "body", &mut missing_env, context)),
        timeout,
        cache: fields.take("cache").and_then(|yaml| context.duration(yaml, "cache")),
        retries,
        wait_say,
        pick: picks(fields.take("pick"), context),
        missing_env,
    };
    fields.finish(context);
    Some(spec)
}

/// Who asks may ask again; what is posted might be done twice.
fn retries(yaml: Option<&Yaml>, method: &str, context: &mut Context<'_>) -> u32 {
    const MOST: u32 = 3;
    let Some(yaml) = yaml else { return 0 };
    if method != "GET" {
        context.mend("D104", yaml.at, "what is repeated may be carried out twice", "take 'retries' away, or ask by get");
    }
    context.number(yaml, "retries", 0..=MOST).unwrap_or(0)
}

/// A URL with its environment put in.
pub fn url(yaml: &Yaml, context: &mut Context<'_>) -> Option<(Template, Vec<String>)> {
    let written = context.text(yaml, "a URL")?;
    let (text, missing) = context.environment(&written, yaml.at);
    warn_of(&missing, yaml.at, "http://…", context);
    if missing.is_empty() {
        check_host(&text, yaml.at, context);
    }
    Some((context.template_of(&text, yaml.at)?, missing))
}

fn warn_of(missing: &[String], at: Place, example: &str, context: &mut Context<'_>) {
    for name in missing {
        let what = format!("the environment variable {name} has no value; the lookup fails at once");
        context.warn("D164", at, what, format!("start with {name}={example} set"));
    }
}

/// Names with texts that may refer to the environment: secrets stand there, not in plans.
fn referring(yaml: Option<&Yaml>, what: &'static str, missing_env: &mut Vec<String>, context: &mut Context<'_>) -> Vec<(String, Template)> {
    let Some(fields) = yaml.and_then(|yaml| Fields::of(yaml, what, context)) else { return Vec::new() };
    let mut out = Vec::new();
    for pair in fields.pairs() {
        let Some(written) = context.text(&pair.value, what) else { continue };
        let (text, missing) = context.environment(&written, pair.value.at);
        warn_of(&missing, pair.value.at, "…", context);
        missing_env.extend(missing);
        out.extend(context.template_of(&text, pair.value.at).map(|template| (pair.key.clone(), template)));
    }
    out
}

fn check_host(text: &str, at: Place, context: &mut Context<'_>) {
    let Some(rest) = text.strip_prefix("http://") else {
        if !text.starts_with("https://") {
            context.mend("D104", at, format!("'{text}' is no URL"), "begin with https:// or http://");
        }
        return;
    };
    let authority = rest.split(['/', '?', '{']).next().unwrap_or(rest);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = host.strip_prefix('[').and_then(|host| host.split(']').next()).unwrap_or_else(|| host.split(':').next().unwrap_or(host));
    if is_public(host) {
        context.warn("D163", at, format!("customers' data goes to {host} without encryption"), "use https://");
    }
}

fn is_public(host: &str) -> bool {
    match host.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(ip)) => !(ip.is_private() || ip.is_loopback() || ip.is_link_local()),
        Ok(std::net::IpAddr::V6(ip)) => !(ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()),
        Err(_) => host.contains('.') && ![".local", ".internal", ".lan", ".test", ".localhost"].iter().any(|end| host.ends_with(end)),
    }
}

/// Names with texts.
pub fn templates(yaml: Option<&Yaml>, what: &'static str, context: &mut Context<'_>) -> Vec<(String, Template)> {
    let Some(fields) = yaml.and_then(|yaml| Fields::of(yaml, what, context)) else { return Vec::new() };
    let pairs = fields.pairs().iter();
    pairs.filter_map(|pair| Some((pair.key.clone(), context.template(&pair.value, what)?))).collect()
}

fn picks(yaml: Option<&Yaml>, context: &mut Context<'_>) -> Vec<(String, Picked)> {
    let Some(fields) = yaml.and_then(|yaml| Fields::of(yaml, "pick", context)) else { return Vec::new() };
    let mut picks = Vec::new();
    for pair in fields.pairs() {
        let Some(text) = context.text(&pair.value, "a place") else { continue };
        match Picked::parse(&text) {
            Ok(place) => picks.push((pair.key.clone(), place)),
            Err(why) => context.mend("D104", pair.value.at, why, "as in: amount: $.data.amount"),
        }
    }
    picks
}
