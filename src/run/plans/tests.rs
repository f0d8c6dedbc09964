//! The house of plans against a real store and folder; the rules are a line that is read here.

use std::sync::Arc;

use super::*;
use crate::config::{self, Args};
use crate::control::dialplan::Plan;
use crate::control::surface::Input;
use crate::control::words::{ConversationId, CustomerId, Lang, QueueId, SessionId};
use crate::control_handle::ControlSide;
use crate::lookups::Guard;
use crate::plans::NewNotice;
use crate::run::{reload, setup};
use crate::store;

struct Scene {
    home: tempfile::TempDir,
    house: House,
    side: ControlSide,
    show: reload::Showing,
    _started: (std::thread::JoinHandle<()>, tokio::task::JoinHandle<Result<(), store::Error>>),
}

/// A plan that says hello in these words and asks this host.
fn plan(hello: &str, host: &str) -> String {
    format!(
        "dialplan: 1\nid: shop\ntitle: Shop\nlanguages: [en-US]\nstart: main\nlookups:\n  \
         order: {{get: \"http://{host}/order\", timeout: 2s}}\nnodes:\n  main:\n    - say: \"{hello}\"\n    - lookup: order\n      error: bye\n    \
         - goto: bye\n  bye: [{{hangup: Bye.}}]\n"
    )
}

const TESTS: &str = "tests: shop\ncases:\n  - name: the shop greets\n    mock: {order: {a: 1}}\n    expect: [{said: [Hello]}]\n";

fn file(name: &str, text: &str) -> PlanFile {
    PlanFile { name: name.to_owned(), text: text.to_owned() }
}

async fn scene(home: tempfile::TempDir) -> Scene {
    let args = Args { home: home.path().to_owned(), ..Args::default() };
    let config = config::load(&args, config::Secrets::NONE).unwrap();
    let data = config.server.folders.data.clone();
    std::fs::create_dir_all(&data).unwrap();
    let settings = store::Settings { url: format!("sqlite:{}", data.join("t.db").display()), log: data.join("log") };
    let started = store::start(&settings).await.unwrap();
    let mut remembered = remember(&config, &started.store).await.unwrap();
    let live = tokio::task::block_in_place(|| remembered.live(&args, &config));
    let directory = Arc::new(crate::control::words::directory::Directory { live, ..(*config.directory).clone() });
    let guard = Guard::new(setup::reach(&directory));
    let files = Watch::new(args, &config, Arc::clone(&directory));
    let (door, side, _answers) = crate::control_handle::open();
    let (shown, show) = reload::shown(&directory, &config.server);
    let memory = Memory { store: started.store.clone(), journal: started.journal.clone() };
    let house = House::new(files, config, Installed { door, shown, guard }, memory, remembered);
    house.note_versions(Cause { how: "file", by: BY_FILE }).await;
    Scene { home, house, side, show, _started: (started.journal_thread, started.fold) }
}

fn home_with(text: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("dialplans")).unwrap();
    std::fs::create_dir(home.path().join("sip-config")).unwrap();
    std::fs::write(home.path().join("dialplans/shop.yaml"), text).unwrap();
    std::fs::write(home.path().join("dialplans/shop.test.yaml"), TESTS).unwrap();
    home
}

impl Scene {
    fn version(&self) -> String {
        self.show.directory.borrow().plans["shop"].version.clone()
    }

    fn told(&self) -> Arc<crate::control::words::directory::Directory> {
        match self.side.inputs.try_recv() {
            Ok(Input::Directory(directory)) => directory,
            other => panic!("the rules are told: {other:?}"),
        }
    }

    async fn ask(&mut self, wish: Wish) -> Result<Done, Refusal> {
        self.house.carry_out(wish, "chief").await
    }

    async fn publish(&mut self, files: Vec<PlanFile>) -> Result<Done, Refusal> {
        self.ask(Wish::Publish { files, expected: None, aim: Aim::Publish }).await
    }

    /// Ended sessions of a version, so many of them in a line to a person.
    async fn sessions(&self, version: &str, count: u64, queued: u64) {
        let (queue, mut random) = (QueueId::of_name("desk"), crate::clock::chance());
        let mut facts = Vec::new();
        for at in 0..count {
            let session = SessionId::new(crate::clock::now(), &mut random);
            let (plan, plan_version) = (Some("shop".to_owned()), Some(version.to_owned()));
            let (channel, address, entry) = ("phone".to_owned(), String::new(), String::new());
            let (conversation, customer, call) = (ConversationId(1), CustomerId(1), None);
            facts.push(Fact::SessionCreated { session, conversation, customer, channel, address, entry, plan, plan_version, call });
            if at < queued {
                facts.push(Fact::Queued { session, queue, skills: Vec::new(), priority: 0, position: 0 });
            }
            let (ending, disposition) = ("caller_hung_up".to_owned(), "done".to_owned());
            facts.push(Fact::SessionClosed { session, ending, disposition, contained: at >= queued, duration_ms: 1 });
        }
        self.house.record(facts).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_plan_may_ask_the_private_host_it_names_without_a_restart() {
    let mut scene = scene(home_with(&plan("Hello", "10.0.0.8"))).await;
    let first = scene.version();
    std::fs::write(scene.home.path().join("dialplans/shop.yaml"), plan("Hello", "10.0.0.99")).unwrap();
    scene.house.look().await;
    assert_ne!(scene.told().plans["shop"].version, first);
    let guard = &scene.house.in_force.guard;
    assert!(guard.check("http://10.0.0.99/order").is_ok(), "the new plan's host");
    assert!(guard.check("http://10.0.0.8/order").is_ok(), "calls of the plan before run on");
    assert!(guard.check("http://10.0.0.7/order").is_err());
    let last = scene.house.memory.store.publication("shop").await.unwrap().unwrap();
    assert_eq!((last.version, last.replaced), (scene.version(), Some(first)), "an edit by hand is a publication too");
}

#[tokio::test(flavor = "multi_thread")]
async fn s07_a_published_plan_is_in_force_and_in_its_file_and_the_one_before_can_be_put_back() {
    let mut scene = scene(home_with(&plan("Hello", "10.0.0.8"))).await;
    let first = scene.version();
    let fresh = plan("Hello again", "10.0.0.8");
    let Done::Published(checked) = scene.publish(vec![file("any-name.yaml", &fresh)]).await.unwrap() else { panic!("published") };
    assert_eq!((checked.cases, checked.changed[0].from.as_ref()), (1, Some(&first)));
    assert_eq!(scene.told().plans["shop"].version, checked.changed[0].to);
    let path = scene.home.path().join("dialplans/shop.yaml");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), fresh, "it takes the place of the file that has its id");
    assert!(!scene.home.path().join("dialplans/any-name.yaml").exists());
    scene.house.look().await;
    assert!(scene.side.inputs.is_empty(), "the file's change is no news");

    scene.ask(Wish::Rollback { plan: "shop".into(), version: None }).await.unwrap();
    assert_eq!((scene.version(), std::fs::read_to_string(&path).unwrap()), (first.clone(), plan("Hello", "10.0.0.8")));
    let known = scene.house.memory.store.plan_versions("shop").await.unwrap();
    assert_eq!(known.len(), 2, "both are known: {known:?}");
    let wish = Wish::PublishVersion {
        plan: "shop".into(),
        version: checked.changed[0].to.clone(),
        expected: Some("stale".into()),
        aim: Aim::Publish,
    };
    assert_eq!(scene.ask(wish).await, Err(Refusal::Mismatch(first)));
}

#[tokio::test(flavor = "multi_thread")]
async fn s07_a_broken_plan_and_one_that_fails_its_tests_are_refused_with_the_reason_and_the_old_one_stays() {
    let mut scene = scene(home_with(&plan("Hello", "10.0.0.8"))).await;
    let before = (scene.version(), std::fs::read_to_string(scene.home.path().join("dialplans/shop.yaml")).unwrap());
    let broken = plan("Hello", "10.0.0.8").replace("goto: bye", "goto: by");
    let Err(Refusal::Failed(checked)) = scene.publish(vec![file("shop.yaml", &broken)]).await else { panic!("it is refused") };
    assert!(checked.findings[0].starts_with("shop.yaml:13:") && checked.findings[0].contains("D120"), "{checked:?}");
    let Err(Refusal::Failed(checked)) = scene.publish(vec![file("shop.yaml", &plan("Good day", "10.0.0.8"))]).await else {
        panic!("refused")
    };
    assert!(checked.failed[0].contains("the shop greets"), "{checked:?}");
    let after = (scene.version(), std::fs::read_to_string(scene.home.path().join("dialplans/shop.yaml")).unwrap());
    assert_eq!(before, after);
    assert!(scene.side.inputs.is_empty(), "nobody is told of anything");
}

#[tokio::test(flavor = "multi_thread")]
async fn s07_a_draft_on_trial_survives_a_restart_and_is_taken_back_when_it_hands_more_callers_to_people() {
    let mut first = scene(home_with(&plan("Hello", "10.0.0.8"))).await;
    let old = first.version();
    let draft = Wish::Draft { plan: Some("shop".into()), text: plan("Hello you", "10.0.0.8") };
    let Done::Drafted(_, new, _) = first.ask(draft).await.unwrap() else { panic!("drafted") };
    first.ask(Wish::Canary { plan: "shop".into(), version: None, percent: 50 }).await.unwrap();
    let trying = |plan: &Arc<Plan>| plan.version.clone();
    let told = first.told();
    assert_eq!(
        (told.live.canaries.get("shop").map(|canary| trying(&canary.plan)), told.plans["shop"].version.clone()),
        (Some(new.clone()), old.clone())
    );
    first.sessions(&old, 60, 6).await;
    first.house.judge().await;
    let home = first.home;
    first.house.memory.journal.close();

    let mut again = scene(home).await;
    assert_eq!(again.show.directory.borrow().live.canaries["shop"].plan.version, new, "kept over a restart");
    again.sessions(&new, 30, 3).await;
    again.house.judge().await;
    assert_eq!(again.house.remembered.trials.len(), 1, "it does as well as the other");
    again.sessions(&new, 30, 28).await;
    again.house.judge().await;
    assert!(again.told().live.canaries.is_empty());
    let trials = again.house.memory.store.trials("shop").await.unwrap();
    assert_eq!((trials[0].how.as_deref(), trials[0].counts["canary"]["to_person"].as_u64()), (Some("rolled_back"), Some(31)));
    assert!(trials[0].why.as_ref().unwrap().contains("31 of 60 sessions"), "{trials:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s87_a_notice_is_told_at_once_kept_over_a_restart_and_taken_back() {
    let mut first = scene(home_with(&plan("Hello", "10.0.0.8"))).await;
    let until = crate::clock::now() + Duration::from_secs(3_600);
    let new = |text: &str| NewNotice { text: text.into(), by_lang: BTreeMap::default(), until, plan: None };
    assert!(matches!(first.ask(Wish::SetNotice(new(" "))).await, Err(Refusal::Invalid(_))));
    let Done::Notice(set) = first.ask(Wish::SetNotice(new("We are closed."))).await.unwrap() else { panic!("set") };
    assert_eq!(first.told().live.words("shop", &Lang::new("en-US"), crate::clock::now()), ["We are closed."]);
    let home = first.home;
    first.house.memory.journal.close();
    let mut again = scene(home).await;
    assert_eq!(again.show.directory.borrow().live.announcements, std::slice::from_ref(&set));
    again.ask(Wish::ClearNotice(set.id)).await.unwrap();
    assert!(again.told().live.announcements.is_empty());
    assert!(matches!(again.ask(Wish::ClearNotice(set.id)).await, Err(Refusal::Unknown { .. })));
}
