//! Hot reload: a task that looks at the files and tells the rules of a good new configuration.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::setup;
use crate::api::ChannelSecrets;
use crate::channels::{Adapters, InForce};
use crate::config::Config;
use crate::config::server::Server;
use crate::config::watch::{Look, Watch};
use crate::control::surface::Input;
use crate::control::words::directory::Directory;
use crate::control_handle::ControlHandle;
use crate::lookups::Guard;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// The parts of the configuration that edges look at while they run.
pub struct Showing {
    /// For the API.
    pub directory: watch::Receiver<Arc<Directory>>,
    /// For the API's door of chat lines.
    pub channels: watch::Receiver<Arc<ChannelSecrets>>,
    /// For chat lines outward.
    pub adapters: InForce,
}

/// The other side of [`Showing`].
pub struct Shown {
    directory: watch::Sender<Arc<Directory>>,
    channels: watch::Sender<Arc<ChannelSecrets>>,
    adapters: watch::Sender<Arc<Adapters>>,
}

/// What is in force at the start.
pub fn shown(directory: &Arc<Directory>, server: &Server) -> (Shown, Showing) {
    let (directory, directory_seen) = watch::channel(Arc::clone(directory));
    let (channels, channels_seen) = watch::channel(Arc::new(setup::channel_secrets(server)));
    let (adapters, adapters_seen) = watch::channel(Arc::new(setup::adapters(server)));
    let showing = Showing { directory: directory_seen, channels: channels_seen, adapters: adapters_seen };
    (Shown { directory, channels, adapters }, showing)
}

impl Shown {
    /// Answers with the directory before.
    fn replace(&self, config: &Config) -> Arc<Directory> {
        let before = self.directory.send_replace(Arc::clone(&config.directory));
        self.channels.send_replace(Arc::new(setup::channel_secrets(&config.server)));
        self.adapters.send_replace(Arc::new(setup::adapters(&config.server)));
        before
    }
}

/// Looks until the door is closed.
pub async fn run(mut files: Watch, door: ControlHandle, shown: Shown, guard: Guard) {
    let mut clock = tokio::time::interval(EVERY);
    loop {
        clock.tick().await;
        let looked = tokio::task::spawn_blocking(move || {
            let look = files.look();
            (files, look)
        });
        let Ok((returned, look)) = looked.await else { return };
        files = returned;
        match look {
            Look::Same => {}
            Look::Changed(config) => {
                tracing::info!(plans = config.directory.plans.len(), agents = config.directory.agents.len(), "new configuration in force");
                let before = shown.replace(&config);
                guard.replace(reach_of_both(&before, &config.directory));
                if door.send(Input::Directory(config.directory)).is_err() {
                    tracing::error!("the rules do not take the new configuration");
                }
            }
            Look::Broken(problems) => {
                for problem in &problems {
                    tracing::error!("{problem}");
                }
                tracing::error!(problems = problems.len(), "the changed files have errors: the configuration that works stays in force");
            }
        }
    }
}

/// A running call keeps the plan it began with, so what the plans before may ask stays allowed until the next change.
fn reach_of_both(before: &Directory, fresh: &Directory) -> Vec<String> {
    let mut hosts = setup::reach(fresh);
    hosts.extend(setup::reach(before));
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Args};

    /// A plan whose lookup asks this host.
    fn plan(host: &str) -> String {
        format!(
            "dialplan: 1\nid: shop\ntitle: Shop\nlanguages: [en-US]\nstart: main\nlookups:\n  \
             order: {{get: \"http://{host}/order\", timeout: 2s}}\nnodes:\n  main:\n    - lookup: order\n      error: bye\n    \
             - goto: bye\n  bye: [{{hangup: Bye.}}]\n"
        )
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_changed_plan_may_ask_the_private_host_it_names_without_a_restart() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("dialplans/shop.yaml");
        std::fs::create_dir(home.path().join("dialplans")).unwrap();
        std::fs::create_dir(home.path().join("sip-config")).unwrap();
        std::fs::write(&file, plan("10.0.0.8")).unwrap();
        let args = Args { home: home.path().to_owned(), ..Args::default() };
        let config = config::load(&args, config::Secrets::NONE).unwrap();
        let guard = Guard::new(setup::reach(&config.directory));
        let files = Watch::new(args, &config, Arc::clone(&config.directory));
        let (door, side, _answers) = crate::control_handle::open();
        let (shown, mut show) = shown(&config.directory, &config.server);
        std::fs::write(&file, plan("10.0.0.99")).unwrap();
        let looking = tokio::spawn(run(files, door, shown, guard.clone()));
        show.directory.changed().await.unwrap();
        let told = tokio::task::spawn_blocking(move || side.inputs.recv()).await.unwrap();
        assert!(matches!(told, Ok(Input::Directory(_))), "the rules are told");
        assert!(guard.check("http://10.0.0.99/order").is_ok(), "the new plan's host");
        assert!(guard.check("http://10.0.0.8/order").is_ok(), "calls of the plan before run on");
        assert!(guard.check("http://10.0.0.7/order").is_err());
        looking.abort();
    }
}
