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
    fn replace(&self, config: &Config) {
        self.directory.send_replace(Arc::clone(&config.directory));
        self.channels.send_replace(Arc::new(setup::channel_secrets(&config.server)));
        self.adapters.send_replace(Arc::new(setup::adapters(&config.server)));
    }
}

/// Looks until the door is closed.
pub async fn run(mut files: Watch, door: ControlHandle, shown: Shown) {
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
                shown.replace(&config);
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
