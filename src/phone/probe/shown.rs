//! The report as people read it.

use std::fmt::Write;

use super::finding::{Call, Report};

/// The whole report, line by line.
#[must_use]
pub fn shown(report: &Report) -> String {
    let mut text = format!("trunk {}\n", report.trunk);
    for host in &report.hosts {
        let answer = match (host.status, host.ms) {
            (Some(status), Some(ms)) => format!("{status} after {ms} ms"),
            _ => "no answer".to_owned(),
        };
        put(&mut text, "OPTIONS", &format!("{}: {answer}", host.host));
    }
    if let Some(registration) = &report.registration {
        let places = match registration.places {
            None => String::new(),
            Some(0) => ", we are registered nowhere now".to_owned(),
            Some(1) => ", we are registered at one place".to_owned(),
            Some(many) => format!(", we are registered at {many} places"),
        };
        let until = registration.expires_s.map(|seconds| format!(", for {seconds} s more")).unwrap_or_default();
        put(&mut text, "REGISTER", &format!("{}{places}{until}", registration.status));
    }
    if let Some(call) = &report.call {
        put(&mut text, "INVITE", &of_call(call));
    }
    for (name, lines) in [("software", &report.software), ("supports", &report.supports)] {
        if !lines.is_empty() {
            put(&mut text, name, &lines.join(", "));
        }
    }
    let lists = [("refuses", &report.refuses), ("odd", &report.odd), ("we adapt", &report.adapts), ("FAILED", &report.failures)];
    for (name, line) in lists.into_iter().flat_map(|(name, lines)| lines.iter().map(move |line| (name, line))) {
        put(&mut text, name, line);
    }
    if report.failures.is_empty() {
        put(&mut text, "good", "the trunk can be used as it is configured");
    }
    text
}

fn put(text: &mut String, name: &str, line: &str) {
    writeln!(text, "  {name:<9} {line}").expect("a String grows");
}

fn of_call(call: &Call) -> String {
    let mut parts = Vec::new();
    if let (Some(status), Some(ms)) = (call.rang, call.ring_ms) {
        parts.push(format!("{status} after {ms} ms"));
    }
    if let Some(status) = call.status {
        let ms = call.final_ms.map(|ms| format!(" after {ms} ms")).unwrap_or_default();
        let why = if status == TAKEN_BACK && call.rang.is_some() { " (we took it back when it rang)" } else { "" };
        parts.push(format!("{status}{ms}{why}"));
    }
    if let Some(agreed) = &call.agreed {
        let keys = agreed.telephone_event.map_or("no telephone-event".to_owned(), |number| format!("telephone-event {number}"));
        parts.push(format!("{} at {} ms, {keys}", agreed.codec, agreed.ptime_ms));
        parts.extend(agreed.sound.as_ref().map(|place| format!("sound to {place}")));
    }
    if parts.is_empty() { "no answer".to_owned() } else { parts.join(", ") }
}

/// 487 Request Terminated.
const TAKEN_BACK: u16 = 487;
