//! Registrations outlive the server.

use crate::stage::{Server, anna, phone, reports};

fn registered(server: &Server) -> usize {
    server.log_of_facts().iter().filter(|fact| fact["type"] == "phone.registered").count()
}

#[test]
fn a_phone_rings_after_kill_9_and_a_restart_without_registering_again() {
    let mut server = Server::start();
    let mut facts = server.facts();
    let anna = anna(&server, &["--ring", "100ms", "--wait", "1s"]);
    facts.wait("phone.registered", |data| data["user"] == "anna" && data["contacts"][0]["transport"] == "Udp");
    facts.wait("agent.state", |data| data["state"] == "available");
    let before = registered(&server);
    server.kill();
    server.restart();
    server.facts().wait_for(2, "agent.state", |data| data["state"] == "available");
    let caller = phone(&["--to", &server.uri("2001"), "--wait", "500ms", "--hangup-after", "500ms"]);
    let (caller, good) = reports(caller);
    assert!(good && caller[0]["status"] == 200, "{caller:?}");
    let (answered, good) = reports(anna);
    assert!(good && answered.len() == 1, "{answered:?}");
    assert_eq!(registered(&server), before, "nobody registered again before the call");
    server.stop();
}
