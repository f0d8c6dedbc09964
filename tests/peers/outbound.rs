//! Calls to the outside against the real server: a carrier that only listens, agents' phones, an API key.

use std::net::UdpSocket;
use std::time::Duration;

use serde_json::{Value, json};

use crate::stage::{Server, phone, reports};

const RULES: &str = "
[outbound]
deny = [\"900*\"]
agent = {at_once = 1}
key = {at_once = 0}

[numbers]
\"9*\" = \"trunk:carrier\"
\"112\" = \"trunk:carrier\"
";

/// A carrier that hears what is sent to it and says nothing.
struct Carrier(UdpSocket);

impl Carrier {
    fn open() -> (Carrier, String) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let trunk = format!("[trunks.carrier]\nremote = \"{}\"\nsources = [\"127.0.0.99\"]\n", socket.local_addr().unwrap());
        (Carrier(socket), trunk)
    }

    /// The next new INVITE's number.
    fn number(&self, patience: Duration) -> Option<String> {
        self.0.set_read_timeout(Some(patience)).unwrap();
        let mut buffer = [0; 65_536];
        loop {
            let (length, _) = self.0.recv_from(&mut buffer).ok()?;
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if let Some(rest) = text.strip_prefix("INVITE sip:") {
                return rest.split('@').next().map(str::to_owned);
            }
        }
    }
}

fn dial(server: &Server, number: &str) -> Value {
    let uri = server.uri(number);
    let (mut all, _) = reports(phone(&["--user", "anna", "--password", "anna-secret", "--to", &uri, "--longest", "20s"]));
    all.remove(0)
}

#[test]
fn a_denied_number_is_refused_with_its_reason_and_leaves_a_fact_and_a_count() {
    let (carrier, trunk) = Carrier::open();
    let server = Server::start_and(RULES, &trunk);
    let mut facts = server.facts();
    assert_eq!(dial(&server, "9001234")["status"], 403);
    let barred = facts.wait("call.barred", |_| true);
    assert_eq!((barred["why"].as_str(), barred["to"].as_str()), (Some("number"), Some("9001234")));
    assert!(barred["payer"].as_str().unwrap().starts_with("agt_"), "{barred}");
    let ended = facts.wait("call.ended", |_| true);
    assert_eq!((ended["ending"].as_str(), ended["sip_status"].as_u64()), (Some("refused_barred_number"), Some(403)));
    let shown = server.get(&format!("/v1/calls/{}/signalling", barred["call"].as_str().unwrap()));
    let refusal = shown["messages"].as_array().unwrap().iter().find(|message| message["line"] == "SIP/2.0 403 Forbidden").unwrap();
    assert!(refusal["text"].as_str().unwrap().contains("Reason: SIP;cause=403;text=\"This number may not be called"), "{refusal}");
    assert!(server.text("/v1/metrics").contains("hotline_outbound_refused_total{why=\"number\"} 1"));
    assert_eq!(carrier.number(Duration::from_millis(200)), None, "nothing of it went out");
    server.stop();
}

#[test]
fn an_agent_calls_out_once_at_a_time_an_emergency_call_always_and_a_key_that_may_not_call_is_told() {
    let (carrier, trunk) = Carrier::open();
    let server = Server::start_and(RULES, &trunk);
    let mut facts = server.facts();
    let uri = server.uri("91234");
    let first = phone(&["--user", "anna", "--password", "anna-secret", "--to", &uri, "--longest", "15s"]);
    assert_eq!(carrier.number(crate::stage::PATIENCE).as_deref(), Some("91234"));
    assert_eq!(dial(&server, "95678")["status"], 403);
    assert_eq!(facts.wait("call.barred", |_| true)["why"], "at_once");
    let help = phone(&["--user", "anna", "--password", "anna-secret", "--to", &server.uri("112"), "--longest", "3s"]);
    let mut numbers = std::iter::from_fn(|| carrier.number(crate::stage::PATIENCE));
    assert!(numbers.any(|number| number == "112"));
    let (status, said) = server.post("/v1/calls", &json!({"to": "91111", "entry": "music"}));
    assert_eq!((status, said["code"].as_str()), (409, Some("state_conflict")), "{said}");
    assert!(said["detail"].as_str().unwrap().contains("too many calls"), "{said}");
    drop((reports(help), reports(first)));
    server.stop();
}
