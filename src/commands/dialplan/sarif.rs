//! Findings as SARIF 2.1.0, which code hosts show at the lines they are about.

use serde_json::{Value, json};

use crate::control::dialplan::check::rules::{RULES, about};
use crate::control::dialplan::{Problem, Severity};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// One run with all findings.
#[must_use]
pub fn log(problems: &[Problem]) -> Value {
    let rules: Vec<Value> = RULES.iter().map(|(id, about)| json!({"id": id, "shortDescription": {"text": about}})).collect();
    let results: Vec<Value> = problems.iter().map(result).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "hotline dialplan lint", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(problem: &Problem) -> Value {
    let level = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mend = problem.mend.as_ref().map(|mend| format!(" Mend: {mend}")).unwrap_or_default();
    let mut result = json!({
        "ruleId": problem.id,
        "level": level,
        "message": {"text": format!("{}.{mend}", problem.what.trim_end_matches('.'))},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": uri(&problem.file)},
            "region": {"startLine": problem.line.max(1), "startColumn": problem.column.max(1)},
        }}],
        "properties": {"about": about(problem.id)},
    });
    if let Some(index) = RULES.iter().position(|(id, _)| *id == problem.id) {
        result["ruleIndex"] = index.into();
    }
    result
}

/// A relative URI of a path (RFC 3986).
fn uri(file: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_').remove(b'~');
    percent_encoding::utf8_percent_encode(file.strip_prefix("./").unwrap_or(file), KEPT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_has_its_rule_its_level_and_its_place() {
        let problem = Problem {
            id: "D120",
            severity: Severity::Error,
            file: "dialplans/my plan.yaml".to_owned(),
            line: 7,
            column: 3,
            what: "there is no node 'x'".to_owned(),
            mend: Some("did you mean 'y'?".to_owned()),
        };
        let log = log(&[problem]);
        let (run, result) = (&log["runs"][0], &log["runs"][0]["results"][0]);
        assert_eq!((&log["version"], &result["ruleId"], &result["level"]), (&json!("2.1.0"), &json!("D120"), &json!("error")));
        let index = result["ruleIndex"].as_u64().expect("an index") as usize;
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], "D120");
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "dialplans/my%20plan.yaml");
        assert_eq!(place["region"], json!({"startLine": 7, "startColumn": 3}));
        assert_eq!(result["message"]["text"], "there is no node 'x'. Mend: did you mean 'y'?");
    }
}
