//! Whole files of other systems, and the plans that come out.

use std::sync::Arc;

use super::*;
use crate::control::dialplan::runner::Start;
use crate::control::dialplan::sim::{Simulation, World};
use crate::control::dialplan::{Plan, load};
use crate::control::time::Time;

fn wanted() -> Wanted {
    Wanted { id: "shop".to_owned(), lang: "en-US".to_owned(), entry: None }
}

fn source(name: &str, text: &str) -> Source {
    Source { name: name.to_owned(), text: text.to_owned() }
}

/// The plan, loaded once more as it would be from its files.
fn loaded(imported: &Imported) -> Arc<Plan> {
    let files = [source("shop.yaml", &imported.plan), source("desk.yaml", &imported.desk)];
    let files = if imported.desk.is_empty() { &files[..1] } else { &files[..] };
    let loaded = load(files, &BTreeMap::new());
    assert!(!loaded.is_broken(), "{:?}\n{}", loaded.problems, imported.plan);
    loaded.plans["shop"].clone()
}

fn call(plan: &Arc<Plan>) -> Simulation {
    Simulation::new(Arc::clone(plan), Start::voice(), Time(1_794_391_200_000_000), 1, World::default())
}

const EXTENSIONS: &str = r#"
[general]
static=yes
[globals]
SUPPORT=PJSIP/100&PJSIP/101

[from-trunk]
exten => 4930123,1,Goto(main,s,1)

[main]
exten => s,1,Answer()
 same => n,GotoIfTime(09:00-17:00,mon-fri,*,*?open,s,1:closed,s,1)

[open]
include => features
exten => s,1,NoOp(the menu)
 same => n(again),Background(custom/main-menu)
 same => n,WaitExten(5)
exten => 1,1,Queue(sales,t,,,60)
 same => n,Playback(nobody-free)
 same => n,Voicemail(200@default,u)
 same => n,Hangup()
exten => 2,1,Dial(${SUPPORT},20,tT)
 same => n,Goto(open,s,again)
exten => 3,1,Read(ORDER,enter-order,10,,2,5)
 same => n,GotoIf($["${ORDER}" = "0"]?open,s,again)
 same => n,AGI(lookup.agi,${ORDER})
 same => n,SayDigits(${ORDER})
 same => n,Hangup()
exten => _5XX,1,Dial(PJSIP/${EXTEN},20)
exten => i,1,Playback(invalid)
 same => n,Goto(open,s,again)
exten => t,1,Hangup()

[features]
exten => 9,1,Echo()

[closed]
exten => s,1,Playback(closed&bye)
 same => n,Hangup()

[unused]
exten => s,1,Hangup()
"#;

#[test]
fn an_extensions_conf_becomes_a_plan_without_errors_that_can_be_called() {
    let imported = asterisk(&[source("extensions.conf", EXTENSIONS)], &wanted()).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let plan = loaded(&imported);
    assert_eq!(plan.numbers, ["4930123"]);
    let mut open = call(&plan);
    assert!(open.turns()[0].said.join(" ").contains("main menu"), "{:?}\n{}", open.turns(), imported.plan);
    assert!(open.press("1").queue.is_some(), "{:?}\n{}", open.turns(), imported.plan);
    let mut order = call(&plan);
    order.press("3");
    assert_eq!(order.press("1234567890").slots.get("order").and_then(|value| value.as_str()), Some("1234567890"));
    let mut phone = call(&plan);
    assert!(phone.press("2").notes.iter().any(|note| note == "transfer to 100"), "{:?}", phone.turns());
    let mut echo = call(&plan);
    assert!(echo.press("9").notes.iter().any(|note| note.contains("hears himself")), "an included context counts");
}

#[test]
fn what_an_extensions_conf_loses_is_said_with_its_line() {
    let imported = asterisk(&[source("extensions.conf", EXTENSIONS)], &wanted()).unwrap_or_else(|problems| panic!("{problems:#?}"));
    for (line, what) in
        [(12, "time zone"), (23, "PJSIP/101"), (27, "agi"), (30, "_5XX"), (19, "options of Queue"), (21, "200@default"), (42, "[unused]")]
    {
        assert!(
            imported.notes.iter().any(|note| note.line == line && note.what.contains(what) && note.file == "extensions.conf"),
            "{line} {what}: {:#?}",
            imported.notes
        );
    }
}

const SUBROUTINES: &str = r#"
[from-trunk]
exten => 4930123,1,Gosub(greet,s,1(sales))
 same => n,Macro(hours)
 same => n,Gosub(again)
 same => n,Playback(bye)
 same => n,Hangup()
 same => n(again),Playback(once-more)
 same => n,Return()

[greet]
exten => s,1,Playback(hello)
 same => n,GotoIf($["${ARG1}" = "sales"]?sales)
 same => n,Return()
 same => n(sales),Playback(sales-team)
 same => n,Return()
"#;
const INCLUDED: &str = "[macro-hours]\nexten => s,1,Playback(we-are-open)\n";

#[test]
fn subroutines_come_back_and_included_files_count_with_their_own_lines() {
    let main = format!("#include \"extensions_more.conf\"\n{SUBROUTINES}#include nowhere.conf\n");
    let files = [source("extensions.conf", &main), source("extensions_more.conf", INCLUDED)];
    let imported = asterisk(&files, &wanted()).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let plan = loaded(&imported);
    let mut caller = call(&plan);
    caller.run_out();
    let said: Vec<&str> = caller.turns().iter().flat_map(|turn| turn.said.iter().map(String::as_str)).collect();
    assert_eq!(said, ["hello", "sales team", "we are open", "once more", "bye"], "{}", imported.plan);
    assert!(caller.turns().iter().any(|turn| turn.end.is_some()));
    let told = |file: &str, line: usize, what: &str| {
        imported.notes.iter().any(|note| note.file == file && note.line == line && note.what.contains(what))
    };
    assert!(told("extensions_more.conf", 2, "we-are-open") && told("extensions.conf", 18, "nowhere.conf"), "{:#?}", imported.notes);
    assert!(!imported.notes.iter().any(|note| note.what.contains("way back")), "{:#?}", imported.notes);
}

#[test]
fn odd_extensions_confs_are_no_plan_or_a_good_one_but_never_a_panic() {
    for text in [
        "",
        "[a]\n",
        "[a]\nexten => s,1,Goto(a,s,1)\n",
        "[a]\nexten => s,1,Goto(nowhere,s,1)\n",
        "[a]\nexten => s,1,Background(x)\n same => n,WaitExten()\nexten => 1,1,Goto(s,1)\nexten => *,1,Dial(SIP/${X})\n",
        "[a]\nexten => s,1,Set(X=1)\n same => n,GotoIf($[${X} > 0]?s,1)\n",
        "[a]\nexten => s,1,Queue(a b,,,,0)\n same => n,Macro(stdexten,1)\n",
        "[end]\nexten => s,1,Read(,,,,,)\n same => n(\n",
        "[a]\nexten => s,1,SayNumber(${NOBODY})\nexten => s,n,GotoIfTime(*,*,*,*?a)\nexten => s,n,Set(Y=${X}{)\n same => n,SayDigits(${Y})\n",
        "[a]\nexten => s,1,Set(X=a)\nexten => s,n,GotoIf($[\"${X}\"=\"b\"]?yes:no)\nexten => s,n(yes),Playback(a)\nexten => s,n(no),Playback(b)\n",
    ] {
        match asterisk(&[source("extensions.conf", text)], &wanted()) {
            Ok(imported) => drop(loaded(&imported)),
            Err(problems) => assert!(problems.iter().all(|problem| problem.id == "D105"), "{text}: {problems:#?}"),
        }
    }
}

#[test]
fn twiml_becomes_a_plan_without_errors_and_says_what_the_application_decides() {
    let voice = "<?xml version=\"1.0\"?>\n<Response>\n  <Say language=\"en-US\">Welcome to Tom &amp; Co.</Say>\n  <Gather numDigits=\"1\" action=\"/menu.xml\">\n    \
                 <Say>Press 1 for sales.</Say>\n  </Gather>\n  <Redirect>voice.xml</Redirect>\n</Response>\n";
    let menu = "<Response>\n <Pause length=\"1\"/>\n <Dial timeout=\"15\"><Number>+49301234</Number></Dial>\n <Say>Nobody is there.</Say>\n <Record maxLength=\"60\"/>\n \
                <Sms>hello</Sms>\n <Enqueue>support</Enqueue>\n</Response>\n";
    let files = [source("voice.xml", voice), source("menu.xml", menu)];
    let imported = twiml(&files, &wanted()).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let plan = loaded(&imported);
    let mut simulation = call(&plan);
    assert!(simulation.turns()[0].said.join(" ").contains("Welcome to Tom & Co."), "{:?}", simulation.turns());
    let turn = simulation.press("1");
    assert!(turn.notes.iter().any(|note| note.contains("+49301234")), "{turn:?}\n{}", imported.plan);
    for (file, line, what) in [("voice.xml", 4, "/menu.xml"), ("menu.xml", 2, "pause"), ("menu.xml", 6, "<Sms>")] {
        let found = imported.notes.iter().any(|note| note.file == file && note.line == line && note.what.contains(what));
        assert!(found, "{file}:{line} {what}: {:#?}", imported.notes);
    }
    let lost = twiml(&[source("a.xml", "<Response><Redirect>b.xml</Redirect></Response>")], &wanted()).expect("a plan");
    assert!(lost.notes.iter().any(|note| note.what.contains("b.xml is not among the files")));
    assert!(twiml(&[source("a.xml", "<html/>")], &wanted()).is_err());
}
